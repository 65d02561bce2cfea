"""A question is a function: its parameters, with their types, say what its body must hold.

Its first argument is the ``Asker``. It gives a ``Stored`` payload, bytes, a ``File``, or what JSON can say; or it
yields dicts (lines) or bytes (frames), and then it is a stream.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

LARGEST_INTEGER = 2**53  # beyond, a browser cannot count
Lane = Literal["short", "long", "writing", "homework"]
NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false", list: "a list",
         dict: "an object", NoneType: "null"}  # fmt: skip
UNIONS = (UnionType, Union)  # Python 3.10 reads `int | None = None` as the second


class Malformed(ValueError):
    """A body that is not what its question takes."""


@dataclass(frozen=True, slots=True)
class File:
    """An answer that a browser saves."""

    content: bytes
    name: str  # ASCII
    media_type: str


@dataclass(frozen=True)
class Question:
    """``function``, and the lane in which it waits for its turn."""

    function: Callable
    lane: Lane = "short"

    @property
    def is_stream(self) -> bool:
        return inspect.isgeneratorfunction(self.function) or self.waits

    @property
    def waits(self) -> bool:
        """Whether it only waits for what others compute, and needs neither thread nor turn."""
        return inspect.isasyncgenfunction(self.function)

    @cached_property
    def parameters(self) -> dict[str, tuple[Any, bool]]:
        """By name, beside the asker: its type, and whether it must be there."""
        hints = get_type_hints(self.function)
        _asker, *others = inspect.signature(self.function).parameters.values()
        return {one.name: (hints[one.name], one.default is one.empty) for one in others}

    def read(self, body: object) -> dict:
        """The arguments in ``body``; ``Malformed``, in one sentence, if they are not those of this question."""
        if not isinstance(body, dict):
            raise Malformed("A question is a JSON object.")
        for name, value in body.items():
            if name not in self.parameters:
                raise Malformed(f"{name[:40]!r} is not a field of this question.")
            kind, _ = self.parameters[name]
            if not fits(value, kind):
                raise Malformed(f"{name} must be {described(kind)}.")
        for name, (kind, is_needed) in self.parameters.items():
            if is_needed and name not in body:
                raise Malformed(f"{name} is missing: {described(kind)}.")
        return body


def fits(value: object, kind: Any) -> bool:
    """Whether a value of JSON is of that type; every number is finite."""
    if get_origin(kind) in UNIONS:
        return any(fits(value, one) for one in get_args(kind))
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(one, get_args(kind)[0]) for one in value)
    if kind is int:
        return type(value) is int and abs(value) < LARGEST_INTEGER
    if kind is float:
        return fits(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind)


def described(kind: Any) -> str:
    if get_origin(kind) in UNIONS:
        return " or ".join(described(one) for one in get_args(kind))
    if get_origin(kind) is list:
        return f"a list, each item {described(get_args(kind)[0])}"
    return NAMES[kind]
