"""What the page "Check your code" asks, where the app's owner has allowed it: a file is checked in the sandbox.

Only the machine that the app runs on may ask.
"""

import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..engine.problems import PROBLEMS, sentence
from .asker import Asker, is_loopback

LARGEST = 200_000  # characters of a file
NOT_HERE = "Files are checked only for the machine that runs the app: start and open the app on the same machine."


def may_take_code(host: str, share: bool) -> None:
    """Raises ``ValueError`` if others than this machine could send code."""
    if share or not is_loopback(host):
        raise ValueError(
            "--allow-code-upload runs code that is sent to the app, so it works only with this machine's own address "
            "(--host 127.0.0.1) and without --share"
        )


def checked(asker: Asker, name: str, code: str) -> Iterator[dict]:
    """The block that is being checked, and last the report.

    Raises ``ValueError`` before anything runs if the question may not be asked.
    """
    if not asker.is_owner:
        raise ValueError(NOT_HERE)
    if not isinstance(code, str) or len(code) > LARGEST:
        raise ValueError(f"A homework file is text of at most {LARGEST:,} characters.")
    with tempfile.TemporaryDirectory(prefix="headscope-") as folder:
        path = Path(folder, "my_llm_implementation.py")
        path.write_bytes(code.encode("utf-8", "replace"))
        yield from _run(path, str(name)[:200])


class _Halted(Exception):
    """Nobody waits for the report any more."""


def _run(path: Path, name: str) -> Iterator[dict]:
    """The sandbox works in a thread, and stops at the next block once this generator is closed."""
    from llm_core.homework.report import to_json
    from llm_core.homework.sandbox import check_file

    news: queue.Queue = queue.Queue()
    halted = threading.Event()

    def progress(block: str) -> None:
        if halted.is_set():
            raise _Halted
        news.put({"block": block})

    def work() -> None:
        with suppress(_Halted):
            try:
                news.put({"report": to_json(replace(check_file(path, progress=progress), file=name))})
            except PROBLEMS as error:
                news.put({"error": sentence(error)})

    threading.Thread(target=work, daemon=True).start()
    try:
        part = {}
        while "report" not in part:
            part = news.get()
            if "error" in part:
                raise ValueError(part["error"])
            yield part
    finally:
        halted.set()
