"""A property that is computed once for an object, while other objects need not wait."""

import threading
from collections.abc import Callable
from typing import Any


class once:
    """``functools.cached_property`` with a lock for each object. In Python 3.11 all objects of a class share one: to
    load one model would keep all others waiting. What raises is tried again the next time.
    """

    def __init__(self, make: Callable[[Any], Any]):
        self.make, self.__doc__ = make, make.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, _owner: type | None = None) -> Any:
        if instance is None:
            return self
        values = instance.__dict__  # which is looked at before this descriptor, once the value is there
        with values.setdefault(f"lock of {self.name}", threading.RLock()):
            if self.name not in values:
                values[self.name] = self.make(instance)
        return values[self.name]
