"""Several continuations, begun at any time, that advance in one batch: each gets the tokens that it would get alone.

A step mostly fetches weights, so thirty rows take little longer than one. The newest tokens of all rows stand in one
column; what stands before a row's first token is hidden. A new row is read alone and copied in, and one that ends
frees its place.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..model.architectures import Decoder, DecoderCache
from ..model.attention import KVCache
from ..model.packed import can_pack, hooks_of, packed
from .sampling import Request, Step
from .warping import Warping, draw

SLACK = 64  # columns beside the window: after so many steps all rows move to the left


@dataclass(eq=False)
class Row:
    """One continuation: what was asked, where its first token stands, and what was written last."""

    request: Request
    start: int
    newest: int = -1
    count: int = 0

    @property
    def is_done(self) -> bool:
        return self.count == self.request.max_new_tokens or self.newest == self.request.stop


def can_join(request: Request) -> bool:
    """Whether a request is one prompt of a decoder that can be packed, and ends before its window is full.

    A model that somebody watches, or whose inputs are moved to another device, runs its modules, and so alone.
    """
    model, (B, T) = request.model, request.ids.shape
    fits = B == 1 and request.max_new_tokens > 0 and T + request.max_new_tokens <= request.decoder.config.block_size
    return fits and model is request.decoder and can_pack(model) and not any(hooks_of(model))


class Together:
    """At most ``most`` rows of one decoder, which is in eval mode, and whose weights do not change."""

    def __init__(self, decoder: Decoder, most: int):
        self.decoder, self.most, self.rows = decoder, most, list[Row]()
        self.capacity, self.length = decoder.config.block_size + SLACK, 0
        self.cache = DecoderCache(decoder, most, self.capacity)
        self.packed = packed(decoder)

    @torch.inference_mode()
    def join(self, request: Request) -> tuple[Row, Step]:
        """A new row, and its first token. ``ValueError`` if all places are taken."""
        if len(self.rows) == self.most:
            raise ValueError(f"all {self.most} places are taken")
        T = request.ids.shape[1]
        own = self.decoder.new_cache(1)
        hidden = self.decoder.hidden(request.ids, cache=own)  # (1, T, C)
        logits = self.decoder.predict(hidden[:, -1:])[:, -1]  # (1, V)
        if not self.rows:
            self.length = T
        elif self.length < T:
            self._move(T - self.length)
        row = Row(request, self.length - T)
        for (big, _), (small, _) in zip(self.cache.layers, own.layers):
            for ours, theirs in ((big.k, small.k), (big.v, small.v)):
                place = ours[len(self.rows)].zero_()  # what is hidden has no weight, but 0 × NaN is NaN
                place[:, row.start : self.length] = theirs[0, :, :T]  # (K, T, D)
        self.rows.append(row)
        return row, self._chosen([row], logits)[0]

    @torch.inference_mode()
    def step(self) -> list[Step]:
        """The next token of every row."""
        if self.length == self.capacity:
            self._move(-min(row.start for row in self.rows))
        newest = torch.tensor([row.newest for row in self.rows], device=self.decoder.device)  # (B,)
        logits = self.packed.next_logits(newest, _Columns(self))  # (B, V)
        self.length += 1
        return self._chosen(self.rows, logits)

    def leave(self, row: Row) -> None:
        """The last row takes its place."""
        at, last = self.rows.index(row), self.rows[-1]
        for k, v in self._tensors():
            for cached in (k, v):
                cached[at, :, last.start : self.length] = cached[len(self.rows) - 1, :, last.start : self.length]
        self.rows[at] = last
        self.rows.pop()

    def _tensors(self) -> list[tuple[Tensor, Tensor]]:
        return [(own.k, own.v) for own, _ in self.cache.layers]  # (most, K, capacity, D) each

    def _move(self, by: int) -> None:
        """All rows, so many columns to the right."""
        B, first = len(self.rows), min(row.start for row in self.rows)
        for pair in self._tensors():
            for cached in pair:
                cached[:B, :, first + by : self.length + by] = cached[:B, :, first : self.length].clone()
        for row in self.rows:
            row.start += by
        self.length += by

    def _chosen(self, rows: list[Row], logits: Tensor) -> list[Step]:
        """Draw a token for each row from its logits (B, V)."""
        drawn = [None if row.request.warping.is_greedy else row.request.draw_random() for row in rows]
        ids = logits.argmax(-1, keepdim=True)  # (B, 1)
        groups: dict[Warping, list[int]] = {}
        for place, (row, u) in enumerate(zip(rows, drawn)):
            if u is not None:
                groups.setdefault(row.request.warping, []).append(place)
        for warping, places in groups.items():
            u = torch.cat([drawn[place] for place in places]).to(logits.device)  # (N, 1)
            ids[places] = draw(logits[places], u, warping)
        logprobs = F.log_softmax(logits.double(), dim=-1).gather(1, ids)[:, 0].tolist()
        ranks = (1 + (logits > logits.gather(1, ids)).sum(1)).tolist()
        steps = []
        for place, (row, u) in enumerate(zip(rows, drawn)):
            row.newest = int(ids[place])
            position = row.request.ids.shape[1] + row.count
            row.count += 1
            steps.append(
                Step(
                    id=row.newest,
                    piece=None,
                    logprob=logprobs[place],
                    rank=ranks[place],
                    logits=logits[place],
                    warping=row.request.warping,
                    u=None if u is None else u.item(),
                    slid=False,
                    position=position,
                )
            )
        return steps


class _Columns(DecoderCache):
    """What the rows of a batch have in use, as one step of the packed decoder takes it."""

    def __init__(self, batch: Together):
        B, first = len(batch.rows), min(row.start for row in batch.rows)
        length, device = batch.length - first, batch.decoder.device
        nothing: Any = None  # is crossed
        self.layers = [(_Used(k[:B, :, first:], v[:B, :, first:], length), nothing) for k, v in batch._tensors()]
        starts = torch.tensor([[row.start - first] for row in batch.rows], device=device)  # (B, 1)
        self.visible = torch.arange(length, device=device) >= starts if starts.any() else None  # (B, S)
        self.num_tokens = length - starts  # (B, 1)


class _Used(KVCache):
    def __init__(self, k: Tensor, v: Tensor, length: int):
        self.k, self.v, self.length = k, v, length
