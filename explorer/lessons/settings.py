"""Controls that several lessons have."""

from collections.abc import Sequence

from ..engine.runner import Runner
from .lesson import Control


def layer_control(runner: Runner, value: int = 0, steps: Sequence[int] = ()) -> Control:
    """Which layer is looked at."""
    return numbered("layer", "Layer", runner.facts.n_layer, value, steps)


def head_control(runner: Runner, value: int = 0, steps: Sequence[int] = ()) -> Control:
    return numbered("head", "Head", runner.facts.n_head, value, steps)


def numbered(name: str, label: str, count: int, value: int, steps: Sequence[int]) -> Control:
    options = [(i, str(i)) for i in range(count)]
    return Control(name=name, label=label, kind="choice", value=min(value, count - 1), options=options, steps=steps)
