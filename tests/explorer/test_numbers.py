"""Files of all recorded tensors, read by the programs they are for, against a fresh recording."""

import io
import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load
from starlette.applications import Starlette
from starlette.testclient import TestClient

from explorer.engine.numbers import file_name, numbers
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.server import routes
from llm_core import Trace, load_model, record

TEXT = 'How to say "<b>hello</b>", twice 🙂'


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


@pytest.fixture(scope="module")
def fresh(runner) -> Trace:
    """Recorded here, by a model of our own."""
    with torch.inference_mode(), record(model := load_model("decoder")) as trace:
        model(torch.tensor([[runner.tokenizer.start, *runner.tokenizer.encode(TEXT)]]))
    return trace


@pytest.fixture(scope="module")
def client(runner) -> TestClient:
    return TestClient(Starlette(routes=routes(Shelf(runner))))


def same(found: dict, trace: Trace) -> None:
    assert set(found) == set(trace)
    for name, tensor in trace.items():
        assert np.allclose(found[name], tensor.numpy(), atol=1e-5), name
        assert found[name].dtype == tensor.numpy().dtype


def test_numpy_loads_every_tensor_and_the_tokens(client, fresh, runner):
    answer = client.post("/ask/numbers", json={"text": TEXT, "kind": "npz"})
    found = dict(np.load(io.BytesIO(answer.content)))  # without pickle
    tokens = found.pop("tokens").tolist()
    assert tokens == [runner.tokenizer.piece(id) for id in fresh["embedding.ids"][0].tolist()]
    assert "".join(tokens[1:]).startswith('How to say "<b>hello</b>", twice ')
    same(found, fresh)


def test_safetensors_loads_as_a_trace_that_says_where_it_comes_from(client, fresh, tmp_path):
    answer = client.post("/ask/numbers", json={"text": TEXT, "kind": "safetensors"})
    same(load(answer.content), fresh)
    (tmp_path / "trace.safetensors").write_bytes(answer.content)
    trace = Trace.load(tmp_path / "trace.safetensors")
    assert torch.equal(trace.attention(2), torch.from_numpy(load(answer.content)["blocks.2.attn.pattern"]))
    assert (trace.metadata["model"], trace.metadata["text"]) == ("decoder", TEXT)
    assert len(json.loads(trace.metadata["tokens"])) == fresh["embedding.ids"].shape[1]


def test_the_file_has_a_name_that_says_what_it_is_of(client):
    answer = client.post("/ask/numbers", json={"text": TEXT, "kind": "npz"})
    name = "headscope-decoder-how-to-say-b-hello-b-twice.npz"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == "application/zip"


def test_another_kind_of_file_is_refused(runner):
    with pytest.raises(ValueError, match="kind='pickle': must be npz or safetensors"):
        numbers(runner, TEXT, "pickle")


def test_another_kind_is_refused_over_http_in_the_same_sentence(client):
    answer = client.post("/ask/numbers", json={"text": TEXT, "kind": "pickle"})
    assert (answer.status_code, answer.text[:22]) == (422, "kind='pickle': must be")


def test_half_a_surrogate_pair_in_a_text_harms_no_file(client):
    answer = client.post("/ask/numbers", content=b'{"text": "a \\ud800 b", "kind": "safetensors"}')
    assert answer.status_code == 200
    assert load(answer.content)["logits"].shape[0] == 1


def test_file_names_hold_letters_and_digits_alone():
    assert file_name("runs/my model", "../<b>ü</b>\n", "npz") == "headscope-runs-my-model-b-b.npz"


def test_with_edits_the_numbers_are_those_of_the_changed_model(client, runner):
    edits = [{"what": "mlp", "how": "zero", "layer": 0}]
    answer = client.post("/ask/numbers", json={"text": TEXT, "kind": "npz", "edits": edits})
    tensors = np.load(io.BytesIO(answer.content))
    assert not tensors["blocks.0.mlp.out"].any() and tensors["blocks.1.mlp.out"].any()
    page = client.post("/ask/standalone", json={"text": TEXT, "edits": edits, "focus": {}})
    plain = client.post("/ask/standalone", json={"text": TEXT, "focus": {}})
    assert page.status_code == plain.status_code == 200 and page.text != plain.text
    wrong = client.post("/ask/numbers", json={"text": TEXT, "kind": "npz", "edits": [{"what": "tail", "how": "zero"}]})
    assert wrong.status_code == 422 and "what='tail'" in wrong.text
