"""Name what is wrong with a block, by trying suspicions: is it what our blocks do with this fault switched on?

Single faults of the block first, the likelier ones before the others, then pairs. What agrees with a student's block
in everything that the probes see is the diagnosis; if nothing does, there is none, and the first difference is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from types import ModuleType

from .faults import faults_of
from .probes import PROBES, Observations, Probe, observe
from .solution import solution
from .walks import Place, Walk, first_landmark, line_of, place_of, walk
from .watching import Steps


@dataclass
class Diagnosis:
    """``faults`` are names, in order of likelihood; empty with ``passed`` False: no known mistake fits."""

    passed: bool
    faults: list[str] = field(default_factory=list)
    probe: Probe | None = None  # the first that saw a difference
    found: Observations | None = None
    expected: Observations | None = None
    dropouts: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)  # their lines and shapes, once located

    @property
    def tensor(self) -> str | None:
        """The observation that differs first."""
        return self.found.first_difference(self.expected) if self.found else None

    @property
    def error(self) -> Exception | None:
        return self.found.error if self.found else None


def diagnose(block: str, student: ModuleType) -> Diagnosis:
    """``student`` has the block's name, and our other blocks (see ``with_our_other_blocks``)."""
    seen: dict[Probe, Observations] = {}
    for probe in PROBES[block]:
        seen[probe] = observe(probe, student)
        if not seen[probe].agrees(expected := known(probe, frozenset())):
            break
    else:
        return Diagnosis(True)
    failed = Diagnosis(False, [], probe, seen[probe], expected)
    for other in PROBES[block]:
        if other not in seen and not failed.error:
            seen[other] = observe(other, student)
    failed.faults = next((list(names) for names in suspicions(block) if _fits(names, seen)), [])
    return failed


def suspicions(block: str) -> Iterator[tuple[str, ...]]:
    names = [fault.name for fault in faults_of(block)]
    yield from ((name,) for name in names)
    rank = {name: i for i, name in enumerate(names)}
    yield from sorted(combinations(names, 2), key=lambda pair: sum(rank[name] for name in pair))


def _fits(names: tuple[str, ...], seen: dict[Probe, Observations]) -> bool:
    """Quick probes come first: most suspicions end there."""
    return all(found.agrees(known(probe, frozenset(names))) for probe, found in seen.items())


@cache
def known(probe: Probe, faults: frozenset[str] = frozenset()) -> Observations:
    """What the probe sees in our blocks, with faults or without."""
    return observe(probe, solution(faults))


# --- where it is -------------------------------------------------------------------------------------------------


def locate(block: str, student: ModuleType, diagnosis: Diagnosis, file: str | None) -> tuple[Place | None, int | None]:
    """The first tensor that differs, and the student's line."""
    walked = walk(block, student, file)
    dropped = [step for step in walked.steps if step.line and step.operation.startswith("dropout")]
    diagnosis.dropouts = [(step.line, tuple(step.tensor.shape)) for step in dropped]
    marked = _marked(block, diagnosis.faults, walked)
    comparable = marked and marked.expected.squeeze().shape == marked.found.squeeze().shape
    place = (marked if comparable else None) or first_landmark(block, walked) or marked or _observed(diagnosis, walked)
    line = error_line(diagnosis.error, file)
    if line is None and "loop-over-heads" in diagnosis.faults:
        line = _loop_line(student, file)
    if line is None and CALLS & set(diagnosis.faults):
        line = next((step.line for step in reversed(walked.steps) if step.line and step.operation == "full"), None)
    if diagnosis.faults == ["loop-over-heads"]:
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


def _observed(diagnosis: Diagnosis, walked: Walk) -> Place | None:
    """What the probe itself compared."""
    name = diagnosis.tensor
    if name is None or name not in diagnosis.found.tensors or name not in diagnosis.expected.tensors:
        return None
    found = diagnosis.found.tensors[name]
    return Place(name, diagnosis.expected.tensors[name], found, line_of(found, walked))


def error_line(error: BaseException | None, file: str | None) -> int | None:
    """The innermost line of the file that the error passed."""
    line, trace = None, error and error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _loop_line(student: ModuleType, file: str | None) -> int | None:
    from .probes import C, T, config, mask, numbers

    H = 8
    with Steps(file) as steps:
        student.GenericSelfAttention(config(n_head=H)).eval()(numbers(4, T, C), mask())
    return steps.looped(H)
