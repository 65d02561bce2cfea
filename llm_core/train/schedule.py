"""The learning rate of every step, and the steps at which a model is kept.

``cosine`` warms up, then falls along a cosine to the last step, once or in several cycles (Loshchilov & Hutter 2017):
how long a run is must be known when it begins. ``wsd`` warms up, stays, and decays in its last ``decay_steps`` (Hu et
al. 2024, arXiv:2404.06395): until then nothing depends on how long it is, so that a run can be prolonged. The decay is
the one that came out best in Hägele et al. 2024 (arXiv:2405.18392), "1-sqrt": steep at first, where a linear one is
still high, and gentle at the end.
"""

import math
from typing import Protocol

SCHEDULES = ("cosine", "wsd")


class Recipe(Protocol):
    """What the rate depends on; a ``TrainConfig`` has it."""

    @property
    def steps(self) -> int: ...
    @property
    def schedule(self) -> str: ...
    @property
    def cycles(self) -> int: ...
    @property
    def decay_steps(self) -> int: ...
    @property
    def warmup_steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def final_lr_fraction(self) -> float: ...


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of the update that leads from ``step`` to the next."""
    return recipe.learning_rate * (_wsd if recipe.schedule == "wsd" else _cosine)(recipe, step)


def _wsd(recipe: Recipe, step: int) -> float:
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    progress = (step - decay_start(recipe)) / max(1, recipe.decay_steps)
    return _between(recipe.final_lr_fraction, 1 - math.sqrt(min(1.0, max(0.0, progress))))


def _cosine(recipe: Recipe, step: int) -> float:
    starts = cycle_starts(recipe.steps, recipe.cycles)
    step -= max(start for start in starts if start <= step)
    if step < recipe.warmup_steps:
        return (step + 1) / recipe.warmup_steps
    progress = (step - recipe.warmup_steps) / max(1, starts.step - recipe.warmup_steps)
    return _between(recipe.final_lr_fraction, 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def _between(floor: float, share: float) -> float:
    return floor + (1 - floor) * share


def decay_start(recipe: Recipe) -> int:
    """The step at which a ``wsd`` run begins to decay; without ``decay_steps``, its end."""
    return recipe.steps - recipe.decay_steps


def cycle_starts(steps: int, cycles: int) -> range:
    """The steps at which the learning rate begins to rise: 0, and one for each later cycle."""
    return range(0, steps, math.ceil(steps / cycles))


def snapshot_steps(steps: int, count: int) -> set[int]:
    """``count`` steps of a run, 0 and the last among them: doubling at first, then evenly apart."""
    if count > steps:
        return set(range(steps + 1))
    doubling = [0, *(2**i for i in range(steps.bit_length()))]
    for dense in range(min(count - 1, len(doubling)), 0, -1):  # as many as leave no narrower gaps behind them
        early, last = doubling[:dense], doubling[dense - 1]
        gap = (steps - last) / (count - dense)
        if dense < 3 or gap >= last - doubling[dense - 2]:
            return {*early, *(round(last + gap * i) for i in range(1, count - dense + 1))}
    return set()
