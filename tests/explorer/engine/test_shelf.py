"""One shelf for all models that are asked for: bytes or our tokens, of any shape, several users at a time."""

import io
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.engine.shelf import CAPACITY, Shelf
from explorer.pages.prompt import given_examples
from explorer.questions.asker import Asker
from explorer.questions.compare import compare
from explorer.questions.explore import PARTS, run
from explorer.questions.surgery import before_and_after, effect
from explorer.questions.writing import look, write
from explorer.server import routes
from llm_core import (
    Decoder,
    Encoder,
    EncoderDecoder,
    ModelConfig,
    generate,
    load_model,
    load_tokenizer,
    record,
    save_model,
)

from ...common import randomised

BYTES = load_tokenizer("bytes")
ONE = ModelConfig(vocab_size=260, block_size=64, n_layer=1, n_head=1, n_embd=16)
TWO = ModelConfig(vocab_size=260, block_size=48, n_layer=2, n_head=4, n_embd=24)
OURS = ModelConfig(vocab_size=8192, block_size=19, n_layer=3, n_head=2, n_embd=12)
TEXT = "Wash ☕ and"


@pytest.fixture
def runs(tmp_path) -> Path:
    """Models beside the app: of one head and of several, of bytes and of our tokens, and an encoder."""
    place = tmp_path / "runs"
    save_model(randomised(Decoder(ONE), 1), place / "one", tokenizer="bytes")
    save_model(randomised(Decoder(TWO), 2), place / "two" / "model", tokenizer="bytes")
    save_model(randomised(Decoder(OURS), 3), place / "ours")
    save_model(randomised(Encoder(TWO), 4), place / "encoder", tokenizer="bytes")
    return place


@pytest.fixture
def shelf(runs, tmp_path) -> Shelf:
    return Shelf(Runner(), tmp_path / "none", runs)


@pytest.fixture
def client(shelf) -> TestClient:
    return TestClient(Starlette(routes=routes(shelf)))


def payload_of(shelf: Shelf, text: str, model: str) -> tuple[dict, dict]:
    return unpack(run(Asker(shelf), text, model).payload)


def sentence_of(shelf: Shelf, model: str) -> str:
    with pytest.raises(ValueError) as caught:
        run(Asker(shelf), TEXT, model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def traced(folder: Path, ids: list[int]):
    model = load_model(folder)
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([ids]))
    return trace


# what is shown of each


@pytest.mark.parametrize(("name", "sizes"), [("one", ONE), ("two", TWO)])
def test_a_text_runs_through_the_named_model_in_its_own_tokens(shelf, runs, name, sizes):
    header, arrays = payload_of(shelf, TEXT, f"runs/{name}")
    ids = [259, *TEXT.encode()]
    assert [token["id"] for token in header["tokens"]] == ids
    assert [token["text"] for token in header["tokens"][5:10]] == [" ", "\\xE2", "\\x98", "\\x95", " "]
    assert [token["partial"] for token in header["tokens"][5:10]] == [False, True, True, True, False]
    facts = header["model"]
    assert (facts["name"], facts["vocab_size"], facts["token_limit"]) == (f"runs/{name}", 260, sizes.block_size)
    trace = traced(runs / name / ("model" if name == "two" else ""), ids)
    for layer in range(sizes.n_layer):
        assert np.abs(arrays["pattern"][layer] - trace.attention(layer)[0].numpy()).max() <= 1.6e-5
    best = trace["logits"][0].softmax(-1).topk(20)
    assert np.abs(arrays["next_probs"] - best.values.numpy()).max() < 1e-6


def test_a_text_is_cut_to_the_window_of_its_model(shelf):
    header, _ = payload_of(shelf, "red cup " * 20, "runs/two")
    assert (len(header["tokens"]), header["total"]) == (48, 161)


def test_every_part_speaks_of_the_named_model(client, runs):
    trace = traced(runs / "two" / "model", [259, *TEXT.encode()])
    found = {}
    for name in PARTS:
        answer = client.post(f"/ask/{name}", json={"text": TEXT, "model": "runs/two"})
        assert answer.status_code == 200, answer.text
        found[name] = unpack(answer.content)[1]
    assert found["neurons"]["q"].shape == (2, 4, 13, 6)
    assert np.abs(found["neurons"]["q"][1] - trace["blocks.1.attn.q"][0].numpy()).max() < 1e-6
    assert (
        np.abs(found["stream"]["lens_probs"][-1] - trace["logits"][0].softmax(-1).topk(10).values.numpy()).max() < 1e-5
    )
    assert np.abs(found["tensors"]["mlp.out"][0] - trace["blocks.0.mlp.out"][0].numpy()).max() < 1e-5


