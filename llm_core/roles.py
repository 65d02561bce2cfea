"""What the heads of a model do, measured: one score per head and role, on the tests of the literature.

Two kinds of sequences are run: sample articles, and random tokens repeated once, where nothing but the repetition
can be known. A score is a mean attention, 0..1. What uniform attention would score on the same sequences is kept
beside it, because in a short text every token gets much of it; a badge needs a score far above that.
"""

import random
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .architectures import Decoder, Encoder
from .articles import read_articles
from .masks import causal_mask
from .patterns import uniform
from .recording import record
from .tokenizer import ASSETS, Tokenizer

ARTICLES = ASSETS / "sample_articles.jsonl"
NUM_TEXTS, LONGEST = 8, 128  # articles read, and tokens of each
NUM_LENGTHS, REPETITIONS = 4, 2  # different lengths of the random part, and sequences of each
SHORTEST_HALF, LONGEST_HALF = 3, 64  # in a half of two, the place after the earlier token is the previous token


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """``threshold`` is the lift (``Roles.lifts``) from which a head wears the role as its badge."""

    name: str
    sentence: str
    source: str
    threshold: float


CLARK = "Clark et al. 2019, What Does BERT Look At?"
ROLES: tuple[Role, ...] = (
    Role(
        name="previous token",
        sentence="Mean attention from each token to the one right before it.",
        source=f"{CLARK}, section 3.1",
        threshold=0.4,
    ),
    Role(
        name="same token",
        sentence="Mean attention from each token, the first left out, to itself.",
        source=f"{CLARK}, section 3.1",
        threshold=0.4,
    ),
    Role(
        name="first token",
        sentence="Mean attention from each later token to the first place of the text, the sink.",
        source="Xiao et al. 2023, Efficient Streaming Language Models with Attention Sinks",
        threshold=0.4,
    ),
    Role(
        name="induction",
        sentence="In random tokens repeated once: mean attention from the repeat to the token that came next the "
        "first time.",
        source="Olsson et al. 2022, In-context Learning and Induction Heads",
        threshold=0.4,
    ),
    Role(
        name="duplicate token",
        sentence="In random tokens repeated once: mean attention from the repeat to the same token's first occurrence.",
        source="Wang et al. 2022, Interpretability in the Wild (duplicate token heads)",
        threshold=0.4,
    ),
    Role(
        name="delimiter",
        sentence="Mean attention to punctuation and line ends, beyond the share that they have of the visible text.",
        source=f"{CLARK}, section 3.2",
        threshold=0.4,
    ),
    Role(
        name="broad",
        sentence="Mean entropy of a token's attention, as a share of the most that its visible keys allow.",
        source=f"{CLARK}, section 3.3",
        threshold=0.9,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Roles:
    """What ``head_roles`` measured. A role that the model's window is too short to measure is in neither table."""

    scores: dict[str, Tensor]  # role -> (L, H), 0..1
    baselines: dict[str, float]  # role -> what uniform attention scores on the same sequences ("broad": 0)

    @property
    def lifts(self) -> dict[str, Tensor]:
        """Role -> (L, H): 0 where a head does as uniform attention would, 1 where it does nothing else."""
        return {
            name: (score - self.baselines[name]) / (1 - self.baselines[name]) for name, score in self.scores.items()
        }


def badges(roles: Roles) -> list[list[list[str]]]:
    """``[layer][head]`` -> the names of the roles whose lift reaches its threshold, in the order of ``ROLES``."""
    lifts = roles.lifts
    L, H = next(iter(lifts.values())).shape if lifts else (0, 0)
    worn = [(role, lifts[role.name]) for role in ROLES if role.name in lifts]
    return [[[role.name for role, lift in worn if lift[i, h] >= role.threshold] for h in range(H)] for i in range(L)]


def head_roles(model: Encoder | Decoder, tokenizer: Tokenizer, seed: int = 0) -> Roles:
    """Score every head of ``model`` in every role; the same seed gives the same scores.

    Means over eight sample articles, and over eight random sequences of four lengths, so that a head that looks a
    fixed number of places back is no induction head. Sequences fit the window. Raises ``ValueError`` for a model in
    training mode, one that needs an encoder's states, a vocabulary smaller than the tokenizer's, and a window of
    one token, in which there is nothing to look at.
    """
    _check(model, tokenizer)
    measured: dict[str, list[tuple[Tensor, float]]] = {}
    for ids in _texts(tokenizer, model.config.block_size, random.Random(seed)):
        _measure(model, ids, partial(text_scores, marks=delimiters(ids, tokenizer)), measured)
    for ids in _repeats(tokenizer, model.config.block_size, random.Random(seed)):
        _measure(model, ids, lambda pattern, visible: repeat_scores(pattern), measured)
    if not any(0 < base < 1 for _, base in measured["delimiter"]):  # none in sight, or nothing else
        del measured["delimiter"]
    found = [(role.name, *zip(*measured[role.name])) for role in ROLES if role.name in measured]
    return Roles(
        scores={name: torch.stack(scores).mean(0) for name, scores, _ in found},
        baselines={name: sum(chances) / len(chances) for name, _, chances in found},
    )


def text_scores(pattern: Tensor, visible: Tensor, marks: Tensor) -> dict[str, Tensor]:
    """The roles that a text shows, from a pattern (..., T, T), T >= 2: name -> scores (...).

    ``visible`` is (T, T), True where a query sees a key; ``marks`` (T,), True at a delimiter. The first query
    is left out everywhere: in a causal model it has no choice.
    """
    T = pattern.shape[-1]
    later = torch.arange(1, T, device=pattern.device)
    entropy = torch.special.entr(pattern).sum(-1)[..., 1:]  # (..., T-1), nats
    most = visible.sum(-1)[1:].log()  # (T-1,)
    return {
        "previous token": pattern[..., later, later - 1].mean(-1),
        "same token": pattern[..., later, later].mean(-1),
        "first token": pattern[..., 1:, 0].mean(-1),
        "delimiter": pattern[..., 1:, marks].sum(-1).mean(-1),
        "broad": (entropy / most).mean(-1),
    }


def repeat_scores(pattern: Tensor) -> dict[str, Tensor]:
    """The roles that a repetition shows: a pattern (..., 2n, 2n) on n tokens written twice -> scores (...)."""
    n = pattern.shape[-1] // 2
    second, first = torch.arange(n, 2 * n, device=pattern.device), torch.arange(n, device=pattern.device)
    return {
        "induction": pattern[..., second, first + 1].mean(-1),
        "duplicate token": pattern[..., second, first].mean(-1),
    }


def delimiters(ids: list[int], tokenizer: Tokenizer) -> Tensor:
    """(T,), True where a token is punctuation and nothing else, or a line end."""
    return torch.tensor([_is_delimiter(tokenizer.piece(id)) and not tokenizer.is_special(id) for id in ids])


def _is_delimiter(text: str) -> bool:
    rest = text.strip()
    return all(unicodedata.category(letter).startswith("P") for letter in rest) if rest else "\n" in text


@torch.no_grad()
def _measure(model: Encoder | Decoder, ids: list[int], score: Callable, measured: dict[str, list]) -> None:
    """Add to ``measured``, by role, the scores (L, H) of one sequence and what uniform attention gets there."""
    T, device = len(ids), model.lm_head.weight.device
    with record(model, ["blocks.*.attn.pattern"]) as trace:
        model.hidden(torch.tensor([ids], device=device))
    visible = causal_mask(T)[0, 0] if isinstance(model, Decoder) else torch.ones(T, T, dtype=torch.bool)
    patterns = torch.cat([trace.attention(i) for i in range(model.config.n_layer)]).float().cpu()  # (L, H, T, T)
    chance = score(uniform(visible), visible) | {"broad": torch.zeros(())}  # broad is what uniform attention is
    for name, found in score(patterns, visible).items():
        measured.setdefault(name, []).append((found.clamp(0, 1), chance[name].item()))  # rounding may pass 1


def _texts(tokenizer: Tokenizer, block_size: int, source: random.Random) -> list[list[int]]:
    """The beginnings of some sample articles, as the models read articles in training."""
    start = [] if tokenizer.start is None else [tokenizer.start]
    chosen = source.sample(list(read_articles(str(ARTICLES))), NUM_TEXTS)
    texts = [start + tokenizer.encode(f"{article.title}\n{article.text}") for article in chosen]
    return [ids[: min(block_size, LONGEST)] for ids in texts]


def _repeats(tokenizer: Tokenizer, block_size: int, source: random.Random) -> list[list[int]]:
    """Random tokens, all different, written twice; empty if the window has no room for six tokens."""
    vocabulary = [id for id in range(tokenizer.n_vocab) if not tokenizer.is_special(id)]
    longest = min(block_size // 2, LONGEST_HALF, len(vocabulary))
    if longest < SHORTEST_HALF:
        return []
    shortest = max(longest // 2, SHORTEST_HALF)
    lengths = [shortest + (longest - shortest) * i // (NUM_LENGTHS - 1) for i in range(NUM_LENGTHS)]
    return [source.sample(vocabulary, n) * 2 for n in lengths for _ in range(REPETITIONS)]


def _check(model: Encoder | Decoder, tokenizer: Tokenizer) -> None:
    if not isinstance(model, (Encoder, Decoder)) or getattr(model, "conditioning", None):
        raise ValueError(
            "head roles are measured on one text: give an Encoder, or a Decoder that needs no encoder's states "
            "(model.encoder of an encoder-decoder is one)"
        )
    if model.training:
        raise ValueError("head roles are measured without dropout: call model.eval() first")
    if model.config.vocab_size < tokenizer.n_vocab:
        raise ValueError(
            f"the model knows {model.config.vocab_size} tokens and the tokenizer makes {tokenizer.n_vocab}: "
            "they do not belong together"
        )
    if model.config.block_size < 2:
        raise ValueError("block_size=1: head roles need a window of at least 2 tokens")
