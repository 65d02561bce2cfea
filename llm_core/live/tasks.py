"""What a tiny model can learn. An example is a ``Row`` of ids; which ones a step trains on is decided by (seed, step).

A task of letters turns a source into a result. Each architecture gets both in its own way (^ is the start token, _ a
masked place, $ the end token), and only the result is asked for, because nothing else can be known:

    decoder           ^abc|abc$     the next token, from | on
    encoder           ^abc|___      what is masked
    encoder-decoder   abc -> ^abc$  the encoder reads the source, the decoder writes the result

Examples are held out by a hash of their source: accuracy is measured on those alone, so none was trained on.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..model.padding import pad
from ..paths import ASSETS
from ..text.articles import Article, is_held_out, read_articles
from ..text.tokenizer import BYTES, load_tokenizer
from ..train.data import IGNORE, Batch

ARCHITECTURES = ("decoder", "encoder", "encoder-decoder")
TOKENIZER = load_tokenizer(BYTES)
START, END, MASK, PAD = TOKENIZER.start, TOKENIZER.end, TOKENIZER.mask, TOKENIZER.pad
SEPARATOR = ord("|")
ALPHABET = np.arange(ord("a"), ord("z") + 1)
HELD_OUT = 0.1  # of all sources
DEMO = "monkey"  # a held-out source that can be read
ARTICLES, DEMO_ARTICLE = ASSETS / "sample_articles.jsonl", "How to Make Lemonade"
WINDOW, DEMO_BYTES = 64, 32  # bytes of an article that are read, and of the demo's
MASKED = 0.15  # of an article, for an encoder


@dataclass(frozen=True)
class Row:
    """One example. ``targets`` belong to the tokens that answer: the decoder's where there is one."""

    ids: list[int]
    targets: list[int]  # IGNORE where nothing can be known
    decoder_ids: list[int] | None = None

    @property
    def answering(self) -> list[int]:
        return self.ids if self.decoder_ids is None else self.decoder_ids


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    name: str
    title: str
    sentence: str  # what it is, for a student
    rule: str  # what accuracy counts
    impossible: dict[str, str] = field(default_factory=dict)  # architecture -> why it makes no sense
    finds: bool = True  # whether every answer stands once in the source, so that a head can be seen to find it
    by_content: bool = False  # whether only the token before an answer tells where it stands: what induction heads do

    @abstractmethod
    def window(self, architecture: str) -> int:
        """The most tokens that one stack reads."""

    @abstractmethod
    def row(self, architecture: str, random: np.random.Generator, fresh: bool) -> Row:
        """An example to train on, or a held-out one."""

    @abstractmethod
    def demo(self, architecture: str) -> Row:
        """A held-out example that can be read, always the same."""

    @property
    def example(self) -> str:
        """The one that can be read, with the result, as text."""
        ids = self.demo("decoder").ids
        return "".join(TOKENIZER.piece(id) for id in ids if not TOKENIZER.is_special(id))

    def batch(self, architecture: str, seed: int, step: int, B: int, fresh: bool = False) -> Batch:
        """``B`` examples, the same ones for the same (seed, step); ``fresh`` ones are never trained on."""
        random = np.random.default_rng((seed, step, fresh))
        return collate([self.row(architecture, random, fresh) for _ in range(B)])


def collate(rows: list[Row]) -> Batch:
    """Rows as tensors, padded on the right.

    A decoder needs no mask of its padding: it stands behind every real token, which therefore cannot see it.
    """
    ids, mask = pad([row.ids for row in rows], PAD)  # (B, T) or, of a source, (B, S)
    targets, _ = pad([row.targets for row in rows], IGNORE)  # (B, T)
    if rows[0].decoder_ids is not None:
        return Batch(ids, targets, mask, pad([row.answering for row in rows], PAD)[0])
    return Batch(ids, targets, mask if MASK in rows[0].ids else None)


@dataclass(frozen=True, kw_only=True)
class LetterTask(Task):
    """The source is some different letters in random order."""

    result: Callable[[list[int]], list[int]] = list
    shortest: int = 3
    longest: int = 10

    def window(self, architecture: str) -> int:
        return self.longest + 1 if architecture == "encoder-decoder" else 2 * self.longest + 2

    def row(self, architecture: str, random: np.random.Generator, fresh: bool) -> Row:
        return self.arrange(architecture, self.source(random, fresh), random)

    def demo(self, architecture: str) -> Row:
        return self.arrange(architecture, list(DEMO.encode()), np.random.default_rng(0))

    def source(self, random: np.random.Generator, fresh: bool) -> list[int]:
        while True:
            n = random.integers(self.shortest, self.longest, endpoint=True)
            source = random.permutation(ALPHABET)[:n].tolist()
            if is_held_out(bytes(source).decode(), HELD_OUT) == fresh:
                return source

    def arrange(self, architecture: str, source: list[int], random: np.random.Generator) -> Row:
        result = self.result(source)
        if architecture == "encoder-decoder":
            return Row(source, [*result, END], [START, *result])
        question = [START, *source, SEPARATOR]
        if architecture == "encoder":
            return Row([*question, *[MASK] * len(result)], [*[IGNORE] * len(question), *result])
        return next_tokens([*question, *result, END], [False] * len(question) + [True] * (len(result) + 1))


