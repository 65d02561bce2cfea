"""Answers that are computed once and kept while there is room, by keys that nobody can guess."""

import hashlib
import hmac
import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

CACHE_BYTES = 64 * 2**20


class Stored(NamedTuple):
    """A payload, and the key under which ``GET payload/<key>`` gives it."""

    key: str
    payload: bytes


class PayloadCache:
    """Payloads by key, the least recently used dropped first once they exceed ``limit`` bytes together."""

    def __init__(self, limit: int = CACHE_BYTES):
        self.limit, self._lock = limit, threading.Lock()
        self._items: OrderedDict[str, bytes] = OrderedDict()
        self._secret = secrets.token_bytes(32)  # of this process: who knows a text does not know its key

    def key(self, about: list) -> str:
        """The key of what ``about`` (anything that JSON can say) describes."""
        text = json.dumps(about, sort_keys=True)
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    def get(self, key: str) -> bytes | None:
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
            return self._items.get(key)

    def put(self, key: str, payload: bytes) -> None:
        with self._lock:
            self._items[key] = payload
            while sum(map(len, self._items.values())) > self.limit and len(self._items) > 1:
                self._items.popitem(last=False)

    def stored(self, about: list, make: Callable[[], bytes], anew: bool = False) -> Stored:
        """What ``make()`` gives, made once for what ``about`` describes; each time, if it is made ``anew``."""
        key = self.key(about)
        payload = None if anew else self.get(key)
        if payload is None:
            payload = make()
            self.put(key, payload)
        return Stored(key, payload)
