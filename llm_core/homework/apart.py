"""The process that has a student's code, seen from outside: it is asked, and answers with tensors; or it ends.

``Apart`` has the methods of ``inside.answers.Answers``. It holds no reference and no verdict: what it says is compared
here. A question that ends the process raises ``Ended`` with the reason in a sentence; the next one gets a fresh
process.
"""

import math
import os
import queue
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .inside.limits import Limits, too_slow
from .process import start

Meanwhile = Callable[[], object] | None
ENDING = 5  # seconds that the end of a process may take
HIDDEN = [str(Path(__file__).resolve().parent.parent)]


class Ended(Exception):
    """The student's process ended instead of answering: ``sentence`` says why, ``line`` where."""

    def __init__(self, sentence: str, line: int | None = None):
        super().__init__(sentence)
        self.sentence, self.line = sentence, line


class Problem(Ended):
    """The file as a whole cannot be run."""


class OutOfTime(Exception):
    """The time for the whole file is over."""


class Apart:
    """``deadline``: of ``time.monotonic()``, for all questions together."""

    def __init__(self, file: Path, limits: Limits, deadline: float, is_notebook: bool = False):
        self._file, self._limits, self._deadline, self._is_notebook = file, limits, deadline, is_notebook
        self._process: _Process | None = None

    def __enter__(self) -> "Apart":
        self._start()
        return self

    def __exit__(self, *_) -> None:
        if self._process:
            self._process.close()

    def _start(self) -> None:
        self._process = _Process(self._limits)
        limits = asdict(self._limits)
        job = {"token": self._process.token, "file": str(self._file), "limits": limits, "hidden": HIDDEN}
        self._process.send({**job, "is_notebook": self._is_notebook})
        self._is_loaded = False

    def load(self) -> None:
        """Raises ``Problem`` if the file cannot be imported."""
        if self._process is None:
            self._start()
        while not self._is_loaded:
            message = self._next(Problem)
            if message.get("kind") == "problem":
                self._forget()
                raise Problem(str(message.get("sentence"))[:2000], _line(message))
            self._is_loaded = message.get("kind") == "loaded"

    def ask(self, question: str, meanwhile: Meanwhile = None, **given: object) -> object:
        """``meanwhile`` is called while the other process is busy with the answer."""
        self.load()
        self._process.send({"ask": question, "with": given})
        if meanwhile:
            meanwhile()
        message = self._next(Ended)
        if message.get("kind") == "answer":
            return message.get("answer")
        if not message.get("goes_on"):
            self._forget()
        raise Ended(str(message.get("sentence"))[:2000], _line(message))

    def _next(self, kind: type[Ended]) -> dict:
        patience = self._limits.patience if self._process.is_ready else math.inf  # a busy machine starts slowly
        until = min(self._deadline, time.monotonic() + patience)
        message = self._process.next(until - time.monotonic())
        if message is not None:
            return message
        process, late = self._process, time.monotonic() >= self._deadline
        sentence, line = process.how_it_ended(self._limits), process.last_line(self._file)
        self._forget()
        if process.reason == "slow" and late:
            raise OutOfTime
        raise kind(sentence, line)

    def _forget(self) -> None:
        self._process.close()
        self._process = None

    # --- the questions -------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        return [str(name) for name in self._list("names")]

    def probe(self, block: str, number: int, masks=None, meanwhile: Meanwhile = None):
        answer = self.ask("probe", meanwhile, block=block, number=number, masks=masks)
        return self._read("read_observations", answer)

    def run(self, block: str, training: bool = True, instead=None, masks=None):
        answer = self.ask("run", block=block, training=training, instead=instead, masks=masks)
        return self._read("read_run", answer)

    def outcomes(self, block: str, tries: list, masks=None) -> list:
        return self._list("outcomes", block=block, tries=tries, masks=masks)

    def looped(self, times: int) -> int | None:
        line = self.ask("looped", times=times)
        return line if isinstance(line, int) else None

    def patterns(self, n_head: int, layers: list, inputs: list) -> list:
        return self._list("patterns", n_head=n_head, layers=layers, inputs=inputs)

    def train(self, meanwhile: Meanwhile = None, **what: Any) -> dict:
        from .inside.answers import read_stopped

        answer = self.ask("train", meanwhile, **what)
        if not isinstance(answer, dict):
            raise Ended(NONSENSE)
        return {**answer, "stopped": self._read_with(read_stopped, answer.get("stopped"))}

    def _list(self, question: str, **given: Any) -> list:
        answer = self.ask(question, **given)
        if not isinstance(answer, list):
            raise Ended(NONSENSE)
        return answer

    def _read(self, reader: str, answer: object):
        from .inside import answers

        return self._read_with(getattr(answers, reader), answer)

    def _read_with(self, reader, answer: object):
        try:
            return reader(answer)
        except (ValueError, TypeError, KeyError, AttributeError, RuntimeError):
            raise Ended(NONSENSE) from None


