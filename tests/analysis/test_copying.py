"""What a head copies equals a loop over heads and places that scales by the norm itself; a head made to copy does."""

import random

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core import Decoder, ModelConfig, load_model, load_tokenizer
from llm_core.analysis.attribution import logit_attributions
from llm_core.analysis.copying import copying_on_repeats, own_logits
from llm_core.analysis.roles import badges, head_roles, repeats
from llm_core.model.recording import intervene, record

from ..common import randomised

tokenizer = load_tokenizer()
HELD_OUT = dict(vocab_size=40, block_size=16, n_layer=2, n_head=3, n_embd=12)
HALF = [7, 31, 2, 19, 23]


def copied_by_hand(model: Decoder, ids: list[int]) -> torch.Tensor:
    """(L, H), of a pre-norm model with a LayerNorm: one head, one place and one token after the other."""
    n = len(ids) // 2
    with record(model) as trace, torch.no_grad():
        model(torch.tensor([ids]))
    end = trace[f"blocks.{model.config.n_layer - 1}.resid_post"][0].double()  # (2n, C)
    rows, norm = model.lm_head.weight.double(), model.ln_f
    found = []
    for layer, block in enumerate(model.blocks):
        z, out = trace[f"blocks.{layer}.attn.z"][0].double(), block.attn.out_proj.weight.double()
        for h in range(model.config.n_head):
            D, hits = z.shape[-1], 0
            for t in range(n, 2 * n):
                written = out[:, h * D : (h + 1) * D] @ z[h, t]  # (C,)
                spread = (end[t].var(unbiased=False) + norm.eps).sqrt()
                logits = {id: (rows[id] @ (norm.weight * (written - written.mean()) / spread)).item() for id in ids}
                hits += max(logits, key=logits.get) == ids[(t - n + 1) % n]
            found.append(hits / n)
    return torch.tensor(found).view(model.config.n_layer, -1)


def measured(model: Decoder, ids: list[int]) -> torch.Tensor:
    with record(model, ["blocks.*.attn.z"]) as trace, torch.no_grad():
        model(torch.tensor([ids]))
    half, layers = torch.tensor(ids[: len(ids) // 2]), range(model.config.n_layer)
    return torch.stack([copying_on_repeats(model, i, trace[f"blocks.{i}.attn.z"][0], half) for i in layers])


def test_copying_equals_the_loop_by_hand():
    model = randomised(Decoder(ModelConfig(**HELD_OUT)))
    for seed in range(4):
        ids = random.Random(seed).sample(range(40), 5) * 2
        assert_close(measured(model, ids), copied_by_hand(model, ids))


def test_copying_of_the_shipped_decoder_equals_the_loop_by_hand_and_makes_its_induction_heads():
    model = load_model("decoder")
    sequences = repeats(tokenizer, 128, random.Random(0))
    assert_close(measured(model, sequences[0]), copied_by_hand(model, sequences[0]))
    copying = torch.stack([measured(model, ids) for ids in sequences]).mean(0)
    scores = head_roles(model, tokenizer).scores
    assert_close(scores["induction"], torch.minimum(scores["prefix matching"], copying))
    assert (copying > 0.4).sum() >= 2 and copying.median() < 0.1  # a few heads copy, most do not


@pytest.mark.parametrize("family", [{}, {"norm": "rms"}, {"post_norm": True}, {"parallel": True}, {"head_scale": 0.5}])
def test_a_heads_own_logits_are_its_shares_of_the_logits_up_to_a_factor_a_place(family):
    """``logit_attributions``, which holds every scale: centered, so that only the order of the logits is compared."""
    model = randomised(Decoder(ModelConfig(**HELD_OUT, **family)))
    ids = torch.tensor([HALF * 2])
    with record(model) as trace, torch.no_grad():
        model(ids)
    shares = logit_attributions(model, trace, torch.tensor([HALF] * 10)).heads.float()  # (L, H, T, K)
    for layer in range(2):
        own = own_logits(model, layer, trace[f"blocks.{layer}.attn.z"][0], torch.tensor(HALF))
        assert (own.argmax(-1) == shares[layer].argmax(-1)).all()
        assert_close(F.normalize(own, dim=-1), F.normalize(shares[layer], dim=-1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("sign", "copies"), [(1.0, 1.0), (-1.0, 0.0)])
def test_a_head_that_matches_is_an_induction_head_only_if_it_copies_too(sign, copies):
    config = ModelConfig(vocab_size=tokenizer.n_vocab, block_size=40, n_layer=1, n_head=1, n_embd=64)
    model = Decoder(config).eval()
    with torch.no_grad():
        rows = torch.randn(tokenizer.n_vocab, 64, generator=torch.Generator().manual_seed(0))
        model.embedding.token_table.weight.copy_(F.layer_norm(rows, (64,)))  # all equally long, and the head's rows too
        model.embedding.position_table.weight.zero_()
        model.lm_head.weight.copy_(model.embedding.token_table.weight)
        for name, matrix in (("v_proj", torch.eye(64)), ("out_proj", sign * torch.eye(64))):
            getattr(model.blocks[0].attn, name).weight.copy_(matrix)

    def after_the_first(pattern):
        """In random tokens, n of them twice, n - 1 places back; on a text, which fills the window, anywhere."""
        n = pattern.shape[-1] // 2
        return torch.eye(2 * n).roll(n - 1, dims=0).expand_as(pattern)

    with intervene(model, {"blocks.0.attn.pattern": after_the_first}):
        roles = head_roles(model, tokenizer)
    assert roles.scores["prefix matching"].item() == pytest.approx(1)
    assert roles.scores["induction"].item() == pytest.approx(copies, abs=0.02)
    assert ("induction" in badges(roles)[0][0]) == bool(copies)


def test_a_model_that_predicts_nothing_is_not_said_to_copy():
    model = randomised(Decoder(ModelConfig(vocab_size=8192, block_size=16, n_layer=1, n_head=1, n_embd=8, head="none")))
    assert "induction" not in head_roles(model, tokenizer).scores
