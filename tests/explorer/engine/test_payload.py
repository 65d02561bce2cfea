"""The binary payload: what is packed is read back, and what a trace becomes is what torch says of it."""

import json
import struct

import numpy as np
import pytest
import torch

from explorer.engine.payload import (
    MAX_CELLS,
    MAX_TOKENS,
    THUMBNAIL,
    TOP,
    ModelFacts,
    pack,
    pattern_arrays,
    trace_payload,
    unpack,
)
from llm_core.model.recording import record

from ...common import DECODER, build

L, H, V, T = DECODER.n_layer, DECODER.n_head, DECODER.vocab_size, 7


def facts(**changes) -> ModelFacts:
    sizes = {"n_layer": L, "n_head": H, "n_embd": DECODER.n_embd, "vocab_size": V, "block_size": DECODER.block_size}
    return ModelFacts(**{"name": "tiny", "num_parameters": 1234, **sizes, **changes})


# pack and unpack

NUMBERS = np.random.default_rng(0)
ARRAYS = {
    "bytes5": ("uint16", NUMBERS.integers(0, 2**16, 5)),  # an odd number of 16-bit values: padding follows
    "floats": ("float32", NUMBERS.normal(size=(3, 2, 4)).astype(np.float32)),
    "odd": ("unit16", NUMBERS.integers(0, 65536, (3, 3, 1)) / 65535),
    "none": ("uint32", np.zeros((0,), np.uint32)),
    "large": ("uint32", NUMBERS.integers(0, 2**32, (2, 3))),
}


def test_what_is_packed_is_read_back_exactly():
    header, arrays = unpack(pack({"text": "naïve ☕ \ud83d", "n": 3}, ARRAYS))
    assert (header["text"], header["n"]) == ("naïve ☕ \ud83d", 3)
    assert list(arrays) == list(ARRAYS)
    for name, (_, expected) in ARRAYS.items():
        assert arrays[name].shape == expected.shape
        assert np.array_equal(arrays[name], expected)


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "abcd", "é☕"])
def test_header_and_arrays_start_on_four_bytes(text):
    payload = pack({"text": text}, ARRAYS)
    length = struct.unpack("<I", payload[4:8])[0]
    header = json.loads(payload[8 : 8 + length])
    assert payload[:4] == b"HSP1" and len(payload) % 4 == 0 and (8 + length) % 4 == 0
    assert all(entry["offset"] % 4 == 0 for entry in header["arrays"])
    assert [entry["name"] for entry in header["arrays"]] == list(ARRAYS)


def test_numbers_are_little_endian_at_their_offset():
    payload = pack({}, {"first": ("uint16", np.array([1])), "second": ("uint32", np.array([0x01020304]))})
    assert payload[-8:] == b"\x01\x00\x00\x00" + b"\x04\x03\x02\x01"


def test_a_unit16_probability_is_written_as_it_is_with_up_to_four_decimals():
    p = np.concatenate([np.linspace(0, 1, 200_001), NUMBERS.random(10_000) ** 8]).astype(np.float32)
    _, arrays = unpack(pack({}, {"p": ("unit16", p)}))
    error = np.abs(arrays["p"] - p.astype(np.float64))
    assert error.max() <= 1.6e-5
    for decimals in (2, 3, 4):
        step = 10.0**decimals
        exact, found = (np.floor(one.astype(np.float64) * step + 0.5) for one in (p, arrays["p"]))
        assert np.array_equal(exact, found), decimals
    assert (arrays["p"][0], arrays["p"][200_000]) == (0, 1)


@pytest.mark.parametrize("payload", [b"", b"HSP", b"HSP2\x00\x00\x00\x00", b"<html>"])
def test_unpacking_something_else_is_one_sentence(payload):
    with pytest.raises(ValueError, match="not a Headscope payload"):
        unpack(payload)


# trace_payload


@pytest.fixture(scope="module")
def recorded():
    """A tiny decoder's forward: its trace, and header and arrays of its payload."""
    model, ids = build("decoder"), [3, 1, 4, 1, 5, 28, 2]
    tokens = [{"id": id, "text": f"<{id}>", "special": False, "partial": False} for id in ids]
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([ids]))
    payload = trace_payload(facts(), "the text", tokens, lambda id: f"piece {id}", 99, trace, [])
    return trace, ids, *unpack(payload)


