"""Run the checks of a student's file in a process of its own, with limits, and collect what it finds.

    report = check_file(Path("my_llm_implementation.py"))

What can go wrong with a stranger's code becomes a sentence in the report: it loops, exits, crashes the interpreter,
takes all memory, prints without end, deletes files, is no Python at all. A block that ends the process fails alone:
the blocks before it are known already, and those behind it are checked in a fresh process.

What this protects from: accidents and simple mischief. Time (by the clock, seen from outside), memory, output and the
size of files are limited; the file is a copy in a temporary folder, which is home and working folder and goes away at
the end; the environment is empty but for what Python needs; Python refuses to write elsewhere, to start programs and
to use the network (``guard.py``), and Linux refuses it too (``kernel.py``), for root as well. Replacing parts of
torch or of the checks is noticed.

What it does not protect from: somebody who means it. The checks and the file share a process, so code that searches
memory can forge its own points; the file can read whatever the user can; and outside Linux, code that gets round
Python (ctypes) gets round the guard. macOS does not enforce the limit of memory, Windows has none. It is a guard
rail, no jail: run files of people you can ask.
"""

import os
import queue
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tokenize
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BufferedReader, BytesIO
from json import dumps, loads
from pathlib import Path
from typing import cast

from .limits import Limits
from .report import BLOCKS, FAILED, BlockResult, Line, Report, in_order, read_block
from .schema import printable
from .worker import too_slow

ROOT = Path(__file__).resolve().parents[2]
CHECKS = "llm_core.homework.checks"
LARGEST = 1_000_000  # bytes of a student's file
LONGEST = 1_000_000  # bytes of one message
MOST = 200  # lines of one process
START = "import sys; sys.path.insert(0, sys.argv[1]); from llm_core.homework.worker import main; main()"

Progress = Callable[[str], None]


