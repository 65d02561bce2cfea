"""Readers of JSON that a stranger may have written: each takes a value, and returns it checked or says what is wrong.

    point = record(Point, x=number(), label=text(40))
    point({"x": 3, "label": "a"}, "the point")   -> Point(x=3.0, label="a")
    point({"x": "3", "label": "a"}, "the point") -> ValueError: the point's x should be a number, and is a text

Everything has an upper size, keys that are not asked for are dropped, and texts keep printable characters only: what
is shown later, in a terminal or on a page, cannot move a cursor or change a colour.
"""

import math
from collections.abc import Callable, Collection
from typing import Any, TypeVar

Kind = TypeVar("Kind")
Reader = Callable[[Any, str], Any]

NAMES = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}


def _wrong(where: str, wanted: str, value: object) -> ValueError:
    found = "missing" if value is None else NAMES.get(type(value), type(value).__name__)
    return ValueError(f"{where} should be {wanted}, and is {found}")


def printable(value: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in value.expandtabs(4))


def text(longest: int) -> Reader:
    def read(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise _wrong(where, "a text", value)
        if len(value) > longest:
            raise ValueError(f"{where} has {len(value):,} characters, and may have {longest:,}")
        return printable(value)

    return read


def whole(least: int, most: int) -> Reader:
    def read(value: object, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(where, "a whole number", value)
        if not least <= value <= most:
            raise ValueError(f"{where} should be between {least} and {most:,}")
        return value

    return read


def number() -> Reader:
    def read(value: object, where: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e300:
            raise _wrong(where, "a number", value)
        if not math.isfinite(value):
            raise ValueError(f"{where} should be a finite number")
        return value

    return read


def truth() -> Reader:
    def read(value: object, where: str) -> bool:
        if not isinstance(value, bool):
            raise _wrong(where, "true or false", value)
        return value

    return read


def one_of(allowed: Collection[str]) -> Reader:
    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"{where} should be one of {', '.join(allowed)}")
        return value

    return read


def optional(reader: Reader) -> Reader:
    def read(value: object, where: str) -> Any:
        return None if value is None else reader(value, where)

    return read


def list_of(reader: Reader, longest: int) -> Reader:
    def read(value: object, where: str) -> list:
        if not isinstance(value, (list, tuple)):
            raise _wrong(where, "a list", value)
        if len(value) > longest:
            raise ValueError(f"{where} has {len(value):,} entries, and may have {longest}")
        return [reader(entry, f"{where}, entry {i + 1},") for i, entry in enumerate(value)]

    return read


def record(kind: type[Kind], **fields: Reader) -> Callable[[Any, str], Kind]:
    def read(value: object, where: str) -> Kind:
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        return kind(**{name: reader(value.get(name), f"{where}'s {name}") for name, reader in fields.items()})

    return read
