"""A lock whose waiters get it in the order in which they came: nobody who asks often keeps others from their turn."""

import threading
from collections import deque


class FairLock:
    """``with lock:`` as with ``threading.Lock``, which may go to the same thread again and again."""

    def __init__(self):
        self._guard, self._taken = threading.Lock(), False
        self._waiting: deque[threading.Lock] = deque()

    def __enter__(self) -> "FairLock":
        with self._guard:
            if not self._taken:
                self._taken = True
                return self
            mine = threading.Lock()
            mine.acquire()
            self._waiting.append(mine)
        mine.acquire()  # until who had the turn before hands it on
        return self

    def __exit__(self, *_problem: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
