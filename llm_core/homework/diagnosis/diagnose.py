"""What is wrong with a block: the verdict, and then the reason.

A verdict compares what every probe sees in a student's block with what it sees in ours. The reason is a *suspicion*
that agrees with the student in everything that the probes see: a known fault or a pair of them, else a few deviations
from the grammar of operations (``grammar``). If none agrees, the place is found by substitution (``substitution``).
"""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import combinations

from torch import Tensor

from ..inside.observations import Observations, Stopped
from ..inside.probes import PROBES, SOME_LENGTHS, Probe, does_the_same, observe
from . import places
from .faults import NAMED, Fault, faults_of
from .grammar import Way
from .grammar.search import explanation, left_at, lines
from .patterns import patterns
from .places import Parting, Place, Walk, first_landmark, is_right, line_of, place_of, right_walk
from .shown import difference
from .solution import among_stand_ins
from .substitution import Piece, piece


@dataclass
class Diagnosis:
    """A verdict; ``found`` and ``expected`` are of the first probe that saw a difference."""

    passed: bool
    seen: dict[Probe, Observations] = field(default_factory=dict)
    found: Observations | None = None
    expected: Observations | None = None

    @property
    def tensor(self) -> str | None:
        """The observation that differs first."""
        return self.found.first_difference(self.expected) if self.found and self.expected else None

    @property
    def error(self) -> Stopped | None:
        return self.found.error if self.found else None

    @property
    def differs_before_the_error(self) -> bool:
        name = self.tensor
        return bool(self.found and name in self.found.tensors)

    @property
    def line(self) -> int | None:
        return self.error.line if self.error else None


@dataclass
class Reason:
    """``faults`` in order of likelihood; without any, ``sentence`` tells what can be said."""

    faults: list[Fault] = field(default_factory=list)
    sentence: str = ""
    line: int | None = None
    after: int | None = None  # the student's right line behind which something is missing, up to ``line``
    difference: dict | None = None
    patterns: dict | None = None


def verdict(block: str, student) -> Diagnosis:
    """``student`` answers (``Answers`` or ``Apart``). Raises ``Ended`` if its process does."""
    seen: dict[Probe, Observations] = {}
    for number, probe in enumerate(PROBES[block]):
        ours = partial(known, block, probe)
        found = seen[probe] = student.probe(block, number, masks_for(block), meanwhile=ours)
        if not found.agrees(ours()):
            return Diagnosis(False, seen, found, ours())
    return Diagnosis(True)


def explain(block: str, student, found: Diagnosis) -> Reason:
    for number, probe in enumerate(PROBES[block]):
        if probe not in found.seen and not found.error:
            found.seen[probe] = student.probe(block, number, masks=masks_for(block))
    walked = Walk(student.run(block, masks=masks_for(block)))
    singles, pairs = suspicions(block)
    names = _first(block, singles, found)
    is_told = found.error is None or found.error.is_misshapen or found.differs_before_the_error
    is_told = is_told or block == "embedding"  # other errors have many reasons
    ways = () if names or not is_told else explanation(block, found.seen, walked, most=1)
    if not names and not ways and not found.error:  # an error ends the probe: two mistakes are not seen
        names = _first(block, pairs, found)
        ways = () if names else explanation(block, found.seen, walked, most=2)
    if ways:
        reason = _in_ways(block, student, ways, found, walked)
        left = left_at(block, ways[0])
    else:
        reason = _in_names(block, student, list(names), found, walked)
        left = places.left_at(block, frozenset(names))
    if len(names) + len(ways) == 1 and not CALLS & set(names):
        _not_a_right_line(block, reason, left, found, walked)
    if block == "attention" and not found.error:
        reason.patterns = patterns(student)
    return reason


def _not_a_right_line(block: str, reason: Reason, left: Parting | None, found: Diagnosis, walked: Walk) -> None:
    """If all that is wrong is a step that is missing behind a right line, the line is the one that goes on without it.

    At an error, the line that made what it stopped at; but a call of ours that refuses what it is given is itself one.
    """
    if left and left.is_end and found.error:
        reason.line = found.line if found.error.is_misshapen else walked.line_at(left) or reason.line
        return
    if left and left.is_copy:
        reason.line = walked.line_at(left) or reason.line
    if left and (left.is_copy or left.expected is not None):
        return
    line = (walked.line_at(left) if left else None) or reason.line
    if line and is_right(line, walked, right_walk(block)):
        made = walked.makes(line)
        reason.after, reason.line = line, (walked.line_behind(line, made) if made is not None else None) or line
    elif left and found.error and not found.error.is_misshapen:
        reason.line = line


def _first(block: str, suspected: Iterable[tuple[str, ...]], found: Diagnosis) -> tuple[str, ...]:
    return next((names for names in suspected if _fits(block, names, found.seen)), ())


def _in_names(block: str, student, names: list[str], found: Diagnosis, walked: Walk) -> Reason:
    """Known faults, or none."""
    place, line = locate(block, student, names, found, walked)
    reason = Reason([NAMED[name] for name in names], "" if names else _unnamed(found, walked), line)
    if not names and not found.error:
        patched = piece(block, student, walked, right_walk(block), masks_for(block))
        if patched:
            place = place or Place(REPLACED, patched.expected, patched.found, patched.lines[0])
            reason.line = patched.lines[0]
            reason.sentence = f"{_unnamed(found, walked)} {_patched(patched)}"
    reason.difference = difference(place) if place else None
    return reason


REPLACED = "the tensor that was replaced"
NEAR = 3  # lines: comments and blank ones between


def _patched(piece: Piece) -> str:
    return (
        f"If one tensor of yours, {tuple(piece.found.shape)}, is replaced by the right tensor, everything after it "
        f"comes out right: the mistake is in {spoken(piece.lines)}."
    )


