"""Write text: one token after another from a decoder, alone or conditioned by an encoder; or fill in masks.

Each step turns logits into a distribution, lets temperature, top-k and top-p (Holtzman et al. 2019) reshape it,
and draws by inverse CDF: a random number u in [0, 1) picks the first token, from the likeliest down, at which
the cumulative probability exceeds u. Keys and values of earlier tokens are kept, not computed again. When the
window is full it slides: positions are learned, so the last ``block_size`` tokens are run anew each step.
"""

import codecs
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .architectures import Decoder, DecoderCache, Encoder, EncoderDecoder
from .data import pad
from .tokenizer import Tokenizer

Ids = Tensor | Sequence[int] | Sequence[Sequence[int]]


@dataclass(frozen=True)
class Warped:
    """A distribution over the full vocabulary, (..., V), before warping and after each step of it."""

    before: Tensor
    after_temperature: Tensor
    after_top_k: Tensor
    after_top_p: Tensor


@dataclass(frozen=True)
class Step:
    """One written token, and what it was chosen from."""

    id: int
    piece: str | None  # the text that this token completes; "" inside a character, None without a tokenizer
    logprob: float  # natural logarithm, under the distribution before warping
    rank: int  # 1 = the likeliest, before warping
    warped: Warped  # (V,) each
    u: float | None  # the random number; None when greedy
    position: int  # its index in the text
    slid: bool  # True if the window was full, so that the first tokens were not seen


@dataclass(frozen=True)
class Strategy:
    """How to choose from a distribution. Raises ``ValueError`` naming a value that cannot be."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        if not (isinstance(self.temperature, (int, float)) and 0 <= self.temperature < math.inf):
            raise ValueError(f"temperature={self.temperature}: must be a number of at least 0 (0 = greedy)")
        if self.top_k is not None and (not isinstance(self.top_k, int) or self.top_k < 1):
            raise ValueError(f"top_k={self.top_k}: must be a whole number of at least 1, or None")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: must be above 0 and at most 1, or None")

    def candidates(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(B, V) -> cumulative probabilities and ids of the tokens that are left, (B, K), likeliest first."""
        K = logits.shape[-1] if self.top_k is None else min(self.top_k, logits.shape[-1])
        best = logits.topk(K, dim=-1)
        probs = (best.values.double() / self.temperature).softmax(-1)  # (B, K)
        cumulative = probs.cumsum(-1)
        if self.top_p is not None:
            dropped = cumulative - probs >= self.top_p  # the mass before a token already suffices
            cumulative = probs.masked_fill(dropped, 0).cumsum(-1)
        return cumulative, best.indices

    def choose(self, logits: Tensor, u: Tensor | None) -> Tensor:
        """(B, V) and random numbers (B, 1) -> ids (B,)."""
        if self.temperature == 0:
            return logits.argmax(-1)
        cumulative, ids = self.candidates(logits)
        place = torch.searchsorted(cumulative, u * cumulative[:, -1:], right=True)  # (B, 1)
        last = (cumulative < cumulative[:, -1:]).sum(-1, keepdim=True)  # never behind the last that is left
        return ids.gather(1, place.minimum(last))[:, 0]


