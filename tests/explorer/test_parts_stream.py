"""The stream's numbers as they travel to the page, against torch; and tokens as readers type them."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import TOP, unpack
from explorer.engine.runner import Runner
from explorer.questions import explore
from explorer.questions.residual import shares_of, token_named
from llm_core import record

TEXT = "Wash the red cup with warm water"
L, H, D = 6, 8, 32


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


@pytest.fixture(scope="module")
def ids(runner) -> list[int]:
    return [runner.tokenizer.start, *runner.tokenizer.encode(TEXT)]


@pytest.fixture(scope="module")
def trace(runner, ids):
    with torch.inference_mode(), record(runner.model) as trace:
        runner.model(torch.tensor([ids]))
    return trace


@pytest.fixture(scope="module")
def part(runner) -> tuple[dict, dict]:
    return unpack(explore.part(runner, "stream", TEXT).payload)


def lens_by_hand(model, trace, row: int) -> torch.Tensor:
    """(T, V) logits of one row."""
    x = trace["embedding.sum" if row == 0 else f"blocks.{row - 1}.resid_post"][0]
    return F.layer_norm(x, x.shape[-1:], model.ln_f.weight, model.ln_f.bias, 1e-5) @ model.lm_head.weight.T


@torch.no_grad()
def test_the_lens_is_that_of_torch(runner, ids, trace, part):
    header, arrays = part
    T = len(ids)
    final = trace["logits"][0].log_softmax(-1)
    for row in range(L + 1):
        log_p = lens_by_hand(runner.model, trace, row).log_softmax(-1)
        best = torch.from_numpy(arrays["lens_ids"][row].astype(np.int64))
        assert np.allclose(arrays["lens_probs"][row], log_p.gather(1, best).exp(), atol=1e-5)
        assert np.allclose(arrays["lens_probs"][row, :, 0], log_p.amax(-1).exp(), atol=1e-5)
        assert np.allclose(arrays["entropy"][row], torch.distributions.Categorical(logits=log_p).entropy(), atol=1e-3)
        assert np.allclose(
            arrays["kl"][row], F.kl_div(log_p, final, log_target=True, reduction="none").sum(-1), atol=1e-3
        )
        p = log_p.exp()
        followed = {"next": [*ids[1:], final[-1].argmax().item()], "final": final.argmax(-1).tolist()}
        for kind, tokens in followed.items():
            own = p[range(T), tokens]
            assert np.allclose(arrays[f"{kind}_probs"][row], own, atol=1e-5)
            ranks = (p > own[:, None]).sum(-1) + 1
            assert np.abs(arrays[f"{kind}_ranks"][row].astype(int) - ranks.numpy()).max() <= 1  # ties may round
    assert set(header["pieces"]) >= {str(id) for id in arrays["lens_ids"].ravel()}


def test_the_last_row_of_the_lens_is_the_softmax_of_the_logits(trace, part):
    probs = trace["logits"][0].softmax(-1).topk(10).values
    assert np.allclose(part[1]["lens_probs"][-1], probs, atol=1e-5) and (part[1]["kl"][-1] == 0).all()


def test_lengths_are_norms_of_the_recorded_vectors(trace, part):
    _, arrays = part

    def norm(name: str) -> np.ndarray:
        return np.sqrt((trace[name].numpy().reshape(-1, H * D).astype(np.float64) ** 2).sum(-1))

    for layer in range(L):
        expected = {"norm_attention": f"blocks.{layer}.attn.out", "norm_mlp": f"blocks.{layer}.mlp.out"}
        for name, point in expected.items():
            assert np.allclose(arrays[name][layer], norm(point), rtol=1e-5)
        assert np.allclose(arrays["norm_stream"][2 * layer + 1], norm(f"blocks.{layer}.resid_mid"), rtol=1e-5)
        assert np.allclose(arrays["norm_stream"][2 * layer + 2], norm(f"blocks.{layer}.resid_post"), rtol=1e-5)
    assert np.allclose(arrays["norm_stream"][0], norm("embedding.sum"), rtol=1e-5)
    assert np.allclose(arrays["norm_token"], norm("embedding.token"), rtol=1e-5)
    assert np.allclose(arrays["norm_position"], norm("embedding.position"), rtol=1e-5)


def test_shares_sum_to_the_logits_of_the_likeliest_and_of_the_next_token(ids, trace, part):
    _, arrays = part
    logits, T = trace["logits"][0], len(ids)
    assert arrays["share_ids"].shape == (T, TOP + 1)
    assert np.array_equal(arrays["share_ids"][:, :TOP], logits.topk(TOP).indices)
    assert arrays["share_ids"][:, TOP].tolist() == [*ids[1:], logits[-1].argmax().item()]
    of = torch.from_numpy(arrays["share_ids"].astype(np.int64))
    assert np.allclose(arrays["share_logit"], logits.gather(1, of), atol=1e-4)
    assert np.allclose(total(arrays), arrays["share_logit"], atol=1e-4)


def total(arrays: dict) -> np.ndarray:
    single = [arrays[f"share_{name}"] for name in ("token", "position", "norm_bias")]
    layers = [arrays[f"share_{name}"].sum(0) for name in ("attention_bias", "mlps")]
    return sum(single) + sum(layers) + arrays["share_heads"].sum((0, 1))


@torch.no_grad()
def test_a_heads_share_is_recomputed_from_the_weights(runner, trace, part):
    """Layer 4, head 3, from its pattern and values on, at every place and for all its tokens."""
    _, arrays = part
    model, layer, head = runner.model, 3, 2
    z = trace[f"blocks.{layer}.attn.pattern"][0, head] @ trace[f"blocks.{layer}.attn.v"][0, head]  # (T, D)
    written = z @ model.blocks[layer].attn.out_proj.weight[:, head * D : (head + 1) * D].T  # (T, C)
    end = trace["blocks.5.resid_post"][0]
    normed = (written - written.mean(-1, keepdim=True)) / (end.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt()
    expected = (normed * model.ln_f.weight) @ model.lm_head.weight.T  # (T, V)
    of = torch.from_numpy(arrays["share_ids"].astype(np.int64))
    assert np.allclose(arrays["share_heads"][layer, head], expected.gather(1, of), atol=1e-4)


@pytest.mark.parametrize("text", ["", "x" * 3000, "a\ud83db"])
def test_any_text_has_a_stream(runner, text):
    _, arrays = unpack(explore.part(runner, "stream", text).payload)
    assert np.allclose(total(arrays), arrays["share_logit"], atol=2e-4)


def test_the_shares_of_an_asked_token_are_kept(runner, trace, monkeypatch):
    token_id = token_named(runner.tokenizer, "water")
    stored = shares_of(runner, TEXT, token_id)
    header, arrays = unpack(stored.payload)
    assert header["pieces"] == {str(token_id): runner.tokenizer.piece(token_id)}
    assert np.allclose(total(arrays)[:, 0], trace["logits"][0, :, token_id], atol=1e-4)
    monkeypatch.setattr(runner, "recorded", lambda *_: pytest.fail("run again"))
    assert shares_of(runner, TEXT, token_id) == stored


def test_a_token_that_does_not_exist_is_refused(runner):
    with pytest.raises(ValueError, match="token_id=8192: must be between 0 and 8191"):
        shares_of(runner, TEXT, 8192)


def test_typed_tokens(runner):
    pieces = runner.tokenizer.piece
    assert [pieces(token_named(runner.tokenizer, typed)) for typed in ("water", " water", "and")] == [
        typed if len(runner.tokenizer.encode(typed)) == 1 else f" {typed}" for typed in ("water", " water", "and")
    ]
    for typed in ("supercalifragilistic", "x y", "\ud83d!?"):
        with pytest.raises(ValueError, match=r"^“.*” is not one token but \d+: “.*\. Type one of them\.$"):
            token_named(runner.tokenizer, typed)
    for typed in ("", "  "):
        with pytest.raises(ValueError, match=r"^Type a token: a word, or a part of one\.$"):
            token_named(runner.tokenizer, typed)
