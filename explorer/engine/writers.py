"""All who write with one model at the same time: their texts advance in one batch, in a thread that ends with them."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from llm_core.generation.sampling import Request, Step
from llm_core.generation.together import Row, Together

MOST = 32  # texts in the batch; others wait for a place


class Seat:
    """One who writes: what was asked, and the steps that they have not taken yet."""

    def __init__(self, request: Request):
        self.request, self.news = request, queue.SimpleQueue[Step | Exception | None]()
        self.has_left = False


class Writers:
    """``alone()`` keeps others from the model for one step."""

    def __init__(self, alone: Callable[[], AbstractContextManager]):
        self.alone = alone
        self._lock, self._arrived = threading.Lock(), deque[Seat]()
        self._is_working = False

    def steps(self, request: Request) -> Iterator[Step]:
        """The steps of a request that ``can_join``, as they are made; who closes this frees their place."""
        seat = Seat(request)
        with self._lock:
            self._arrived.append(seat)
            if not self._is_working:
                self._is_working = True
                threading.Thread(target=self._work, name="writers", daemon=True).start()
        try:
            while (step := seat.news.get()) is not None:
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            seat.has_left = True

    def _work(self) -> None:
        seats: dict[Row, Seat] = {}
        batch: Together | None = None
        while self._goes_on(seats):
            try:
                batch = batch or Together(self._arrived[0].request.decoder, MOST)
                self._let_in(batch, seats)
                if batch.rows:
                    with self.alone():
                        told = batch.step()
                    for row, step in zip(list(batch.rows), told):
                        _tell(batch, seats, row, step)
            except Exception as error:  # who waits must hear of it, whatever it is
                for seat in seats.values():
                    seat.news.put(error)
                seats, batch = {}, None

    def _goes_on(self, seats: dict) -> bool:
        with self._lock:
            self._is_working = bool(seats or self._arrived)
            return self._is_working

    def _let_in(self, batch: Together, seats: dict[Row, Seat]) -> None:
        """Take away who has left, and in who has come; others have their turn between two of them."""
        for row in [row for row in batch.rows if seats[row].has_left]:
            _end(batch, seats, row)
        while self._arrived and len(batch.rows) < batch.most:
            seat = self._arrived.popleft()
            if seat.has_left:
                continue
            try:
                with self.alone():
                    row, step = batch.join(seat.request)
            except Exception as error:
                seat.news.put(error)
                continue
            seats[row] = seat
            _tell(batch, seats, row, step)


def _tell(batch: Together, seats: dict[Row, Seat], row: Row, step: Step) -> None:
    seats[row].news.put(step)
    if row.is_done:
        seats[row].news.put(None)
        _end(batch, seats, row)


def _end(batch: Together, seats: dict[Row, Seat], row: Row) -> None:
    batch.leave(row)
    del seats[row]
