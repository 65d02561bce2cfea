"""The loop that turns a model into a writer: predict, draw, append.

    generate      the ids of a continuation, as fast as they come
    stream        the same tokens, one ``Step`` at a time, with what there is to know about each
    fill_masks    the encoder's way: a distribution for every masked place

Where positions are learned a full window slides: once there are more than block_size tokens, each further one
is predicted from the last block_size of them, read anew. Elsewhere every token is seen, however many there are.
"""

import codecs
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.architectures import Decoder, Encoder, EncoderDecoder
from ..model.packed import PackedDecoder, can_pack, hooks_of, packed
from ..model.padding import pad
from ..text.tokenizer import Tokenizer
from .warping import Warped, Warping, draw, is_whole, warp_logits

Ids: TypeAlias = Tensor | Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Step:
    """One new token, and how it came to be chosen."""

    id: int
    piece: str | None  # the text that this token completes; None without a tokenizer
    logprob: float  # natural logarithm, in the distribution before warping
    rank: int  # 1 = most likely, before warping
    logits: Tensor  # (V,)
    warping: Warping
    u: float | None  # the number drawn, in [0, 1); None when greedy
    slid: bool  # the window was full: the earliest tokens were not seen any more
    position: int  # place among all of the decoder's tokens, the first is 0

    @cached_property
    def warped(self) -> Warped:
        """The distribution after each step of warping, (V,) each; made when it is asked for."""
        warping = self.warping
        return warp_logits(self.logits[None], warping.temperature, warping.top_k, warping.top_p).row(0)


@dataclass(frozen=True)
class Filled:
    """One masked place of an encoder's input."""

    row: int
    position: int
    probabilities: Tensor  # (V,)
    best_ids: Tensor  # (V,), the most likely first


def generate(
    model: Decoder | EncoderDecoder,
    ids: Ids,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    stop: int | None = None,
    decoder_ids: Ids | None = None,
) -> Tensor | list[list[int]]:
    """Continue ``ids``: a tensor (T,) or (B, T), or a list of prompts that may differ in length.

    A Decoder gives prompt and continuation. An EncoderDecoder reads ``ids`` once, starts from ``decoder_ids``
    (one start for all rows, or one per row) and gives the new tokens only. ``temperature=0`` is greedy; the
    same ``seed`` gives the same tokens, None others each time. A row that has drawn ``stop`` is finished.

    Returns a batch of the kind it got: a tensor (B, T + n), finished rows filled up with ``stop``, or lists,
    each cut after its ``stop``. Raises ``ValueError`` for an empty prompt, an id outside the vocabulary, a
    model that cannot write on, or a value out of range.
    """
    request = Request(model, ids, max_new_tokens, Warping(temperature, top_k, top_p), seed, stop, decoder_ids)
    with evaluating(model):
        new = [choice.ids for choice in request.choices()]
    prompts = request.ids if request.encoder_ids is None else request.ids[:, :0]
    if isinstance(ids, Tensor):
        return torch.cat([prompts, *new], dim=1)  # (B, T + n)
    rows = torch.cat([prompts[:, :0], *new], dim=1).tolist()  # B lists of n
    prompts = _rows(ids) if request.encoder_ids is None else [[]] * len(rows)
    return [prompt + _until(row, stop) for prompt, row in zip(prompts, rows)]


def stream(
    model: Decoder | EncoderDecoder,
    ids: Ids,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    stop: int | None = None,
    decoder_ids: Ids | None = None,
    tokenizer: Tokenizer | None = None,
    draws_before: int = 0,
) -> Iterator[Step]:
    """The tokens of ``generate`` for one prompt, (T,) or (1, T), each as soon as it is there.

    ``draws_before`` passes over as many random numbers, so that a text can be gone on with where it was left.
    With a ``tokenizer`` the pieces together are the text of the new tokens. Arguments are checked at the call,
    as in ``generate``. While the stream is open the model is in eval mode, and its weights must not change.
    """
    request = Request(model, ids, max_new_tokens, Warping(temperature, top_k, top_p), seed, stop, decoder_ids)
    if len(request.ids) != 1:
        raise ValueError(f"stream takes one prompt, not {len(request.ids)}: generate takes several")
    _check_whole("draws_before", draws_before)
    for _ in range(draws_before):
        request.draw_random()
    return _steps(request, tokenizer)


