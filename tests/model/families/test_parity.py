"""Every family beside transformers, which nobody here wrote: the same file, the same numbers.

Sizes are odd and differ from each other, rows are padded on the left and on the right.
"""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core.generation.sampling import generate
from llm_core.model.recording import record
from llm_core.train.data import IGNORE

from .theirs import CASES, DECODERS, ENCODERS, PAIRS, B, S, T, ids_of, padded, pair

LOGITS, ATTENTION = dict(atol=1e-4, rtol=0), dict(atol=1e-5, rtol=0)
SIDES = [None, "right", "left"]
NO_PLACES = ("distilbert", "bart", "bart scaled")  # theirs take no position_ids: left padding moves their tokens


def places(name: str, mask: Tensor) -> dict:
    """Positions that count real tokens, for those of theirs that have a table and take it."""
    counts = name.startswith(("gpt2", "gpt_neo", "bert")) and name not in NO_PLACES
    return {"position_ids": (mask.long().cumsum(1) - 1).clamp(min=0)} if counts else {}


def told(name: str, side: str | None) -> tuple[Tensor, Tensor, dict]:
    """ids, their mask, and what to tell theirs."""
    ids = ids_of(name)
    if side is None:
        return ids, torch.ones_like(ids, dtype=torch.bool), {}
    ids, mask = padded(ids, side)
    return ids, mask, {"attention_mask": mask.long(), **places(name, mask)}


def compare_attention(ours: list[Tensor], theirs: tuple[Tensor, ...], queries: Tensor) -> None:
    """Patterns (B, H, T, S) layer by layer, at the real queries (B, T): their padding looks somewhere, ours nowhere."""
    assert len(ours) == len(theirs)
    for our, their in zip(ours, theirs):
        assert our.shape == their.shape
        assert_close(our.transpose(1, 2)[queries], their.transpose(1, 2)[queries], **ATTENTION)


# Theirs can be told where tokens stand, but for NO_PLACES: those are compared without padding on the left.
COMPARED = [(n, s) for n in [*DECODERS, *ENCODERS] for s in SIDES if not (s == "left" and n in NO_PLACES)]


@pytest.mark.parametrize(("name", "side"), COMPARED)
def test_logits_and_every_attention(name, side):
    theirs, ours = pair(name)
    ids, mask, more = told(name, side)
    with torch.no_grad():
        expected = theirs(ids, output_attentions=True, **more)
        own_mask = None if side is None else mask
        state = ours.hidden(ids, own_mask)  # fused
        with record(ours) as trace:
            watched = ours.hidden(ids, own_mask)  # in steps
        if hasattr(expected, "logits"):
            wanted, fused, steps = expected.logits, ours.predict(state), ours.predict(watched)
        else:
            wanted, fused, steps = expected.last_hidden_state, state, watched
    assert wanted.std() > 0.1
    assert_close(fused[mask], wanted[mask], **LOGITS)
    assert_close(steps[mask], wanted[mask], **LOGITS)
    compare_attention([trace.attention(i) for i in range(ours.config.n_layer)], expected.attentions, mask)


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("name", NO_PLACES[:1])
def test_where_theirs_cannot_be_told_padding_still_changes_nothing_of_ours(name, side):
    _, ours = pair(name)
    ids, mask = padded(ids_of(name), side)
    with torch.no_grad():
        alone = ours(ids[:1, mask[0]])
        assert_close(ours(ids, mask)[0, mask[0]], alone[0], **LOGITS)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", PAIRS)
def test_logits_and_every_attention_of_both_stacks(name, side):
    theirs, ours = pair(name)
    ids, mask = (ids_of(name, S, seed=1), None) if side is None else padded(ids_of(name, S, seed=1), side)
    if side == "left" and name in NO_PLACES:
        mask = None
    own_ids = ids_of(name)
    with torch.no_grad():
        expected = theirs(
            ids, decoder_input_ids=own_ids, attention_mask=None if mask is None else mask.long(), output_attentions=True
        )
        fused = ours(ids, own_ids, mask)
        with record(ours) as trace:
            steps = ours(ids, own_ids, mask)
    assert expected.logits.std() > 0.1
    assert_close(fused, expected.logits, **LOGITS)
    assert_close(steps, expected.logits, **LOGITS)
    real = torch.ones(B, S, dtype=torch.bool) if mask is None else mask
    everywhere = torch.ones(B, T, dtype=torch.bool)
    encoder, decoder = range(ours.encoder.config.n_layer), range(ours.decoder.config.n_layer)
    compare_attention([trace.attention(i, "encoder") for i in encoder], expected.encoder_attentions, real)
    compare_attention([trace.attention(i, "decoder") for i in decoder], expected.decoder_attentions, everywhere)
    crossed = [trace.attention(i, "decoder", cross=True) for i in decoder]
    compare_attention(crossed, expected.cross_attentions, everywhere)


