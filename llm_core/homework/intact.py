"""Whether torch, Python's own functions and the checker are still what they were before a student's file ran.

A file that replaces ``torch.allclose``, or the function that judges it, would be checked by itself. Its own classes
it may change as it likes.
"""

import sys
from types import FunctionType, ModuleType

MODULES = ("builtins", "math", "json", "inspect", "torch", "torch.nn", "torch.nn.functional", "torch.overrides")
OURS = ("llm_core", "gtgpt")
BY_TORCH = {"torch.manual_seed"}  # which torch itself wraps when an optimizer first asks for its compiler


class Snapshot:
    """Every function and class in ``MODULES`` and ``OURS``, and what those classes have."""

    def __init__(self):
        self._owners: dict[str, object] = {}
        for name, module in list(sys.modules.items()):
            if name in MODULES or name.split(".")[0] in OURS:
                self._add(name, module)
        self._before = {name: _functions(owner) for name, owner in self._owners.items()}

    def _add(self, name: str, module: ModuleType) -> None:
        self._owners[name] = module
        for value in list(vars(module).values()):
            if isinstance(value, type):
                self._owners.setdefault(f"{value.__module__}.{value.__qualname__}", value)

    def changed(self) -> str | None:
        """The name of the first that is another one now, or gone; what is new is no change."""
        for owner, before in self._before.items():
            now = _functions(self._owners[owner])
            for name, (value, code) in before.items():
                same = name in now and now[name][0] is value and now[name][1] is code
                if not same and f"{owner}.{name}" not in BY_TORCH:
                    return f"{owner}.{name}"
        return None


def _functions(owner: object) -> dict[str, tuple[object, object]]:
    """By name, with their code, which can be replaced too."""
    found: dict[str, tuple[object, object]] = {}
    for name, value in list(vars(owner).items()):
        function = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
        if callable(function):
            found[name] = value, function.__code__ if isinstance(function, FunctionType) else None
    return found