def fill_masks(model: Encoder, ids: Ids, mask_id: int, attention_mask: Tensor | None = None) -> list[Filled]:
    """What the encoder expects at every ``mask_id`` in ids, (T,) or (B, T), row by row from the left.

    ``attention_mask`` is shaped like ids, True for real tokens. Raises ``ValueError`` if nothing is masked.
    """
    if not isinstance(model, Encoder):
        raise ValueError(f"{_named(model)} cannot fill masks: give an Encoder, which sees the text on both sides")
    ids, mask = _as_batch("ids", ids, model, side="right")
    if attention_mask is not None:
        mask = torch.atleast_2d(attention_mask).to(ids.device).bool()  # (B, T)
    masked: Tensor = (ids == mask_id) if mask is None else (ids == mask_id) & mask  # (B, T)
    if not masked.any():
        raise ValueError(f"ids have no mask (id {mask_id}): put one where a token is to be filled in")
    with evaluating(model), torch.no_grad():
        probabilities = F.softmax(model(ids, mask)[masked], dim=-1)  # (places, V)
    best_ids = probabilities.argsort(dim=-1, descending=True)  # (places, V)
    places = masked.nonzero().tolist()
    return [Filled(row, place, p, best) for (row, place), p, best in zip(places, probabilities, best_ids)]


class Request:
    """The checked arguments of ``generate`` and ``stream``, and the one loop that serves both."""

    def __init__(
        self,
        model: Decoder | EncoderDecoder,
        ids: Ids,
        max_new_tokens: int,
        warping: Warping,
        seed: int | None,
        stop: int | None,
        decoder_ids: Ids | None,
    ):
        self.decoder = _decoder_of(model, decoder_ids)
        _check_whole("max_new_tokens", max_new_tokens)
        if seed is not None:
            _check_whole("seed", seed, 2**64 - 1)
        if stop is not None:
            _check_whole("stop", stop, self.decoder.config.vocab_size - 1)
        self.model, self.max_new_tokens, self.warping, self.stop = model, max_new_tokens, warping, stop
        self.random = torch.Generator()
        self.random.seed() if seed is None else self.random.manual_seed(seed)
        self.encoder_ids, self.encoder_mask = None, None
        if decoder_ids is None:
            self.ids, self.mask = _as_batch("ids", ids, self.decoder, side="left")  # (B, T)
        else:
            self.encoder_ids, self.encoder_mask = _as_batch("ids", ids, model.encoder, side="right")  # (B, S)
            start = _as_batch("decoder_ids", decoder_ids, self.decoder, side="left")  # (1, T) or (B, T)
            self.ids, self.mask = _one_per_row(*start, len(self.encoder_ids))  # (B, T)

    @torch.inference_mode()
    def choices(self) -> Iterator["Choice"]:
        """Predict, draw, append, until ``max_new_tokens``, or until every row has drawn ``stop``."""
        context = self.context()
        finished = torch.zeros_like(self.ids[:, :1], dtype=torch.bool)  # (B, 1)
        for _ in range(self.max_new_tokens):
            logits, slid = context.next_logits(), context.slides  # (B, V)
            ids, u = self._draw(logits)  # (B, 1)
            if self.stop is not None:
                ids = ids.masked_fill(finished, self.stop)
                finished |= ids == self.stop
            context.append(ids)
            yield Choice(logits, ids, u, slid)
            if self.stop is not None and finished.all():
                return

    @torch.inference_mode()
    def context(self, copies: int = 1) -> "Context":
        """The rows to write on, each ``copies`` times, with room for all new tokens."""
        times = lambda x: None if x is None else x.repeat_interleave(copies, dim=0)  # noqa: E731
        memory = {name: times(tensor) for name, tensor in self._memory().items()}
        return Context(self.decoder, times(self.ids), times(self.mask), self.max_new_tokens, **memory)

    def _memory(self) -> dict[str, Tensor | None]:
        """The encoder's states, (B, S, C), and which of them are padding: what conditions the decoder."""
        if self.encoder_ids is None:
            return {}
        memory = self.model.encoder.hidden(self.encoder_ids, self.encoder_mask)
        return {"memory": memory, "memory_mask": self.encoder_mask}

    def _draw(self, logits: Tensor) -> tuple[Tensor, Tensor | None]:
        if self.warping.is_greedy:
            return logits.argmax(-1, keepdim=True), None
        u = self.draw_random().to(logits.device)
        return draw(logits, u, self.warping), u

    def draw_random(self) -> Tensor:
        """The next random number of each row, (B, 1)."""
        return torch.rand(len(self.ids), 1, generator=self.random)