def test_surgery_and_its_means_are_of_the_named_model(shelf):
    from llm_core.analysis.surgery import Edit

    edits = (Edit(what="head", how="mean", layer=1, head=3),)
    changed = before_and_after(shelf.get("runs/two"), TEXT, edits)
    assert len(changed["tokens"]) == 13 and changed["loss_before"] != changed["loss_after"]
    *_, last = effect(shelf.get("runs/two"), edits)
    assert last["effect"]["n"] >= 2 and last["effect"]["low"] <= last["effect"]["mean"] <= last["effect"]["high"]


def test_a_window_without_room_for_a_sentence_is_said(shelf, runs):
    sizes = ModelConfig(vocab_size=260, block_size=4, n_layer=1, n_head=8, n_embd=16)
    save_model(Decoder(sizes), runs / "short", tokenizer="bytes")
    with pytest.raises(ValueError, match="runs/short reads 4 tokens at a time: too few to measure on a sentence"):
        list(effect(shelf.get("runs/short"), ()))


def test_writing_is_of_the_named_model(shelf, runs):
    runner = shelf.get("runs/one")
    written = [token["id"] for token in write(runner, TEXT, [], 5, 1, temperature=0, top_k=None, top_p=None)]
    ids = [259, *TEXT.encode()]
    assert written == generate(load_model(runs / "one"), [ids], 5, temperature=0, stop=BYTES.end)[0][len(ids) :]
    header, arrays = unpack(look(runner, TEXT, written[:2]).payload)
    logits = traced(runs / "one", [*ids, *written[:2]])["logits"][0, -1]
    assert np.abs(arrays["logits"] - logits.sort(descending=True).values.numpy()).max() < 1e-5
    assert len(header["tokens"]) == len(ids) + 2


def test_files_are_of_the_named_model(client):
    asked = {"text": TEXT, "model": "runs/one"}
    answer = client.post("/ask/numbers", json={**asked, "kind": "npz"})
    assert "headscope-runs-one-wash-and.npz" in answer.headers["Content-Disposition"]
    assert np.load(io.BytesIO(answer.content))["tokens"][5:9].tolist() == [" ", "\\xE2", "\\x98", "\\x95"]
    assert client.post("/ask/standalone", json=asked).status_code == 200


def test_models_of_both_tokenizers_stand_side_by_side_on_compare(shelf, runs):
    save_model(randomised(EncoderDecoder(TWO, TWO, "cross"), 5), runs / "pair", tokenizer="bytes")
    names = ["runs/two", "runs/ours", "runs/encoder", "runs/pair"]
    header, arrays = unpack(compare(shelf, "Wash it\nand dry", names).payload)
    assert [column["error"] for column in header["columns"]] == [None] * 4
    assert [token["text"] for token in header["columns"][0]["parts"][0]["queries"]][1:5] == list("Wash")
    pattern = traced(runs / "two" / "model", [259, *b"Wash it\nand dry"]).attention(1)[0].numpy()
    assert np.abs(arrays["0.decoder.pattern"][1] - pattern).max() <= 1.6e-5
    assert header["columns"][2]["prediction"]["vocab_size"] == 260


# which there are


def test_a_model_that_is_kept_meanwhile_is_offered(shelf, client, runs):
    before = client.post("/ask/models").json()
    assert [model["name"] for model in before[1:]] == ["runs/encoder", "runs/one", "runs/ours", "runs/two"]
    save_model(randomised(Decoder(ONE), 6), runs / "new", tokenizer="bytes")
    new = {"name": "runs/new", "title": "runs/new", "architecture": "decoder"}
    assert [model for model in client.post("/ask/models").json() if model not in before] == [new]
    assert payload_of(shelf, TEXT, "runs/new")[0]["model"]["name"] == "runs/new"


def test_without_a_name_it_is_the_model_that_the_app_was_started_with(shelf, runs):
    assert shelf.get() is shelf.get("") is shelf.get("decoder") is shelf.first
    assert given_examples(shelf)["ahead"] == "examples"
    assert given_examples(Shelf(Runner(str(runs / "one"))))["ahead"] is None  # nothing was computed ahead with it


@pytest.mark.parametrize(
    "name", ["nonsense", "/etc", "runs/../../etc", "runs/.", "runs/none", "\ud83d", "a/b", "x" * 999]
)
def test_an_unknown_model_is_one_sentence(shelf, client, name):
    said = sentence_of(shelf, name)
    assert said.startswith(f"no model {name[:200]}: there are ")
    answer = client.post("/ask/stream", content=json.dumps({"text": TEXT, "model": name}))
    assert (answer.status_code, answer.text) == (422, said.replace("\ud83d", "?"))


