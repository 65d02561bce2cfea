"""Two articles as a batch, and what the model predicts in them."""

from functools import cached_property
from typing import TYPE_CHECKING

from ..batch import filler, rows_of
from ..lesson import Panel, Scene, readable
from .step import Stepped, inputs_and_targets, stepped

if TYPE_CHECKING:
    from torch import Tensor


class Batch:
    """Two articles, what the model predicts in them, and what a step of training would do."""

    def __init__(self, scene: Scene):
        self.scene, self.runner, self.rate = scene, scene.runner, float(scene.inputs["rate"])
        texts = (scene.text, scene.inputs["second"])
        self.rows = [self._article(text, len(row)) for text, row in zip(texts, rows_of(scene))]
        self.inputs, self.targets = inputs_and_targets(self.rows, filler(scene))
        self.counted = self.targets >= 0  # (B, T)
        self.labels = [[readable(token) for token in self.runner.describe(row)] for row in self.rows]
        self.T = self.inputs.shape[1]

    def _article(self, text: str, length: int) -> list[int]:
        """So many tokens and the one behind them: the text's own next, or the end of text."""
        return [*self.runner.encode(text), self.runner.tokenizer.end or 0][: length + 1]

    @cached_property
    def logits(self) -> "Tensor":
        """(B, T, V)"""
        import torch

        with self.runner.alone(), torch.inference_mode():
            return self.scene.model(self.inputs)

    @cached_property
    def log_p(self) -> "Tensor":
        return self.logits.log_softmax(-1)  # (B, T, V)

    @cached_property
    def nll(self) -> "Tensor":
        """-log p of every target, (B, T); 0 where there is none."""
        picked = self.log_p.gather(-1, self.targets.clamp(min=0)[..., None])[..., 0]  # (B, T)
        return -picked * self.counted

    @cached_property
    def loss(self) -> float:
        return float(self.nll.sum() / self.counted.sum())

    @cached_property
    def columns(self) -> list[int]:
        """The targets of the first text, each once: the columns of V that are shown."""
        return list(dict.fromkeys(self.targets[0].tolist()))

    @property
    def column_labels(self) -> list[str]:
        return [readable(token) for token in self.runner.describe(self.columns)]

    @property
    def right_cells(self) -> list[list[int]]:
        return [[t, self.columns.index(id)] for t, id in enumerate(self.targets[0].tolist())]

    def of_first(self, name: str, values: "Tensor", title: str, **more) -> Panel:
        """(T, K): the first text's places, and the columns of its targets; the target of each row is outlined."""
        return Panel(
            name=name,
            values=values,
            letters="TK",
            title=title,
            rows=self.labels[0][:-1],
            columns=self.column_labels,
            marks=self.right_cells,
            family="TK",
            **{"cell": 40, **more},
        )

    @cached_property
    def probabilities(self) -> "Tensor":
        return self.log_p[0].exp()[:, self.columns]  # (T, K)

    @cached_property
    def one_hot(self) -> "Tensor":
        import torch

        return (self.targets[0][:, None] == torch.tensor(self.columns)).float()  # (T, K)

    @cached_property
    def stepped(self) -> "Stepped":
        return stepped(self.runner, tuple(map(tuple, self.rows)), self.rate, filler(self.scene))
