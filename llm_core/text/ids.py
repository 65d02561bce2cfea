"""From a text to what a model takes."""

from typing import TYPE_CHECKING

from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from torch import Tensor


def ids_of(text: str, tokenizer: Tokenizer) -> "Tensor":
    """The ids (1, T) of ``text``, with the tokens that stand around every text: what a model is called with.

    Raises ``ValueError`` for an empty text of a tokenizer that sets nothing in front.
    """
    import torch

    if not isinstance(text, str):
        raise ValueError(f"text={text!r:.80}: must be a string")
    ids = [*tokenizer.prefix, *tokenizer.encode(text), *tokenizer.suffix]
    if not ids:
        raise ValueError("this tokenizer puts no token before a text: give at least one character")
    return torch.tensor([ids])
