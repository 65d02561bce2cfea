"""What a model reads of a text."""

from typing import Any


def around(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text, with what the family sets around every text."""
    return [*tokenizer.prefix, *tokenizer.encode(text), *tokenizer.suffix]


def halves(tokenizer: Any, text: str) -> tuple[list[int], list[int]]:
    """What the encoder reads, the first line, and what the decoder continues, all the others."""
    first, _, rest = text.partition("\n")
    if tokenizer.decoder_start is not None:  # T5 and BART
        return around(tokenizer, first), [tokenizer.decoder_start, *tokenizer.encode(rest)]
    return tokenizer.encode(first) or [tokenizer.start], [tokenizer.start, *tokenizer.encode(rest)]  # as in training
