"""Padding is nobody's business: with rows of mixed length, no real position may notice it, in any architecture."""

import pytest
import torch
from torch.testing import assert_close

from llm_core.model.masks import causal_mask, is_token, padding_mask
from llm_core.model.padding import pad
from llm_core.model.recording import intervene, record

from ..common import DECODER, ENCODER, build

LENGTHS = [5, 2, 7, 1]  # of the only stack, or of the decoder
TITLE_LENGTHS = [3, 6, 1, 4]  # of the encoder that conditions it
FILLER = 3
SINGLE, PAIRED = ("encoder", "decoder"), ("prefix", "cross")
PATHS = pytest.mark.parametrize("watched", [[], ["*.pattern"]], ids=["fused", "explicit"])
SIDES = pytest.mark.parametrize("side", ["left", "right"])
ALL = pytest.mark.parametrize("architecture", [*SINGLE, *PAIRED])


def rows(lengths: list[int], vocab_size: int) -> list[list[int]]:
    return [torch.randint(vocab_size, (n,)).tolist() for n in lengths]


def titles_and_rows(architecture: str) -> list[list[list[int]]]:
    """What the model reads: one list of rows, or the titles and the decoder's rows."""
    if architecture in SINGLE:
        return [rows(LENGTHS, (ENCODER if architecture == "encoder" else DECODER).vocab_size)]
    return [rows(TITLE_LENGTHS, ENCODER.vocab_size), rows(LENGTHS, DECODER.vocab_size)]


def inputs_and_mask(inputs: list[list[list[int]]], sides: list[str], filler: int = FILLER):
    """Padded inputs in the order of ``forward`` (ids first, then masks), and the mask of the output's places."""
    padded = [pad(part, filler, side) for part, side in zip(inputs, sides)]
    return [ids for ids, _ in padded] + [mask for _, mask in padded], padded[-1][1]


# --- the masks themselves --------------------------------------------------------------------------------


def test_is_token_counts_from_the_left():
    expected = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]).bool()
    assert torch.equal(is_token(torch.tensor([2, 0, 4]), 4), expected)


def test_padding_mask_hides_keys_for_every_head_and_query():
    mask = padding_mask(torch.tensor([[1, 1, 0], [0, 1, 1]]))
    assert mask.shape == (2, 1, 1, 3) and mask.dtype == torch.bool
    assert mask[:, 0, 0].tolist() == [[True, True, False], [False, True, True]]


@pytest.mark.parametrize("T, S", [(5, 5), (1, 4), (2, 6)])
def test_causal_mask_ends_at_the_query_s_own_place(T, S):
    mask = causal_mask(T, S)
    assert mask.shape == (1, 1, T, S)
    for i in range(T):
        for j in range(S):
            assert mask[0, 0, i, j].item() == (j <= i + S - T)


# --- mixed lengths ---------------------------------------------------------------------------------------


def check_against_single_rows(architecture: str, sides: list[str], watched: list[str]) -> None:
    model, inputs = build(architecture), titles_and_rows(architecture)
    padded, real = inputs_and_mask(inputs, sides)
    with record(model, watched):
        together = model(*padded)
        alone = [model(*(torch.tensor([part[b]]) for part in inputs)) for b in range(len(LENGTHS))]
    for b, logits in enumerate(alone):
        assert logits.shape[:2] == (1, LENGTHS[b])
        assert_close(together[b][real[b]], logits[0], atol=1e-5, rtol=1e-5)


@PATHS
@SIDES
@pytest.mark.parametrize("architecture", SINGLE)
def test_padding_changes_no_real_position(architecture, side, watched):
    check_against_single_rows(architecture, [side], watched)


@PATHS
@SIDES
@pytest.mark.parametrize("title_side", ["left", "right"])
@pytest.mark.parametrize("architecture", PAIRED)
def test_padding_of_title_and_text_changes_no_real_position(architecture, title_side, side, watched):
    check_against_single_rows(architecture, [title_side, side], watched)


@pytest.mark.parametrize("architecture", PAIRED)
def test_padding_of_one_side_alone(architecture):
    """A mask for the titles and none for the texts, and the other way round."""
    model, (titles, texts) = build(architecture), titles_and_rows(architecture)
    ids, mask = pad(titles, FILLER, "left")
    text_ids, text_mask = pad(texts, FILLER, "left")
    full_titles, full_texts = torch.tensor(rows([5] * 4, 31)), torch.tensor(rows([7] * 4, 29))
    for b in range(len(LENGTHS)):
        title, text = torch.tensor([titles[b]]), torch.tensor([texts[b]])
        assert_close(model(ids, full_texts, mask)[b], model(title, full_texts[b : b + 1])[0], atol=1e-5, rtol=1e-5)
        padded = model(full_titles, text_ids, None, text_mask)[b][text_mask[b]]
        assert_close(padded, model(full_titles[b : b + 1], text)[0], atol=1e-5, rtol=1e-5)


@SIDES
@ALL
def test_without_its_mask_padding_would_change_the_result(architecture, side):
    """So that the checks above can fail."""
    model, inputs = build(architecture), titles_and_rows(architecture)
    padded, real = inputs_and_mask(inputs, [side] * len(inputs))
    bare = [part for part in padded if part.dtype != torch.bool]
    if architecture == "decoder" and side == "right":  # what comes later is hidden anyway
        assert_close(model(*bare)[real], model(*padded)[real], atol=1e-5, rtol=1e-5)
    else:
        assert (model(*bare)[real] - model(*padded)[real]).abs().max() > 0.1


