"""Where a fault shows first, in the tensors and in the student's lines: one run compared with ours.

A fault's *marks* are the tensors that appear in our blocks with the fault switched on, and not in the right ones. The
first of them that the student's run has too is the place to show, and the line that made it.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor

from ..inside.runs import Run, run
from ..inside.watching import Step
from .solution import among_stand_ins

MOVES = ("transpose", "reshape")
COPIES = ("detach", "clone")  # what is looked at on the way


class Walk:
    """A run, with its steps sorted by shape so that one look compares with all of them."""

    def __init__(self, run: Run):
        self.steps, self.landmarks = run.steps, run.landmarks

    @cached_property
    def _by_shape(self) -> dict[tuple[int, ...], tuple[list[Step], Tensor]]:
        groups: dict[tuple[int, ...], list[Step]] = {}
        for step in self.steps:
            groups.setdefault(_matrices(step.tensor), []).append(step)
        return {shape: (steps, torch.stack([_flat(step.tensor) for step in steps])) for shape, steps in groups.items()}

    def steps_with(self, tensor: Tensor) -> list[Step]:
        """Those that gave the same matrices in the same order: (B, H, T, T) and (B*H, T, T) are no difference."""
        steps, stacked = self._by_shape.get(_matrices(tensor), ([], None))
        return [steps[int(i)] for i in _close(stacked, _flat(tensor)).all(1).nonzero()] if steps else []

    def line_with(self, tensor: Tensor) -> int | None:
        """The student's line that made it first."""
        return next((step.line for step in self.steps_with(tensor) if step.line), None)

    def line_at(self, left: "Parting | None") -> int | None:
        """The student's line that does the same, if what belongs there does not come first."""
        if left and left.is_copy and (copied := self._copied(left.tensor)):
            return copied
        made = self._own(left.tensor) if left else []
        if left is None or not made:
            return None
        number = made[min(left.before, len(made) - 1)]
        line, belongs = self.steps[number].line, self._own(left.expected) if left.expected is not None else []
        if not belongs or self.steps[belongs[0]].line == line:
            return line
        return None if belongs[0] < number or len(made) <= left.before else line

    def makes(self, line: int | None) -> Tensor | None:
        """The last tensor that a line makes, if it does more than hand one on."""
        return next((step.tensor for step in reversed(self.steps) if step.line == line and changes(step)), None)

    def line_behind(self, line: int, tensor: Tensor) -> int | None:
        """The student's next line that goes on with this tensor of ``line``."""
        later = [step for step in self.steps if step.line and step.line > line and step.given is not None]
        return next((step.line for step in later if same(step.given, tensor)), None)

    def _copied(self, tensor: Tensor) -> int | None:
        return next((step.line for step in _detaches(self.steps) if step.line and same(step.tensor, tensor)), None)

    def _own(self, tensor: Tensor) -> list[int]:
        """Numbers of the steps of the student's own that made it."""
        alike = {id(step) for step in self.steps_with(tensor) if step.line and step.operation not in COPIES}
        return [number for number, step in enumerate(self.steps) if id(step) in alike]


def _matrices(x: Tensor) -> tuple[int, ...]:
    """How many numbers, and the last two dimensions; those of size 1 do not count."""
    return (x.numel(), *x.squeeze().shape[-2:])


@dataclass(frozen=True)
class Parting:
    """What our faulty run did at the step where it leaves the right one, if all its numbers are still right ones: it
    took a right tensor in the place of another, or went on without a step. The tensor that the line is known by."""

    tensor: Tensor
    before: int  # how often it was made before
    expected: Tensor | None = None  # in its place; None if a step is missing
    is_copy: bool = False  # it took a detached one
    is_end: bool = False  # it came no further


def parting(right: Walk, wrong: Walk) -> Parting | None:
    rights, wrongs = _changing(right.steps), _changing(wrong.steps)
    for number, (ours, theirs) in enumerate(zip(rights, wrongs)):
        if ours.operation == theirs.operation and same(ours.tensor, theirs.tensor):
            continue
        if ours.operation == theirs.operation and right.steps_with(theirs.tensor):
            return Parting(theirs.tensor, _count(theirs.tensor, wrongs[:number]), ours.tensor)
        if ours.operation in MOVES and theirs.operation in MOVES:
            return None  # numbers that were to move twice moved once: the line is that of the move, where it went wrong
        last = wrongs[number - 1].tensor if number else ours.given
        if last is not None and _lacks_a_step(rights[number:], wrongs[number:]):
            return Parting(last, _count(last, wrongs[: max(number - 1, 0)]))
        return None
    if 0 < len(wrongs) < len(rights):
        return Parting(wrongs[-1].tensor, 0, is_end=True)
    return _detached(right, wrong)


def _detached(right: Walk, wrong: Walk) -> Parting | None:
    """The first tensor that the wrong run alone detaches."""
    ours, theirs = ([step.tensor for step in _detaches(walk.steps)] for walk in (right, wrong))
    own = next((x for x, other in zip(theirs, [*ours, torch.zeros(0)]) if not same(x, other)), None)
    return None if own is None else Parting(own, 0, is_copy=True)