@dataclass(frozen=True)
class Choice:
    logits: Tensor  # (B, V)
    ids: Tensor  # (B, 1)
    u: Tensor | None  # (B, 1)
    slid: bool


class Context:
    """Rows of tokens that grow to the right, and what the decoder keeps of them to predict the next."""

    def __init__(self, decoder: Decoder, ids: Tensor, mask: Tensor | None, room: int, **memory: Any):
        B, self.length = ids.shape
        self.decoder, self.memory = decoder, memory
        self.ids = F.pad(ids, (0, room))  # (B, T + room)
        self.mask = None if mask is None else F.pad(mask, (0, room), value=True)  # (B, T + room), True = real
        self.cache = decoder.new_cache(B, memory["memory"].shape[1] if memory else 0)
        self.hooks = hooks_of(decoder)

    @cached_property
    def packed(self) -> PackedDecoder | None:
        return packed(self.decoder) if can_pack(self.decoder) else None

    @property
    def slides(self) -> bool:
        config = self.decoder.config
        return config.is_bounded and self.length > config.block_size

    def next_logits(self) -> Tensor:
        """What comes after the last token, (B, V)."""
        if self.slides:
            return self._read(self.length - self.decoder.config.block_size)
        if self.cache.length == 0:
            return self._read(0, cache=self.cache)
        newest = self.ids[:, self.length - 1]  # (B,)
        if any(self.hooks) or self.packed is None:
            hidden = self.decoder.hidden(newest[:, None], cache=self.cache, **self.memory)  # (B, 1, C)
            return self.decoder.predict(hidden)[:, -1]
        return self.packed.next_logits(newest, self.cache, self.memory.get("memory_mask"))

    def _read(self, start: int, **cache) -> Tensor:
        """Everything from ``start`` on; the last place alone is turned into logits."""
        window = slice(start, self.length)
        mask = None if self.mask is None else self.mask[:, window]
        hidden = self.decoder.hidden(self.ids[:, window], mask, **self.memory, **cache)  # (B, T, C)
        return self.decoder.predict(hidden[:, -1:])[:, -1]  # (B, V)

    def select(self, rows: list[int]) -> None:
        """Row i becomes what row ``rows[i]`` was. All rows must have the same padding and memory."""
        self.ids = self.ids[rows]
        for own, _ in self.cache.layers:
            for cached in (own.k, own.v):  # (B, H, S, D)
                cached[:, :, : own.length] = cached[rows, :, : own.length]

    def append(self, ids: Tensor) -> None:
        self.ids[:, self.length] = ids[:, 0]
        self.length += 1


def _steps(request: Request, tokenizer: Tokenizer | None) -> Iterator[Step]:
    first = request.ids.shape[1]
    text = TextPieces(tokenizer, request.ids[0].tolist()) if tokenizer else None
    with evaluating(request.model):
        for count, choice in enumerate(request.choices(), start=1):
            id, logits = int(choice.ids), choice.logits  # (1, V)
            is_last = count == request.max_new_tokens or id == request.stop
            yield Step(
                id=id,
                piece=text.add(id, is_last) if text else None,
                logprob=F.log_softmax(logits.double(), dim=-1)[0, id].item(),
                rank=1 + int((logits > logits[0, id]).sum()),
                logits=logits[0],
                warping=request.warping,
                u=None if choice.u is None else choice.u.item(),
                slid=choice.slid,
                position=first + count - 1,
            )