@PATHS
@SIDES
@ALL
def test_what_stands_in_the_padding_is_irrelevant(architecture, side, watched):
    model, inputs = build(architecture), titles_and_rows(architecture)
    answers = []
    for filler in (FILLER, 17):
        padded, real = inputs_and_mask(inputs, [side] * len(inputs), filler)
        with record(model, watched):
            answers.append(model(*padded)[real])
    assert torch.equal(*answers)


@SIDES
@ALL
def test_no_gradient_reaches_the_padding(architecture, side):
    model, inputs = build(architecture), titles_and_rows(architecture)
    padded, real = inputs_and_mask(inputs, [side] * len(inputs))
    masks = [part for part in padded if part.dtype == torch.bool]
    kept = []

    def keep(x: torch.Tensor) -> torch.Tensor:
        x.retain_grad()
        kept.append(x)
        return x

    with intervene(model, {"*embedding.sum": keep}):
        model(*padded)[real].square().sum().backward()
    for embedded, mask in zip(kept, masks, strict=True):
        assert torch.equal(embedded.grad[~mask], torch.zeros_like(embedded.grad[~mask]))
        assert (embedded.grad[mask].abs().amax(-1) > 0).all()


@SIDES
@ALL
def test_a_padded_key_gets_exactly_no_attention(architecture, side):
    model, inputs = build(architecture), titles_and_rows(architecture)
    padded, _ = inputs_and_mask(inputs, [side] * len(inputs))
    masks = [part for part in padded if part.dtype == torch.bool]
    with record(model, ["*.pattern"]) as trace:
        model(*padded)
    for name, pattern in trace.items():
        keys = keys_of(name, architecture, masks)  # (B, S)
        assert (pattern.amax(dim=(1, 2))[keys] > 0).all()
        hidden = ~keys[:, None, None, :].expand_as(pattern)
        assert hidden.any() and torch.equal(pattern[hidden], torch.zeros(int(hidden.sum())))


def keys_of(name: str, architecture: str, masks: list[torch.Tensor]) -> torch.Tensor:
    """The mask (B, S) of the keys that the pattern ``name`` ranges over."""
    if name.startswith("decoder.") and architecture == "prefix":
        return torch.cat(masks, dim=1)
    return masks[-1] if name.startswith("decoder.") and "cross_attn" not in name else masks[0]


# --- rows of nothing but padding -------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@PATHS
@ALL
def test_a_row_of_padding_gives_no_nan(architecture, watched, training):
    """Row 0 has no token, row 1 no title, row 2 neither; row 3 must not notice."""
    model = build(architecture).train(training)
    inputs = titles_and_rows(architecture)
    padded, _ = inputs_and_mask(inputs, ["right"] * len(inputs))
    *titles_mask, mask = [part for part in padded if part.dtype == torch.bool]
    mask[[0, 2]] = False
    for title_mask in titles_mask:
        title_mask[[1, 2]] = False
    with record(model, watched):
        logits = model(*padded)
        logits.square().mean().backward()
    assert logits.isfinite().all()
    for name, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), name
    if not training:
        alone = model(*(torch.tensor([part[3]]) for part in inputs))
        assert_close(logits[3][mask[3]], alone[0], atol=1e-5, rtol=1e-5)


# --- the future ------------------------------------------------------------------------------------------


@PATHS
@pytest.mark.parametrize("architecture", ["decoder", *PAIRED])
def test_a_later_token_changes_no_earlier_logit(architecture, watched):
    model, T = build(architecture), 7
    titles = [] if architecture == "decoder" else [torch.randint(31, (2, 5))]
    ids = torch.randint(29, (2, T))
    with record(model, watched):
        before = model(*titles, ids)
        for t in range(T):
            changed = ids.clone()
            changed[:, t] = (ids[:, t] + 1) % 29
            moved = (model(*titles, changed) - before).abs().amax(-1)  # (B, T)
            assert moved[:, :t].numel() == 0 or moved[:, :t].max() < 1e-6
            assert moved[:, t:].min() > 1e-3  # itself and everything behind it


@PATHS
def test_the_encoder_sees_both_ways(watched):
    model, ids = build("encoder"), torch.randint(31, (2, 7))
    changed = ids.clone()
    changed[:, 6] = (ids[:, 6] + 1) % 31
    with record(model, watched):
        assert ((model(changed) - model(ids)).abs().amax(-1) > 1e-3).all()


@pytest.mark.parametrize("architecture", PAIRED)
def test_every_title_token_reaches_every_logit(architecture):
    model = build(architecture)
    titles, ids = torch.randint(31, (2, 5)), torch.randint(29, (2, 7))
    before = model(titles, ids)
    for s in range(5):
        changed = titles.clone()
        changed[:, s] = (titles[:, s] + 1) % 31
        assert ((model(changed, ids) - before).abs().amax(-1) > 1e-4).all()


@ALL
def test_a_sequence_longer_than_the_window_is_refused(architecture):
    model = build(architecture)
    block_size = ENCODER.block_size if architecture == "encoder" else DECODER.block_size
    ids = torch.zeros(1, block_size + 1, dtype=torch.long)
    titles = [torch.zeros(1, 5, dtype=torch.long)] if architecture in PAIRED else []
    with pytest.raises(ValueError, match=f"{block_size + 1} tokens do not fit.*block_size.* is {block_size}"):
        model(*titles, ids)
