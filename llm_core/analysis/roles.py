"""What the heads of a model do, measured: one score per head and role, on the tests of the literature.

Two kinds of sequences are run: sample articles, and random tokens repeated once, where nothing but the repetition
can be known. A score is a mean attention, 0..1; that of induction is the lower of such a mean and of how often the
head copies. What uniform attention would score on the same sequences is kept beside it, because in a short text every
token gets much of it; a badge needs a score far above that.
"""

import random
import unicodedata
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..model.architectures import Decoder, Encoder, EncoderDecoder
from ..model.masks import causal_mask
from ..model.recording import Trace, record
from ..paths import ASSETS
from ..text.articles import read_articles
from ..text.tokenizer import Tokenizer
from .copying import copying_on_repeats, has_direct_path
from .patterns import uniform
from .tables import head_table

ARTICLES = ASSETS / "sample_articles.jsonl"
NUM_TEXTS, LONGEST = 8, 128  # articles read, and tokens of each
LONGEST_TITLE = 32  # tokens of a title that an encoder-decoder's encoder has read in training, and no place behind them
NUM_LENGTHS, REPETITIONS = 4, 2  # different lengths of the random part, and sequences of each
SHORTEST_HALF, LONGEST_HALF = 3, 64  # in a half of two, the place after the earlier token is the previous token


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """``threshold`` is the lift (``Roles.lifts``) from which a head wears the role as its badge."""

    name: str
    sentence: str
    source: str
    threshold: float


