"""What the bug museum shows of a mistake: the model's run on the learner's text without and with it.

Runs are kept for a few texts, so that choosing another layer or head runs nothing again.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from ...engine.runner import Runner
from ..lesson import Formula, Operand, Panel, Scene
from .effects import broken_model, loss_with
from .verdict import SEEDS, noisy_model, seeded

if TYPE_CHECKING:
    from torch import Tensor

    from llm_core.mistakes.known import Mistake

MOST_CHANGED = -1  # what the controls for layer and head are at first
SCALES = ("no-scale", "scale-by-width")  # are shown in layer 0: later ones get another input, too
RECORDED = ["blocks.*.attn.scores", "blocks.*.attn.pattern", "blocks.*.attn.z", "logits"]
ROOM, LEAST, MOST = 230, 14, 36  # px: the columns of one head, and the sides of its cells

NOTES = {  # under the wrong pattern, behind what its rows sum to
    "wrong-split": "Rows and columns are dimensions of the head, not tokens.",
    "softmax-axis": "Each column sums to 1 instead.",
    "mask-after-softmax": "The hatched cells had some weight, and lost it.",
    "mask-inverted": "The last row sees nothing, and sums to 0.",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What one model did with the learner's text."""

    scores: "Tensor"  # (L, H, T, S)
    pattern: "Tensor"  # (L, H, T, S)
    z: "Tensor"  # (L, H, T, D)
    logits: "Tensor"  # (T, V)

    @property
    def next(self):
        """Probabilities behind the last token, (V,)."""
        return self.logits[-1].softmax(-1)


def run_of(trace, num_layers: int) -> Run:
    import torch

    def stacked(part: str):
        return torch.stack([trace[f"blocks.{i}.attn.{part}"][0] for i in range(num_layers)])

    return Run(stacked("scores"), stacked("pattern"), stacked("z"), trace["logits"][0])


def recorded_run(runner: Runner, model, ids: tuple[int, ...]) -> Run:
    import torch

    from llm_core import record

    with torch.inference_mode(), record(model, RECORDED) as trace:
        model(torch.tensor([ids]))
    return run_of(trace, runner.facts.n_layer)


@lru_cache(maxsize=8)
def wrong_runs(runner: Runner, ids: tuple[int, ...]) -> dict[str, Run]:
    """What each of the broken copies does with the text, by the mistake's name."""
    from llm_core.mistakes.known import NAMED

    models = {name: broken_model(runner, name) for name in NAMED}
    with runner.alone():
        return {name: recorded_run(runner, model, ids) for name, model in models.items()}


@lru_cache(maxsize=8)
def noisy_runs(runner: Runner, ids: tuple[int, ...], name: str) -> tuple[Run, Run]:
    """The right and the wrong copy in train mode; both start with the same random numbers."""
    right, wrong = noisy_model(runner, None), noisy_model(runner, name)
    with runner.alone():
        return _seeded_run(runner, right, ids), _seeded_run(runner, wrong, ids)


