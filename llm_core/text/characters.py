"""Tokens that are only whole together: the bytes of one character, spread over several of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class HasBytes(Protocol):
    def token_bytes(self, id: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Group:
    """Tokens ``first`` to ``last`` (itself in), which make ``text``; one token nearly always."""

    first: int
    last: int
    text: str


def whole_characters(tokenizer: HasBytes, ids: Sequence[int]) -> list[Group]:
    """The tokens in order, those of one character in one group: 北京 is two groups, however many tokens it has.

    Bytes that never become a character are groups of their own, written ``\\xE5``.
    """
    groups: list[Group] = []
    first, raw = 0, b""
    for place, id in enumerate(ids):
        raw += tokenizer.token_bytes(id)
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            is_open = error.end == len(raw) and "unexpected end" in error.reason
            if is_open and place + 1 < len(ids):
                continue
            groups += [_bare(tokenizer, ids, other) for other in range(first, place + 1)]
        else:
            groups.append(Group(first, place, text))
        first, raw = place + 1, b""
    return groups


def _bare(tokenizer: HasBytes, ids: Sequence[int], place: int) -> Group:
    raw = tokenizer.token_bytes(ids[place])
    text = raw.decode("utf-8", errors="backslashreplace")
    return Group(place, place, text.replace("\\x", "\\x") if text.isprintable() else repr(text)[1:-1])
