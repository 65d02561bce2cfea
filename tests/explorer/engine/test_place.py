"""Models of other libraries in another type, as much as memory holds, and what visitors may choose among."""

import numpy as np
import pytest
import torch

from explorer import command
from explorer.engine import place as places
from explorer.engine.payload import unpack
from explorer.engine.place import NoRoom, Place, free_bytes
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.questions import compare, explore, residual, writing
from explorer.questions.asker import Asker
from explorer.questions.cache_times import cache_times
from explorer.questions.surgery import read_edits
from llm_core import load_model

from ...model.families import theirs

TEXT = theirs.SENTENCE
HALF = Place("cpu", "bfloat16")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A GPT-2, a Llama, a BERT and a T5 as transformers saves them."""
    place = tmp_path_factory.mktemp("theirs")
    for name in ("gpt2", "llama", "bert", "t5"):
        theirs.with_tokenizer(name, place / name)
    return place


@pytest.fixture(params=["gpt2", "llama"])
def halved(request, folders):
    """A decoder in float32, and the same in bfloat16."""
    return Runner("mine", folders / request.param), Runner("mine", folders / request.param, place=HALF)


def test_weights_are_kept_as_what_was_asked_for(halved):
    assert {p.dtype for p in halved[1].model.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in halved[0].model.parameters()} == {torch.float32}
    assert {p.dtype for p in Runner(place=HALF).model.parameters()} == {torch.float32}  # ours stay as they are


def test_half_precision_draws_the_same_within_its_steps(halved):
    (_, exact), (_, coarse) = (unpack(runner.run(TEXT).payload) for runner in halved)
    assert np.abs(exact["pattern"] - coarse["pattern"]).max() < 0.03
    assert np.abs(exact["actual_probs"] - coarse["actual_probs"]).max() < 0.03
    assert coarse["leading"].shape == exact["leading"].shape


def test_every_question_takes_half_precision(halved):
    _, runner = halved
    for part in explore.PARTS:
        if part != "surgery":
            explore.part(runner, part, TEXT)
    model = load_model(runner.folder, dtype=torch.bfloat16)
    ids = runner.encode(TEXT)
    with torch.inference_mode():
        logits = model(torch.tensor([ids]))[0].float()
    _, stream = unpack(explore.part(runner, "stream", TEXT).payload)
    best = logits.softmax(-1).topk(5).values
    assert np.abs(stream["lens_probs"][-1][:, :5] - best.numpy()).max() < 0.01  # the last row is the model's own
    sums = sum(stream[f"share_{name}"] for name in ("token", "norm_bias") if f"share_{name}" in stream)
    sums = (
        sums + stream["share_heads"].sum((0, 1)) + stream["share_attention_bias"].sum(0) + stream["share_mlps"].sum(0)
    )
    sums = sums + stream.get("share_position", 0) + stream.get("share_head_bias", 0)
    assert np.abs(sums - stream["share_logit"]).max() < 0.3
    edits = [{"what": "head", "how": how, "layer": 1, "head": 1} for how in ("zero", "mean", "uniform")]
    for edit in edits:
        unpack(explore.part(runner, "surgery", TEXT, read_edits([edit])).payload)
    steps = list(writing.write(runner, TEXT, [], 4, 1, temperature=0))
    again = writing.read_again(runner, TEXT, [step["id"] for step in steps])
    assert np.allclose([s["logprob"] for s in steps], [s["logprob"] for s in again], atol=0.05)
    writing.look(runner, TEXT, [])
    writing.next_token(runner, TEXT, 0.8, None, None)
    assert residual.shares_of(runner, TEXT, ids[-1]).payload
    assert len(cache_times(runner, TEXT, [], 3)["tokens"]) == 3


def test_compare_takes_half_precision(folders, tmp_path):
    shelf = Shelf(Runner(place=HALF), runs=tmp_path, listed=[str(folders / name) for name in ("bert", "t5")])
    header, arrays = unpack(compare.compare(shelf, f"{TEXT}\n{TEXT}", [*shelf._listed]).payload)
    assert [column["error"] for column in header["columns"]] == [None, None]
    exact = Shelf(Runner(), runs=tmp_path, listed=[*shelf._listed])
    _, wanted = unpack(compare.compare(exact, f"{TEXT}\n{TEXT}", [*shelf._listed]).payload)
    for name in ("0.encoder.pattern", "1.cross.pattern"):
        assert np.abs(arrays[name] - wanted[name]).max() < 0.03


def test_what_does_not_fit_is_said_before_it_is_tried(folders, monkeypatch):
    monkeypatch.setattr(places, "free_bytes", lambda device: 50_000)
    monkeypatch.setattr("llm_core.load_model", lambda *_, **__: pytest.fail("it was tried"))
    said = r"big has \d+ million numbers, 0.0 GB as float32, .* --dtype bfloat16, or open a smaller model"
    with pytest.raises(NoRoom, match=said):
        _ = Runner("big", folders / "gpt2").model


def test_models_that_nobody_asks_for_make_room(folders, monkeypatch, tmp_path):
    names = [str(folders / name) for name in ("gpt2", "llama", "t5")]
    shelf = Shelf(Runner(), runs=tmp_path, listed=names)
    loaded = []

    def free(_device: str) -> int:
        return 10**12 if len(shelf._others) < 3 else 0

    monkeypatch.setattr(places, "free_bytes", free)
    for name in names:
        loaded.append(shelf.loaded(name))
    assert [runner.model_name for runner in shelf._others.values()] == names[1:]
    monkeypatch.setattr(places, "free_bytes", lambda device: 0)
    with pytest.raises(NoRoom):
        shelf.loaded(names[0])


def test_memory_is_read_where_it_is_told(tmp_path, monkeypatch):
    assert free_bytes("cpu") is None or 10**6 < free_bytes("cpu") < 10**14
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:    500 kB\n")
    monkeypatch.setattr(places, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(places, "GROUP", tmp_path)
    assert free_bytes("cpu") == 512_000
    (tmp_path / "memory.max").write_text("max")
    (tmp_path / "memory.current").write_text("7")
    assert free_bytes("cpu") == 512_000
    (tmp_path / "memory.max").write_text("1007")
    assert free_bytes("cpu") == 1000


def test_visitors_choose_among_what_is_listed(folders, tmp_path):
    names = [str(folders / "llama"), str(folders / "bert"), "decoder"]
    shelf = Shelf(Runner(), runs=tmp_path, listed=names)
    found = {choice["name"]: choice["architecture"] for choice in shelf.choices()}
    assert {name: found[name] for name in names} == {names[0]: "decoder", names[1]: "encoder", "decoder": "decoder"}
    assert explore.run(Asker(shelf), TEXT, names[0]).payload
    for other in (str(folders / "gpt2"), "gpt2", "EleutherAI/pythia-70m"):
        with pytest.raises(ValueError, match="no model"):
            shelf.get(other)
    assert shelf.get(str(folders / "gpt2"), any_folder=True)  # the owner, on their own machine


def test_what_is_listed_and_not_there_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"--models nowhere: there is no such folder, file, or run"):
        Shelf(Runner(), runs=tmp_path, listed=["nowhere"])


def test_of_a_model_on_the_hub_only_the_config_is_fetched_at_first(folders, monkeypatch, tmp_path):
    asked = []

    def fetch(name: str, files=("all",)):
        asked.append((name, [*files]))
        return folders / "gpt2"

    monkeypatch.setattr("explorer.engine.shelf.fetch", fetch)
    shelf = Shelf(Runner(), runs=tmp_path, listed=["gpt2"])
    assert shelf.choices()[-1] == {"name": "gpt2", "title": "gpt2", "architecture": "decoder"}
    assert asked == [("openai-community/gpt2", ["config.json"])]
    shelf.loaded("gpt2")
    shelf.loaded("gpt2")
    assert asked[1:] == [("openai-community/gpt2", ["all"])]


def test_a_device_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setattr("llm_core.train.devices.is_present", lambda device: device == "cpu")
    with pytest.raises(ValueError, match="device=cuda: must be a device that PyTorch finds on this machine"):
        command.shelf_of(command.parse_arguments(["--device", "cuda"]))
    assert Place("auto").found == "cpu"


def test_arguments_say_where_models_compute(folders):
    words = ["--device", "cpu", "--dtype", "bfloat16"]
    assert command.shelf_of(command.parse_arguments(words)).first.place == HALF
    shelf = command.shelf_of(command.parse_arguments([*words, "--models", f"{folders / 'gpt2'}, decoder"]))
    assert shelf.get(str(folders / "gpt2")).place == HALF
