"""Rows that advance in one batch get the tokens that each would get alone, whenever they come and go."""

import pytest
import torch

from llm_core import load_model, load_tokenizer, stream
from llm_core.generation.sampling import Request
from llm_core.generation.together import SLACK, Together, can_join
from llm_core.generation.warping import Warping
from llm_core.model.architectures import Decoder

from ..common import DECODER, randomised

SETTINGS = [{}, {"temperature": 0}, {"temperature": 0.8, "top_k": 5}, {"top_p": 0.9}, {"temperature": 1.5}]


def asked(model, ids: list[int], count: int, seed: int, stop: int | None = None, **settings) -> Request:
    return Request(model, ids, count, Warping(**settings), seed, stop, None)


def alone(request: Request, seed: int) -> list:
    w = request.warping
    return list(
        stream(request.model, request.ids, request.max_new_tokens, w.temperature, w.top_k, w.top_p, seed, request.stop)
    )


def written(batch: Together, requests: list[Request], apart: int) -> list[list]:
    """All steps of each request, of which one comes every ``apart`` steps."""
    waiting, told, of = list(enumerate(requests)), {}, {}
    time = 0
    while waiting or batch.rows:
        while waiting and time >= apart * waiting[0][0] and len(batch.rows) < batch.most:
            number, request = waiting.pop(0)
            row, step = batch.join(request)
            of[row], told[number] = number, [step]
        for row in [row for row in batch.rows if row.is_done]:
            batch.leave(row)
        if batch.rows:
            for row, step in zip(list(batch.rows), batch.step()):
                told[of[row]].append(step)
            for row in [row for row in batch.rows if row.is_done]:
                batch.leave(row)
        time += 1
    return [told[number] for number in range(len(requests))]


@pytest.mark.parametrize("apart", [0, 3])
def test_a_row_gets_the_tokens_it_would_get_alone(apart):
    model, tokenizer = load_model("decoder"), load_tokenizer()
    texts = [
        "How to make a cake",
        "Wash",
        "Move the silver key to the left. Move the silver",
        "A " * 40,
        "Paint a wall",
    ]
    made = [
        asked(model, [tokenizer.start, *tokenizer.encode(text)], 6 + 4 * seed, seed, tokenizer.end, **settings)
        for seed, (text, settings) in enumerate(zip(texts * 2, SETTINGS * 2))
    ]
    found = written(Together(model, 4), made, apart)
    ties = 0
    for seed, (steps, request) in enumerate(zip(found, made)):
        once = alone(request, seed)
        differs = next((i for i, (one, other) in enumerate(zip(steps, once)) if one.id != other.id), None)
        if differs is not None:  # two tokens that float32 cannot tell apart: a batch adds in another order
            one, other = steps[differs], once[differs]
            assert abs(one.logits[one.id] - one.logits[other.id]) < 1e-4 and abs(one.rank - other.rank) <= 1
            steps, once, ties = steps[:differs], once[:differs], ties + 1
        for name in ("id", "rank", "u", "slid", "position"):
            assert [getattr(step, name) for step in steps] == [getattr(step, name) for step in once], name
        for one, other in zip(steps, once):
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
            assert torch.allclose(one.logits, other.logits, atol=1e-4)
    assert ties <= 1


def test_what_memory_held_before_counts_for_nothing(monkeypatch):
    monkeypatch.setattr(
        torch.Tensor,
        "new_empty",
        lambda like, *size: like.new_full(torch.Size(size if isinstance(size[0], int) else size[0]), torch.nan),
    )
    model = randomised(Decoder(DECODER))
    made = [asked(model, [1, *range(2, 5 - seed)], 5, seed) for seed in range(3)]
    steps = written(Together(model, 3), made, 2)
    assert all(step.logits.isfinite().all() for row in steps for step in row)


def test_rows_go_on_when_all_columns_are_used():
    model = randomised(Decoder(DECODER))
    batch, seed = Together(model, 3), 0
    steps = 3 * (DECODER.block_size + SLACK)
    before = []
    while seed < 4 or batch.rows:
        if seed < steps // 4 and len(batch.rows) < 3:
            request = asked(model, [1 + seed % 7, 2, 3], 6 + seed % 2, seed)
            row, step = batch.join(request)
            before.append((row, [step], request, seed))
            seed += 1
        for row, step in zip(list(batch.rows), batch.step()):
            next(steps for one, steps, *_ in before if one is row).append(step)
        for row in [row for row in batch.rows if row.is_done]:
            batch.leave(row)
        assert batch.length <= batch.capacity
    assert len(before) == steps // 4
    for _, found, request, number in before:
        assert [step.id for step in found] == [step.id for step in alone(request, number)]


def test_what_would_slide_or_is_no_decoder_of_ours_is_written_alone():
    model = randomised(Decoder(DECODER))
    assert can_join(asked(model, [1, 2], DECODER.block_size - 2, 0))
    assert not can_join(asked(model, [1, 2], DECODER.block_size - 1, 0))
    assert not can_join(asked(model, [[1], [2]], 2, 0))
    batch = Together(model, 1)
    batch.join(asked(model, [1], 2, 0))
    with pytest.raises(ValueError, match="all 1 places are taken"):
        batch.join(asked(model, [1], 2, 0))