def spoken(lines: list[int]) -> str:
    """In the order in which they run: a function that is called may stand above."""
    parts: list[list[int]] = []
    for line in lines:
        if parts and 0 <= line - parts[-1][-1] <= NEAR:
            parts[-1].append(line)
        else:
            parts.append([line])
    told = [f"line {part[0]}" if part[0] == part[-1] else f"lines {part[0]} to {part[-1]}" for part in parts]
    return ", then ".join(told)


def _in_ways(block: str, student, ways: tuple[Way, ...], found: Diagnosis, walked: Walk) -> Reason:
    """Deviations in the words of the grammar; the line is that of the first."""
    in_eval = cache(lambda: Walk(student.run(block, training=False, masks=masks_for(block))))
    where = lines(block, ways, walked, in_eval)
    line = next((where[way] for way in ways if where[way]), None) or found.line or _first_line(walked)
    reason = Reason([_as_fault(block, way) for way in ways], "", line)
    place = first_landmark(block, walked) or _observed(found, walked)
    reason.difference = difference(place) if place else None
    return reason


def _as_fault(block: str, way: Way) -> Fault:
    if way.known:
        return NAMED[way.known]
    title = re.split(r"[:;.](?=\s|$)", way.sentence)[0]  # "0.5" and "F.dropout" are whole
    title = textwrap.shorten(title, 80, placeholder=" …")
    return Fault(way.pick, (block,), title, way.sentence, EVIDENCE, way.idea, "")


EVIDENCE = "Our own block with this change gives the same results as yours in every comparison."


@cache
def masks_for(block: str) -> dict[str, Tensor] | None:
    """What a Decoder that is made from an Encoder gets from it."""
    if block != "decoder mask":
        return None
    encoder = among_stand_ins("encoder mask").Encoder.get_attention_mask
    return {str(lengths.tolist()): encoder(None, lengths) for lengths in SOME_LENGTHS}


def suspicions(block: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Single faults, and pairs; the likelier ones first."""
    names = [fault.name for fault in faults_of(block)]
    rank = {name: i for i, name in enumerate(names)}
    pairs: list[tuple[str, ...]] = sorted(combinations(names, 2), key=lambda pair: sum(rank[name] for name in pair))
    return [(name,) for name in names], pairs


def _fits(block: str, names: tuple[str, ...], seen: dict[Probe, Observations]) -> bool:
    """Quick probes come first: most suspicions end there."""
    return all(does_the_same(probe, among_stand_ins(block, names), found) for probe, found in seen.items())


@cache
def known(block: str, probe: Probe, faults: frozenset[str] = frozenset()) -> Observations:
    """What the probe sees in our block, with faults or without."""
    return observe(probe, among_stand_ins(block, faults))


# --- where it is -------------------------------------------------------------------------------------------------


def locate(block: str, student, faults: list[str], found: Diagnosis, walked: Walk) -> tuple[Place | None, int | None]:
    """The first tensor that differs, and the student's line."""
    marked = _marked(block, faults, walked)
    comparable = marked and marked.expected.squeeze().shape == marked.found.squeeze().shape
    place = (marked if comparable else None) or first_landmark(block, walked) or marked or _observed(found, walked)
    line = found.line
    if line is None and "loop-over-heads" in faults:
        line = student.looped(8)
    if line is None and CALLS & set(faults):
        line = next((step.line for step in reversed(walked.steps) if step.line and step.operation == "full"), None)
    if faults == ["loop-over-heads"]:
        place = None  # the numbers agree
    return place, line or (marked and marked.line) or (place and place.line) or _first_line(walked)


CALLS = {"not-fed-back", "only-last-token-seen", "encoded-every-time"}  # what is wrong is how a model is called


def _first_line(walked: Walk) -> int | None:
    """The line behind the first landmark."""
    return next((line for tensor in walked.landmarks.values() if (line := line_of(tensor, walked))), None)


def _marked(block: str, faults: list[str], walked: Walk) -> Place | None:
    """The place of one of the faults, else of all of them together."""
    named = [fault for fault in faults_of(block) if fault.name in faults]
    each = (place_of(block, frozenset([fault.name]), walked, fault.shown) for fault in named)
    alone = next((place for place in each if place), None)
    return alone or (place_of(block, frozenset(faults), walked, named[0].shown) if len(named) > 1 else None)


def _observed(found: Diagnosis, walked: Walk) -> Place | None:
    """What the probe itself compared."""
    name = found.tensor
    if name is None or name not in found.found.tensors or name not in found.expected.tensors:
        return None
    mine = found.found.tensors[name]
    return Place(name, found.expected.tensors[name], mine, line_of(mine, walked))


def _unnamed(found: Diagnosis, walked: Walk) -> str:
    """No known mistake fits: what can be said all the same."""
    name = found.tensor
    if found.error or name is None:
        return ""
    mine, right = found.found.tensors.get(name), found.expected.tensors.get(name)
    if mine is not None and right is not None and mine.shape != right.shape:
        return f"No known mistake fits. {name}: the shape is {tuple(mine.shape)} instead of {tuple(right.shape)}."
    if mine is not None and mine.isnan().any() and not (right is not None and right.isnan().any()):
        return f"No known mistake fits. First difference: {name} contains NaN."
    if name.endswith("in train mode"):
        dropped = [step for step in walked.steps if step.line and step.operation.startswith("dropout")]
        places = " and ".join(f"on {tuple(step.tensor.shape)} in line {step.line}" for step in dropped)
        return f"No known mistake fits. In training, dropout runs {places or 'nowhere'}. {NAMED['third-dropout'].idea}"
    return f"No known mistake fits. First difference: {name}."
