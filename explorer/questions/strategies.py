"""Several ways to choose tokens, from one text and one seed, with what can be measured of what they write."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..engine.runner import Runner
from .writing import ids_of, seed_of

MAX_COUNT = 100
BEAMS = 4


@dataclass(frozen=True)
class Strategy:
    name: str
    about: str  # one sentence
    settings: dict = field(default_factory=dict)  # of sampling; none of them is beam search


STRATEGIES = [
    Strategy("Greedy", "Always the likeliest token.", {"temperature": 0}),
    Strategy("Temperature 0.5", "Likely tokens become likelier still.", {"temperature": 0.5}),
    Strategy("Temperature 1", "Drawn as the model predicts.", {"temperature": 1}),
    Strategy("Temperature 1.5", "Unlikely tokens get more chances.", {"temperature": 1.5}),
    Strategy("Top-k 40", "Only the 40 likeliest tokens can be drawn.", {"temperature": 1, "top_k": 40}),
    Strategy("Top-p 0.9", "Only the likeliest that sum to 0.9 can be drawn.", {"temperature": 1, "top_p": 0.9}),
    Strategy("Beam search", f"{BEAMS} beginnings at a time; the likeliest text per token wins."),
]


def compare(runner: Runner, text: str, written: Sequence[int], count: int, seed: object) -> Iterator[dict]:
    """A dict per strategy, as soon as it has written up to ``count`` tokens; the model is free between two tokens.

    ``logprob`` is the text's under the model as it is, whatever bent the distribution; ``seconds`` are the
    model's own, without waiting for others.
    """
    ids, seed = ids_of(runner, text, written), seed_of(seed)
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"count={count}: must be a whole number from 1 to {MAX_COUNT}")
    for strategy in STRATEGIES:
        new, logprob, seconds = (_sample if strategy.settings else _beam)(runner, ids, count, seed, strategy)
        yield {
            "name": strategy.name,
            "about": strategy.about,
            "tokens": runner.describe(new),
            "text": runner.tokenizer.decode([id for id in new if not runner.tokenizer.is_special(id)]),
            "ended": new[-1] == runner.tokenizer.end,
            "logprob": logprob,
            "logprob_per_token": logprob / len(new),
            "repeated": repeated(new),
            "distinct": distinct(new),
            "seconds": seconds,
        }


def distinct(ids: Sequence[int], n: int = 2) -> float | None:
    """Of all runs of n tokens, the share of different ones (distinct-n, Li et al. 2016); None without such a run."""
    runs = [tuple(ids[i : i + n]) for i in range(len(ids) - n + 1)]
    return len(set(runs)) / len(runs) if runs else None


def repeated(ids: Sequence[int], n: int = 4) -> float | None:
    """Of all runs of n tokens, the share that stood in the text before; None without such a run."""
    share = distinct(ids, n)
    return None if share is None else 1 - share


def _sample(runner: Runner, ids: list[int], count: int, seed: int, strategy: Strategy) -> tuple[list, float, float]:
    from llm_core import stream

    steps = stream(runner.model, ids, count, seed=seed, stop=runner.tokenizer.end, **strategy.settings)
    found, seconds = _in_turns(runner, steps)
    return [step.id for step in found], sum(step.logprob for step in found), seconds


def _beam(runner: Runner, ids: list[int], count: int, _seed: int, _strategy: Strategy) -> tuple[list, float, float]:
    from llm_core.generation.beam import beam_steps

    found, seconds = _in_turns(runner, beam_steps(runner.model, ids, count, BEAMS, stop=runner.tokenizer.end))
    best = found[-1][0]
    return best.ids, best.logprob, seconds


def _in_turns(runner: Runner, steps: Iterator) -> tuple[list, float]:
    """All steps, and how long the model took for them."""
    found: list = []
    seconds = 0.0
    while True:
        with runner.alone():
            start = time.perf_counter()
            step = next(steps, None)
            seconds += time.perf_counter() - start
        if step is None:
            return found, seconds
        found.append(step)
