"""The numbers that must stand on the screen, computed here by llm_core alone: nothing of the explorer is asked."""

from functools import cached_property

import torch
from torch import Tensor

from llm_core import generate, load_model, load_tokenizer, record
from llm_core.generation.warping import Warped, warp_logits

SHOWN = 8  # bars of the next-token view
HALF_OF = {1: 0.05 + 2e-6, 2: 0.5e-2 + 2e-6, 3: 0.5e-3 + 2e-6, 4: 0.5e-4 + 1e-5}  # of a number with so many decimals


class Reference:
    """The shipped model and our tokenizer."""

    @cached_property
    def model(self):
        return load_model("decoder")

    @cached_property
    def tokenizer(self):
        return load_tokenizer()

    def ids(self, text: str) -> list[int]:
        return [self.tokenizer.start, *self.tokenizer.encode(text)]

    def pieces(self, ids: list[int]) -> list[str]:
        return [self.tokenizer.piece(id) for id in ids]

    def trace(self, text: str):
        """Everything recorded of a forward of ``text``."""
        with torch.inference_mode(), record(self.model) as trace:
            self.model(torch.tensor([self.ids(text)]))
        return trace

    def probabilities(self, text: str) -> Tensor:
        """What comes next at every place, (T, V)."""
        return self.trace(text)["logits"][0].softmax(-1)

    def written(self, text: str, count: int, **settings) -> list[int]:
        """The new ids behind ``text``."""
        ids = self.ids(text)
        return generate(self.model, [ids], count, stop=self.tokenizer.end, **settings)[0][len(ids) :]

    def warped(self, text: str, before: list[int], **settings) -> Warped:
        """The distributions, (V,) each, from which the token after ``text`` and the ids ``before`` was drawn."""
        with torch.inference_mode():
            logits = self.model(torch.tensor([[*self.ids(text), *before]]))[0, -1:]
        return warp_logits(logits, **settings).row(0)


def same(shown: str, expected: float) -> bool:
    """Whether the number on the screen is the expected one, at the decimals that are shown."""
    if shown.startswith("<"):
        return 0 < expected < float(shown[1:]) / 2 + 2e-6
    return abs(float(shown) - expected) <= HALF_OF[len(shown.partition(".")[2])]