def test_every_attention_weight_is_the_recorded_one(recorded):
    trace, _, _, arrays = recorded
    assert arrays["pattern"].shape == (L, H, T, T)
    for layer in range(L):
        for head in range(H):
            expected = trace[f"blocks.{layer}.attn.pattern"][0, head].numpy()
            assert np.abs(arrays["pattern"][layer, head] - expected).max() <= 1.6e-5


def test_next_tokens_are_the_softmax_of_the_logits_likeliest_first(recorded):
    trace, _, header, arrays = recorded
    logits = trace["logits"][0].double().numpy()
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)  # (T, V)
    order = np.argsort(-softmax, axis=-1)[:, :TOP]
    assert np.array_equal(arrays["next_ids"], order)
    assert np.allclose(arrays["next_probs"], np.take_along_axis(softmax, order, -1), atol=1e-6)
    assert header["pieces"] == {str(id): f"piece {id}" for id in np.unique(order)}


def test_the_true_next_token_has_its_probability_and_rank(recorded):
    trace, ids, _, arrays = recorded
    logits = trace["logits"][0].double().numpy()
    softmax = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    for place in range(T - 1):
        assert arrays["actual_probs"][place] == pytest.approx(softmax[place, ids[place + 1]], abs=1e-6)
        better = [id for id in range(V) if logits[place, id] > logits[place, ids[place + 1]]]
        assert arrays["actual_ranks"][place] == 1 + len(better)
    assert len(arrays["actual_ranks"]) == len(arrays["actual_probs"]) == T - 1
    assert len(set(arrays["actual_ranks"].tolist())) > 2, "ranks that differ, or this test says little"


def test_the_header_says_what_was_run(recorded):
    trace, ids, header, _ = recorded
    own = {name: value for name, value in vars(facts()).items() if name != "family"}
    assert header["model"] == {**own, "token_limit": DECODER.block_size}
    assert [token["id"] for token in header["tokens"]] == ids
    assert (header["text"], header["total"], header["was_cut"]) == ("the text", 99, False)
    name = header["names"]["pattern"].format(layer=2)
    assert torch.equal(trace[name], trace.attention(2)), "the name on the screen is the tensor's"


def test_a_single_token_has_no_next_one():
    model = build("decoder")
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([[5]]))
    token = {"id": 5, "text": "x", "special": False, "partial": False}
    _, arrays = unpack(trace_payload(facts(), "", [token], str, 1, trace, []))
    assert arrays["pattern"].tolist() == [[[[1.0]]] * H] * L
    assert arrays["actual_probs"].shape == arrays["actual_ranks"].shape == (0,)


@pytest.mark.parametrize(
    ("sizes", "limit"),
    [
        ({"block_size": 64}, 64),
        ({"block_size": 100_000, "n_layer": 6, "n_head": 8}, MAX_TOKENS),
        ({"block_size": 1024, "n_layer": 48, "n_head": 25}, MAX_TOKENS),
    ],
)
def test_as_many_tokens_are_shown_as_the_window_and_a_browser_hold(sizes, limit):
    assert facts(**sizes).token_limit == limit


def test_the_pattern_of_a_large_model_travels_as_small_pictures_until_a_layer_is_asked_for():
    pattern = NUMBERS.random((2, 3, 150, 130)).astype(np.float32)
    assert list(pattern_arrays(pattern)) == ["pattern"]
    assert 30 * 9 * MAX_TOKENS**2 > MAX_CELLS  # SmolLM2's heads
    (kind, small) = pattern_arrays(pattern, cells=pattern.size - 1)["thumbnails"]
    assert kind == "unit16" and small.shape == (2, 3, THUMBNAIL, THUMBNAIL)
    rows, columns = ([count * side // THUMBNAIL for count in range(THUMBNAIL + 1)] for side in (150, 130))
    for i, j in ((0, 0), (17, 40), (63, 63)):
        part = pattern[1, 2, rows[i] : rows[i + 1], columns[j] : columns[j + 1]]
        assert small[1, 2, i, j] == part.max()