def check_file(path: Path, limits: Limits | None = None, progress: Progress | None = None) -> Report:
    """All eleven points of a file. ``progress`` is called with a block's name when its check starts.

    Raises:
        OSError: if the file cannot be read.
    """
    began, limits = time.monotonic(), limits or Limits()
    source = read_source(path)
    if isinstance(source, str):
        return Report(printable(path.name), nothing_checked(), problem=source)
    with tempfile.TemporaryDirectory(prefix="homework-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder).resolve() / "my_llm_implementation.py"
        copy.write_bytes(source)
        checking = _Checking(copy, limits, progress or (lambda name: None))
        checking.run(began + limits.seconds)
    seconds = round(time.monotonic() - began, 1)
    missing = nothing_checked() if checking.problem else checking.out_of_time()
    blocks = {block.name: block for block in missing} | checking.results
    return Report(printable(path.name), in_order(blocks.values()), seconds, checking.problem)


def read_source(path: Path) -> bytes | str:
    """What is in the file; a sentence if that cannot be Python."""
    with open(path, "rb") as file:
        source = file.read(LARGEST + 1)
    if len(source) > LARGEST:
        return f"Your file is larger than {LARGEST // 1_000_000} MB: is it the right one?"
    if not source.strip():
        return "Your file is empty."
    try:
        encoding = tokenize.detect_encoding(BytesIO(source).readline)[0]
        is_text = "\0" not in source.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        is_text = False
    return source if is_text else "Your file is not Python: it contains bytes that are not text."


def nothing_checked() -> list[BlockResult]:
    return [BlockResult(name, FAILED, 0, "Not checked: the file could not be run.") for name in BLOCKS]


@dataclass
class _Checking:
    """The blocks of one file that are known, and the processes that find out the others."""

    copy: Path
    limits: Limits
    progress: Progress
    results: dict[str, BlockResult] = field(default_factory=dict)
    problem: str | None = None
    current: str | None = None  # the block that is being checked

    def run(self, deadline: float) -> None:
        while self.problem is None and len(self.results) < len(BLOCKS) and time.monotonic() < deadline:
            self.current, known = None, len(self.results)
            with _Process(self.copy.parent, self.limits.output) as process:
                process.send(self._job(process.token))
                self._listen(process, deadline)
                if self.problem is None and len(self.results) < len(BLOCKS):
                    self._account_for_the_end(process, known, deadline)

    def out_of_time(self) -> list[BlockResult]:
        told = f"Not checked: the {self.limits.seconds:g} seconds for a file were over."
        return [BlockResult(name, FAILED, 0, told) for name in BLOCKS]

    def _job(self, token: str) -> dict:
        blocks = [name for name in BLOCKS if name not in self.results]
        file, limits = str(self.copy), asdict(self.limits)
        return {"token": token, "checks": CHECKS, "file": file, "blocks": blocks, "limits": limits}

    def _listen(self, process: "_Process", deadline: float) -> None:
        """Until the process ends, or has to be ended; then ``process.reason`` says why."""
        until = deadline
        while True:
            message = process.next(min(until, deadline) - time.monotonic())
            if message is None:
                return
            kind = message.get("kind")
            process.is_ready = True
            if kind in ("ready", "start"):
                until = time.monotonic() + self.limits.patience
            if kind == "start" and message.get("name") in BLOCKS:
                self.current = message["name"]
                self.progress(self.current)
            elif kind == "problem":
                self.problem = printable(str(message.get("sentence"))[:2000])
            elif kind == "result":
                self._keep(message.get("block"))

    def _keep(self, told: object) -> None:
        try:
            result = read_block(told)
        except ValueError as error:
            result = BlockResult(self.current, FAILED, 0, f"This block's result cannot be read: {error}.")
        if result.name == self.current:
            self.results[self.current], self.current = result, None

    def _account_for_the_end(self, process: "_Process", known: int, deadline: float) -> None:
        """A process that ended before its time: the block that was being checked has failed, or the whole file."""
        if self.current is None and len(self.results) > known:
            return  # it asked for a fresh one
        if process.reason == "slow" and time.monotonic() >= deadline:
            return  # what is missing was not checked
        sentence = process.how_it_ended(self.limits)
        if self.current is None:
            self.problem = sentence
        else:
            line = process.last_line(self.copy)
            self.results[self.current] = BlockResult(self.current, FAILED, 0, sentence, line=line)


class _Process:
    """One worker: its messages, how much it prints, and how it ended."""

    def __init__(self, folder: Path, most_output: int):
        self.token = secrets.token_hex(16)
        self.reason: str | None = None  # why we ended it: "slow", "loud", "forged"
        self.is_ready = False
        self._messages: queue.Queue = queue.Queue()
        self._tail = b""  # of what it printed
        self._most_output = most_output
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-c", START, str(ROOT)],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._drain)]

    def __enter__(self) -> "_Process":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                pipe.close()

    def kill(self) -> None:
        """The process and whatever it may have started, which is in its group."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(OSError):
            self._process.kill()

    def send(self, job: dict) -> None:
        with suppress(OSError):  # it is gone already: the end of its messages says so
            self._process.stdin.write(dumps(job).encode() + b"\n")
            self._process.stdin.close()

    def next(self, seconds: float) -> dict | None:
        """The next message; None if there will be no other, or none came in time: then it is ended."""
        try:
            return self._messages.get(timeout=max(0.0, seconds))
        except queue.Empty:
            self.reason = self.reason or "slow"
            self._let_it_say_where()
            self.kill()
            return None

    def _let_it_say_where(self) -> None:
        """On this signal Python's faulthandler prints the lines that are running, even those that wait in C."""
        if hasattr(os, "killpg"):
            with suppress(OSError, subprocess.TimeoutExpired):
                self._process.send_signal(signal.SIGABRT)
                self._process.wait(timeout=2)

    def _read(self) -> None:
        """Messages, as long as they carry the token."""
        with suppress(OSError, ValueError):
            for count, line in enumerate(iter(lambda: self._process.stdout.readline(LONGEST), b"")):
                if not line.strip():
                    continue
                message = self._message(line)
                if message is None or count > MOST:
                    self.reason = "forged"
                    self.kill()
                    break
                self._messages.put(message)
        self._messages.put(None)

    def _message(self, line: bytes) -> dict | None:
        try:
            message = loads(line)
        except (ValueError, RecursionError):
            return None
        is_own = isinstance(message, dict) and secrets.compare_digest(str(message.get("token")), self.token)
        return message if is_own else None

    def _drain(self) -> None:
        """What it prints: counted, and thrown away but for the end."""
        count, printed = 0, cast(BufferedReader, self._process.stderr)
        with suppress(OSError, ValueError):
            while piece := printed.read1(1 << 16):
                count += len(piece)
                self._tail = (self._tail + piece)[-4000:]
                if count > self._most_output:
                    self.reason = self.reason or "loud"
                    self.kill()
                    return

    def how_it_ended(self, limits: Limits) -> str:
        """A sentence about the end of a process that had more to do."""
        code = self._process.wait()
        self._threads[1].join(timeout=2)
        if not self.is_ready and self.reason is None:
            said = self._tail.decode(errors="replace").strip().splitlines() or [f"exit code {code}"]
            return printable(f"The checks themselves could not start: {said[-1]}"[:500])
        if self.reason == "slow":
            return too_slow(limits.patience)
        if self.reason == "loud":
            return f"Your code prints more than {limits.output / 2**20:g} MB: it was stopped."
        if self.reason == "forged":
            return "Your code writes to where the report goes: it was stopped."
        if code in (-getattr(signal, "SIGSEGV", 11), -getattr(signal, "SIGBUS", 7), 0xC0000005):
            return "Your code crashes Python itself: it reads or writes memory that is not its own."
        if code == -getattr(signal, "SIGXCPU", 24):
            return too_slow(limits.block_seconds)
        if code == -getattr(signal, "SIGKILL", 9):
            return "The system killed your code: it probably used too much memory."
        if code < 0:
            return f"Your code crashes Python itself ({signal.Signals(-code).name})."
        return f"Your code ends Python at once, with exit code {code}, instead of returning."

    def last_line(self, file: Path) -> Line | None:
        """The student's innermost line in what Python says when it crashes."""
        tail = self._tail.decode(errors="replace")
        for told in tail[max(0, tail.rfind("Current thread 0x")) :].splitlines():
            name, _, rest = told.strip().removeprefix('File "').partition('", line ')
            number = rest.split(" ")[0]
            if name == str(file) and number.isdigit():
                lines = file.read_text(errors="replace").splitlines()
                return Line(int(number), lines[int(number) - 1][:500]) if 0 < int(number) <= len(lines) else None
        return None


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours but what Python and its libraries need to start."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE", "VIRTUAL_ENV")
    home = dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), str(folder))
    no_gpu = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "LANG": "C.UTF-8"}
    return {name: os.environ[name] for name in kept if name in os.environ} | home | no_gpu
