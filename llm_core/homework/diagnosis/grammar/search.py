"""Which deviations explain a student's block: those with which our block does the same in everything that is probed.

First each alone. Then, because a block with two mistakes does what no single one does, those whose wrong tensors the
student's run has too, each with every other, and some pairs more. What is fitted is what is seen, not what is written:
harmless rewriting cannot be blamed.
"""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain, combinations, islice, product

from torch import Tensor

from ...inside.observations import Observations
from ...inside.probes import Probe, does_the_same
from ...inside.runs import run
from ..places import Parting, Walk, parting
from .ways import Way, ways_of, with_picks

FIRSTS, OTHERS = 8, 1500  # how many suspicions are followed further, and how many pairs that nothing points to


def explanation(block: str, seen: dict[Probe, Observations], student: Walk, most: int) -> tuple[Way, ...]:
    """One way, or two, that explain all that was seen; empty if none do."""
    ways = ways_of(block)
    if most > 1:
        return _several(block, ways, seen, student)
    return next(((way,) for way in ways if fits(block, (way,), seen)), ())


def _several(block: str, ways: tuple[Way, ...], seen: dict[Probe, Observations], student: Walk) -> tuple[Way, ...]:
    traces = {way: _traces(block, (way,), student) for way in ways}
    likely = sorted(ways, key=lambda way: -traces[way])[:FIRSTS]
    return next((pair for pair in _pairs(likely, ways) if fits(block, pair, seen)), ())


def _pairs(likely: list[Way], ways: tuple[Way, ...]) -> Iterator[tuple[Way, Way]]:
    """Those with a likely one, and then some of the others: code of few, fused operations has few traces."""
    others = combinations([way for way in ways if way not in likely], 2)
    for first, second in chain(product(likely, ways), islice(others, OTHERS)):
        if second.stage != first.stage:
            yield first, second


def fits(block: str, ways: tuple[Way, ...], seen: dict[Probe, Observations]) -> bool:
    picks = frozenset(way.pick for way in ways)
    return all(does_the_same(probe, with_picks(block, picks), found) for probe, found in seen.items())


def _traces(block: str, ways: tuple[Way, ...], student: Walk) -> int:
    """How many of the tensors that only the deviation makes are in the student's run."""
    return sum(bool(student.steps_with(tensor)) for tensor in islice(marks(block, ways), 12))


def marks(block: str, ways: tuple[Way, ...], without: tuple[Way, ...] = (), training: bool = True) -> list[Tensor]:
    """The tensors of our run with these ways that are not in that with fewer."""
    fewer, full = _walked(block, without, training), _walked(block, ways, training)
    return [step.tensor for step in full.steps if not fewer.steps_with(step.tensor)]


def _walked(block: str, ways: tuple[Way, ...], training: bool) -> Walk:
    return walked(block, frozenset(way.pick for way in ways), training)


@cache
def walked(block: str, picks: frozenset[str], training: bool = True) -> Walk:
    return Walk(run(block, with_picks(block, picks), training=training))


def lines(block: str, ways: tuple[Way, ...], student: Walk, in_eval: Callable[[], Walk]) -> dict[Way, int | None]:
    """For each way the student's line where it parts from the right block; in eval mode, if training shows none."""
    found = {}
    for way in ways:
        rest = tuple(other for other in ways if other is not way)
        found[way] = _line(block, ways, rest, student, True) or _line(block, ways, rest, in_eval(), False)
    return found


def left_at(block: str, way: Way) -> Parting | None:
    return parting(_walked(block, (), True), _walked(block, (way,), True))


def _line(block: str, ways: tuple[Way, ...], rest: tuple[Way, ...], student: Walk, training: bool) -> int | None:
    left = parting(_walked(block, rest, training), _walked(block, ways, training))
    line = student.line_at(left)
    made = (student.line_with(tensor) for tensor in marks(block, ways, rest, training))
    return line or next((line for line in made if line), None)
