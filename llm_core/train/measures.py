"""What a trained model's card says of it in numbers: its loss on held-out articles, and what it does with repeats."""

import math
import random
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from ..analysis.roles import head_roles, repeats
from ..model.architectures import Encoder, EncoderDecoder
from ..text.tokenizer import Tokenizer
from .data import IGNORE, Batch, MaskedBatches, PackedBatches, PairBatches

Batches = PackedBatches | MaskedBatches | PairBatches


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldOut:
    """Losses on held-out articles, summed by place in the window, and the bytes of text that were predicted."""

    nats: Tensor  # (T,), float64
    counts: Tensor  # (T,), targets at that place
    num_bytes: int  # marks between articles have none, but are paid for

    @property
    def num_targets(self) -> int:
        return int(self.counts.sum())

    @property
    def loss(self) -> float:
        """Nats per target."""
        return float(self.nats.sum()) / self.num_targets

    @property
    def bits_per_byte(self) -> float:
        return float(self.nats.sum()) / math.log(2) / self.num_bytes

    def by_place(self) -> list[tuple[int, int, float]]:
        """(first, last, nats per target) of the places 1, 2-3, 4-7 and so on, counted from 1; T ends the last."""
        T, found = len(self.counts), []
        for first in (2**i for i in range(max(1, (T - 1).bit_length()))):
            last = 2 * first - 1 if 2 * first < T else T
            here = slice(first - 1, last)
            if self.counts[here].sum():
                found.append((first, last, float(self.nats[here].sum() / self.counts[here].sum())))
        return found


@torch.no_grad()
def held_out_losses(model: nn.Module, batches: Batches, tokenizer: Tokenizer, device: str = "cpu") -> HeldOut:
    """Every held-out window or article once, as far as they fill batches; ``model`` is in eval mode, on ``device``."""
    T, num_rows = windows_of(batches).T, rows_in_epoch(batches)
    B = min(8, num_rows)
    lengths = torch.tensor([token_length(tokenizer, id) for id in range(tokenizer.n_vocab)])
    nats, counts, num_bytes = torch.zeros(T, dtype=torch.float64), torch.zeros(T, dtype=torch.long), 0
    for i in tqdm(range(num_rows // B), desc="held-out articles", unit="batch"):
        batch = batches.batch(i, B).to(device)
        inputs = {name: x for name, x in vars(batch).items() if x is not None and name != "targets"}
        logits = model(**inputs).float().transpose(1, 2)  # (B, V, T)
        losses = F.cross_entropy(logits, batch.targets, ignore_index=IGNORE, reduction="none").cpu()  # (B, T)
        targets = batch.targets.cpu()
        here = targets.shape[1]  # pairs may be shorter than the window
        nats[:here] += losses.double().sum(0)
        counts[:here] += (targets != IGNORE).sum(0)
        num_bytes += int(lengths[targets[targets != IGNORE]].sum())
    return HeldOut(nats=nats, counts=counts, num_bytes=num_bytes)


class UnderOtherTitles(PairBatches):
    """The articles of ``batches``, each under the title of the one before it in its batch."""

    def __init__(self, batches: PairBatches):
        super().__init__(batches.store, batches.T, batches.tokenizer, batches.seed, batches.title_length)

    def batch(self, index: int, B: int) -> Batch:
        batch = super().batch(index, B)
        assert batch.attention_mask is not None  # of the titles
        return replace(batch, ids=batch.ids.roll(1, 0), attention_mask=batch.attention_mask.roll(1, 0))


def token_length(tokenizer: Tokenizer, id: int) -> int:
    """Bytes of text behind a token."""
    return 0 if tokenizer.is_special(id) else len(tokenizer.token_bytes(id))


def windows_of(batches: Batches) -> PackedBatches | PairBatches:
    return batches.windows if isinstance(batches, MaskedBatches) else batches


def rows_in_epoch(batches: Batches) -> int:
    """Windows or articles."""
    rows = windows_of(batches)
    return len(rows.store.bounds) if isinstance(rows, PairBatches) else rows.num_windows


def tokens_in_epoch(batches: Batches) -> int:
    """Tokens that a model reads when every window or article comes once; padding is not counted."""
    rows = windows_of(batches)
    if isinstance(rows, PackedBatches):
        return rows.num_windows * rows.T
    begin, text, end = rows.store.bounds.T
    titles = (text - begin - 2).clip(1, rows.title_length)
    return int(titles.sum() + (end - text + 1).clip(max=rows.T).sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class OnRepeats:
    """What a model does on random tokens written twice, where nothing but the repetition can be known."""

    scores: dict[str, Tensor]  # "prefix matching" and "duplicate token" -> mean attention of each head, (L, H)
    chance: dict[str, float]  # what uniform attention scores
    losses: tuple[float, float] | None  # nats per token, the first time and the second; None for an encoder


def on_repeats(model: nn.Module, tokenizer: Tokenizer, title: str, seed: int = 0) -> OnRepeats | None:
    """Scores of ``head_roles`` and losses on the same sequences; None if the window is too short for them.

    Of an encoder-decoder it is the decoder that reads them; for the losses, after the encoder has read ``title``.
    """
    name = "decoder" if isinstance(model, EncoderDecoder) else ""
    stack = model.decoder if name else model
    sequences = repeats(tokenizer, stack.config.block_size, random.Random(seed))
    if not sequences:
        return None
    roles = head_roles(model, tokenizer, seed, name)
    losses = None
    if not isinstance(model, Encoder):
        halves = [_losses_of_halves(model, ids, tokenizer.encode(title)) for ids in sequences]
        losses = tuple(torch.stack(halves).mean(0).tolist())
    kinds = ("prefix matching", "duplicate token")
    return OnRepeats(
        scores={kind: roles.scores[kind] for kind in kinds},
        chance={kind: roles.baselines[kind] for kind in kinds},
        losses=losses,
    )


@torch.no_grad()
def _losses_of_halves(model: nn.Module, ids: list[int], title: list[int]) -> Tensor:
    """Nats per token the first time and the second, (2,). The first token of each cannot be known: it is left out."""
    batch = torch.tensor([ids])  # (1, 2n)
    logits = model(torch.tensor([title]), batch)[0] if isinstance(model, EncoderDecoder) else model(batch)[0]  # (2n, V)
    nats = F.cross_entropy(logits[:-1], batch[0, 1:], reduction="none")  # (2n-1,)
    n = len(ids) // 2
    return torch.stack([nats[: n - 1].mean(), nats[n:].mean()])
