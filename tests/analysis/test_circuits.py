"""Scores of weights against the whole C x C and V x V matrices that they stand for."""

import json
import math

import pytest
import torch

from llm_core import Decoder, ModelConfig, load_model, record
from llm_core.analysis import composition_scores, copying_scores
from llm_core.paths import ASSETS

from ..common import DECODER, build, randomised

L, H, C = DECODER.n_layer, DECODER.n_head, DECODER.n_embd
D = C // H


def matrices(model, layer, head):
    """W_Q, W_K, W_V (C, D) and W_O (D, C) of one head, double."""
    attn, own = model.blocks[layer].attn, slice(head * D, (head + 1) * D)
    q, k, v = (getattr(attn, f"{name}_proj").weight[own].T.double() for name in "qkv")
    return q, k, v, attn.out_proj.weight[:, own].T.double()


@torch.no_grad()
@pytest.mark.parametrize("kind", ["Q", "K", "V"])
def test_composition_is_the_norm_of_the_product_of_both_circuits(kind):
    model = build("decoder")
    found = composition_scores(model, kind)
    assert found.shape == (L, H, L, H)
    for i, h, j, g in ((0, 0, 1, 2), (0, 3, 2, 1), (1, 1, 2, 3), (0, 2, 1, 0)):
        _, _, v, o = matrices(model, i, h)
        q, k, late_v, late_o = matrices(model, j, g)
        read = {"Q": q @ k.T, "K": k @ q.T, "V": late_v @ late_o}[kind]  # (C, C)
        written = v @ o  # (C, C)
        expected = torch.linalg.norm(written @ read) / (torch.linalg.norm(written) * torch.linalg.norm(read))
        assert found[i, h, j, g].item() == pytest.approx(expected.item(), abs=1e-5)
    for i in range(L):
        assert (found[i, :, : i + 1] == 0).all()  # a head reads nothing of its own layer, or a later one


@torch.no_grad()
@pytest.mark.parametrize("depth", [0, 1])
def test_copying_is_the_sum_of_the_eigenvalues_of_the_whole_way_from_token_to_logit(depth):
    model = build("decoder")
    found = copying_scores(model, depth)
    into = model.lm_head.weight.double() * model.ln_f.weight.double()  # (V, C)
    into = into - into.mean(0)
    with record(model) as trace:
        model(torch.arange(DECODER.vocab_size)[:, None])
    for layer, head in ((0, 0), (1, 2), (2, 3)):
        stream = trace[f"blocks.{min(depth, layer)}.resid_pre"][:, 0]
        read = model.blocks[layer].ln_1(stream).double()  # (V, C)
        _, _, v, o = matrices(model, layer, head)
        values = torch.linalg.eigvals(read @ v @ o @ into.T)  # (V,), all but D of them 0
        assert found[layer, head].item() == pytest.approx((values.sum().real / values.abs().sum()).item(), abs=1e-4)


def test_the_shipped_decoder_s_induction_heads_copy_and_others_do_the_opposite():
    found = copying_scores(load_model("decoder"))
    roles = json.loads((ASSETS / "roles.json").read_text())
    induction = torch.tensor(next(role["scores"] for role in roles if role["name"] == "induction"))
    assert (found[induction >= 0.4] > 0.9).all() and (induction >= 0.4).sum() >= 2
    assert found.min() < -0.5
    with pytest.raises(ValueError, match="depth=7: must be between 0 and 6"):
        copying_scores(load_model("decoder"), 7)


def test_shared_key_heads_stand_for_each_of_their_queries():
    config = ModelConfig(vocab_size=29, block_size=11, n_layer=2, n_head=4, n_embd=24, n_kv_head=2, positions="rotary")
    found = composition_scores(randomised(Decoder(config)), "K")
    assert found.shape == (2, 4, 2, 4) and (found[0, :, 1] > 0).all() and math.isfinite(found.sum().item())


def test_other_kinds_and_models_without_logits_are_a_sentence():
    with pytest.raises(ValueError, match='kind=\'q\': must be "Q", "K" or "V"'):
        composition_scores(build("decoder"), "q")
    config = ModelConfig(vocab_size=29, block_size=11, n_layer=1, n_head=4, n_embd=24, head="none")
    with pytest.raises(ValueError, match="saved without a language-model head"):
        copying_scores(Decoder(config))
