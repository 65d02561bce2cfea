"""Two texts as one batch, for lessons that need padding: the learner's own, and a second, shorter one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .lesson import LIMIT, OWN, Control, Panel, Scene, readable

if TYPE_CHECKING:
    from torch import Tensor

PADDING = "padding"
BOTH_TEXTS = f"{OWN} The second text is the one typed above."  # whose numbers a step shows


def second_control(value: str, steps: Sequence[int] = ()) -> Control:
    info = "cut to fewer tokens than your text has"
    return Control(name="second", label="Second text", kind="text", value=value, info=info, steps=steps)


@dataclass(frozen=True, slots=True)
class Padded:
    """Rows of ids on one side of a rectangle, filled up on the other."""

    side: str
    ids: "Tensor"  # (B, T)
    mask: "Tensor"  # (B, T), True = real token
    labels: list[list[str]]  # of every place

    def row(self, b: int, name: str, title: str) -> Panel:
        """The ids of one row, under their tokens; each place has its color."""
        import torch

        return Panel(
            name=name,
            values=self.ids[b],
            letters="T",
            title=title,
            color="origin",
            origin=torch.arange(self.ids.shape[1]),
            family=name,
            columns=self.labels[b],
            decimals=0,
            hidden=~self.mask[b],
            cell=44,
        )


def rows_of(scene: Scene) -> list[list[int]]:
    """The ids of the learner's text, and of the second one, which has fewer unless the first has only one."""
    first = scene.recorded.ids
    second = scene.runner.encode(scene.inputs["second"])[: min(LIMIT, max(1, len(first) - 1))]
    return [first, second]


def padded(scene: Scene, rows: list[list[int]], side: str = "right") -> Padded:
    from llm_core.model.padding import pad

    ids, mask = pad(rows, filler(scene), side)
    labels = [[readable(token) for token in scene.runner.describe(row)] for row in rows]
    missing = [[PADDING] * (ids.shape[1] - len(row)) for row in rows]
    return Padded(side, ids, mask, [a + b if side == "right" else b + a for a, b in zip(labels, missing)])


def filler(scene: Scene) -> int:
    """What stands in padded places: whatever it is, nobody may see it."""
    return scene.runner.tokenizer.pad or 0
