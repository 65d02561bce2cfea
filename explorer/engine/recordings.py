"""The last recordings, kept while there is room. One of a large model is hundreds of megabytes, so room for the
next is made before that is computed."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

MOST, BYTES = 6, 2**26


class Recordings:
    """Answers of ``make`` by its arguments, at most MOST of them and ``limit`` bytes of tensors; the newest stays."""

    def __init__(self, make: Callable, limit: int = BYTES):
        self.make, self.limit, self._lock = make, limit, threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def __call__(self, *arguments: Any, **more: Any) -> Any:
        key = (arguments, tuple(sorted(more.items())))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            self._make_room()
        found = self.make(*arguments, **more)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > MOST or (len(self._kept) > 1 and self.size > self.limit):
                self._kept.popitem(last=False)
        return found

    def _make_room(self) -> None:
        """For one as large as the largest."""
        while self._kept and self.size + max(map(_size, self._kept.values())) > self.limit:
            self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(map(_size, self._kept.values()))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()


def _size(run: Any) -> int:
    return sum(tensor.nbytes for tensor in run.trace.values())