BROAD, INDUCTION = "broad", "induction"
COPYING = "copying"  # measured for induction, and no role of its own
CLARK = "Clark et al. 2019, What Does BERT Look At?"
OLSSON = "Olsson et al. 2022, In-context Learning and Induction Heads"
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
        name="prefix matching",
        sentence="In random tokens repeated once: mean attention from the repeat to the token that came next the "
        "first time, which is the one half of induction.",
        source=OLSSON,
        threshold=0.4,
    ),
    Role(
        name=INDUCTION,
        sentence="Matching and copying, the lower of the two: the score in prefix matching, and the share of those "
        "repeats at which what the head itself writes raises the logit of the token that came next the first time "
        "above those of all other tokens in the sequence.",
        source=OLSSON,
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
        sentence="Mean attention to punctuation and line ends, all of them together.",
        source=f"{CLARK}, section 3.2",
        threshold=0.4,
    ),
    Role(
        name=BROAD,
        sentence="Mean entropy of a token's attention, as a share of the most that its visible keys allow.",
        source=f"{CLARK}, section 3.3",
        threshold=0.9,
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Roles:
    """What ``head_roles`` measured. A role that the model's window is too short to measure is in neither table, nor is
    induction in a model that predicts no next token."""

    scores: dict[str, Tensor]  # role -> (L, H), 0..1
    baselines: dict[str, float]  # role -> what uniform attention scores on the same sequences

    @property
    def lifts(self) -> dict[str, Tensor]:
        """Role -> (L, H): 0 where a head does as uniform attention would, 1 where it does nothing else. "broad" is
        what uniform attention is, so there the score itself is the lift."""
        return {name: lift(name, score, self.baselines[name]) for name, score in self.scores.items()}

    def table(self) -> Any:
        """The scores, a row for each head: a ``pandas.DataFrame`` where pandas is installed."""
        return head_table(self.scores)


def lift(name: str, score: Tensor, baseline: float) -> Tensor:
    return score if name == BROAD else (score - baseline) / (1 - baseline)


def badges(roles: Roles) -> list[list[list[str]]]:
    """``[layer][head]`` -> the names of the roles whose lift reaches its threshold, in the order of ``ROLES``."""
    lifts = roles.lifts
    L, H = next(iter(lifts.values())).shape if lifts else (0, 0)
    worn = [(role, lifts[role.name]) for role in ROLES if role.name in lifts]
    return [[[role.name for role, lift in worn if lift[i, h] >= role.threshold] for h in range(H)] for i in range(L)]


def head_roles(
    model: Encoder | Decoder | EncoderDecoder, tokenizer: Tokenizer, seed: int = 0, stack: str = ""
) -> Roles:
    """Score every head of ``model`` in every role; the same seed gives the same scores.

    Of an encoder-decoder, the self-attention of ``stack``: "encoder", which reads titles, or "decoder", which reads
    the article while the title conditions it (of random tokens, one title conditions all). A prefix is part of the
    decoder's text. Cross-attention looks at another text: the roles say nothing of it.

    Means over eight sample articles, and over eight random sequences of four lengths, so that a head that looks a
    fixed number of places back is no induction head. Sequences fit the window. Raises ``ValueError`` for a model in
    training mode, one that needs an encoder's states, a vocabulary smaller than the tokenizer's, and a window of
    one token, in which there is nothing to look at.
    """
    _check(model, tokenizer, stack)
    subject = _subject(model, stack)
    measured: dict[str, list[tuple[Tensor, float]]] = {}
    texts = _texts(model, tokenizer, stack, random.Random(seed))
    for title, ids in texts:
        pattern, visible = _attention(_record(model, stack, title, ids), subject)
        marks = delimiters([*title, *ids][-len(visible) :], tokenizer)  # a title in front is part of the text
        _note(measured, text_scores(pattern, visible, marks), text_scores(uniform(visible), visible, marks))
    title = texts[0][0]
    for ids in repeats(tokenizer, _window(model, stack), random.Random(seed)):
        trace = _record(model, stack, title, ids)
        pattern, visible = _attention(trace, subject)
        own = (..., slice(-len(ids), None), slice(-len(ids), None))
        _note(measured, repeat_scores(pattern[own]), repeat_scores(uniform(visible)[own]))
        if has_direct_path(subject):
            _note(measured, {COPYING: _copying(trace, subject, ids)}, {COPYING: torch.tensor(2 / len(ids))})
    if not any(0 < base < 1 for _, base in measured["delimiter"]):  # none in sight, or nothing else
        del measured["delimiter"]
    means = {name: _means(noted) for name, noted in measured.items()}
    if COPYING in means:
        means[INDUCTION] = tuple(map(torch.minimum, means["prefix matching"], means[COPYING]))
    by_role = {role.name: means[role.name] for role in ROLES if role.name in means}
    return Roles(
        scores={name: score for name, (score, _) in by_role.items()},
        baselines={name: chance.item() for name, (_, chance) in by_role.items()},
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
        "prefix matching": pattern[..., second, first + 1].mean(-1),
        "duplicate token": pattern[..., second, first].mean(-1),
    }


def delimiters(ids: list[int], tokenizer: Tokenizer) -> Tensor:
    """(T,), True where a token is punctuation and nothing else, or a line end."""
    return torch.tensor([_is_delimiter(tokenizer.piece(id)) and not tokenizer.is_special(id) for id in ids])


def _is_delimiter(text: str) -> bool:
    rest = text.strip()
    return all(unicodedata.category(letter).startswith("P") for letter in rest) if rest else "\n" in text


def _subject(model: Encoder | Decoder | EncoderDecoder, stack: str) -> Encoder | Decoder:
    return getattr(model, stack) if stack else model


def _window(model: Encoder | Decoder | EncoderDecoder, stack: str) -> int:
    """The most tokens of a sequence."""
    return min(_subject(model, stack).config.block_size, LONGEST_TITLE if stack == "encoder" else LONGEST)


@torch.no_grad()
def _record(model: nn.Module, stack: str, title: list[int], ids: list[int]) -> Trace:
    """Pattern and z of every layer on one sequence."""
    subject = _subject(model, stack)
    row = lambda ids: torch.tensor([ids], device=subject.device)  # noqa: E731
    memory = {"memory": model.encoder.hidden(row(title))} if title else {}
    with record(subject, ["blocks.*.attn.pattern", "blocks.*.attn.z"]) as trace:
        subject.hidden(row(ids), **memory)
    return trace


def _attention(trace: Trace, subject: Encoder | Decoder) -> tuple[Tensor, Tensor]:
    """The patterns (L, H, M, M) on one sequence, and who sees whom, (M, M): M is T, and P+T with a prefix."""
    pattern = torch.cat([trace.attention(i) for i in range(subject.config.n_layer)]).float().cpu()
    M = pattern.shape[-1]
    visible = causal_mask(M)[0, 0] if isinstance(subject, Decoder) else torch.ones(M, M, dtype=torch.bool)
    return pattern, visible


def _copying(trace: Trace, subject: Decoder, ids: list[int]) -> Tensor:
    """(L, H), of a sequence that ``repeats`` gave."""
    half = torch.tensor(ids[: len(ids) // 2])
    layers = range(subject.config.n_layer)
    own = [trace[f"blocks.{i}.attn.z"][0, :, -len(ids) :] for i in layers]  # (H, 2n, D), behind a prefix
    return torch.stack([copying_on_repeats(subject, i, own[i], half) for i in layers]).cpu()


def _means(noted: list[tuple[Tensor, float]]) -> tuple[Tensor, Tensor]:
    """Of what was noted of all sequences: the score (L, H), and what uniform attention gets, float64."""
    scores, chances = zip(*noted)
    return torch.stack(scores).mean(0), torch.tensor(chances, dtype=torch.float64).mean()


def _note(measured: dict[str, list], scores: dict[str, Tensor], chances: dict[str, Tensor]) -> None:
    """Add to ``measured``, by role, the scores (L, H) of one sequence and what uniform attention gets there."""
    for name, score in scores.items():
        measured.setdefault(name, []).append((score.clamp(0, 1), chances[name].item()))  # rounding may pass 1


def _texts(
    model: nn.Module, tokenizer: Tokenizer, stack: str, source: random.Random
) -> list[tuple[list[int], list[int]]]:
    """Some sample articles as the model read articles in training: a title that conditions, if any, and the ids."""
    chosen = source.sample(list(read_articles(str(ARTICLES))), NUM_TEXTS)
    if not stack:
        whole = [f"{article.title}\n{article.text}" for article in chosen]
        return [([], _around(tokenizer, text, _window(model, stack))) for text in whole]
    starts = tokenizer.decoder_start  # of families that set something around every text; ours reads titles as they are
    begin = tokenizer.start if starts is None else starts
    longest = _window(model, "encoder")
    titles = [
        tokenizer.encode(article.title)[:longest] if starts is None else _around(tokenizer, article.title, longest)
        for article in chosen
    ]
    if stack == "encoder":
        return [([], title) for title in titles]
    texts = [[begin, *tokenizer.encode(article.text)] for article in chosen]
    return [(title, ids[: _window(model, stack)]) for title, ids in zip(titles, texts)]


def _around(tokenizer: Tokenizer, text: str, longest: int) -> list[int]:
    """Ids of a text cut to ``longest``, with what the family sets around every text."""
    before, behind = tokenizer.prefix, tokenizer.suffix
    return [*before, *tokenizer.encode(text)[: longest - len(before) - len(behind)], *behind]


def repeats(tokenizer: Tokenizer, block_size: int, source: random.Random) -> list[list[int]]:
    """Random tokens, all different, written twice; empty if the window has no room for six tokens."""
    vocabulary = [id for id in range(tokenizer.n_vocab) if not tokenizer.is_special(id)]
    longest = min(block_size // 2, LONGEST_HALF, len(vocabulary))
    if longest < SHORTEST_HALF:
        return []
    shortest = max(longest // 2, SHORTEST_HALF)
    lengths = [shortest + (longest - shortest) * i // (NUM_LENGTHS - 1) for i in range(NUM_LENGTHS)]
    return [source.sample(vocabulary, n) * 2 for n in lengths for _ in range(REPETITIONS)]


def _check(model: nn.Module, tokenizer: Tokenizer, stack: str) -> None:
    if stack and not (isinstance(model, EncoderDecoder) and stack in ("encoder", "decoder")):
        raise ValueError(f'stack={stack!r}: must be "encoder" or "decoder" of an EncoderDecoder, else ""')
    if not stack and (not isinstance(model, (Encoder, Decoder)) or getattr(model, "conditioning", None)):
        raise ValueError(
            "head roles are measured on one text: give an Encoder, or a Decoder that needs no encoder's states; "
            'of an EncoderDecoder, say stack="encoder" or stack="decoder"'
        )
    if model.training:
        raise ValueError("head roles are measured without dropout: call model.eval() first")
    config = _subject(model, stack).config
    if config.vocab_size < tokenizer.n_vocab:
        raise ValueError(
            f"the model knows {config.vocab_size} tokens and the tokenizer makes {tokenizer.n_vocab}: "
            "they do not belong together"
        )
    if config.block_size < 2:
        raise ValueError("block_size=1: head roles need a window of at least 2 tokens")