def test_what_is_wrong_with_a_model_is_said_of_its_name(shelf, runs):
    (runs / "one" / "model.safetensors").write_bytes(b"cut")
    config = json.loads((runs / "two" / "model" / "config.json").read_text())
    (runs / "two" / "model" / "config.json").write_text(json.dumps({**config, "tokenizer": "gpt2"}))
    save_model(Decoder(OURS), runs / "wrong", tokenizer="bytes")
    said = {name: sentence_of(shelf, f"runs/{name}") for name in ("one", "two", "wrong")}
    assert said["one"].startswith("runs/one/model.safetensors is damaged or no safetensors file")
    assert said["two"] == "runs/two/config.json: unknown tokenizer 'gpt2'; known are wikihow-8k, bytes"
    assert said["wrong"] == "runs/wrong has a vocabulary of 8192, but its tokenizer, bytes, of 260"
    assert run(Asker(shelf), TEXT, "runs/encoder").payload
    with pytest.raises(
        ValueError,
        match=r"runs/encoder is not a stand-alone decoder: .*; the pages Explore and Compare show all models$",
    ):
        shelf.decoder("runs/encoder")


def test_a_deleted_model_is_gone_and_one_that_was_saved_anew_is_new(shelf, runs):
    _, before = payload_of(shelf, TEXT, "runs/one")
    save_model(randomised(Decoder(ONE), 9), runs / "one", tokenizer="bytes")
    _, after = payload_of(shelf, TEXT, "runs/one")
    assert np.abs(before["pattern"] - after["pattern"]).max() > 1e-2
    shutil.rmtree(runs / "one")
    assert sentence_of(shelf, "runs/one").startswith("no model runs/one")


# several users


def test_few_models_stay_on_the_shelf_and_the_first_is_never_dropped(shelf, runs):
    for i in range(CAPACITY + 3):
        save_model(Decoder(ONE), runs / f"many{i}", tokenizer="bytes")
        shelf.get(f"runs/many{i}")
    assert [name for name, *_ in shelf._others] == [f"runs/many{i}" for i in range(3, CAPACITY + 3)]
    assert shelf.get("runs/many3") is shelf.get("runs/many3") and shelf.get() is shelf.first
    shelf.get("runs/one")
    assert "runs/many4" not in [name for name, *_ in shelf._others]  # many3 was used since


def test_a_model_is_loaded_once_for_all_pages(shelf, monkeypatch):
    loaded = []
    monkeypatch.setattr("llm_core.load_model", lambda place: loaded.append(place.name) or load_model(place))
    payload_of(shelf, TEXT, "runs/one")
    compare(shelf, TEXT, ["runs/one"])
    threads = [threading.Thread(target=lambda: shelf.decoder("runs/ours")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loaded == ["one", "ours"]


def test_while_one_model_is_loaded_others_are_there(shelf, monkeypatch):
    loading, go_on = threading.Event(), threading.Event()

    def slow(place):
        if place.name == "one":
            loading.set()
            assert go_on.wait(60)
        return load_model(place)

    monkeypatch.setattr("llm_core.load_model", slow)
    waiting = threading.Thread(target=lambda: shelf.decoder("runs/one"))
    waiting.start()
    assert loading.wait(60)
    assert shelf.decoder("runs/ours").facts.n_layer == 3 and len(shelf.choices()) > 3
    assert waiting.is_alive()
    go_on.set()
    waiting.join()


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(shelf, runs, tmp_path, name):
    for folder in (runs / "one", tmp_path / "mine"):
        if folder.name == "mine":
            save_model(Decoder(ONE), folder, tokenizer="bytes")
        (folder / name).unlink()
        os.mkfifo(folder / name)
    said = "no model runs/one: " if name == "config.json" else f"runs/one/{name} is not an ordinary file"
    assert sentence_of(shelf, "runs/one").startswith(said)
    with pytest.raises(ValueError, match=f"mine/{name} is not an ordinary file"):
        shelf.loaded(str(tmp_path / "mine"), any_folder=True)


def test_recordings_and_payloads_are_bounded_for_all_models_together(shelf):
    results = shelf.first.results
    for name in ("runs/one", "runs/two", "runs/ours"):
        for text in "abcd":
            payload_of(shelf, text, name)
        assert shelf.get(name).payloads is results.payloads
    assert len(results.recorded) == 6


def test_users_of_different_models_do_not_mix(shelf):
    names = ["runs/one", "runs/two", "runs/ours", "decoder"] * 2
    texts = [f"{name} {i}" for i, name in enumerate(names)]
    alone = [payload_of(shelf, text, name)[1]["pattern"] for text, name in zip(texts, names)]
    together, start = {}, threading.Barrier(len(names))

    def work(i: int) -> None:
        start.wait()
        for _ in range(3):
            header, arrays = unpack(shelf.decoder(names[i]).payload(texts[i]))
            together.setdefault(i, []).append((header["model"]["name"], np.array_equal(arrays["pattern"], alone[i])))

    threads = [threading.Thread(target=work, args=[i]) for i in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {i: [(name, True)] * 3 for i, name in enumerate(names)}
