"""Starts the processes that students' code runs in.

On Linux each is a fork of one *zygote* (``inside/zygote.py``), which lives as long as this process and has imported
torch already. Elsewhere, where forks are not safe or not there, each is a Python of its own.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
START = (  # while torch is imported, the garbage collector finds nothing and takes a sixth of the time
    "import gc, sys; gc.disable(); sys.path.insert(0, sys.argv[1]); from inside.%s import main; "
    "gc.enable(); sys.path.remove(sys.argv[1]); main()"
)


def start() -> "Forked | Fresh":
    """A process that waits for its job (see ``inside/worker.py``)."""
    return Forked() if sys.platform.startswith("linux") else Fresh()


def _python(module: str, **how: Any) -> dict:
    """What ``Popen`` is given for a Python that runs the ``main`` of a module inside."""
    command = [sys.executable, "-I", "-X", "utf8", "-c", START % module, str(HERE)]
    return {"args": command, "env": _environment(), "start_new_session": True, **how}


def _environment() -> dict[str, str]:
    """Nothing of ours but what Python and its libraries need to start."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "SYSTEMDRIVE", "VIRTUAL_ENV")
    no_gpu = {
        "CUDA_VISIBLE_DEVICES": "",
        "HIP_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "LANG": "C.UTF-8",
    }
    return {name: os.environ[name] for name in kept if name in os.environ} | no_gpu


class Fresh(subprocess.Popen):
    """A Python of its own."""

    def __init__(self):
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        super().__init__(**_python("worker", bufsize=0, **pipes))

    def kill(self) -> None:
        """With whatever it may have started, which is in its group."""
        if hasattr(os, "killpg"):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        with suppress(OSError):
            super().kill()


class Forked:
    """A fork of the zygote, with the methods of ``subprocess.Popen`` that are needed of it."""

    def __init__(self):
        (into, mine), (out, its), (errors, said) = os.pipe(), os.pipe(), os.pipe()
        self.stdin = os.fdopen(mine, "wb", 0)
        self.stdout, self.stderr = os.fdopen(out, "rb", 0), os.fdopen(errors, "rb", 0)
        self._line, end = socket.socketpair()
        self._code: int | None = None
        try:
            _fork([into, its, said, end.fileno()])
        finally:
            end.close()
            for pipe in (into, its, said):
                os.close(pipe)

    def send_signal(self, number: int) -> None:
        self._line.send(bytes([number]))

    def kill(self) -> None:
        with suppress(OSError):  # its keeper has gone before
            self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        if self._code is None:
            self._line.settimeout(timeout)
            try:
                told = self._line.recv(10)
            except TimeoutError:
                raise subprocess.TimeoutExpired("a fork", timeout or 0) from None
            except OSError:
                told = b""
            self._code = int(told or -signal.SIGKILL)
            self._line.close()
        return self._code


class _Zygote:
    """``errors``: where it says why it cannot start."""

    def __init__(self, errors: int):
        self._asks, end = socket.socketpair()
        with end:
            self._process = subprocess.Popen(
                **_python("zygote", stdin=end, stdout=subprocess.DEVNULL, stderr=errors, cwd="/")
            )
        atexit.register(self.close)

    def fork(self, ends: list[int]) -> None:
        socket.send_fds(self._asks, [b"."], ends)

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._asks.close()
        atexit.unregister(self.close)


_zygote: _Zygote | None = None
_one_at_a_time = threading.Lock()


def _fork(ends: list[int]) -> None:
    """Asks the zygote of this process, which is started when it is needed first."""
    global _zygote
    with _one_at_a_time:
        if _zygote and not _zygote.is_alive:
            _zygote.close()
            _zygote = None
        _zygote = _zygote or _Zygote(errors=ends[2])
        _zygote.fork(ends)
