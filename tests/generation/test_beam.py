"""Beam search against all texts there are, against Hugging Face's with the same weights, and against a slow loop."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from llm_core import generate
from llm_core.generation.beam import Beam, beam_search, beam_steps
from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig

from ..common import build, randomised
from ..hf import decoder_from_gpt2, random_gpt2

PROMPT = [3, 14, 15, 9]
V = 5  # so few tokens that every text can be looked at


def tiny() -> Decoder:
    torch.manual_seed(0)
    return randomised(Decoder(ModelConfig(vocab_size=V, block_size=9, n_layer=2, n_head=3, n_embd=12)), std=0.5)


@torch.no_grad()
def logprob(model: Decoder, prompt: list[int], new: list[int]) -> float:
    """Of the new tokens behind the prompt, with one forward and no cache; the window slides."""
    total, ids = 0.0, [*prompt, *new]
    for place in range(len(prompt), len(ids)):
        seen = torch.tensor([ids[:place][-model.config.block_size :]])
        total += F.log_softmax(model(seen)[0, -1].double(), -1)[ids[place]].item()
    return total


def all_texts(length: int, stop: int | None) -> set[tuple[int, ...]]:
    """Every text of ``length`` tokens, those with a stop cut behind it."""
    texts = itertools.product(range(V), repeat=length)
    return {text[: text.index(stop) + 1] if stop in text else text for text in texts}


@pytest.mark.parametrize("stop", [None, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_with_as_many_beams_as_there_are_texts_it_finds_the_best_of_all(stop, length_penalty):
    model, prompt, length = tiny(), [4, 1], 4
    scores = {t: logprob(model, prompt, list(t)) / len(t) ** length_penalty for t in all_texts(length, stop)}
    best = sorted(scores, key=scores.get, reverse=True)
    found = beam_search(model, prompt, length, V**length, length_penalty, stop)
    assert [tuple(beam.ids) for beam in found[:50]] == best[:50]
    for beam in found[:50]:
        assert beam.score == pytest.approx(scores[tuple(beam.ids)], abs=1e-5)
    assert stop is None or len({len(text) for text in best[:50]}) > 1


CASES = [(1, 1.0, None), (3, 1.0, None), (4, 1.0, 5), (4, 0.0, 3), (3, 2.0, 7), (2, 0.5, 6), (6, -0.5, 9)]


@pytest.fixture(scope="module")
def gpt2():
    return random_gpt2(vocab_size=37, block_size=24, n_layer=2, n_head=3, n_embd=12)


@pytest.mark.parametrize(("num_beams", "length_penalty", "stops_at"), CASES)
def test_it_finds_what_hugging_face_finds_with_the_same_weights(gpt2, num_beams, length_penalty, stops_at):
    model, generator = decoder_from_gpt2(gpt2), torch.Generator().manual_seed(num_beams)
    lengths = set()
    for T in (3, 4, 7, 9, 5, 6):
        ids = torch.randint(37, (1, T), generator=generator)
        stop = None if stops_at is None else beam_search(model, ids, 12, num_beams)[-1].ids[stops_at]
        theirs = gpt2.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, num_beams=num_beams,
            num_return_sequences=num_beams, length_penalty=length_penalty, eos_token_id=stop, pad_token_id=0,
        )[:, T:].tolist()  # fmt: skip
        ours = beam_search(model, ids, 12, num_beams, length_penalty, stop)
        expected = [row[: row.index(stop) + 1] if stop in row else row[:12] for row in theirs]
        assert [beam.ids for beam in ours] == expected
        lengths |= {len(beam.ids) for beam in ours}
        for beam in ours:
            assert beam.logprob == pytest.approx(logprob(model.eval(), ids[0].tolist(), beam.ids), abs=1e-4)
            assert beam.score == pytest.approx(beam.logprob / len(beam.ids) ** length_penalty)
    assert stops_at is None or len(lengths) > 1  # some stopped


@torch.no_grad()
def slow_search(model: Decoder, prompt: list[int], length: int, num_beams: int) -> list[list[int]]:
    """No cache, no batch."""
    beams = [[]]
    for _ in range(length):
        longer = [[*beam, id] for beam in beams for id in range(model.config.vocab_size)]
        beams = sorted(longer, key=lambda new: -logprob(model, prompt, new))[:num_beams]
    return beams


def test_a_full_window_slides():
    model, prompt = tiny(), [0, 3, 1, 4, 2, 2, 1]
    found = beam_search(model, prompt, 6, 3)
    assert len(prompt) + 6 > model.config.block_size
    assert [beam.ids for beam in found] == slow_search(model, prompt, 6, 3)


@pytest.mark.parametrize("architecture", ["decoder", "prefix", "cross"])
def test_one_beam_is_greedy_in_every_architecture_that_writes(architecture):
    model = build(architecture)
    more = {} if architecture == "decoder" else {"decoder_ids": [1, 20, 6]}
    greedy = generate(model, [PROMPT], 7, temperature=0, **more)[0][-7:]
    assert [beam.ids for beam in beam_search(model, PROMPT, 7, 1, **more)] == [greedy]
    best = beam_search(model, PROMPT, 7, 5, **more)
    assert best[0].logprob >= beam_search(model, PROMPT, 7, 1, **more)[0].logprob
    assert [beam.score for beam in best] == sorted((beam.score for beam in best), reverse=True)


def test_every_step_adds_a_token_and_sends_one_row_for_each_beam_through_the_blocks():
    model, shapes = build("decoder"), []
    hook = model.blocks[1].register_forward_hook(lambda _module, inputs, _output: shapes.append(inputs[0].shape[:2]))
    lengths = [{len(beam.ids) for beam in found} for found in beam_steps(model, PROMPT, 4, 3)]
    hook.remove()
    assert lengths == [{1}, {2}, {3}, {4}]
    assert shapes == [(3, 4), (3, 1), (3, 1), (3, 1)]
    assert beam_search(model, PROMPT, 4, 3) == found_of(model)


def found_of(model: Decoder) -> list[Beam]:
    """The last of the steps."""
    *_, last = beam_steps(model, PROMPT, 4, 3)
    return last


def test_no_token_to_write_gives_no_beam():
    assert beam_search(build("decoder"), PROMPT, 0) == []


BAD = [
    ({"num_beams": 0}, "num_beams=0: must be a whole number of at least 1"),
    ({"num_beams": 2.5}, "num_beams=2.5: must be a whole number"),
    ({"length_penalty": "1"}, "length_penalty='1': must be a number"),
    ({"ids": []}, "ids is empty"),
    ({"ids": [[1], [2]]}, "beam search takes one prompt, not 2"),
    ({"stop": 99}, "stop=99: must be a whole number from 0 to 28"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=str)
def test_a_search_that_cannot_be_is_one_clear_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        beam_search(build("decoder"), **{"ids": PROMPT, "max_new_tokens": 2, **arguments})
