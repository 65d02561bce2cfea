"""Ours against implementations that nobody here wrote: Hugging Face's GPT-2 and torch.nn.MultiheadAttention."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core.generation.sampling import generate
from llm_core.model.attention import MultiHeadAttention
from llm_core.model.config import ModelConfig
from llm_core.model.masks import causal_mask, padding_mask
from llm_core.model.recording import record
from llm_core.train.data import IGNORE

from ..common import build, randomised
from ..hf import decoder_from_gpt2, random_gpt2, under_our_names

# vocab_size, block_size, n_layer, n_head, n_embd; D is 7, 4, 9, 1, 6
SIZES = [(53, 17, 3, 5, 35), (31, 12, 2, 3, 12), (97, 23, 4, 7, 63), (11, 9, 2, 13, 13), (41, 14, 1, 1, 6)]
B, T = 2, 8


@pytest.fixture(params=SIZES, ids=str)
def pair(request):
    """GPT-2 and our Decoder with its weights; ids (B, T)."""
    gpt2 = random_gpt2(*request.param)
    return gpt2, decoder_from_gpt2(gpt2), torch.randint(gpt2.config.vocab_size, (B, T))


def test_logits_of_both_attention_paths(pair):
    gpt2, decoder, ids = pair
    theirs = gpt2(ids).logits
    fused = decoder(ids)
    with record(decoder) as trace:
        explicit = decoder(ids)
    assert theirs.std() > 0.1  # a flat answer would be easy to match
    assert_close(fused, theirs, atol=1e-4, rtol=0)
    assert_close(explicit, theirs, atol=1e-4, rtol=0)
    assert_close(trace["logits"], theirs, atol=1e-4, rtol=0)


def test_logits_with_padding_on_the_left(pair):
    gpt2, decoder, ids = pair
    mask = torch.ones(B, T, dtype=torch.bool)
    mask[0, :3] = False
    positions = (mask.long().cumsum(1) - 1).clamp(min=0)
    theirs = gpt2(ids, attention_mask=mask.long(), position_ids=positions).logits
    assert_close(decoder(ids, mask)[mask], theirs[mask], atol=1e-4, rtol=0)


def test_attention_of_every_layer_and_head(pair):
    gpt2, decoder, ids = pair
    theirs = gpt2(ids, output_attentions=True).attentions
    with record(decoder, ["blocks.*.attn.pattern"]) as trace:
        decoder(ids)
    assert len(theirs) == len(trace) == decoder.config.n_layer
    for layer, pattern in enumerate(theirs):
        assert pattern.shape == (B, decoder.config.n_head, T, T)
        assert_close(trace.attention(layer), pattern, atol=1e-5, rtol=0)


def test_states_after_every_block(pair):
    gpt2, decoder, ids = pair
    theirs = gpt2(ids, output_hidden_states=True).hidden_states  # embeddings, blocks; the last one normed
    with record(decoder) as trace:
        decoder(ids)
    ours = [trace["embedding.sum"], *(trace[f"blocks.{i}.resid_post"] for i in range(decoder.config.n_layer - 1))]
    for our, their in zip([*ours, trace["ln_f"]], theirs, strict=True):
        assert_close(our, their, atol=1e-4, rtol=0)


def test_loss(pair):
    gpt2, decoder, ids = pair
    labels = ids.clone()
    labels[1, 5:] = IGNORE
    logits = decoder(ids)[:, :-1]
    ours = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
    assert_close(ours, gpt2(ids, labels=labels).loss, atol=1e-5, rtol=0)


def test_greedy_continuation(pair):
    gpt2, decoder, ids = pair
    new = decoder.config.block_size - T
    options = dict(do_sample=False, pad_token_id=0, attention_mask=torch.ones_like(ids))
    theirs = gpt2.generate(ids, min_new_tokens=new, max_new_tokens=new, **options)
    ours = generate(decoder, ids, new, temperature=0)
    assert theirs.shape == (B, T + new)
    assert torch.equal(ours, theirs)


def test_gradient_of_every_parameter(pair):
    gpt2, decoder, ids = pair
    gpt2(ids, labels=ids).loss.backward()
    F.cross_entropy(decoder(ids)[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
    theirs = under_our_names(gpt2, lambda parameter: parameter.grad)
    for name, parameter in decoder.named_parameters():
        assert parameter.grad.abs().max() > 0 or name.endswith("k_proj.bias"), name  # softmax cancels that bias
        assert_close(parameter.grad, theirs[name], atol=1e-5, rtol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


# --- torch.nn.MultiheadAttention -------------------------------------------------------------------------

H, D, C, S = 5, 3, 15, 6


def attention_pair(std: float = 0.3) -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    """Ours, randomised, and torch's with the same weights."""
    config = ModelConfig(vocab_size=2, block_size=T, n_layer=1, n_head=H, n_embd=C)
    ours = randomised(MultiHeadAttention(config), std=std)
    return ours, torch_attention(ours)


