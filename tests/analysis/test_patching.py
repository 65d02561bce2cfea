"""Activation patching against a plain loop of hooks on Hugging Face's GPT-2, and what the ready experiments claim."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from llm_core import Decoder, ModelConfig
from llm_core.analysis.patching import (
    HEAD_SITES,
    SITES,
    Patching,
    kl_divergence,
    logit_difference,
    probability,
)

from ..common import build, randomised
from ..hf import decoder_from_gpt2, random_gpt2

L, H, C, T, V = 3, 4, 24, 7, 29
D = C // H
ANSWER, OTHER = 5, 9


@pytest.fixture(scope="module")
def texts():
    clean = torch.randint(V, (1, T), generator=torch.Generator().manual_seed(4))
    corrupted = clean.clone()
    corrupted[0, 2] = (clean[0, 2] + 3) % V
    return clean, corrupted


@pytest.fixture(scope="module")
def gpt2():
    return random_gpt2(V, 11, L, H, C)


@pytest.fixture(scope="module")
def patching(gpt2, texts):
    return Patching(decoder_from_gpt2(gpt2), *texts, logit_difference(ANSWER, OTHER))


# a loop of hooks, one forward for each activation


def places_of(gpt2, site, layer):
    """The module of Hugging Face's whose input or output is the site, and which of the two."""
    block = gpt2.transformer.h[layer]
    return {
        "resid_pre": (block, "input"),
        "resid_post": (block, "output"),
        "attn_out": (block.attn, "output"),
        "mlp_out": (block.mlp, "output"),
        "z": (block.attn.c_proj, "input"),
        "q": (block.attn.c_attn, "output"),
        "k": (block.attn.c_attn, "output"),
        "v": (block.attn.c_attn, "output"),
    }[site]


def hooked(module, end, change):
    """``change`` gets the tensor at one end of a module, and returns what goes on."""
    if end == "input":
        return module.register_forward_pre_hook(lambda _, given: (change(given[0]), *given[1:]))
    return module.register_forward_hook(
        lambda _, given, out: (change(out[0]), *out[1:]) if isinstance(out, tuple) else change(out)
    )


@torch.no_grad()
def their_logits(gpt2, texts, site, layer, columns, rows):
    """The last logits with the clean activation in some columns and rows of a site."""
    module, end = places_of(gpt2, site, layer)
    seen = []
    with_clean = hooked(module, end, lambda x: seen.append(x.clone()) or x)
    gpt2(texts[0])
    with_clean.remove()

    def change(x):
        new = x.clone()
        new[:, rows, columns] = seen[0][:, rows, columns]
        return new

    hook = hooked(module, end, change)
    logits = gpt2(texts[1]).logits[0, -1]
    hook.remove()
    return logits


def columns_of(site, head=None):
    """Which columns of the tensor are the site's, or one head's: q, k and v lie side by side."""
    first = {"k": C, "v": 2 * C}.get(site, 0)
    return slice(first, first + C) if head is None else slice(first + head * D, first + (head + 1) * D)


@pytest.mark.parametrize("site", ["resid_pre", "resid_post", "attn_out", "mlp_out"])
def test_the_map_of_the_stream_is_that_of_a_loop_of_hooks(gpt2, texts, patching, site):
    found = patching.exact(site)
    for layer in range(L):
        for place in range(T):
            logits = their_logits(gpt2, texts, site, layer, columns_of(site), slice(place, place + 1))
            assert found.values[layer, place].item() == pytest.approx((logits[ANSWER] - logits[OTHER]).item(), abs=1e-4)
    assert found.values.shape == (L, T)


@pytest.mark.parametrize("site", ["z", "q", "k", "v"])
def test_the_map_of_heads_is_that_of_a_loop_of_hooks(gpt2, texts, patching, site):
    found = patching.exact(site).values
    for layer in range(L):
        for head in range(H):
            logits = their_logits(gpt2, texts, site, layer, columns_of(site, head), slice(None))
            assert found[layer, head].item() == pytest.approx((logits[ANSWER] - logits[OTHER]).item(), abs=1e-4)


def test_heads_at_single_places_too(gpt2, texts, patching):
    found = patching.exact("z", places=True).values
    assert found.shape == (L, H, T)
    for layer, head, place in ((0, 0, 0), (0, 3, 2), (1, 2, 6), (2, 1, 6), (1, 1, 4)):
        logits = their_logits(gpt2, texts, "z", layer, columns_of("z", head), slice(place, place + 1))
        assert found[layer, head, place].item() == pytest.approx((logits[ANSWER] - logits[OTHER]).item(), abs=1e-4)
        torch.testing.assert_close(patching.one("z", layer, head=head, at=place), logits, atol=1e-4, rtol=1e-4)
        logits = their_logits(gpt2, texts, "z", layer, columns_of("z"), slice(place, place + 1))
        torch.testing.assert_close(patching.one("z", layer, at=place), logits, atol=1e-4, rtol=1e-4)