def labels_of(ids: Tensor) -> Tensor:
    labels = ids.clone()
    labels[1, 5:] = IGNORE
    return labels


@pytest.mark.parametrize("name", [name for name in CASES if "without head" not in name and name != "xlm-roberta"])
def test_loss_and_gradients(name):
    """Of every parameter: theirs, converted as the weights were, equals ours."""
    from llm_core.model.families.loading import skeleton

    theirs, ours = pair(name)
    ids = ids_of(name)
    labels = labels_of(ids)
    theirs.zero_grad()
    if name in PAIRS:
        source = ids_of(name, S, seed=1)
        loss = theirs(source, decoder_input_ids=ids, labels=labels).loss
        logits = ours(source, ids)
    else:
        loss = theirs(ids, labels=labels).loss
        logits = ours(ids)
    if name in DECODERS:
        logits, labels = logits[:, :-1], labels[:, 1:]
    own = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
    assert_close(own, loss, atol=1e-5, rtol=1e-5)
    loss.backward()
    own.backward()
    gradients = {n: p.grad for n, p in theirs.named_parameters(remove_duplicate=False) if p.grad is not None}
    gradients |= {n: torch.zeros_like(b) for n, b in theirs.named_buffers() if n == "final_logits_bias"}
    _, steps = skeleton(theirs.config.to_dict(), {n: tuple(g.shape) for n, g in gradients.items()}, "here")
    expected = {n: part for step in steps for n, part in zip(step.ours, step.cut(gradients[step.theirs]))}
    compared = 0
    for parameter, p in ours.named_parameters():
        if p.grad is None or parameter.endswith("decoder.lm_head.bias"):
            continue  # an encoder's own head, which nobody asks; a buffer of theirs, which has no gradient
        compared += 1
        assert_close(p.grad, expected[parameter], atol=1e-5, rtol=1e-3, msg=lambda m, n=parameter: f"{n}: {m}")
    assert compared > 10


@pytest.mark.parametrize("name", DECODERS)
def test_greedy_continuation_through_the_cache(name):
    theirs, ours = pair(name)
    ids = ids_of(name, 5)
    new = 14
    options = dict(do_sample=False, pad_token_id=0, eos_token_id=None, attention_mask=torch.ones_like(ids))
    expected = theirs.generate(ids, min_new_tokens=new, max_new_tokens=new, **options)
    assert torch.equal(generate(ours, ids, new, temperature=0), expected)


@pytest.mark.parametrize("name", DECODERS)
def test_greedy_continuation_of_prompts_of_mixed_length(name):
    _, ours = pair(name)
    rows = [ids_of(name, 4)[0].tolist(), ids_of(name, 7)[1].tolist()]
    together = generate(ours, rows, 9, temperature=0)
    assert together == [generate(ours, [row], 9, temperature=0)[0] for row in rows]


@pytest.mark.parametrize("name", PAIRS)
def test_greedy_continuation_of_an_encoder_decoder(name):
    theirs, ours = pair(name)
    ids, start = ids_of(name, S, seed=1), torch.full((B, 1), 2)
    options = dict(do_sample=False, pad_token_id=0, eos_token_id=None, attention_mask=torch.ones_like(ids))
    options |= dict(forced_bos_token_id=None, forced_eos_token_id=None, num_beams=1, decoder_start_token_id=2)
    options |= dict(use_cache=False)  # T5's is made for the encoder's number of layers
    expected = theirs.generate(ids, decoder_input_ids=start, min_new_tokens=11, max_new_tokens=11, **options)
    assert torch.equal(generate(ours, ids, 11, temperature=0, decoder_ids=start), expected[:, 1:])


def test_a_rotary_model_writes_past_its_window():
    """Places are turned, not looked up, so nothing slides: each token is still predicted from all before it."""
    theirs, ours = pair("llama")
    ids, new = ids_of("llama", 5), 60
    assert ours.config.block_size == 40
    options = dict(do_sample=False, pad_token_id=0, eos_token_id=None, attention_mask=torch.ones_like(ids))
    expected = theirs.generate(ids, min_new_tokens=new, max_new_tokens=new, **options)
    assert torch.equal(generate(ours, ids, new, temperature=0), expected)