def _seeded_run(runner: Runner, model, ids: tuple[int, ...]) -> Run:
    with seeded(SEEDS[0]):
        return recorded_run(runner, model, ids)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A mistake, the runs without and with it, and the head that is shown large."""

    runner: Runner
    mistake: "Mistake"
    ids: tuple[int, ...]
    labels: list[str]  # tokens
    right: Run
    wrong: Run
    layer: int
    head: int

    @property
    def name(self) -> str:
        return self.mistake.name

    @property
    def wrong_head(self) -> int:
        """The same head in the wrong run, or the only one it has."""
        return min(self.head, self.wrong.pattern.shape[1] - 1)

    @property
    def hidden(self):
        """(T, S), where the mask hides a key from a query."""
        return self.right.scores[0, 0].isneginf()

    @property
    def wrong_hidden(self):
        """The same in the wrong run. There a mask may come late, and then no score tells of it."""
        return self.hidden if self.name == "mask-after-softmax" else self.wrong.scores[0, 0].isneginf()

    @property
    def places(self) -> tuple[list[str], list[str]]:
        """Rows and columns of the wrong run. Places of a head are no tokens any more if it was split wrongly."""
        if self.name != "wrong-split":
            return self.labels, self.labels
        room = max(map(len, self.labels))  # as wide as the tokens, so that both pictures lie at one height
        return [str(i).rjust(room) for i in range(len(self.ids))], [str(i).ljust(room) for i in range(len(self.ids))]

    @property
    def losses(self) -> tuple[float, float]:
        """Held-out, right and wrong."""
        return loss_with(self.runner), loss_with(self.runner, self.name)

    def panel(self, title: str, name: str = "pattern") -> Panel:
        """The pattern of the head."""
        where = f"blocks.{self.layer}.attn.pattern[0, {self.head}, {{0}}, {{1}}]"
        return self._large(
            self.right, self.head, name=name, title=title, where=where, rows=self.labels, columns=self.labels,
            hidden=self.hidden,
        )  # fmt: skip

    def wrong_panel(self, title: str, name: str = "wrong_pattern") -> Panel:
        """The pattern of the same head with the mistake. Its ``where`` is empty: the model has no such tensor."""
        rows, columns = self.places
        return self._large(
            self.wrong, self.wrong_head, name=name, title=title, rows=rows, columns=columns, hidden=self.wrong_hidden
        )  # fmt: skip

    def _large(self, run: Run, head: int, **more) -> Panel:
        pattern, scores = run.pattern[self.layer, head], run.scores[self.layer, head]  # (T, S)
        over = "T" if run is self.wrong and self.name == "softmax-axis" else "S"
        return Panel(
            values=pattern,
            letters="TS",
            color="probability",
            cell=max(LEAST, min(MOST, ROOM // len(self.ids))),
            formula=Formula(kind="softmax", a=Operand(name="scores", values=scores, letters="TS"), over=over),
            note=f"{row_sums(pattern)} {NOTES.get(self.name, '') if run is self.wrong else ''}".strip(),
            **more,
        )

    def unnamed(self, is_right: bool, name: str) -> Panel:
        """One of the two without a word on which it is."""
        panel = self.panel("", name) if is_right else self.wrong_panel("", name)
        return replace(panel, where="", family=name, note="", formula=None)


def row_sums(pattern) -> str:
    """A sentence on what the rows sum to."""
    sums = pattern.sum(-1)
    least, most = float(sums.min()), float(sums.max())
    if most - least < 0.005:
        return f"Each row sums to {most:.2f}."
    return f"The row sums range from {least:.2f} to {most:.2f} instead of all being 1."


def exhibit(scene: Scene, mistake) -> Exhibit:
    """A mistake on the scene's text, with the head that is chosen."""
    ids = tuple(scene.recorded.ids)
    right, wrong = run_of(scene.recorded.trace, scene.runner.facts.n_layer), wrong_runs(scene.runner, ids)[mistake.name]
    layer, head = scene.inputs["layer"], scene.inputs["head"]
    if layer == MOST_CHANGED and mistake.name in SCALES:
        layer = 0
    layer, head = head_to_show(right, wrong, layer, head)
    return Exhibit(scene.runner, mistake, ids, scene.labels, right, wrong, layer, head)


def head_to_show(right: Run, wrong: Run, layer: int, head: int) -> tuple[int, int]:
    """The chosen layer and head; where none is chosen, the first whose pattern changed most, last digits aside."""
    change = (right.pattern - wrong.pattern).abs().sum((-1, -2))  # (L, H), also if the wrong run has one head
    L, H = change.shape
    layers = range(L) if layer == MOST_CHANGED else [layer]
    heads = range(H) if head == MOST_CHANGED else [head]
    return max(((i, h) for i in layers for h in heads), key=lambda place: round(float(change[place]), 3))
