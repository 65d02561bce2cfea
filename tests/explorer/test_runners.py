"""A runner for each model that is asked for: bytes or our tokens, of any shape, several users at a time."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.engine.models import Models
from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.engine.runners import KEPT, Runners
from explorer.pages.ask import open_example, run_text
from explorer.questions.compare import compare
from explorer.questions.parts import PARTS
from explorer.questions.surgery import effect, told
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

from ..common import randomised

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
def runners(runs, tmp_path) -> Runners:
    first = Runner()
    return Runners(first, Models(first, tmp_path / "none", runs))


@pytest.fixture
def client(runners) -> TestClient:
    return TestClient(Starlette(routes=routes(runners)))


def payload_of(runners: Runners, text: str, model: str) -> tuple[dict, dict]:
    told = json.loads(run_text(runners, text, model))
    assert "error" not in told, told
    return unpack(runners.first.payloads.get(told["url"].removeprefix("payload/")))


def traced(folder: Path, ids: list[int]):
    model = load_model(folder)
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([ids]))
    return trace


# what is shown of each


@pytest.mark.parametrize(("name", "sizes"), [("one", ONE), ("two", TWO)])
def test_a_text_runs_through_the_named_model_in_its_own_tokens(runners, runs, name, sizes):
    header, arrays = payload_of(runners, TEXT, f"runs/{name}")
    ids = [259, *TEXT.encode()]
    assert [token["id"] for token in header["tokens"]] == ids
    assert [token["text"] for token in header["tokens"][5:10]] == [" ", "\\xE2", "\\x98", "\\x95", " "]
    assert [token["partial"] for token in header["tokens"][5:10]] == [False, True, True, True, False]
    facts = header["model"]
    assert (facts["name"], facts["vocab_size"], facts["token_limit"]) == (f"runs/{name}", 260, sizes.block_size)
    trace = traced(runs / name / ("model" if name == "two" else ""), ids)
    for layer in range(sizes.n_layer):
        assert np.abs(arrays["pattern"][layer] - trace.attention(layer)[0].numpy()).max() <= 1e-5
    best = trace["logits"][0].softmax(-1).topk(20)
    assert np.abs(arrays["next_probs"] - best.values.numpy()).max() < 1e-6


def test_a_text_is_cut_to_the_window_of_its_model(runners):
    header, _ = payload_of(runners, "red cup " * 20, "runs/two")
    assert (len(header["tokens"]), header["total"]) == (48, 161)


def test_every_part_speaks_of_the_named_model(client, runs):
    trace = traced(runs / "two" / "model", [259, *TEXT.encode()])
    found = {}
    for name in PARTS:
        answer = client.post(f"/part/{name}", json={"text": TEXT, "model": "runs/two"})
        assert answer.status_code == 200, answer.text
        found[name] = unpack(answer.content)[1]
    assert found["neurons"]["q"].shape == (2, 4, 13, 6)
    assert np.abs(found["neurons"]["q"][1] - trace["blocks.1.attn.q"][0].numpy()).max() < 1e-6
    assert (
        np.abs(found["stream"]["lens_probs"][-1] - trace["logits"][0].softmax(-1).topk(10).values.numpy()).max() < 1e-5
    )
    assert np.abs(found["tensors"]["mlp.out"][0] - trace["blocks.0.mlp.out"][0].numpy()).max() < 2e-2  # float16


def test_surgery_and_its_means_are_of_the_named_model(runners):
    from llm_core.analysis.surgery import Edit

    edits = (Edit(what="head", how="mean", layer=1, head=3),)
    changed = told(runners.get("runs/two"), TEXT, edits)
    assert len(changed["tokens"]) == 13 and changed["loss_before"] != changed["loss_after"]
    *_, last = effect(runners.get("runs/two"), edits)
    assert last["effect"]["n"] >= 2 and last["effect"]["low"] <= last["effect"]["mean"] <= last["effect"]["high"]


def test_a_window_without_room_for_a_sentence_is_said(runners, runs):
    sizes = ModelConfig(vocab_size=260, block_size=4, n_layer=1, n_head=8, n_embd=16)
    save_model(Decoder(sizes), runs / "short", tokenizer="bytes")
    with pytest.raises(ValueError, match="runs/short reads 4 tokens at a time: too few for a sentence to measure on"):
        list(effect(runners.get("runs/short"), ()))


def test_writing_is_of_the_named_model(runners, runs):
    runner = runners.get("runs/one")
    written = [token["id"] for token in write(runner, TEXT, [], 5, 1, temperature=0, top_k=None, top_p=None)]
    ids = [259, *TEXT.encode()]
    assert written == generate(load_model(runs / "one"), [ids], 5, temperature=0, stop=BYTES.end)[0][len(ids) :]
    header, arrays = unpack(runner.payloads.get(look(runner, TEXT, written[:2])))
    logits = traced(runs / "one", [*ids, *written[:2]])["logits"][0, -1]
    assert np.abs(arrays["logits"] - logits.sort(descending=True).values.numpy()).max() < 1e-5
    assert len(header["tokens"]) == len(ids) + 2


def test_downloads_are_of_the_named_model(client, runners, runs):
    key = json.loads(run_text(runners, TEXT, "runs/one"))["url"].removeprefix("payload/")
    answers = [
        client.post("/numbers/trace.npz", json={"text": TEXT, "model": "runs/one"}),
        client.get(f"/numbers/{key}.npz"),
    ]
    assert answers[0].content == answers[1].content
    assert "headscope-runs-one-wash-and.npz" in answers[0].headers["Content-Disposition"]
    assert client.post("/standalone/view.html", json={"text": TEXT, "model": "runs/one"}).status_code == 200


def test_models_of_both_tokenizers_stand_side_by_side_on_compare(runners, runs):
    save_model(randomised(EncoderDecoder(TWO, TWO, "cross"), 5), runs / "pair", tokenizer="bytes")
    names = ["runs/two", "runs/ours", "runs/encoder", "runs/pair"]
    key = compare(runners.first, runners.models, "Wash it\nand dry", names)
    header, arrays = unpack(runners.first.payloads.get(key))
    assert [column["error"] for column in header["columns"]] == [None] * 4
    assert [token["text"] for token in header["columns"][0]["parts"][0]["queries"]][1:5] == list("Wash")
    pattern = traced(runs / "two" / "model", [259, *b"Wash it\nand dry"]).attention(1)[0].numpy()
    assert np.abs(arrays["0.decoder.pattern"][1] - pattern).max() <= 1e-5
    assert header["columns"][2]["prediction"]["vocab_size"] == 260


# which there are


def test_a_model_that_is_kept_meanwhile_is_offered(runners, client, runs):
    before = client.get("/models").json()
    assert [model["name"] for model in before[1:]] == ["runs/encoder", "runs/one", "runs/ours", "runs/two"]
    save_model(randomised(Decoder(ONE), 6), runs / "new", tokenizer="bytes")
    new = {"name": "runs/new", "title": "runs/new", "architecture": "decoder"}
    assert [model for model in client.get("/models").json() if model not in before] == [new]
    assert payload_of(runners, TEXT, "runs/new")[0]["model"]["name"] == "runs/new"


def test_without_a_name_it_is_the_model_that_the_app_was_started_with(runners):
    assert runners.get() is runners.get("") is runners.get(None) is runners.get("decoder") is runners.first
    assert json.loads(open_example(runners, 2))["url"] == json.loads(open_example(runners, 2, "decoder"))["url"]
    assert json.loads(open_example(runners, 2, "runs/one"))["url"].startswith("payload/")


@pytest.mark.parametrize(
    "name", ["nonsense", "/etc", "runs/../../etc", "runs/.", "runs/none", "\ud83d", "a/b", "x" * 999]
)
def test_an_unknown_model_is_one_sentence(runners, client, name):
    told = json.loads(run_text(runners, TEXT, name))
    assert told["error"].startswith(f"no model {name[:200]}: there are ") and "\n" not in told["error"]
    if name != "\ud83d":
        answer = client.post("/part/stream", json={"text": TEXT, "model": name})
        assert (answer.status_code, answer.text) == (422, told["error"])


def test_what_is_wrong_with_a_model_is_said_of_its_name(runners, runs):
    (runs / "one" / "model.safetensors").write_bytes(b"cut")
    config = json.loads((runs / "two" / "model" / "config.json").read_text())
    (runs / "two" / "model" / "config.json").write_text(json.dumps({**config, "tokenizer": "gpt2"}))
    save_model(Decoder(OURS), runs / "wrong", tokenizer="bytes")
    said = {
        name: json.loads(run_text(runners, TEXT, f"runs/{name}"))["error"]
        for name in ("one", "two", "wrong", "encoder")
    }
    assert said["one"].startswith("runs/one/model.safetensors is damaged or no safetensors file")
    assert said["two"] == "runs/two/config.json: unknown tokenizer 'gpt2'; known are wikihow-8k, bytes"
    assert said["wrong"] == "runs/wrong has a vocabulary of 8192, but its tokenizer, bytes, of 260"
    assert said["encoder"].startswith("runs/encoder is no decoder that stands alone: ")
    assert said["encoder"].endswith("the page Compare shows all")


def test_a_deleted_model_is_gone_and_one_that_was_saved_anew_is_new(runners, runs):
    _, before = payload_of(runners, TEXT, "runs/one")
    save_model(randomised(Decoder(ONE), 9), runs / "one", tokenizer="bytes")
    _, after = payload_of(runners, TEXT, "runs/one")
    assert np.abs(before["pattern"] - after["pattern"]).max() > 1e-2
    shutil.rmtree(runs / "one")
    assert json.loads(run_text(runners, TEXT, "runs/one"))["error"].startswith("no model runs/one")


# several users


def test_few_models_are_kept_and_the_first_is_never_dropped(runners, runs):
    for i in range(KEPT + 3):
        save_model(Decoder(ONE), runs / f"many{i}", tokenizer="bytes")
        runners.get(f"runs/many{i}")
    assert [name for name, _ in runners._others] == [f"runs/many{i}" for i in range(3, KEPT + 3)]
    assert runners.get("runs/many3") is runners.get("runs/many3") and runners.get() is runners.first
    runners.get("runs/one")
    assert "runs/many4" not in [name for name, _ in runners._others]  # many3 was used since


def test_recordings_and_payloads_are_bounded_for_all_models_together(runners):
    kept = runners.first.kept
    for name in ("runs/one", "runs/two", "runs/ours"):
        for text in "abcd":
            payload_of(runners, text, name)
        assert runners.get(name).payloads is kept.payloads
    assert kept.recorded.cache_info().currsize == 6


def test_users_of_different_models_do_not_mix(runners):
    names = ["runs/one", "runs/two", "runs/ours", "decoder"] * 2
    texts = [f"{name} {i}" for i, name in enumerate(names)]
    alone = [payload_of(runners, text, name)[1]["pattern"] for text, name in zip(texts, names)]
    together, start = {}, threading.Barrier(len(names))

    def work(i: int) -> None:
        start.wait()
        for _ in range(3):
            header, arrays = unpack(runners.get(names[i]).payload(texts[i]))
            together.setdefault(i, []).append((header["model"]["name"], np.array_equal(arrays["pattern"], alone[i])))

    threads = [threading.Thread(target=work, args=[i]) for i in range(len(names))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == {i: [(name, True)] * 3 for i, name in enumerate(names)}