def torch_attention(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    theirs = nn.MultiheadAttention(ours.q_proj.in_features, ours.n_head, batch_first=True).eval()
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        theirs.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
        theirs.out_proj.load_state_dict(ours.out_proj.state_dict())
    return theirs


def real_keys(S: int) -> torch.Tensor:
    """(B, S), the last two keys of row 1 padded."""
    mask = torch.ones(B, S, dtype=torch.bool)
    mask[1, -2:] = False
    return mask


CASES = ["self", "self causal", "self padded", "cross", "cross padded"]


def ask(case: str, ours: MultiHeadAttention, theirs: nn.MultiheadAttention, x, memory):
    """The same question to both: ours() -> out, and theirs(average) -> (out, weights)."""
    source = memory if "cross" in case else x
    padded = real_keys(source.shape[1]) if "padded" in case else None
    our_mask = None if padded is None else padding_mask(padded)
    their_masks = dict(
        key_padding_mask=None if padded is None else ~padded,
        attn_mask=~causal_mask(T)[0, 0] if "causal" in case else None,
    )
    our_memory = memory if "cross" in case else None
    return (
        lambda: ours(x, our_mask, is_causal="causal" in case, memory=our_memory),
        lambda average: theirs(x, source, source, average_attn_weights=average, **their_masks),
    )


@pytest.mark.parametrize("case", CASES)
def test_attention_equals_torchs(case):
    ours, theirs = attention_pair()
    our_call, their_call = ask(case, ours, theirs, torch.randn(B, T, C), torch.randn(B, S, C))
    out, per_head = their_call(False)
    _, averaged = their_call(True)
    fused = our_call()
    with record(ours) as trace:
        explicit = our_call()
    assert_close(fused, out, atol=1e-5, rtol=0)
    assert_close(explicit, out, atol=1e-5, rtol=0)
    assert_close(trace["pattern"], per_head, atol=1e-6, rtol=0)
    assert_close(trace["pattern"].mean(1), averaged, atol=1e-6, rtol=0)


@pytest.mark.parametrize("watched", [False, True], ids=["fused", "explicit"])
@pytest.mark.parametrize("case", CASES)
def test_gradients_equal_torchs(case, watched):
    ours, theirs = attention_pair()
    x, memory = torch.randn(B, T, C, requires_grad=True), torch.randn(B, S, C, requires_grad=True)
    direction = torch.randn(B, T, C)
    our_call, their_call = ask(case, ours, theirs, x, memory)
    with record(ours, ["pattern"] if watched else []):
        (our_call() * direction).sum().backward()
    our_inputs, x.grad, memory.grad = (x.grad, memory.grad), None, None
    (their_call(False)[0] * direction).sum().backward()
    projections = (ours.q_proj, ours.k_proj, ours.v_proj)
    assert_close(torch.cat([p.weight.grad for p in projections]), theirs.in_proj_weight.grad, atol=1e-4, rtol=1e-4)
    assert_close(torch.cat([p.bias.grad for p in projections]), theirs.in_proj_bias.grad, atol=1e-4, rtol=1e-4)
    assert_close(ours.out_proj.weight.grad, theirs.out_proj.weight.grad, atol=1e-4, rtol=1e-4)
    assert_close(ours.out_proj.bias.grad, theirs.out_proj.bias.grad, atol=1e-4, rtol=1e-4)
    for our, their in zip(our_inputs, (x.grad, memory.grad)):
        assert (our is None) == (their is None)  # the memory's, where x attends to itself
        if our is not None:
            assert_close(our, their, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("padded", [False, True])
def test_cross_attention_of_the_encoder_decoder_equals_torchs(padded):
    model = build("cross")
    ids, decoder_ids = torch.randint(31, (B, S)), torch.randint(29, (B, T))
    mask = real_keys(S) if padded else None
    with record(model) as trace:
        model(ids, decoder_ids, mask)
    for i, block in enumerate(model.decoder.blocks):
        name = f"decoder.blocks.{i}"
        query, memory = trace[f"{name}.ln_cross"], trace["encoder.ln_f"]
        out, per_head = torch_attention(block.cross_attn)(
            query, memory, memory, key_padding_mask=None if mask is None else ~mask, average_attn_weights=False
        )
        assert per_head.shape == (B, 4, T, S)
        assert_close(trace.attention(i, "decoder", cross=True), per_head, atol=1e-5, rtol=0)
        assert_close(trace[f"{name}.cross_attn.out"], out, atol=1e-5, rtol=0)