class TextPieces:
    """Tokens to text, one at a time: a character spread over several tokens comes with the last of them."""

    def __init__(self, tokenizer: Tokenizer, prompt: list[int]):
        self.tokenizer = tokenizer
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        for id in prompt:  # the first new token may complete its last character
            self.add(id)

    def add(self, id: int, is_last: bool = False) -> str:
        """The text that is complete with ``id``; a character still open at the last token becomes U+FFFD."""
        return self.decoder.decode(self.tokenizer.token_bytes(id), is_last)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards every module is in the mode it was in."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _decoder_of(model: nn.Module, decoder_ids: Ids | None) -> Decoder:
    """The part that writes; ``ValueError`` if there is none, or if the model and ``decoder_ids`` do not agree."""
    if isinstance(model, EncoderDecoder):
        if decoder_ids is None:
            raise ValueError("decoder_ids=None: an EncoderDecoder needs ids for its decoder to start from")
        return model.decoder
    if not isinstance(model, Decoder):
        raise ValueError(f"{_named(model)} cannot continue a text: give a Decoder or an EncoderDecoder")
    if model.conditioning is not None:
        raise ValueError("this Decoder needs an encoder's states: give the EncoderDecoder that it belongs to")
    if decoder_ids is not None:
        raise ValueError("decoder_ids is for an EncoderDecoder: a Decoder starts from ids alone")
    return model


def _as_batch(name: str, ids: Ids, stack: Decoder | Encoder, side: str) -> tuple[Tensor, Tensor | None]:
    """Ids of any allowed kind -> (B, T) on the model's device, and the mask of their padding if there is any."""
    V, device = stack.config.vocab_size, stack.device
    batch, mask = _whole_tensor(name, ids) if isinstance(ids, Tensor) else _padded(name, ids, side)
    if batch.numel() == 0:
        raise ValueError(f"{name} is empty: every row needs at least one token to start from")
    outside = batch[(batch < 0) | (batch >= V)]
    if len(outside):
        raise ValueError(f"{name} has the id {int(outside[0])}: must be in the vocabulary, 0 to {V - 1}")
    return batch.to(device), None if mask is None or mask.all() else mask.to(device)


def _whole_tensor(name: str, ids: Tensor) -> tuple[Tensor, None]:
    if ids.is_floating_point() or ids.dtype == torch.bool or ids.dim() not in (1, 2):
        raise ValueError(f"{name} is {ids.dtype} of shape {tuple(ids.shape)}: must be whole numbers, (T,) or (B, T)")
    return torch.atleast_2d(ids).long(), None


def _padded(name: str, ids: Sequence, side: str) -> tuple[Tensor, Tensor | None]:
    rows = _rows(ids)
    if wrong := [id for row in rows for id in row if not is_whole(id)]:
        raise ValueError(f"{name} has {wrong[0]!r}: must be token ids, as a tokenizer gives them")
    return pad(rows, 0, side) if rows and all(rows) else (torch.empty(0, dtype=torch.long), None)


def _rows(ids: Sequence) -> list[list[int]]:
    """A flat prompt is a batch of one."""
    is_nested = not isinstance(ids, str) and any(isinstance(row, Sequence) for row in ids)
    return [list(row) for row in ids] if is_nested else [list(ids)]


def _one_per_row(ids: Tensor, mask: Tensor | None, B: int) -> tuple[Tensor, Tensor | None]:
    """The decoder's start, (1, T) or (B, T) -> (B, T)."""
    if len(ids) not in (1, B):
        raise ValueError(f"decoder_ids has {len(ids)} rows: must be 1, or {B} as in ids")
    return ids.expand(B, -1), mask if mask is None else mask.expand(B, -1)


def _check_whole(name: str, value: Any, most: int | None = None) -> None:
    if not is_whole(value) or value < 0 or (most is not None and value > most):
        allowed = "of at least 0" if most is None else f"from 0 to {most}"
        raise ValueError(f"{name}={value!r}: must be a whole number {allowed}")


def _until(row: list[int], stop: int | None) -> list[int]:
    return row[: row.index(stop) + 1] if stop in row else row


def _named(model: object) -> str:
    name = type(model).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
