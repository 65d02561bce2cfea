"""The whole pipeline: a student's encoder-decoder learns to write an article's headline from its title, in letters.

It starts from the same weights as ours and sees the same batches, without dropout: with the same mathematics, the
losses stay together. Both must end below the unigram model, which knows how often each letter occurs and no more.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor, nn

from ..paths import ASSETS
from .diagnosis.probes import numbers
from .diagnosis.solution import PADDING, solution

LETTERS = 256  # bytes; the decoder has one more: the end of the text
TITLE, TEXT = 20, 40  # bytes at most
STEPS, ROWS = 40, 16
CLOSE = 1e-4  # nats, at every step; right files, however they are written, stay within a tenth of that
NEW = 8  # letters to write at the end


@dataclass(frozen=True)
class Trained:
    """Losses in nats per letter: of each batch, and in the end on articles that were not trained on."""

    model: nn.Module
    losses: list[float]
    loss: float

    def distance(self, other: "Trained") -> float:
        """The largest at any step: two losses may cross by chance, but not stay together."""
        pairs = zip([*self.losses, self.loss], [*other.losses, other.loss])
        return max(abs(a - b) if math.isfinite(a) else math.inf for a, b in pairs)


@cache
def articles() -> tuple[Tensor, Tensor]:
    """Titles (N, TITLE) and texts (N, TEXT), padded; the last quarter is held out."""
    with open(ASSETS / "sample_articles.jsonl", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    titles = [list(row["title"].removeprefix("How to ").encode()[:TITLE]) for row in rows]
    texts = [[*row["headline"].split("\n")[0].encode()[: TEXT - 1], LETTERS] for row in rows]
    return _padded(titles), _padded(texts)


def _padded(rows: list[list[int]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([row + [PADDING] * (width - len(row)) for row in rows])


def config(block_size: int) -> SimpleNamespace:
    sizes = dict(vocab_size=LETTERS, block_size=block_size, n_layer=2, n_head=4, n_embd=32)
    return SimpleNamespace(**sizes, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0)


def train(names: ModuleType | SimpleNamespace) -> Trained:
    """Raises whatever the student's code raises."""
    titles, texts = articles()
    held_out = slice(len(titles) * 3 // 4, None)
    model = _from_our_start(names)
    groups = model.encoder.configure_optimizers(_TRAINING) + model.decoder.configure_optimizers(_TRAINING)
    optimizer = torch.optim.AdamW(groups, lr=_TRAINING.learning_rate)
    losses = []
    for step in range(STEPS):
        rows = numbers(held_out.start, seed=step).argsort()[:ROWS]
        optimizer.zero_grad()
        loss = _loss(model.train(), titles[rows], texts[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    loss = _loss(model.eval(), titles[held_out], texts[held_out]).item()
    return Trained(model, losses, loss)


_TRAINING = SimpleNamespace(weight_decay=0.1, learning_rate=3e-3, betas=(0.9, 0.999))


def _loss(model, titles: Tensor, texts: Tensor) -> Tensor:
    """Batches are as wide as their longest row."""
    title, text = (x[:, : int((x != PADDING).sum(1).max())].clone() for x in (titles, texts))
    return model(title, text)[1]


def _from_our_start(names) -> nn.Module:
    """The student's model with our weights; a parameter that we do not have keeps its own."""
    models = []
    for source in (solution(), names):
        torch.manual_seed(1)
        models.append(source.EncoderDecoder(config(TITLE), config(TITLE + TEXT)))
    ours = dict(models[0].named_parameters())
    with torch.no_grad():
        for name, parameter in models[1].named_parameters():
            if name in ours and ours[name].shape == parameter.shape:
                parameter.copy_(ours[name])
    return models[1]


@cache
def unigram_loss() -> float:
    """Mean nats per letter of the held-out texts, for one who knows only how often letters occur in the others."""
    texts = articles()[1]
    learnt, scored = texts[: len(texts) * 3 // 4], texts[len(texts) * 3 // 4 :]
    counts = torch.bincount(learnt[learnt != PADDING], minlength=LETTERS + 1) + 1
    return -(counts / counts.sum()).log()[scored[scored != PADDING]].mean().item()


@cache
def reference() -> Trained:
    return train(solution())


def verdict(names: ModuleType) -> str | None:
    """What is wrong, in a sentence, or None. Raises whatever the student's code raises."""
    found, right, unigram = train(names), reference(), unigram_loss()
    told = f"After {STEPS} steps your model's loss on held-out articles is {found.loss:.3f} nats per letter"
    if not found.loss < unigram:
        return f"{told}; knowing only how often each letter occurs gives {unigram:.3f}."
    if found.distance(right) > CLOSE:
        step = next((i for i in range(STEPS) if not abs(found.losses[i] - right.losses[i]) <= CLOSE), STEPS - 1)
        return (
            f"From the same start on the same batches, your losses diverge from the reference's at step {step}: "
            f"{found.losses[step]:.4f} instead of {right.losses[step]:.4f} nats per letter."
        )
    written = names.prefix_generate(found.model, articles()[0][:2, :NEW].clone(), NEW)
    shape = tuple(written.shape) if isinstance(written, Tensor) else f"a value of type {type(written).__name__}"
    if shape != (2, NEW):
        return (
            f"Training is right, but prefix_generate returns {shape}; for two titles and {NEW} tokens it is (2, {NEW})."
        )
    return None