def warp_logits(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Warped:
    """Logits (..., V) -> the distribution before warping and after each step; what is removed is 0."""
    Strategy(temperature, top_k, top_p)
    before = logits.softmax(-1)
    if temperature == 0:
        greedy = torch.zeros_like(before).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
        return Warped(before, greedy, greedy, greedy)
    tempered = (logits / temperature).softmax(-1)
    after_top_k = tempered
    if top_k is not None:
        best = logits.topk(min(top_k, logits.shape[-1]), dim=-1).indices
        after_top_k = _keep(tempered, best, torch.ones_like(best, dtype=torch.bool))
    after_top_p = after_top_k
    if top_p is not None:
        probs, ids = after_top_k.sort(dim=-1, descending=True, stable=True)
        after_top_p = _keep(after_top_k, ids, probs.double().cumsum(-1) - probs < top_p)
    return Warped(before, tempered, after_top_k, after_top_p)


def _keep(probs: Tensor, ids: Tensor, wanted: Tensor) -> Tensor:
    """``probs`` with only the wanted ones of ``ids``, summing to 1 again."""
    kept = probs * torch.zeros_like(probs).scatter(-1, ids, wanted.to(probs.dtype))
    return kept / kept.sum(-1, keepdim=True)


class Continuation:
    """A batch of texts being continued: their ids so far, and the cache while the window has room."""

    def __init__(self, model: nn.Module, ids: list[list[int]], decoder_ids: list[list[int]] | None):
        self.decoder: Decoder = model.decoder if isinstance(model, EncoderDecoder) else model
        self.rows = decoder_ids if isinstance(model, EncoderDecoder) else ids
        self.memory = self.memory_mask = None
        if isinstance(model, EncoderDecoder):
            self.memory, self.memory_mask = _encode(model.encoder, ids)
        self.window = self.decoder.config.block_size
        self.ragged = len(set(map(len, self.rows))) > 1
        self.cache: DecoderCache | None = None
        self.newest: Tensor | None = None  # (B, 1), not yet run

    @property
    def slides(self) -> bool:
        return max(map(len, self.rows)) > self.window

    def logits(self) -> Tensor:
        """Run what is new and return the next token's logits, (B, V)."""
        if self.cache is None or self.slides:
            ids, mask = self._window()
            self.cache = None if self.slides else self.decoder.new_cache(len(self.rows), self._memory_length())
        else:
            ids, mask = self.newest, torch.ones_like(self.newest, dtype=torch.bool) if self.ragged else None
        hidden = self.decoder.hidden(
            ids, mask, memory=self.memory, memory_mask=self.memory_mask, cache=self.cache
        )  # (B, T, C)
        return self.decoder.predict(hidden[:, -1:])[:, 0]

    def append(self, ids: Tensor) -> list[int]:
        """Write one token behind each text."""
        self.newest = ids[:, None]
        new = ids.tolist()
        for row, id in zip(self.rows, new):
            row.append(id)
        return new

    def _window(self) -> tuple[Tensor, Tensor | None]:
        """The last ``block_size`` ids of each text, shorter ones padded on the left."""
        ids, mask = pad([row[-self.window :] for row in self.rows], 0, side="left")
        device = self.decoder.lm_head.weight.device
        return ids.to(device), None if bool(mask.all()) else mask.to(device)

    def _memory_length(self) -> int:
        return 0 if self.memory is None else self.memory.shape[1]


def _encode(encoder: Encoder, ids: list[list[int]]) -> tuple[Tensor, Tensor | None]:
    """The encoder's states (B, S, C) for texts of any lengths, and their padding mask."""
    device = encoder.lm_head.weight.device
    padded, mask = pad(ids, 0)
    mask = None if bool(mask.all()) else mask.to(device)
    return encoder.hidden(padded.to(device), mask), mask


class Randomness:
    """Random numbers in [0, 1), the same for the same seed; ``used`` of them are passed over."""

    def __init__(self, seed: int | None, B: int, used: int = 0):
        self.generator, self.B = torch.Generator(), B
        if seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(seed)
        for _ in range(used):
            self.draw()

    def draw(self) -> Tensor:
        """(B, 1)."""
        return torch.rand(self.B, 1, generator=self.generator, dtype=torch.float64)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


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
    """Continue a batch of texts by up to ``max_new_tokens``; a text ends behind the token ``stop``.

    ``ids`` is a tensor (T,) or (B, T), or a list of lists of any lengths. A Decoder returns prompt and new tokens;
    an EncoderDecoder encodes ``ids`` once, starts from ``decoder_ids`` and returns the new tokens only. A tensor
    in gives a tensor (B, T+n) out, rows that ended early filled up with ``stop``; lists give lists.
    """
    strategy, new_tokens = Strategy(temperature, top_k, top_p), []
    prompts, starts = _inputs(model, ids, decoder_ids, max_new_tokens)
    ended = [False] * len(prompts)
    with torch.inference_mode(), _evaluating(model):
        texts = Continuation(model, [list(row) for row in prompts], starts)
        randomness = Randomness(seed, len(prompts))
        while len(new_tokens) < max_new_tokens and not all(ended):
            logits = texts.logits()
            u = randomness.draw().to(logits.device) if strategy.temperature else None
            new = texts.append(strategy.choose(logits, u))
            new_tokens.append([stop if over else id for id, over in zip(new, ended)])
            ended = [over or id == stop for id, over in zip(new, ended)]
    written = [list(row) for row in zip(*new_tokens)] or [[] for _ in prompts]
    return _outputs(ids, prompts, written, stop, only_new=isinstance(model, EncoderDecoder))


def _outputs(ids: Ids, prompts: list, written: list, stop: int | None, only_new: bool) -> Tensor | list[list[int]]:
    if isinstance(ids, Tensor):
        rows = written if only_new else [[*prompt, *new] for prompt, new in zip(prompts, written)]
        return torch.tensor(rows, dtype=torch.long, device=ids.device)
    cut = [new[: new.index(stop) + 1] if stop in new else new for new in written]
    return cut if only_new else [[*prompt, *new] for prompt, new in zip(prompts, cut)]


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
    """``generate`` for one text, yielding each token with all that it was chosen from; same seed, same tokens.

    ``draws_before`` passes over as many random numbers, so that a text can be gone on with where it was left.
    """
    strategy = Strategy(temperature, top_k, top_p)
    prompts, starts = _inputs(model, ids, decoder_ids, max_new_tokens)
    if len(prompts) != 1:
        raise ValueError(f"stream writes one text at a time, not {len(prompts)}")
    randomness = Randomness(seed, 1, draws_before)
    return _steps(model, prompts, starts, max_new_tokens, strategy, randomness, stop, tokenizer)


@torch.inference_mode()
def _steps(
    model: nn.Module,
    prompts: list[list[int]],
    starts: list[list[int]] | None,
    max_new_tokens: int,
    strategy: Strategy,
    randomness: Randomness,
    stop: int | None,
    tokenizer: Tokenizer | None,
) -> Iterator[Step]:
    characters = codecs.getincrementaldecoder("utf-8")(errors="replace")
    with _evaluating(model):
        text = Continuation(model, prompts, starts)
        for _ in range(max_new_tokens):
            logits, slid, position = text.logits(), text.slides, len(text.rows[0])
            u = randomness.draw() if strategy.temperature else None
            id = text.append(strategy.choose(logits, None if u is None else u.to(logits.device)))[0]
            logprobs = logits[0].log_softmax(-1)  # (V,)
            yield Step(
                id=id,
                piece=_piece(tokenizer, characters, id),
                logprob=float(logprobs[id]),
                rank=int((logprobs > logprobs[id]).sum()) + 1,
                warped=warp_logits(logits[0], strategy.temperature, strategy.top_k, strategy.top_p),
                u=None if u is None else float(u),
                position=position,
                slid=slid,
            )
            if id == stop:
                return


def _piece(tokenizer: Tokenizer | None, characters: codecs.IncrementalDecoder, id: int) -> str | None:
    if tokenizer is None:
        return None
    return "" if tokenizer.is_special(id) else characters.decode(tokenizer.token_bytes(id))


def _inputs(
    model: nn.Module, ids: Ids, decoder_ids: Ids | None, max_new_tokens: int
) -> tuple[list[list[int]], list[list[int]] | None]:
    """Both kinds of ids as lists of lists, checked."""
    if not isinstance(model, (Decoder, EncoderDecoder)):
        raise ValueError(f"{type(model).__name__} cannot write text: use a Decoder or an EncoderDecoder")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens={max_new_tokens}: must be at least 0")
    if isinstance(model, Decoder):
        return _rows(ids, model.config.vocab_size, "ids"), None
    if decoder_ids is None:
        raise ValueError("decoder_ids is missing: an EncoderDecoder needs to know what its decoder starts with")
    prompts = _rows(ids, model.encoder.config.vocab_size, "ids")
    longest, window = max(map(len, prompts)), model.encoder.config.block_size
    if longest > window:
        raise ValueError(f"ids has {longest} tokens: the encoder's window (block_size) is {window}")
    starts = _rows(decoder_ids, model.decoder.config.vocab_size, "decoder_ids")
    if len(starts) not in (1, len(prompts)):
        raise ValueError(f"decoder_ids has {len(starts)} rows: give 1, or one for each of the {len(prompts)} texts")
    return prompts, [list(starts[i % len(starts)]) for i in range(len(prompts))]


def _rows(ids: Ids, V: int, name: str) -> list[list[int]]:
    rows = ids.tolist() if isinstance(ids, Tensor) else list(ids)
    rows = rows if rows and not isinstance(rows[0], int) else [rows]
    rows = [list(row) for row in rows]
    if not all(rows):
        raise ValueError(f"{name} is empty: there must be at least one token to go on from")
    outside = [id for row in rows for id in row if not 0 <= id < V]
    if outside:
        raise ValueError(f"{name} holds {outside[0]}: ids of this model go from 0 to {V - 1}")
    return rows


@dataclass(frozen=True)
class Filled:
    """One masked place: its row and position, and the distribution (V,) of what may stand there."""

    row: int
    position: int
    distribution: Tensor


@torch.inference_mode()
def fill_masks(model: Encoder, ids: Tensor, mask_id: int, attention_mask: Tensor | None = None) -> list[Filled]:
    """What an encoder expects at each mask of ``ids``, (T,) or (B, T); raises ``ValueError`` if there is none."""
    if not isinstance(model, Encoder):
        raise ValueError(f"{type(model).__name__} cannot fill in masks: use an Encoder")
    ids = ids[None] if ids.dim() == 1 else ids
    places = (ids == mask_id).nonzero().tolist()
    if not places:
        raise ValueError(f"ids holds no mask (id {mask_id}): put it where the model shall fill in")
    with _evaluating(model):
        probs = model(ids, attention_mask).softmax(-1)  # (B, T, V)
    return [Filled(row, position, probs[row, position]) for row, position in places]
