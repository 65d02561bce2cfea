"""The whole pipeline: a student's encoder-decoder learns to write an article's headline from its title, in letters.

It starts from the same weights as ours and sees the same batches, without dropout: with the same mathematics, the
losses stay together. Both must end below the unigram model, which knows how often each letter occurs and no more.
"""

import json
import math
from functools import cache

import torch
from torch import Tensor

from ..paths import ASSETS
from .diagnosis.solution import solution
from .inside.probes import PADDING, numbers
from .inside.training import built, train

LETTERS = 256  # bytes; the decoder has one more: the end of the text
TITLE, TEXT = 20, 40  # bytes at most
STEPS, ROWS = 24, 8
CLOSE = 1e-4  # nats, at every step; right files, however they are written, stay within a tenth of that
NEW = 8  # letters to write at the end


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


@cache
def plan() -> dict:
    """What every model is given: weights to start from, batches as wide as their longest row, what is held out."""
    titles, texts = articles()
    held_out = slice(len(titles) * 3 // 4, None)
    batches = []
    for step in range(STEPS):
        rows = numbers(held_out.start, seed=step).argsort()[:ROWS]
        batches.append([_cut(titles[rows]), _cut(texts[rows])])
    lengths = [TITLE, TITLE + TEXT]
    weights = {name: p.detach() for name, p in built(solution(), LETTERS, lengths).named_parameters()}
    told = {"vocab_size": LETTERS, "lengths": lengths, "weights": weights, "batches": batches, "new": NEW}
    return {**told, "held_out": [_cut(titles[held_out]), _cut(texts[held_out])]}


def _cut(x: Tensor) -> Tensor:
    return x[:, : int((x != PADDING).sum(1).max())]


@cache
def unigram_loss() -> float:
    """Mean nats per letter of the held-out texts, for one who knows only how often letters occur in the others."""
    texts = articles()[1]
    learnt, scored = texts[: len(texts) * 3 // 4], texts[len(texts) * 3 // 4 :]
    counts = torch.bincount(learnt[learnt != PADDING], minlength=LETTERS + 1) + 1
    return -(counts / counts.sum()).log()[scored[scored != PADDING]].mean().item()


@cache
def reference() -> dict:
    return train(solution(), **plan())


def verdict(student) -> tuple[str | None, int | None]:
    """What is wrong, in a sentence, or None; and the line. ``student`` answers (``Answers`` or ``Apart``)."""
    found, right, unigram = student.train(meanwhile=reference, **plan()), reference(), unigram_loss()
    error = found.get("stopped")
    if error:
        said = f"{error.kind}: {error.message}" if error.message else error.kind
        return f"It stops with {said}.", error.line
    losses, loss = _numbers(found.get("losses")), _numbers([found.get("loss")])[0]
    told = f"After {STEPS} steps your model's loss on held-out articles is {loss:.3f} nats per letter"
    if not loss < unigram:
        return f"{told}; knowing only how often each letter occurs gives {unigram:.3f}.", None
    pairs = list(zip([*losses, loss], [*right["losses"], right["loss"]]))
    apart = next((i for i, (mine, ours) in enumerate(pairs) if not abs(mine - ours) <= CLOSE), None)
    if apart is not None or len(losses) != STEPS:
        step = min(apart or 0, STEPS - 1)
        return (
            f"From the same start on the same batches, your losses diverge from the reference's at step {step}: "
            f"{pairs[step][0]:.4f} instead of {pairs[step][1]:.4f} nats per letter."
        ), None
    written = found.get("written")
    if written != [1, NEW]:
        shape = tuple(written) if isinstance(written, list) else f"a value of type {written}"
        return (
            f"Training is right, but prefix_generate returns {shape}; for one title and {NEW} tokens it is (1, {NEW})."
        ), None
    return None, None


def _numbers(values: object) -> list[float]:
    """A stranger's numbers; NaN for what is none."""
    return [float(x) if isinstance(x, int | float) else math.nan for x in (values if isinstance(values, list) else [])]
