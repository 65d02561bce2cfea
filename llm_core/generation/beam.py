"""Beam search: the likeliest text as a whole, not the likeliest token at every step.

A few beginnings are kept, the beams; each is continued with every token, and the best of all continuations are
the next beams. A text that ends in ``stop`` is finished and takes no more room. Long texts have small
probabilities, so texts are compared by log-probability / length ** length_penalty: 0 is the plain
log-probability, 1 the mean per token (Wu et al. 2016, section 7, has another formula for the same purpose).
The search ends when no running beam, as it is, beats the worst of ``num_beams`` finished texts. It is then not
certain to have found the best text: only as many beams as there are beginnings are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ..model.architectures import Decoder, EncoderDecoder
from .sampling import Context, Ids, Request, evaluating
from .warping import Warping, is_number, is_whole


@dataclass(frozen=True)
class Beam:
    """A text that the search has found, without its prompt."""

    ids: list[int]  # the new tokens; ``stop`` is the last of them if it was reached
    logprob: float  # natural logarithm of the whole text's probability behind the prompt
    score: float  # logprob / len(ids) ** length_penalty


def beam_search(
    model: Decoder | EncoderDecoder,
    ids: Ids,
    max_new_tokens: int,
    num_beams: int = 4,
    length_penalty: float = 1.0,
    stop: int | None = None,
    decoder_ids: Ids | None = None,
) -> list[Beam]:
    """The best ``num_beams`` continuations of one prompt (T,), best score first.

    All beams are one batch with one KV cache, whose rows follow the beams. Raises ``ValueError`` as ``generate``
    does, for a ``num_beams`` that is no whole number of at least 1, and for a ``length_penalty`` that is no number.
    """
    beams: list[Beam] = []
    for beams in beam_steps(model, ids, max_new_tokens, num_beams, length_penalty, stop, decoder_ids):  # noqa: B007
        pass
    return beams


def beam_steps(
    model: Decoder | EncoderDecoder,
    ids: Ids,
    max_new_tokens: int,
    num_beams: int = 4,
    length_penalty: float = 1.0,
    stop: int | None = None,
    decoder_ids: Ids | None = None,
) -> Iterator[list[Beam]]:
    """``beam_search``, one new token at a time: the finished texts and the running beams so far, best first."""
    if not is_whole(num_beams) or num_beams < 1:
        raise ValueError(f"num_beams={num_beams!r}: must be a whole number of at least 1")
    if not is_number(length_penalty):
        raise ValueError(f"length_penalty={length_penalty!r}: must be a number (0 compares plain log-probabilities)")
    request = Request(model, ids, max_new_tokens, Warping(), None, stop, decoder_ids)
    if len(request.ids) != 1:
        raise ValueError(f"beam search takes one prompt, not {len(request.ids)}")
    return _search(request, num_beams, length_penalty)


def _search(request: Request, num_beams: int, length_penalty: float) -> Iterator[list[Beam]]:
    search = Search(num_beams, length_penalty, request.stop, request.max_new_tokens)
    with evaluating(request.model):
        context = request.context(num_beams)
        while not search.is_over:
            yield search.step(context)


class Search:
    """The beams, and the finished texts."""

    def __init__(self, num_beams: int, length_penalty: float, stop: int | None, length: int):
        self.num_beams, self.length_penalty, self.stop, self.length = num_beams, length_penalty, stop, length
        self.running: list[tuple[float, list[int]]] = [(0.0, [])]  # log-probability and new tokens, best first
        self.finished: list[Beam] = []

    @property
    def is_over(self) -> bool:
        if not self.running or self.num_written == self.length:
            return True
        best = self.running[0]
        return len(self.finished) == self.num_beams and self._beam(*best).score <= self.finished[-1].score

    @property
    def num_written(self) -> int:
        return len(self.running[0][1])

    @torch.inference_mode()
    def step(self, context: Context) -> list[Beam]:
        """One token more for every beam; row i of ``context`` is beam i, before and after."""
        logprobs = F.log_softmax(context.next_logits().double(), dim=-1)[: len(self.running)]  # (beams, V)
        sofar = logprobs.new_tensor([logprob for logprob, _ in self.running])[:, None]  # (beams, 1)
        V, count = logprobs.shape[1], 2 * self.num_beams  # each beam may lose one place to ``stop``
        best = (sofar + logprobs).flatten().topk(min(count, logprobs.numel()))
        going = []  # (log-probability, new tokens, row)
        for place, (total, where) in enumerate(zip(best.values.tolist(), best.indices.tolist())):
            row, id = divmod(where, V)
            ids = [*self.running[row][1], id]
            if id != self.stop:
                going.append((total, ids, row))
            elif place < self.num_beams:  # a worse one was looked at only to fill the beams
                self.finished.append(self._beam(total, ids))
        going = going[: self.num_beams]
        self.finished = sorted(self.finished, key=lambda beam: -beam.score)[: self.num_beams]
        self.running = [(total, ids) for total, ids, _ in going]
        _follow(context, [row for *_, row in going], [ids[-1] for _, ids, _ in going])
        return self.best()

    def best(self) -> list[Beam]:
        beams = self.finished + [self._beam(*beam) for beam in self.running]
        return sorted(beams, key=lambda beam: -beam.score)[: self.num_beams]

    def _beam(self, logprob: float, ids: list[int]) -> Beam:
        return Beam(ids, logprob, logprob / max(len(ids), 1) ** self.length_penalty)


def _follow(context: Context, rows: list[int], ids: list[int]) -> None:
    """Let the context's rows be the new beams: beam i was row ``rows[i]``, and goes on with ``ids[i]``."""
    missing = len(context.ids) - len(rows)  # rows without a beam copy the first, and are not looked at
    context.select([*rows, *rows[:1] * missing] if rows else list(range(missing)))
    context.append(context.ids.new_tensor([*ids, *ids[:1] * missing] if ids else [0] * missing)[:, None])
