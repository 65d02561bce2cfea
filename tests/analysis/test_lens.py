"""The logit lens, against the softmax of streams computed by hand."""

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core import ids_of, load_model, load_tokenizer
from llm_core.analysis import lens as lens_module
from llm_core.analysis.lens import lens_logits, logit_lens
from llm_core.model.recording import hook_points, record

from ..by_hand import norm_by_hand, stack_by_hand
from ..common import DECODER, ENCODER, build

B, S, T, L, K = 2, 5, 7, 3, 4


@pytest.fixture
def decoder():
    return build("decoder")


@pytest.fixture
def ids():
    return torch.randint(DECODER.vocab_size, (B, T))


def recorded(model, *inputs):
    with record(model) as trace:
        model(*inputs)
    return trace


def inputs_of(architecture: str) -> tuple[torch.Tensor, ...]:
    title, ids = torch.randint(ENCODER.vocab_size, (B, S)), torch.randint(DECODER.vocab_size, (B, T))
    return {"encoder": (title,), "decoder": (ids,)}.get(architecture, (title, ids))


def test_every_row_equals_norm_and_head_by_hand(decoder, ids):
    lens = logit_lens(decoder, recorded(decoder, ids), top=K)
    seen = stack_by_hand(decoder, ids, torch.ones(T, T).tril().bool().expand(B, T, T))
    assert lens.names == ("embedding.sum", "blocks.0.resid_post", "blocks.1.resid_post", "blocks.2.resid_post")
    assert lens.tokens.shape == lens.probabilities.shape == (B, L + 1, T, K)
    assert lens.entropy.shape == lens.kl.shape == (B, L + 1, T)
    weights = decoder.state_dict()
    for row, name in enumerate(lens.names):
        logits = norm_by_hand(weights["ln_f.weight"], weights["ln_f.bias"], seen[name]) @ weights["lm_head.weight"].T
        p, final = logits.softmax(-1), seen["logits"].softmax(-1)
        for b in range(B):
            for t in range(T):
                best = sorted(range(DECODER.vocab_size), key=lambda v, p=p[b, t]: -p[v])[:K]
                assert lens.tokens[b, row, t].tolist() == best
                assert_close(lens.probabilities[b, row, t], p[b, t, best], atol=1e-5, rtol=1e-4)
                entropy = -sum(x * math.log(x) for x in p[b, t].tolist() if x)
                assert lens.entropy[b, row, t].item() == pytest.approx(entropy, abs=1e-4)
        kl = F.kl_div(p.log(), final, reduction="none").sum(-1)  # PyTorch's order: the target is what it is *from*
        assert_close(lens.kl[:, row], kl, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("architecture", ["encoder", "decoder", "prefix", "cross"])
def test_the_last_row_is_the_models_own_prediction(architecture):
    model, inputs = build(architecture), inputs_of(architecture)
    trace = recorded(model, *inputs)
    logits = model(*inputs)
    last = (ENCODER if architecture == "encoder" else DECODER).n_layer
    assert_close(lens_logits(model, trace, last), logits, atol=1e-5, rtol=0)
    lens = logit_lens(model, trace, top=1)
    assert torch.equal(lens.tokens[:, -1, :, 0], logits.argmax(-1))
    assert_close(lens.probabilities[:, -1, :, 0], logits.softmax(-1).amax(-1), atol=1e-5, rtol=0)
    assert torch.equal(lens.kl[:, -1], torch.zeros(logits.shape[:2]))
    assert lens.kl[:, :-1].min() >= 0 and lens.kl[:, 0].max() > 0.01


def test_tokens_are_followed_through_the_rows(decoder, ids):
    trace, J = recorded(decoder, ids), 3
    follow = torch.randint(DECODER.vocab_size, (B, T, J))
    lens = logit_lens(decoder, trace, 1, follow)
    assert lens.followed_probabilities.shape == lens.followed_ranks.shape == (B, L + 1, T, J)
    for row in range(L + 1):
        p = lens_logits(decoder, trace, row).softmax(-1)
        places = p.argsort(-1, descending=True).argsort(-1) + 1  # (B, T, V): the rank of every token
        assert torch.equal(lens.followed_ranks[:, row], places.gather(-1, follow))
        assert_close(lens.followed_probabilities[:, row], p.gather(-1, follow), atol=1e-6, rtol=1e-4)
    choice = logit_lens(decoder, trace, 1)
    assert torch.equal(choice.followed_ranks[:, -1], torch.ones(B, T, 1).long())
    assert torch.equal(choice.followed_probabilities[:, -1], choice.probabilities[:, -1])


def test_entropy_and_probabilities_at_their_ends(decoder, ids):
    """A model whose head is zero knows nothing: uniform, with the greatest entropy, and as far from the end as 0."""
    with torch.no_grad():
        decoder.lm_head.weight.zero_()
    lens = logit_lens(decoder, recorded(decoder, ids), top=DECODER.vocab_size)
    assert_close(lens.probabilities, torch.full_like(lens.probabilities, 1 / DECODER.vocab_size))
    assert_close(lens.entropy, torch.full((B, L + 1, T), math.log(DECODER.vocab_size)))
    assert torch.equal(lens.kl, torch.zeros(B, L + 1, T))


def test_looking_through_the_lens_leaves_a_recording_alone(decoder, ids):
    with record(decoder) as trace:
        decoder(ids)
        before = {name: tensor.clone() for name, tensor in trace.items()}
        logit_lens(decoder, trace)
    assert len(trace) == len(hook_points(decoder))
    assert all(torch.equal(trace[name], tensor) for name, tensor in before.items())


def test_a_large_vocabulary_is_read_in_pieces_with_the_same_numbers(decoder, ids, monkeypatch):
    trace = recorded(decoder, ids)
    follow = ids[..., None].expand(-1, -1, 2)
    whole = logit_lens(decoder, trace, follow=follow)
    monkeypatch.setattr(lens_module, "PIECE", 3 * ids.shape[0] * DECODER.vocab_size)  # three places at a time
    pieces = logit_lens(decoder, trace, follow=follow)
    for name in ("tokens", "probabilities", "entropy", "kl", "followed_probabilities", "followed_ranks"):
        assert_close(getattr(pieces, name), getattr(whole, name), atol=1e-6, rtol=1e-5)


def test_what_is_missing_or_impossible_is_named(decoder, ids):
    with record(decoder, ["embedding.sum", "logits", "blocks.[02].resid_post"]) as trace:
        decoder(ids)
    with pytest.raises(KeyError, match=r"'blocks\.1\.resid_post' was not recorded"):
        logit_lens(decoder, trace)
    for top in (0, DECODER.vocab_size + 1):
        with pytest.raises(ValueError, match=rf"top={top}: must be between 1 and the vocabulary's 29"):
            logit_lens(decoder, trace, top)


def test_the_shipped_decoder():
    model, tokenizer = load_model("decoder"), load_tokenizer()
    ids = torch.tensor([[tokenizer.start, *tokenizer.encode("How to Bake Bread\n1. Mix the flour and")]])
    trace = recorded(model, ids)
    lens = logit_lens(model, trace)
    assert_close(lens_logits(model, trace, 6), trace["logits"], atol=1e-5, rtol=0)
    assert (lens.probabilities >= 0).all() and (lens.probabilities.sum(-1) <= 1 + 1e-5).all()
    assert lens.entropy.isfinite().all() and lens.kl.isfinite().all()
    apart = lens.kl[0].mean(-1)
    assert apart[0] > apart[2] and apart[2:].diff().max() < 0  # over a text, later layers come nearer to the end


def test_the_likeliest_tokens_as_text_by_row_and_place():
    model, tokenizer = load_model("decoder"), load_tokenizer()
    trace = recorded(model, ids_of("Ask your mother if she can help you. Tell", tokenizer))
    pieces = logit_lens(model, trace).pieces(tokenizer)
    assert (len(pieces), len(pieces[0])) == (7, 11)
    best = trace["logits"][0].argmax(-1).tolist()
    assert pieces[-1] == [tokenizer.piece(id) for id in best]