def _detaches(steps: list[Step]) -> list[Step]:
    """Without ours: what is looked at is detached and cloned, or made whole numbers."""
    following = [*(step.operation for step in steps[1:]), ""]
    return [s for s, then in zip(steps, following) if s.operation == "detach" and then not in ("clone", "long")]


def _changing(steps: list[Step]) -> list[Step]:
    return [step for step in steps if changes(step)]


def _count(x: Tensor, steps: list[Step]) -> int:
    return sum(step.operation not in COPIES and same(x, step.tensor) for step in steps)


NEAR = 5  # steps


def _lacks_a_step(right: list[Step], wrong: list[Step]) -> bool:
    """What the wrong run does next, the right one does soon, and not the other way round; or one step later."""
    soon = [[step.operation for step in steps[1:NEAR]] for steps in (right, wrong)]
    if soon[0] == [step.operation for step in wrong[: NEAR - 1]]:
        return True
    return wrong[0].operation in soon[0] and right[0].operation not in soon[1]


def changes(step: Step) -> bool:
    return step.given is None or not same(step.given, step.tensor)


def is_right(line: int | None, student: Walk, right: Walk) -> bool:
    """Whether what a line of the student makes is made on the right way too."""
    made = student.makes(line)
    return made is not None and any(map(changes, right.steps_with(made)))


@dataclass(frozen=True)
class Place:
    """Where a student's run parts from the right one."""

    name: str
    expected: Tensor
    found: Tensor
    line: int | None


def marks(block: str, faults: frozenset[str]) -> list[tuple[Tensor, Tensor]]:
    """(the wrong tensor, the right one in its place), in order."""
    right, wrong = _walked(block, frozenset()), _walked(block, faults)
    missed = [step.tensor for step in right.steps if not wrong.steps_with(step.tensor)]
    marks = [step.tensor for step in wrong.steps if not right.steps_with(step.tensor)]
    return [(mark, _counterpart(mark, missed)) for mark in marks if missed]


def place_of(block: str, faults: frozenset[str], student: Walk, shown: str) -> Place | None:
    """The first mark of the faults in the student's walk, under the name ``shown`` if that has as many dimensions."""
    left = left_at(block, faults)
    line = student.line_at(left)
    if left and line and left.expected is not None:
        return Place(_title(shown, left.tensor), left.expected, left.tensor, line)
    for mark, right in marks(block, faults):
        step = next((step for step in student.steps_with(mark) if step.line), None)
        if step:
            return Place(_title(shown, mark), right, step.tensor, line or step.line)
    return None


def _expanded_from(mark: Tensor, block: str, student: Walk) -> int | None:
    """The line that made it wrong before it was expanded: a mask (B, 1, T, T) whose rows are all alike, as (B, T)."""
    core = mark
    for axis in reversed(range(mark.dim())):
        first = core.narrow(axis, 0, 1) if core.shape[axis] else core
        core = first if same(first.expand_as(core), core) else core
    is_smaller = 1 < core.numel() < mark.numel() and not _walked(block, frozenset()).steps_with(core)
    return student.line_with(core) if is_smaller else None


def left_at(block: str, faults: frozenset[str]) -> Parting | None:
    return parting(_walked(block, frozenset()), _walked(block, faults))


def _title(shown: str, x: Tensor) -> str:
    fits = "(" not in shown or shown.count(",") + 1 == x.dim()
    return shown if fits else "a tensor on the way"


def first_landmark(block: str, student: Walk) -> Place | None:
    """The first landmark that differs from the right one."""
    for name, right in _walked(block, frozenset()).landmarks.items():
        found = student.landmarks.get(name)
        if found is not None and not same(found, right):
            return Place(name, right, found, _expanded_from(found, block, student) or line_of(found, student))
    return None


def line_of(tensor: Tensor, student: Walk) -> int | None:
    return student.line_with(tensor)


def same(a: Tensor, b: Tensor) -> bool:
    """Equal numbers and equal shapes, dimensions of size 1 aside."""
    return a.squeeze().shape == b.squeeze().shape and bool(_close(_flat(a), _flat(b)).all())


def _flat(x: Tensor) -> Tensor:
    """A score that hides is -inf here, -1e9 there: no difference."""
    x = x.double().flatten().nan_to_num(nan=1e30, posinf=2e30, neginf=-1e30)
    return x.where((x > -1e8) | (x == 1e30), torch.tensor(-1e30, dtype=torch.float64))


def _close(a: Tensor, b: Tensor) -> Tensor:
    return torch.isclose(a, b, rtol=1e-4, atol=2e-5)


def _counterpart(mark: Tensor, missed: list[Tensor]) -> Tensor:
    """The first of the same shape, best with the same cells hidden: scores are there with the mask and without."""
    alike = [right for right in missed if right.squeeze().shape == mark.squeeze().shape] or missed[:1]
    hidden = mark.isfinite().flatten()
    return next((right for right in alike if torch.equal(right.isfinite().flatten(), hidden)), alike[0])


def right_walk(block: str) -> Walk:
    return _walked(block, frozenset())


@cache
def _walked(block: str, faults: frozenset[str]) -> Walk:
    return Walk(run(block, among_stand_ins(block, faults)))
