"""The texts that a timeline shows at every step of a training: the same for all models of a kind, 24 tokens at most."""

import random
import re
from dataclasses import dataclass

from torch import nn

from ..analysis.roles import ARTICLES
from ..model.architectures import Encoder, EncoderDecoder
from ..text.articles import read_articles
from ..text.tokenizer import Tokenizer

MOST_TOKENS = 24  # of a prompt, and of a title
NUM_WORDS = 11  # random words, written twice behind the start token
TITLE = "How to Make a Paper Boat"
STEPS = "1. Fold a sheet of paper in half. 2. Open the paper and turn it around."
PAINT = "1. Mix the red paint with the white paint. 2. Stir the red paint with the white brush."
POTS = "1. Put good soil into a large pot. 2. Plant the tomatoes and water the tomatoes."


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """``ids`` (T) is what the model itself reads, ``source`` (S) the title that its encoder reads, if it has one.

    At each of ``places`` (Q) the model says what it expects; ``truth`` is what comes there, None where the text ends.
    """

    title: str
    sentence: str
    ids: list[int]
    source: list[int]
    places: list[int]
    truth: list[int | None]


def prompts_for(model: nn.Module, tokenizer: Tokenizer) -> list[Prompt]:
    """Three prompts for this kind of model, cut to its window."""
    if isinstance(model, Encoder):
        return _masked_prompts(tokenizer, model.config.block_size)
    if isinstance(model, EncoderDecoder):
        return _titled_prompts(tokenizer, model)
    window, words = min(model.config.block_size, MOST_TOKENS), _random_words(tokenizer, model.config.block_size)
    return [
        _written(
            "The beginning of an article",
            "Watch the tokens that it expects after “of” and “in”: first only frequent ones, later ones that fit.",
            tokenizer.encode(f"{TITLE}\n{STEPS}"),
            tokenizer,
            window,
        ),
        _written(
            "Random words, written twice",
            "Nothing but the repetition can be known here. An induction head looks from each word of the second half "
            "to the word that came after it the first time.",
            words * 2,
            tokenizer,
            window,
        ),
        _written(
            "A phrase that comes back",
            "“the red paint” and “with the white” occur twice: does the model predict the second one?",
            tokenizer.encode(PAINT),
            tokenizer,
            window,
        ),
    ]


def _titled_prompts(tokenizer: Tokenizer, model: EncoderDecoder) -> list[Prompt]:
    window = min(model.decoder.config.block_size, MOST_TOKENS)
    room = min(model.encoder.config.block_size, MOST_TOKENS)

    def titled(title: str, sentence: str, source: str, ids: list[int]) -> Prompt:
        return _written(title, sentence, ids, tokenizer, window, tokenizer.encode(source)[:room])

    return [
        titled(
            "A title and its article",
            "Watch how the tokens of the article come to look at the title, which only the encoder reads.",
            TITLE,
            tokenizer.encode(STEPS),
        ),
        titled(
            "A word of the title comes back",
            "Before “tomatoes” the article says only “the”: the word itself stands in the title.",
            "How to Grow Tomatoes on a Balcony",
            tokenizer.encode(POTS),
        ),
        titled(
            "Random words, written twice",
            "Nothing but the repetition can be known here. An induction head of the decoder looks from each word of "
            "the second half to the word that came after it the first time.",
            "How to Remember a List of Words",
            _random_words(tokenizer, window) * 2,
        ),
    ]


def _written(
    title: str, sentence: str, ids: list[int], tokenizer: Tokenizer, window: int, source: list[int] | None = None
) -> Prompt:
    """A text that is continued: every place expects the next token."""
    ids = [tokenizer.start, *ids][:window]
    return Prompt(
        title=title,
        sentence=sentence,
        ids=ids,
        source=source or [],
        places=list(range(len(ids))),
        truth=[*ids[1:], None],
    )


def _masked_prompts(tokenizer: Tokenizer, block_size: int) -> list[Prompt]:
    words = [tokenizer.decode([id]) for id in _random_words(tokenizer, block_size)]
    hidden = len(words) // 2
    return [
        _masked(
            "A word that its context gives away",
            "One word is masked: the words before and after it tell which.",
            ("Wash your hands with", " soap", " and water before you touch the food."),
            tokenizer,
            block_size,
        ),
        _masked(
            "A word that appears elsewhere",
            "The masked word appears in the title, and once more after the gap.",
            (f"{TITLE}\n1. Fold the", " paper", " in half. 2. Open the paper again."),
            tokenizer,
            block_size,
        ),
        _masked(
            "Random words, written twice",
            "One word of the second half is hidden: only the first half tells which.",
            ("".join(words + words[:hidden]), words[hidden], "".join(words[hidden + 1 :])),
            tokenizer,
            block_size,
        ),
    ]


def _masked(title: str, sentence: str, parts: tuple[str, str, str], tokenizer: Tokenizer, block_size: int) -> Prompt:
    """A text with a gap: what is expected there. A window that is too short loses tokens on the longer side."""
    before, hidden, after = (tokenizer.encode(part) for part in parts)
    window = max(min(block_size, MOST_TOKENS), len(hidden))
    while len(before) + len(hidden) + len(after) > window:
        (before if len(before) > len(after) else after).pop(0 if len(before) > len(after) else -1)
    return Prompt(
        title=title,
        sentence=sentence,
        ids=[*before, *[tokenizer.mask] * len(hidden), *after],
        source=[],
        places=list(range(len(before), len(before) + len(hidden))),
        truth=list(hidden),
    )


def _random_words(tokenizer: Tokenizer, window: int) -> list[int]:
    """Words of one token each, all different, so many that they fit twice; any tokens where there are no such words."""
    text = " ".join(article.text for article in read_articles(str(ARTICLES)))
    encoded = [tokenizer.encode(word) for word in sorted(set(re.findall(r" [a-z]{4,}\b", text)))]
    words = [ids[0] for ids in encoded if len(ids) == 1]
    count = max(1, min(NUM_WORDS, (window - 1) // 2))
    return random.Random(0).sample(words if len(words) >= count else range(256), count)
