"""Attention in numbers: the head split, a loop over heads as the judge, dropout, padding, initial weights."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core.model.architectures import Decoder, EncoderDecoder
from llm_core.model.attention import KVCache, MultiHeadAttention, merge_heads, split_heads
from llm_core.model.config import ModelConfig
from llm_core.model.masks import causal_mask, is_token, padding_mask
from llm_core.model.recording import record

from ..common import DECODER, ENCODER, count_matrix_products, operations, randomised

B, T, S, H, D, C = 2, 7, 6, 3, 5, 15
CONFIG = dict(vocab_size=2, block_size=T, n_layer=2, n_head=H, n_embd=C)


def attention(n_head: int = H, **config) -> MultiHeadAttention:
    return randomised(MultiHeadAttention(ModelConfig(**{**CONFIG, "n_head": n_head, **config})), std=0.3)


# --- the head split --------------------------------------------------------------------------------------


def test_split_heads_puts_every_number_where_the_formula_says():
    x = torch.arange(B * T * C).reshape(B, T, C)
    heads = split_heads(x, H)
    assert heads.shape == (B, H, T, D)
    for b, h, t, d in [(0, 0, 0, 0), (1, 2, 6, 4), (0, 1, 3, 2), (1, 0, 5, 1)]:
        assert heads[b, h, t, d] == x[b, t, h * D + d] == (b * T + t) * C + h * D + d
    b, h, t, d = torch.meshgrid(*map(torch.arange, (B, H, T, D)), indexing="ij")
    assert torch.equal(heads, x[b, t, h * D + d])


def test_merge_heads_is_the_inverse():
    x, heads = torch.randn(B, T, C), torch.randn(B, H, T, D)
    assert merge_heads(heads).shape == (B, T, C)
    assert torch.equal(merge_heads(split_heads(x, H)), x)
    assert torch.equal(split_heads(merge_heads(heads), H), heads)


def test_reshape_alone_is_another_tensor():
    """The mistake that still trains: same shape, but one head gets pieces of several tokens."""
    x = torch.randn(B, T, C)
    assert not torch.equal(x.reshape(B, H, T, D), split_heads(x, H))
    assert not torch.equal(split_heads(x, H).reshape(B, T, C), merge_heads(split_heads(x, H)))


@pytest.mark.parametrize("n_head", [0, -3, 4, 16])
def test_heads_that_do_not_divide_the_width_are_refused(n_head):
    with pytest.raises(ValueError, match=f"n_head={n_head} does not divide the width C=15"):
        split_heads(torch.randn(B, T, C), n_head)


# --- one head after the other as the judge ---------------------------------------------------------------


def loop_over_heads(attn: MultiHeadAttention, x, memory=None, visible=None) -> dict[str, torch.Tensor]:
    """The textbook, head by head, from slices of the weights; ``visible`` (B, H, T, S) is True where seen."""
    memory = x if memory is None else memory
    parts = {name: [] for name in ("q", "k", "v", "scores", "pattern", "z")}
    for h in range(attn.n_head):
        D = attn.q_proj.out_features // attn.n_head
        rows = slice(h * D, (h + 1) * D)
        q, k, v = (
            source @ proj.weight[rows].T + proj.bias[rows]
            for source, proj in ((x, attn.q_proj), (memory, attn.k_proj), (memory, attn.v_proj))
        )
        scores = torch.einsum("btd,bsd->bts", q, k) * D**-0.5
        if visible is not None:
            scores = torch.where(visible[:, h], scores, -math.inf)
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        for name, part in zip(parts, (q, k, v, scores, weights, torch.einsum("bts,bsd->btd", weights, v))):
            parts[name].append(part)
    heads = {name: torch.stack(part, dim=1) for name, part in parts.items()}
    return {**heads, "out": torch.cat(parts["z"], dim=-1) @ attn.out_proj.weight.T + attn.out_proj.bias}


def visible_keys(case: str) -> torch.Tensor | None:
    """(B, H, T, S) of a case."""
    if case == "everything":
        return None
    if case == "causal":
        return causal_mask(T).expand(B, H, T, T)
    if case == "padded":
        return padding_mask(is_token(torch.tensor([T, T - 3]), T)).expand(B, H, T, T)
    return (torch.rand(B, H, T, T) < 0.5) | torch.eye(T, dtype=torch.bool)  # each head its own


@pytest.mark.parametrize("case", ["everything", "causal", "padded", "each head its own"])
def test_all_heads_at_once_equal_a_loop_over_heads(case):
    attn, x, visible = attention(), torch.randn(B, T, C), visible_keys(case)
    mask, is_causal = (None, True) if case == "causal" else (visible, False)
    expected = loop_over_heads(attn, x, visible=visible)
    fused = attn(x, mask, is_causal=is_causal)
    with record(attn) as trace:
        explicit = attn(x, mask, is_causal=is_causal)
    assert set(trace) == set(expected)
    for name, value in expected.items():
        assert_close(trace[name], value, atol=1e-5, rtol=0)
    assert_close(fused, expected["out"], atol=1e-5, rtol=0)
    assert_close(explicit, fused, atol=1e-6, rtol=0)


def test_cross_attention_equals_a_loop_over_heads():
    attn, x, memory = attention(), torch.randn(B, T, C), torch.randn(B, S, C)
    expected = loop_over_heads(attn, x, memory)
    fused = attn(x, memory=memory)
    with record(attn) as trace:
        attn(x, memory=memory)
    assert trace["pattern"].shape == (B, H, T, S)
    for name, value in expected.items():
        assert_close(trace[name], value, atol=1e-5, rtol=0)
    assert_close(fused, expected["out"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("watched", [[], ["pattern"]], ids=["fused", "explicit"])
def test_more_heads_are_not_more_operations(watched):
    x = torch.randn(B, T, 24)
    products, looped = [], []
    for n_head in (1, 2, 3, 12, 24):
        attn = attention(n_head, n_embd=24)
        with record(attn, watched):
            products.append(count_matrix_products(lambda attn=attn: attn(x)))
        looped.append(count_matrix_products(lambda attn=attn: loop_over_heads(attn, x)))
    assert looped == sorted(set(looped))  # the count can tell: a loop grows
    assert set(products) == {6 if watched else 5}  # q, k, v, out; and q k^T, pattern v, or the fused kernel


@pytest.mark.parametrize("crosses", [False, True])
def test_a_cache_gives_what_the_whole_sequence_gives(crosses):
    attn, x, memory = attention(), torch.randn(B, T, C), torch.randn(B, S, C) if crosses else None
    whole = attn(x, is_causal=not crosses, memory=memory)
    cache = KVCache(B, ModelConfig(**CONFIG), S if crosses else T, like=x)
    mask = None if crosses else causal_mask(3)
    steps = [attn(x[:, :3], mask, memory=memory, cache=cache)]
    steps += [attn(x[:, t : t + 1], memory=memory, cache=cache) for t in range(3, T)]
    assert cache.length == (S if crosses else T)
    assert_close(torch.cat(steps, dim=1), whole, atol=1e-5, rtol=0)


# --- rows that see nothing -------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("watched", [[], ["pattern"]], ids=["fused", "explicit"])
def test_a_row_of_padding_gives_numbers_and_gradients(watched, training):
    attn = attention().train(training)
    x = torch.randn(B, T, C, requires_grad=True)
    mask = padding_mask(is_token(torch.tensor([0, T - 2]), T))  # row 0 has no token at all
    with record(attn, watched) as trace:
        out = attn(x, mask)
        out.square().sum().backward()
    assert out.isfinite().all()
    for name, tensor in [("x", x), *attn.named_parameters()]:
        assert tensor.grad.isfinite().all(), name
        assert tensor.grad.abs().max() > 0 or name == "k_proj.bias", name
    if watched:
        assert torch.equal(trace["pattern"][0], torch.zeros(H, T, T))


def test_a_row_of_padding_gets_the_same_from_both_paths():
    attn, x = attention(), torch.randn(B, T, C)
    mask = padding_mask(is_token(torch.tensor([0, T - 2]), T))
    fused = attn(x, mask)
    with record(attn, ["scores"]):
        explicit = attn(x, mask)
    assert_close(fused, explicit, atol=1e-6, rtol=0)
    assert_close(fused[0], attn.out_proj.bias.expand(T, C))  # it attends to nothing: only the bias is left


# --- dropout: after the softmax, and on the output -------------------------------------------------------

RATES = dict(attn_pdrop=0.25, resid_pdrop=0.5)


def dropped_share(x: torch.Tensor) -> float:
    return (x == 0).float().mean().item()


def chance(rate: float, n: int) -> float:
    """Five standard deviations of the share that n independent draws drop."""
    return 5 * math.sqrt(rate * (1 - rate) / n)


def watch_dropout(monkeypatch) -> list[tuple[tuple[int, ...], float]]:
    """Every dropout that acts, as (shape, rate), whether by module, by function or inside the fused kernel."""
    seen, dropout, fused = [], F.dropout, F.scaled_dot_product_attention

    def spy_dropout(x, p=0.5, training=True, inplace=False):
        seen.append((tuple(x.shape), p if training else 0.0))
        return dropout(x, p, training, inplace)

    def spy_fused(q, k, v, dropout_p=0.0, **options):
        seen.append(((*q.shape[:-1], k.shape[-2]), dropout_p))
        return fused(q, k, v, dropout_p=dropout_p, **options)

    monkeypatch.setattr(F, "dropout", spy_dropout)
    monkeypatch.setattr(F, "scaled_dot_product_attention", spy_fused)
    return seen


@pytest.mark.parametrize("watched", [[], ["pattern"]], ids=["fused", "explicit"])
def test_dropout_acts_in_two_places_and_nowhere_else(monkeypatch, watched):
    attn, x = attention(**RATES).train(), torch.randn(B, T, C)
    seen = watch_dropout(monkeypatch)
    with record(attn, watched):
        kernels = operations(lambda: attn(x))
        assert seen == [((B, H, T, T), 0.25), ((B, T, C), 0.5)]
        assert sum("dropout" in name or "bernoulli" in name for name in kernels) == 2
        seen.clear()
        attn.eval()(x)
    assert [rate for _, rate in seen] == [0.0, 0.0]
    assert sum(isinstance(module, nn.Dropout) for module in attn.modules()) == 2


def test_dropout_falls_on_the_weights_and_on_the_output():
    attn, x = attention(**RATES).train(), torch.randn(40, T, C)
    inside = {}
    for name in ("attn_dropout", "resid_dropout"):
        attn.get_submodule(name).register_forward_hook(
            lambda _module, inputs, output, name=name: inside.update({name: (inputs[0], output)})
        )
    with record(attn) as trace:
        attn(x)
    (weights, dropped_weights), (projected, dropped_output) = inside["attn_dropout"], inside["resid_dropout"]

    assert torch.equal(weights, trace["pattern"])  # what is recorded has not been dropped
    assert_close(trace["pattern"].sum(-1), torch.ones(40, H, T))
    assert_close(trace["z"], dropped_weights @ trace["v"], atol=1e-6, rtol=1e-5)
    assert_close(projected, F.linear(merge_heads(trace["z"]), attn.out_proj.weight, attn.out_proj.bias))
    assert torch.equal(trace["out"], dropped_output)
    for before, after, rate in ((weights, dropped_weights, 0.25), (projected, dropped_output, 0.5)):
        kept = after != 0
        assert_close(after[kept], before[kept] / (1 - rate))
        assert dropped_share(after) == pytest.approx(rate, abs=chance(rate, after.numel()))


@pytest.mark.parametrize("watched", [["z"], ["z", "pattern"]], ids=["fused", "explicit"])
def test_dropout_takes_a_whole_weight(watched):
    """One key of value 1: z is 0 where its weight was dropped and 1/(1-p) elsewhere, over the whole head."""
    attn = attention(**RATES).train()
    nn.init.zeros_(attn.v_proj.weight)
    nn.init.ones_(attn.v_proj.bias)
    with record(attn, watched) as trace:
        attn(torch.randn(900, 1, C))
    z = trace["z"]
    assert_close(z, (z[..., :1] > 0).float().expand_as(z) / 0.75)
    assert dropped_share(z[..., 0]) == pytest.approx(0.25, abs=chance(0.25, 900 * H))


# --- initial weights -------------------------------------------------------------------------------------

WIDE = ModelConfig(vocab_size=200, block_size=70, n_layer=3, n_head=4, n_embd=64)


@pytest.mark.parametrize(
    "model", [Decoder(WIDE), EncoderDecoder(WIDE, WIDE, "cross")], ids=["decoder", "encoder-decoder"]
)
def test_initial_weights_are_those_of_gpt2(model):
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert torch.equal(parameter, torch.zeros_like(parameter)), name
        elif ".ln_" in name or name.startswith("ln_f"):
            assert torch.equal(parameter, torch.ones_like(parameter)), name
        else:
            added_to_the_stream = name.endswith(("out_proj.weight", "down_proj.weight"))
            std = 0.02 / math.sqrt(2 * 3) if added_to_the_stream else 0.02
            assert parameter.std().item() == pytest.approx(std, rel=0.06), name
            assert parameter.mean().item() == pytest.approx(0, abs=5 * std / math.sqrt(parameter.numel())), name


def test_token_embedding_and_head_are_one_matrix():
    decoder, model = Decoder(DECODER), EncoderDecoder(ENCODER, DECODER)
    for stack in (decoder, model.encoder, model.decoder):
        assert stack.lm_head.weight is stack.embedding.token_table.weight
        assert stack.lm_head.bias is None
    assert sum("lm_head" in name for name, _ in decoder.named_parameters()) == 0  # counted once


@pytest.mark.parametrize("bias", [True, False])
def test_a_model_without_biases_has_none(bias):
    decoder = Decoder(ModelConfig(**CONFIG, bias=bias))
    biases = [name for name, _ in decoder.named_parameters() if name.endswith("bias")]
    assert len(biases) == (2 * (2 + 4 + 2) + 1 if bias else 0)  # per block: two norms, four and two projections
    assert decoder(torch.zeros(1, 3, dtype=torch.long)).isfinite().all()
