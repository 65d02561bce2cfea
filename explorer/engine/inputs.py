"""What a model reads of a text."""

from dataclasses import dataclass
from typing import Any

MAX_TOKENS = 256  # of a text that are shown


@dataclass
class Input:
    """What a model gets: ``ids`` is the encoder's side, or that of a model that has one side only."""

    ids: list[int]
    decoder_ids: list[int] | None = None
    total: int = 0  # tokens of the whole text, and of these the decoder's
    decoder_total: int = 0
    masked: int | None = None  # the hidden place of an encoder's ids
    hidden_id: int = -1  # what stood there

    @property
    def own(self) -> list[int]:
        """What the stack that makes the logits reads."""
        return self.ids if self.decoder_ids is None else self.decoder_ids

    @property
    def unhidden(self) -> list[int]:
        """``own`` as the text has it."""
        return [self.hidden_id if place == self.masked else id for place, id in enumerate(self.own)]

    def tensors(self) -> list:
        import torch

        return [torch.tensor([ids]) for ids in (self.ids, self.decoder_ids) if ids is not None]

    def hide(self, place: int, tokenizer: Any) -> "Input":
        """The same with the mask token at a place. ``ValueError`` for a tokenizer that has none."""
        if tokenizer.mask is None:
            raise ValueError("this encoder's tokenizer has no mask token, so it cannot be asked to fill in a token")
        self.masked, self.hidden_id = place, self.ids[place]
        self.ids[place] = tokenizer.mask
        return self


def around(tokenizer: Any, text: str) -> list[int]:
    """Ids of a text, with what the family sets around every text."""
    return [*tokenizer.prefix, *tokenizer.encode(text), *tokenizer.suffix]


def halves(tokenizer: Any, text: str) -> tuple[list[int], list[int]]:
    """What the encoder reads, the first line, and what the decoder continues, all the others."""
    first, _, rest = text.partition("\n")
    if tokenizer.decoder_start is not None:  # T5 and BART
        return around(tokenizer, first), [tokenizer.decoder_start, *tokenizer.encode(rest)]
    return tokenizer.encode(first) or [tokenizer.start], [tokenizer.start, *tokenizer.encode(rest)]  # as in training


def input_for(model: Any, tokenizer: Any, text: str, most: int = MAX_TOKENS, cells: int | None = None) -> Input:
    """What a model gets of ``text``, cut to ``most`` tokens, to its window, and to ``cells`` of attention in all
    heads of a stack."""
    from llm_core import EncoderDecoder

    def limit(stack: Any) -> int:
        return min(stack.config.block_size, most, room(stack))

    def room(stack: Any) -> int:
        """The largest square of attention of all heads."""
        heads = stack.config.n_layer * stack.config.n_head
        return int((cells / heads) ** 0.5) if cells else MAX_TOKENS

    if isinstance(model, EncoderDecoder):
        title, body = halves(tokenizer, text)
        shared = room(model.decoder) if model.conditioning == "prefix" else 2 * MAX_TOKENS  # by title and text
        ids = title[: min(limit(model.encoder), shared - 1)]
        shown = body[: min(limit(model.decoder), shared - len(ids))]
        return Input(ids, shown, len(title) + len(body) - 1, len(body))
    ids = around(tokenizer, text)
    if not ids:
        raise ValueError("this model puts no token before a text: type at least one character")
    return Input(ids[: limit(model)], total=len(ids))
