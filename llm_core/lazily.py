"""Names that a package hands on, each imported when it is first used: a command that needs no model loads no torch."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def handed_on(
    package: str, places: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package; ``places`` are its modules, and what each has."""
    place_of = {name: place for place, names in places.items() for name in names}

    def get(name: str) -> Any:
        if name not in place_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f".{place_of[name]}", package), name)

    return get, lambda: sorted(place_of)
