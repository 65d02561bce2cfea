"""Names for the places of a pattern: strings, pieces or ids as they come, of whatever tokenizer, as text."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from llm_core.text.pieces import is_partial, label_of, notation_of, notation_seen, piece_bytes

from ..engine.runner import Runner, describe


class Pieces:
    """A tokenizer of transformers or tokenizers, asked as ours are."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer
        self.is_bare = hasattr(tokenizer, "id_to_token")  # of tokenizers, without what transformers puts around it
        self.own: Any = tokenizer if self.is_bare else getattr(tokenizer, "backend_tokenizer", None)

    @cached_property
    def notation(self) -> str | None:
        return notation_of(self.own) if self.own else notation_seen(list(self.tokenizer.get_vocab()))

    @cached_property
    def special(self) -> set[int]:
        if not self.is_bare:
            return set(self.tokenizer.all_special_ids)
        return {id for id, token in self.own.get_added_tokens_decoder().items() if token.special}

    @cached_property
    def added(self) -> set[int]:
        """Ids that stand for text as it is."""
        return self.special | set(self.own.get_added_tokens_decoder() if self.own else ())

    def encode(self, text: str, whole: bool = True) -> list[int]:
        """Ids of ``text``; ``whole``: with what stands around every text."""
        if self.is_bare:
            return self.own.encode(text, add_special_tokens=whole).ids
        return list(self.tokenizer(text, add_special_tokens=whole)["input_ids"])

    def token_bytes(self, id: int) -> bytes:
        token = self.own.id_to_token(id) if self.own else self.tokenizer.convert_ids_to_tokens(id)
        return piece_bytes(token or "", None if id in self.added else self.notation)

    def piece(self, id: int) -> str:
        return label_of(self.token_bytes(id))

    def is_special(self, id: int) -> bool:
        return id in self.special


def vocabulary_of(tokenizer: Any) -> Any:
    """What can be asked for ``piece(id)``: ours, another library's, or that of a name for ``load_tokenizer``."""
    if isinstance(tokenizer, (str, Path)):
        from llm_core import load_tokenizer

        return load_tokenizer(tokenizer)
    if hasattr(tokenizer, "piece"):
        return tokenizer
    if hasattr(tokenizer, "convert_ids_to_tokens") or hasattr(tokenizer, "id_to_token"):
        return Pieces(tokenizer)
    if hasattr(tokenizer, "decode_single_token_bytes"):
        from llm_core.text.tokenizer import BytePairTokenizer

        return BytePairTokenizer(tokenizer)
    raise ValueError(f"tokenizer={type(tokenizer).__name__}: give one of transformers, tokenizers, tiktoken or ours")


def row_of(values: Any, batch: int | None, what: str) -> list:
    """One row of tokens, ids or a mask: (T,), (1, T) or (B, T), as tensors, lists, or what a tokenizer gives."""
    if isinstance(values, str):
        raise ValueError(f"{what} is a text: give its tokens one by one, or show(model, text)")
    if isinstance(values, Mapping):
        values = values["input_ids"]
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    values = [value.tolist() if hasattr(value, "tolist") else value for value in values]
    if not values or not isinstance(values[0], (list, tuple)):
        return values
    if batch is None and len(values) > 1:
        raise ValueError(f"{what} has {len(values)} rows: say which to show; batch=0 is the first")
    if (batch or 0) >= len(values):
        raise ValueError(f"batch={batch}: {what} has {len(values)} rows, counted from 0")
    row = list(values[batch or 0])
    if row and isinstance(row[0], (list, tuple)):
        raise ValueError(f"{what} must have the shape (T,) or (B, T)")
    return row


def described(tokens: list | None, count: int, tokenizer: Any = None) -> list[dict]:
    """Tokens for the screen; places, where nothing is known of them. ``tokenizer``: of ``vocabulary``, for ids."""
    if tokens is None:
        return _texts(map(str, range(count)))
    if len(tokens) != count:
        raise ValueError(f"{len(tokens)} tokens for patterns of {count} positions: give one for each")
    if any(isinstance(token, str) for token in tokens):
        return _pieces([str(token) for token in tokens])
    if tokenizer is not None:
        return describe(tokenizer, [int(id) for id in tokens])
    size = Runner().tokenizer.n_vocab
    if wrong := [token for token in tokens if not 0 <= token < size]:
        raise ValueError(
            f"token {wrong[0]} is not in our vocabulary of {size}: give tokenizer=, or the tokens as strings"
        )
    return Runner().describe(tokens)


def _texts(texts: Iterable[str]) -> list[dict]:
    return [{"id": None, "text": text, "special": False, "partial": False} for text in texts]


def _pieces(pieces: list[str]) -> list[dict]:
    """Strings as they are, or if they are a vocabulary's pieces, such as Ġto and ##ing, as text."""
    notation = notation_seen(pieces)
    if notation is None:
        return _texts(pieces)
    raws = [piece_bytes(piece, None if _is_mark(piece) else notation) for piece in pieces]
    tokens = _texts(map(label_of, raws))
    for token, raw, piece in zip(tokens, raws, pieces):
        token["partial"], token["special"] = is_partial(raw), _is_mark(piece)
    return tokens


def _is_mark(piece: str) -> bool:
    """A special token, as vocabularies spell them: [CLS], <s>, <|endoftext|>; not <0x0A>, which is a byte."""
    is_byte = piece.startswith("<0x")
    return len(piece) > 2 and (piece[0], piece[-1]) in {("[", "]"), ("<", ">")} and not is_byte
