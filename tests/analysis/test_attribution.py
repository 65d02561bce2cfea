"""Direct logit attribution: the parts sum to the logit, and each is what it is said to be."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core import load_model, load_tokenizer
from llm_core.analysis.attribution import leading_heads, logit_attribution, logit_attributions
from llm_core.model.architectures import Decoder
from llm_core.model.recording import intervene, record

from ..common import DECODER, ENCODER, build, randomised

B, S, T, L, H, D, C = 2, 5, 7, 3, 4, 6, 24
PLACE, TOKEN, ROW = 4, 17, 1


@pytest.fixture
def decoder():
    return build("decoder")


@pytest.fixture
def ids():
    return torch.randint(DECODER.vocab_size, (B, T))


def recorded(model, *inputs, replacements=None):
    with record(model) as trace, intervene(model, replacements or {}):
        model(*inputs)
    return trace


def inputs_of(architecture: str) -> tuple[torch.Tensor, ...]:
    title, ids = torch.randint(ENCODER.vocab_size, (B, S)), torch.randint(DECODER.vocab_size, (B, T))
    return {"encoder": (title,), "decoder": (ids,)}.get(architecture, (title, ids))


@pytest.mark.parametrize("architecture", ["encoder", "decoder", "prefix", "cross"])
def test_the_parts_sum_to_the_logit_at_every_place(architecture):
    model, inputs = build(architecture), inputs_of(architecture)
    trace = recorded(model, *inputs)
    logits = model(*inputs)
    for row in range(B):
        for place in range(logits.shape[1]):
            token = torch.randint(logits.shape[2], ()).item()
            result = logit_attribution(model, trace, place, token, row)
            logit = logits[row, place, token].item()
            assert result.logit == pytest.approx(logit, abs=1e-4)
            assert result.total() == pytest.approx(logit, abs=1e-4)
            assert (result.cross_heads is not None) == (architecture == "cross")


@pytest.mark.parametrize("architecture", ["encoder", "decoder", "prefix", "cross"])
def test_all_places_and_several_tokens_at_once(architecture):
    """Against every part that was written, through the final norm with its scale held, one step after the other."""
    K = 4
    model, inputs = build(architecture), inputs_of(architecture)
    trace, stack = recorded(model, *inputs), getattr(model, "decoder", model)
    prefix = "decoder." if stack is not model else ""
    N, last = inputs[-1].shape[1], len(stack.blocks) - 1
    tokens = torch.randint(stack.config.vocab_size, (N, K))
    many = logit_attributions(model, trace, tokens, ROW)
    names = ["embedding.token", *[f"blocks.{i}.{part}" for i in range(last + 1) for part in ("attn.out", "mlp.out")]]
    found = [many.token, *[share for pair in zip(many.attentions, many.mlps) for share in pair]]
    end = trace[f"{prefix}blocks.{last}.resid_post"][ROW, -N:]
    scale = (end.var(-1, unbiased=False, keepdim=True) + stack.ln_f.eps).sqrt()  # (N, 1)
    for name, share in zip(names, found):
        written = trace[f"{prefix}{name}"][ROW, -N:]
        logits = (written - written.mean(-1, keepdim=True)) / scale * stack.ln_f.weight @ stack.lm_head.weight.T
        assert_close(share.float(), logits.gather(1, tokens), atol=1e-5, rtol=0)
    assert_close(many.total().float(), model(*inputs)[ROW].gather(1, tokens), atol=1e-4, rtol=0)
    one = logit_attribution(model, trace, PLACE, tokens[PLACE, 2].item(), ROW)
    assert_close(one.contributions(), many.one(PLACE, 2).contributions(), atol=1e-5, rtol=0)
    assert many.contributions().shape == (one.contributions().shape[0], N, K) and many.logit.shape == (N, K)


def test_what_does_not_fit_the_places_is_refused(decoder, ids):
    for wrong in (torch.zeros(T), torch.zeros(T - 1, 2)):
        with pytest.raises(ValueError, match=r"token_ids of shape .*: must be \(T, K\), here with T=7"):
            logit_attributions(decoder, recorded(decoder, ids), wrong.long())


def test_the_parts_sum_without_biases(ids):
    model = randomised(Decoder(dataclasses.replace(DECODER, bias=False)))
    result = logit_attribution(model, recorded(model, ids), PLACE, TOKEN, ROW)
    assert result.total() == pytest.approx(model(ids)[ROW, PLACE, TOKEN].item(), abs=1e-4)
    assert result.norm_bias == 0 and torch.equal(result.attention_bias, torch.zeros(L).double())


def seen_by_norm(model, trace, part: torch.Tensor) -> float:
    """The share of ``part`` (C,): the final norm with its scale frozen, one step after the other."""
    scale = 1 / (trace[f"blocks.{L - 1}.resid_post"][ROW, PLACE].var(unbiased=False) + model.ln_f.eps).sqrt()
    normed = (part - part.mean()) * scale * model.ln_f.weight
    return (normed @ model.lm_head.weight[TOKEN]).item()


def test_each_part_against_its_own_computation(decoder, ids):
    trace = recorded(decoder, ids)
    result = logit_attribution(decoder, trace, PLACE, TOKEN, ROW)
    assert result.heads.shape == (L, H)
    assert result.mlps.shape == result.attentions.shape == result.attention_bias.shape == (L,)
    expected = {
        "token": decoder.embedding.token_table.weight[ids[ROW, PLACE]],
        "position": decoder.embedding.position_table.weight[PLACE],
    }
    for name, part in expected.items():
        assert getattr(result, name).item() == pytest.approx(seen_by_norm(decoder, trace, part), abs=1e-5)
    for i in range(L):
        projection = decoder.blocks[i].attn.out_proj
        for h in range(H):
            written = projection.weight[:, h * D : (h + 1) * D] @ trace[f"blocks.{i}.attn.z"][ROW, h, PLACE]
            assert result.heads[i, h].item() == pytest.approx(seen_by_norm(decoder, trace, written), abs=1e-5)
        shares = {
            result.attention_bias[i]: projection.bias,
            result.attentions[i]: trace[f"blocks.{i}.attn.out"][ROW, PLACE],
            result.mlps[i]: trace[f"blocks.{i}.mlp.out"][ROW, PLACE],
        }
        for share, part in shares.items():
            assert share.item() == pytest.approx(seen_by_norm(decoder, trace, part), abs=1e-5)
    assert result.norm_bias.item() == pytest.approx((decoder.ln_f.bias @ decoder.lm_head.weight[TOKEN]).item())


def test_cross_attention_has_parts_of_its_own():
    model, inputs = build("cross"), inputs_of("cross")
    trace = recorded(model, *inputs)
    result = logit_attribution(model, trace, PLACE, TOKEN, ROW)
    x = trace["decoder.blocks.2.resid_post"][ROW, PLACE]
    for i in range(L):
        part = trace[f"decoder.blocks.{i}.cross_attn.out"][ROW, PLACE]
        frozen = (part - part.mean()) / (x.var(unbiased=False) + 1e-5).sqrt() * model.decoder.ln_f.weight
        share = (frozen @ model.decoder.lm_head.weight[TOKEN]).item()
        assert result.cross_attentions[i].item() == pytest.approx(share, abs=1e-5)
    assert result.cross_heads.shape == (L, H)


def test_a_heads_share_is_what_the_logit_loses_with_the_scale_frozen(decoder, ids):
    """Remove what head 3 of the last layer wrote from the final stream, and norm with the old scale."""
    trace = recorded(decoder, ids)
    stream = trace["blocks.2.resid_post"][ROW, PLACE]
    written = decoder.blocks[2].attn.out_proj.weight[:, 3 * D :] @ trace["blocks.2.attn.z"][ROW, 3, PLACE]
    rest = stream - written
    scale = (stream.var(unbiased=False) + decoder.ln_f.eps).sqrt()
    without = F.linear(
        (rest - rest.mean()) / scale * decoder.ln_f.weight + decoder.ln_f.bias, decoder.lm_head.weight[TOKEN]
    )
    result = logit_attribution(decoder, trace, PLACE, TOKEN, ROW)
    assert result.heads[2, 3].item() == pytest.approx(result.logit.item() - without.item(), abs=1e-4)


def test_a_head_switched_off_has_no_share_and_the_sum_holds(decoder, ids):
    def without_head_2(z):
        return z.index_fill(1, torch.tensor([2]), 0.0)

    trace = recorded(decoder, ids, replacements={"blocks.1.attn.z": without_head_2})
    result = logit_attribution(decoder, trace, PLACE, TOKEN, ROW)
    assert result.heads[1, 2] == 0
    assert result.total() == pytest.approx(trace["logits"][ROW, PLACE, TOKEN].item(), abs=1e-4)
    assert result.logit != pytest.approx(decoder(ids)[ROW, PLACE, TOKEN].item(), abs=1e-2)


def test_parts_that_do_not_sum_are_refused(decoder, ids):
    trace = recorded(decoder, ids, replacements={"blocks.1.resid_post": lambda x: 2 * x})
    with pytest.raises(ValueError, match=r"the parts add up to \S+ and the recorded logit is \S+: record in eval mode"):
        logit_attribution(decoder, trace, PLACE, TOKEN, ROW)
    with pytest.raises(ValueError, match="record in eval mode"):
        logit_attribution(decoder, recorded(decoder.train(), ids), PLACE, TOKEN, ROW)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((T, TOKEN, 0), "place=7: must be between 0 and 6"),
        ((-1, TOKEN, 0), "place=-1: must be between 0 and 6"),
        ((PLACE, 29, 0), "token_id=29: must be between 0 and 28"),
        ((PLACE, TOKEN, B), "row=2: must be between 0 and 1"),
    ],
)
def test_what_does_not_exist_is_named(decoder, ids, arguments, message):
    with pytest.raises(ValueError, match=message):
        logit_attribution(decoder, recorded(decoder, ids), *arguments)


def test_what_was_not_recorded_is_named(decoder, ids):
    with record(decoder, ["*resid_post", "logits", "embedding.*"]) as trace:
        decoder(ids)
    with pytest.raises(KeyError, match=r"'blocks\.2\.mlp\.out' was not recorded"):
        logit_attribution(decoder, trace, PLACE, TOKEN, ROW)


def test_the_shipped_decoder():
    model, tokenizer = load_model("decoder"), load_tokenizer()
    ids = torch.tensor([[tokenizer.start, *tokenizer.encode("How to Bake Bread\n1. Mix the flour and")]])
    trace = recorded(model, ids)
    last = ids.shape[1] - 1
    for token in trace["logits"][0, -1].topk(3).indices.tolist():
        result = logit_attribution(model, trace, last, token)
        assert result.total() == pytest.approx(trace["logits"][0, -1, token].item(), abs=1e-4)
        assert result.contributions().isfinite().all()
        assert len(result.contributions()) == 2 + 6 * 8 + 6 + 6 + 1


def test_the_leading_head_adds_most_to_the_likeliest_next_token(decoder, ids):
    """Against every head's share of that logit, one place after the other."""
    trace = recorded(decoder, ids)
    heads, logits = leading_heads(decoder, trace, ROW)
    assert heads.shape == (T, 2) and logits.shape == (T,)
    for place in range(T):
        shares = logit_attribution(decoder, trace, place, trace["logits"][ROW, place].argmax().item(), ROW).heads
        assert shares[tuple(heads[place])] == shares.max()
        assert_close(logits[place], shares.max())