NONSENSE = "Your code writes to where its answers go: it was stopped."


def _line(message: dict) -> int | None:
    line = message.get("line")
    return line if isinstance(line, int) else None


class _Process:
    """One worker: its messages, how much it prints, and how it ended."""

    def __init__(self, limits: Limits):
        self.token = secrets.token_hex(16)
        self.reason: str | None = None  # why we ended it: "slow", "loud", "forged", "closed"
        self.is_ready = False
        self._messages: queue.Queue = queue.Queue()
        self._tail = b""  # of what it printed
        self._most_output, self._patience = limits.output, limits.patience
        self._process = start()
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._drain)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                pipe.close()

    def kill(self) -> None:
        self._process.kill()

    def send(self, message: dict) -> None:
        from .inside import wire

        unread = threading.Timer(self._patience, self._end_as_slow)
        unread.start()
        with suppress(OSError):  # it is gone already: the end of its messages says so
            wire.send(self._process.stdin.write, message)
        unread.cancel()

    def next(self, seconds: float) -> dict | None:
        """The next message; None if there will be no other, or none came in time: then it is ended."""
        try:
            message = self._messages.get(timeout=max(0.0, seconds))
        except queue.Empty:
            self._let_it_say_where()
            self._end_as_slow()
            return None
        self.is_ready |= message is not None
        return message

    def _end_as_slow(self) -> None:
        self.reason = self.reason or "slow"
        self.kill()

    def _let_it_say_where(self) -> None:
        """On this signal Python's faulthandler prints the lines that are running, even those that wait in C."""
        if hasattr(os, "killpg"):
            with suppress(OSError, subprocess.TimeoutExpired):
                self._process.send_signal(signal.SIGABRT)
                self._process.wait(timeout=2)

    def _read(self) -> None:
        """Messages, as long as they carry the token."""
        from .inside import wire

        with suppress(OSError):
            while True:
                try:
                    message = wire.receive(self._process.stdout.read)
                except ValueError:
                    message = {}
                if message is None:
                    break
                if not isinstance(message, dict) or not secrets.compare_digest(str(message.get("token")), self.token):
                    self.reason = "forged"
                    self.kill()
                    break
                self._messages.put(message)
        self._messages.put(None)

    def _drain(self) -> None:
        """What it prints: counted, and thrown away but for the end."""
        count = 0
        with suppress(OSError, ValueError):
            while piece := self._process.stderr.read(1 << 16):
                count += len(piece)
                self._tail = (self._tail + piece)[-4000:]
                if count > self._most_output:
                    self.reason = self.reason or "loud"
                    self.kill()
                    return

    def how_it_ended(self, limits: Limits) -> str:
        """A sentence about the end of a process that had more to do."""
        code = self._code()
        self._threads[1].join(timeout=2)
        if not self.is_ready and self.reason is None:
            said = self._tail.decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
            return f"The checks themselves could not start: {said[-1]}"[:500]
        if self.reason == "slow":
            return too_slow(limits.patience)
        if self.reason == "loud":
            return f"Your code prints more than {limits.output / 2**20:g} MB: it was stopped."
        if self.reason == "forged":
            return NONSENSE
        if self.reason == "closed":
            return "Your code closes what its answers go through: it was stopped."
        if code in (-getattr(signal, "SIGSEGV", 11), -getattr(signal, "SIGBUS", 7), 0xC0000005):
            return "Your code crashes Python itself: it reads or writes memory that is not its own."
        if code == -getattr(signal, "SIGXCPU", 24):
            return too_slow(limits.block_seconds)
        if code == -getattr(signal, "SIGKILL", 9):
            return "The system killed your code: it probably used too much memory."
        if code < 0:
            return f"Your code crashes Python itself ({signal.Signals(-code).name})."
        return f"Your code ends Python at once, with exit code {code}, instead of returning."

    def _code(self) -> int:
        try:
            return self._process.wait(timeout=ENDING)
        except subprocess.TimeoutExpired:
            self.reason = self.reason or "closed"
            self.kill()
            return self._process.wait()

    def last_line(self, file: Path) -> int | None:
        """The student's innermost line in what Python says when it crashes."""
        tail = self._tail.decode(errors="replace")
        for told in tail[max(0, tail.rfind("Current thread 0x")) :].splitlines():
            name, _, rest = told.strip().removeprefix('File "').partition('", line ')
            number = rest.split(" ")[0]
            if name == str(file) and number.isdigit():
                return int(number)
        return None