@dataclass(frozen=True, kw_only=True)
class InductionTask(LetterTask):
    """The letters, then pieces of them from anywhere: only the letter before tells what comes next, no place does."""

    total: int = 32

    def window(self, architecture: str) -> int:
        return self.total

    def arrange(self, architecture: str, source: list[int], random: np.random.Generator) -> Row:
        ids, known = [START, *source], [False] * (1 + len(source))
        while len(ids) <= self.total:
            first = random.integers(len(source) - 1)
            last = random.integers(first + 2, len(source), endpoint=True)
            ids += [SEPARATOR, *source[first:last]]
            known += [False, False, *[True] * (last - first - 1)]  # a piece's first letter cannot be known
        return next_tokens(ids[: self.total + 1], known)


@dataclass(frozen=True, kw_only=True)
class ArticleTask(Task):
    """Real English, byte by byte."""

    @cached_property
    def articles(self) -> dict[bool, list[Article]]:
        """Those to train on (False) and the held-out ones (True)."""
        kinds: dict[bool, list[Article]] = {False: [], True: []}
        for article in read_articles(str(ARTICLES)):
            kinds[article.title == DEMO_ARTICLE or is_held_out(article.title, HELD_OUT)].append(article)
        return kinds

    def window(self, architecture: str) -> int:
        return WINDOW

    def row(self, architecture: str, random: np.random.Generator, fresh: bool) -> Row:
        chosen = self.articles[fresh]
        return self.cut(architecture, chosen[random.integers(len(chosen))], random, WINDOW)

    def demo(self, architecture: str) -> Row:
        article = next(article for article in self.articles[True] if article.title == DEMO_ARTICLE)
        return self.cut(architecture, article, np.random.default_rng(0), DEMO_BYTES, start=0)

    def cut(
        self, architecture: str, article: Article, random: np.random.Generator, T: int, start: int | None = None
    ) -> Row:
        """``T`` tokens of an article, from ``start`` or a random place on."""
        if architecture == "encoder-decoder":
            title, text = (TOKENIZER.encode(part) for part in (article.title, article.text))
            return Row(title[:T], text[:T], [START, *text][:T])
        ids = [START, *TOKENIZER.encode(f"{article.title}\n{article.text}"), END]
        start = int(random.integers(len(ids) - T)) if start is None else start
        if architecture == "decoder":
            return next_tokens(ids[start : start + T + 1], [True] * (T + 1))
        return masked(ids[start : start + T], random.permutation(T)[: round(MASKED * T)])


def next_tokens(ids: list[int], known: list[bool]) -> Row:
    """``ids`` for a decoder: each token is to be predicted from those before it, where it can be ``known``."""
    return Row(ids[:-1], [id if can else IGNORE for id, can in zip(ids, known)][1:])


def masked(ids: list[int], hidden: Container[int]) -> Row:
    """``ids`` for an encoder, which is to fill in the ``hidden`` places."""
    places = range(len(ids))
    return Row(
        [MASK if place in hidden else ids[place] for place in places],
        [ids[place] if place in hidden else IGNORE for place in places],
    )


_RESULT = "Share of right answers on fresh examples: each letter of the result, and where it ends."

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        LetterTask(
            name="copy",
            title="Copy",
            sentence="Repeat the letters: abcd|abcd. A head that solves it attends to the letter that comes next, "
            "which makes a diagonal line in its picture.",
            rule=_RESULT,
        ),
        LetterTask(
            name="reverse",
            title="Reverse",
            sentence="Write the letters backwards: abcd|dcba.",
            rule=_RESULT,
            result=lambda source: source[::-1],
        ),
        InductionTask(
            name="induction",
            title="Induction",
            sentence="Some letters in random order, then pieces of them: cabd|ab|bd|ca. What followed a letter the "
            "first time follows it again.",
            rule="Share of right answers on fresh examples, counted only in the pieces, after their first letters.",
            by_content=True,
            impossible={
                "encoder": "Induction asks what comes next, and an encoder sees what comes next: choose the task copy, "
                "or a decoder.",
                "encoder-decoder": "Induction looks back in one text, and an encoder-decoder has two: choose the task "
                "copy for it, which is the same thing from one text to the other.",
            },
        ),
        LetterTask(
            name="sorting",
            title="Sorting",
            sentence="Write the letters in alphabetical order: dbca|abcd.",
            rule=_RESULT,
            result=sorted,
        ),
        ArticleTask(
            name="articles",
            title="How-to articles",
            sentence="Real English, letter by letter: 48 short how-to articles. It will not make sense, but it learns "
            "how letters form words.",
            rule="Share of letters guessed right in held-out articles.",
            finds=False,
        ),
    )
}
