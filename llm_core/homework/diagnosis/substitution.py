"""Locate a mistake by substitution: activation patching on a student's code.

The student's own code runs, with one of our tensors in the place of one of its own. If the rest then comes out right,
the mistake is before that place; and it is behind the last tensor that was right already. The lines between the two
are the mistake's lines. A harmless rewriting has no such place: its tensors are right, or lead to what is right.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .places import Walk, same

MOST = 120  # substitutions


@dataclass(frozen=True)
class Piece:
    """The smallest piece that has to be replaced: its lines as they run, what it makes and what it should make."""

    lines: list[int]
    found: Tensor
    expected: Tensor


def piece(block: str, student, walked: Walk, right: Walk, masks=None) -> Piece | None:
    """``student`` answers (``Answers`` or ``Apart``); ``walked`` is its run, ``right`` ours."""
    if not right.landmarks:
        return None
    goal, tries = list(right.landmarks.values())[-1], _tries(walked, right)
    outcomes = student.outcomes(block, [[number, tensor] for number, tensor in tries], masks=masks)
    for (number, tensor), outcome in zip(tries, outcomes):
        if isinstance(outcome, Tensor) and same(outcome, goal):
            return _between(walked, right, number, tensor)
    return None


def _tries(walked: Walk, right: Walk) -> list[tuple[int, Tensor]]:
    """Steps that are not right, each with every right tensor of its shape."""
    tries: list[tuple[int, Tensor]] = []
    ours = [step.tensor for step in right.steps if step.tensor.is_floating_point() and step.tensor.dim() > 1]
    for number, step in enumerate(walked.steps):
        if step.line and step.tensor.is_floating_point() and not right.steps_with(step.tensor):
            alike = [tensor for tensor in ours if tensor.shape == step.tensor.shape]
            tries += [(number, tensor) for i, tensor in enumerate(alike) if not _is_in(tensor, alike[:i])]
    return tries[:MOST]


def _is_in(tensor: Tensor, others: list[Tensor]) -> bool:
    return any(torch.equal(tensor, other) for other in others)


def _between(walked: Walk, right: Walk, number: int, expected: Tensor) -> Piece:
    before = [i for i in range(number) if walked.steps[i].line and right.steps_with(walked.steps[i].tensor)]
    inside = [step.line for step in walked.steps[(before[-1] + 1 if before else 0) : number + 1] if step.line]
    return Piece(list(dict.fromkeys(inside)), walked.steps[number].tensor, expected)
