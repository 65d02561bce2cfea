"""What views ask for beside the payload: served once computed, and the model's own numbers."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.engine.payload import unpack
from explorer.engine.recordings import Recordings
from explorer.engine.runner import ROLES_AHEAD, Runner
from explorer.engine.shelf import Shelf
from explorer.questions.explore import PARTS, part
from explorer.server import routes
from llm_core import record

TEXT = "Wash the red cup"


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


@pytest.fixture(scope="module")
def client(runner) -> TestClient:
    return TestClient(Starlette(routes=routes(Shelf(runner))))


@pytest.mark.parametrize("name", list(PARTS))
def test_a_part_is_computed_once_and_served(client, runner, name, monkeypatch):
    first = client.post(f"/ask/{name}", json={"text": TEXT})
    assert first.status_code == 200 and first.content[:4] == b"HSP1"
    monkeypatch.setattr(runner, "recorded", lambda *_: pytest.fail("run again"))
    assert client.post(f"/ask/{name}", json={"text": TEXT}).content == first.content


def test_a_layer_of_a_part_is_that_of_all_layers(runner):
    whole = {name: unpack(part(runner, name, TEXT).payload) for name in ("neurons", "tensors")}
    pattern = unpack(runner.run(TEXT).payload)[1]["pattern"]
    for layer in (0, 5):
        assert np.array_equal(unpack(part(runner, "layer", TEXT, layer=layer).payload)[1]["pattern"][0], pattern[layer])
        for name, (_, arrays) in whole.items():
            _, own = unpack(part(runner, name, TEXT, layer=layer).payload)
            assert set(own) == set(arrays)
            for point in ("q", "k", "attn.q", "attn.scores", "mlp.post"):
                if point in own:
                    assert own[point].shape[0] == 1 and np.array_equal(own[point][0], arrays[point][layer])
            if name == "tensors":
                assert np.array_equal(own["resid_post"], arrays["resid_post"])  # in which each block begins
    for name, layer in (("neurons", 6), ("layer", -1), ("stream", 0)):
        with pytest.raises(ValueError, match=f"layer={layer}: must be from 0 to 5"):
            part(runner, name, TEXT, layer=layer)


def test_recordings_are_kept_by_their_bytes():
    made = []

    def make(text: str):
        made.append(text)
        return SimpleNamespace(trace={"x": torch.zeros(100)})

    kept = Recordings(make, limit=800)  # two of them
    for text in "abab":
        kept(text)
    assert made == ["a", "b"] and kept.size == 800
    kept("c")  # b was asked for later than a
    kept("b")
    assert made == ["a", "b", "c"] and len(kept) == 2
    assert len(Recordings(make, limit=1)("d").trace) == 1  # the newest stays, however large

    sizes = []
    small = Recordings(lambda text: sizes.append(small.size) or make(text), limit=799)  # one of them, but not two
    for text in "ab":
        small(text)
    assert sizes == [0, 0] and small.size == 400  # the one before was gone when the next was made


def test_half_a_surrogate_pair_and_an_empty_text_have_their_parts(client):
    for text in ("a\ud83db", "", "x" * 30_000):
        assert client.post("/ask/neurons", content=json.dumps({"text": text})).status_code == 200


def test_q_and_k_are_those_of_the_model(client, runner):
    header, arrays = unpack(client.post("/ask/neurons", json={"text": TEXT}).content)
    ids = [runner.tokenizer.start, *runner.tokenizer.encode(TEXT)]
    with torch.inference_mode(), record(runner.model) as trace:
        runner.model(torch.tensor([ids]))
    for name in "qk":
        for layer in range(runner.facts.n_layer):
            point = header["names"][name].format(layer=layer)
            assert np.abs(arrays[name][layer] - trace[point][0].numpy()).max() <= 1e-5


def test_the_roles_that_were_computed_ahead_are_those_of_the_shipped_model(runner):
    ahead, measured = json.loads(ROLES_AHEAD.read_text(encoding="utf-8")), runner.measured_roles()
    assert [role["name"] for role in ahead] == [role["name"] for role in measured]
    for kept, fresh in zip(ahead, measured):
        assert np.allclose(kept["scores"], fresh["scores"], atol=1e-4)
        assert {**kept, "scores": 0, "lifts": 0, "baseline": 0} == {**fresh, "scores": 0, "lifts": 0, "baseline": 0}
