"""Training runs that meet a misfortune, each in a process of its own that starts warm.

A server that has PyTorch loaded forks a process for each run (a fresh one needs two seconds), so a run can be
killed dozens of times in a few seconds. When a misfortune comes is counted in what the run writes, not in
seconds: the same number is the same moment on every machine.
"""

import io
import multiprocessing
import os
import resource
import signal
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol

import torch
from tqdm import tqdm

from llm_core import load_tokenizer
from llm_core.train import command as train
from llm_core.train import samples

WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload([__name__, "torch._dynamo", "matplotlib.backends.backend_agg"])
load_tokenizer()  # the server imports this file, so every run finds it loaded

WRITING = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}


class Doom(Protocol):
    """What a run meets with: ``prepare`` is called in its process before it begins."""

    def prepare(self) -> None: ...


@dataclass(frozen=True)
class Misfortune:
    """``happens`` before the ``count``-th time that the run is about to change a path in ``folder`` like ``name``.

    "kill": SIGKILL at once. "kill while writing": the next file that grows beyond ``size`` bytes is cut there, and
    the process is dead. "full disk": no file can grow beyond ``size`` bytes. The last two are the kernel's own
    limit of file sizes, which needs no rights and also holds for what is not written in Python.
    """

    happens: str
    folder: Path
    count: int = 1
    name: str = "*"
    size: int = 0

    def prepare(self) -> None:
        sys.addaudithook(_Countdown(self))


@dataclass(frozen=True)
class Ending:
    """How a run ended: the signal that killed it, or else its exit code (a string is the sentence on stderr)."""

    killed_by: int = 0
    code: int | str | None = None
    stdout: str = ""
    stderr: str = ""
    peak_bytes: int = 0


class DoomedRun:
    """``python -m llm_core.train`` in a process of its own, with its misfortune."""

    def __init__(self, arguments: list[str], misfortune: Doom | None = None):
        self._told, theirs = WARM.Pipe()
        self.process = WARM.Process(target=_live, args=(arguments, misfortune, theirs))
        self.process.start()
        theirs.close()

    def end(self) -> Ending:
        """Waits for it."""
        try:
            ending = self._told.recv()
        except EOFError:  # it was killed before it could tell
            ending = None
        self.process.join()
        assert ending or self.process.exitcode < 0, "the run ended with the traceback above"
        return ending or Ending(killed_by=-self.process.exitcode)


def run_doomed(arguments: list[str], misfortune: Doom | None = None) -> Ending:
    return DoomedRun(arguments, misfortune).end()


def _live(arguments: list[str], misfortune: Doom | None, connection) -> None:
    torch.set_num_threads(1)
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a kill would leave behind
    samples.MOST = 3  # the samples on the card take most of a tiny run's time, and are not what is tested with it
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts the tests may ignore Ctrl-C
    if misfortune:
        misfortune.prepare()
    out, err, code = io.StringIO(), io.StringIO(), None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            train.main(arguments)
        except SystemExit as end:
            code = end.code
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    used *= 1 if sys.platform == "darwin" else 1024
    connection.send(Ending(code=code, stdout=out.getvalue(), stderr=err.getvalue(), peak_bytes=used))


class _Countdown:
    """Hears of every file that Python opens, makes, moves or removes, before it happens."""

    def __init__(self, misfortune: Misfortune):
        self.misfortune, self.left = misfortune, misfortune.count

    def __call__(self, event: str, args: tuple) -> None:
        if self.left and _writes(event, args) and any(map(self._is_meant, args[:2])):
            self.left -= 1
            if not self.left:
                _happen(self.misfortune)

    def _is_meant(self, path: object) -> bool:
        if not isinstance(path, (str, Path)):
            return False
        folder, path = str(self.misfortune.folder), str(path)
        return path.startswith(folder) and fnmatch(path[len(folder) + 1 :], self.misfortune.name)


def _writes(event: str, args: tuple) -> bool:
    if event != "open":
        return event in WRITING
    _path, mode, flags = args
    return bool(set(mode or "") & set("wxa+")) or bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _happen(misfortune: Misfortune) -> None:
    if misfortune.happens == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if misfortune.happens == "kill while writing":
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and makes an OSError of it
    _soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (misfortune.size, hard))
