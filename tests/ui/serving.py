"""The app as its user starts it: ``python app.py`` in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm_core.paths import ROOT

START_SECONDS = 180


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class App:
    """A running ``app.py``: where it is, and what it has printed."""

    def __init__(self, log: Path, *options: str, env: dict[str, str] | None = None, port: int = 0):
        self.port, self.log = port or free_port(), log
        self.url = f"http://127.0.0.1:{self.port}/"
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by us, Ctrl-C would be ignored by the app
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "app.py", "--port", str(self.port), *options],
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_until_up(self) -> None:
        """Raises ``RuntimeError`` with what the app printed if it ends, or takes longer than START_SECONDS."""
        end = time.monotonic() + START_SECONDS
        while "Headscope is at" not in self.printed:
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"app.py did not start:\n{self.printed}")
            time.sleep(0.1)

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Ctrl-C, or another signal; returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running_app(*options: str, env: dict[str, str] | None = None) -> Iterator[App]:
    """The app, up, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        app = App(Path(folder, "app.log"), *options, env=env)
        try:
            app.wait_until_up()
            yield app
        finally:
            app.kill()