def test_the_metrics_are_read_off_the_same_logits(gpt2, texts):
    of = partial(Patching, decoder_from_gpt2(gpt2), *texts)
    clean = gpt2(texts[0]).logits[0].detach()  # (T, V)
    logits = their_logits(gpt2, texts, "resid_pre", 1, columns_of("resid_pre"), slice(2, 3))
    share = of(probability(ANSWER))
    assert share.exact().values[1, 2].item() == pytest.approx(logits.softmax(-1)[ANSWER].item(), abs=1e-5)
    assert of(probability(ANSWER), place=4).clean == pytest.approx(clean[4].softmax(-1)[ANSWER].item(), abs=1e-5)
    kl = F.kl_div(logits.log_softmax(-1), clean[-1].log_softmax(-1), log_target=True, reduction="sum")
    assert of(kl_divergence).exact().values[1, 2].item() == pytest.approx(kl.item(), abs=1e-4)
    assert of(kl_divergence).clean == pytest.approx(0, abs=1e-6)


# what holds of every model


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"positions": "rotary", "norm": "rms", "mlp": "swiglu", "n_kv_head": 2, "bias": False},
        {"parallel": True, "positions": "rotary", "head": "own", "rope_fraction": 0.5, "head_dim": 8},
        {"post_norm": True},
        {"window": 3},
    ],
    ids=["gpt2", "llama", "pythia", "post-norm", "window"],
)
def any_model(request, texts):
    config = ModelConfig(vocab_size=V, block_size=11, n_layer=L, n_head=H, n_embd=C, **request.param)
    return Patching(randomised(Decoder(config)), *texts, logit_difference(ANSWER, OTHER))


def test_in_every_family_the_whole_stream_brings_all_back_and_what_is_the_same_nothing(any_model):
    found = any_model.exact("resid_pre")
    assert found.recovered[0, 2].item() == pytest.approx(1, abs=1e-4)  # the only token that differs
    assert found.recovered[0, [0, 1, 3, 4, 5, 6]].abs().max() < 1e-4
    for site in HEAD_SITES:  # a layer's heads together are its attention's output
        assert any_model.exact(site).values.shape[0] == L
    whole = any_model.one("z", 1)
    attended = any_model.one("attn_out", 1)
    torch.testing.assert_close(whole, attended, atol=1e-4, rtol=1e-4)


def test_gradients_are_right_where_the_change_is_small(any_model, texts):
    model = any_model.model
    small = Patching(model, *texts, logit_difference(ANSWER, OTHER))
    for name, clean in small._clean.items():  # a thousandth of the way from corrupted to clean
        small._clean._tensors[name] = small._corrupted[name] + (clean - small._corrupted[name]) / 1000
    sites = [site for site in SITES if site != "resid_mid"]
    estimated = small.by_gradients(sites)
    for site in sites:
        exact = small.exact(site).values - small.corrupted
        assert (estimated[site].values - small.corrupted - exact).abs().max() < 0.02 * exact.abs().max() + 2e-5
    places = small.by_gradients(["z"], places=True)["z"].values - small.corrupted
    torch.testing.assert_close(places.sum(-1), estimated["z"].values - small.corrupted, atol=1e-5, rtol=1e-4)


def test_what_cannot_be_patched_is_said_in_one_sentence(patching, texts):
    model = patching.model
    with pytest.raises(ValueError, match="the clean text has 7 tokens and the corrupted one 6: positions match only"):
        Patching(model, texts[0], texts[1][:, :-1], kl_divergence)
    with pytest.raises(ValueError, match="'stream': must be one of resid_pre, resid_mid, resid_post, attn_out, mlp_"):
        patching.exact("stream")
    with pytest.raises(ValueError, match="head=4: must be between 0 and 3"):
        patching.one("z", 0, head=4)
    with pytest.raises(ValueError, match="layer=3: must be between 0 and 2"):
        patching.one("z", 3)
    with pytest.raises(ValueError, match="place=7: must be between -7 and 6"):
        Patching(model, *texts, kl_divergence, place=7)
    with pytest.raises(ValueError, match=r"clean ids of shape \(7,\): must be \(1, T\)"):
        Patching(model, texts[0][0], texts[1], kl_divergence)
    with pytest.raises(ValueError, match="the same on both texts"):
        _ = Patching(model, texts[0], texts[0], kl_divergence).exact().recovered
    with pytest.raises(ValueError, match="give a Decoder"):
        Patching(build("encoder"), *texts, kl_divergence)
    with pytest.raises(ValueError, match=r"call model\.eval\(\) first"):
        Patching(Decoder(model.config), *texts, kl_divergence)
    parallel = ModelConfig(vocab_size=V, block_size=11, n_layer=1, n_head=H, n_embd=C, parallel=True)
    with pytest.raises(ValueError, match="site='resid_mid': must be one of resid_pre, resid_post, attn_out"):
        Patching(Decoder(parallel).eval(), *texts, kl_divergence).exact("resid_mid")


def test_a_map_is_a_table_too(patching):
    found = patching.exact("z", places=True)
    table = found.table()
    assert list(table.columns) == ["layer", "head", "place", "value", "recovered"] and len(table) == L * H * T
    row = table[(table.layer == 1) & (table["head"] == 2) & (table.place == 3)].iloc[0]
    assert row.value == pytest.approx(found.values[1, 2, 3].item())
    assert list(patching.exact("mlp_out").table().columns)[:2] == ["layer", "place"]
    assert list(patching.exact("q").table().columns)[:2] == ["layer", "head"]
