"""The page "Check your code": shows a report of ``python -m llm_core.homework``, read in the browser.

Only where the app's owner has allowed it (``--allow-code-upload``), and only from the machine that the app runs on,
the page also takes a file and has it checked, in the sandbox's process. Else there is no such event, and no endpoint.
"""

import json
import queue
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import gradio as gr

from llm_core.paths import ASSETS

from ..components import Check
from ..engine.runner import Runner
from ..lessons.teach import catalog
from .ask import PROBLEMS, QUIET, sentence
from .compare import is_loopback, is_owner

EXAMPLE = ASSETS / "homework"  # made as README.md there says
LARGEST = 200_000  # characters of a file
ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "homework"}
NOT_HERE = "Files are checked only for the machine that the app runs on: start it there, and open it there."


def may_take_code(host: str, share: bool) -> None:
    """Raises ``ValueError`` if others than this machine could send code."""
    if share or not is_loopback(host):
        raise ValueError(
            "--allow-code-upload runs code that is sent to the app, so it goes only with this machine's own address "
            "(--host 127.0.0.1) and without --share"
        )


def check_page(runner: Runner, code_upload: bool) -> None:
    """Lay out the page inside the current Blocks."""
    given = {"lessons": catalog(), "upload": _blocks() if code_upload else None}
    view = Check(elem_id="check", given=json.dumps(given))
    if code_upload:
        _take_code(runner, view)


def _blocks() -> list[dict]:
    from llm_core.homework.report import BLOCKS  # brings torch: only an app that needs it starts later for that

    return [{"name": name, "title": title} for name, (title, _points) in BLOCKS.items()]


def _take_code(runner: Runner, view: Check) -> None:
    def answer(evt: gr.EventData, request: gr.Request) -> Iterator[str]:
        """The page's file -> JSON with its number: the block that is being checked, and last the report."""
        seq = evt._data["seq"]
        try:
            for part in checked(runner, evt._data["name"], evt._data["code"], request):
                yield json.dumps({"seq": seq, **part})
        except PROBLEMS as error:
            yield json.dumps({"seq": seq, "error": sentence(error)})

    def check_code(code: str, name: str, request: gr.Request) -> Iterator[dict]:
        """Check a homework file, given as its text and what the report should call it, in a process with limits.
        Streams {"block": the name of what is being checked}, and last {"report": the report as JSON text}. Exists only
        with --allow-code-upload, and answers only on the machine that the app runs on."""
        yield from checked(runner, name, code, request)

    options = {"api_visibility": "private", "trigger_mode": "multiple", **QUIET, **ONE_AT_A_TIME}
    going = view.check(answer, None, view, **options)
    view.halt(None, None, None, cancels=[going], api_visibility="private")
    gr.api(check_code, api_name="check_code", **ONE_AT_A_TIME)


def checked(runner: Runner, name: str, code: str, request: gr.Request) -> Iterator[dict]:
    """What ``check_code`` streams. Raises ``ValueError`` before anything runs if the question may not be asked."""
    if not is_owner(runner, request) or is_from_elsewhere(request):
        raise ValueError(NOT_HERE)
    if not isinstance(code, str) or len(code) > LARGEST:
        raise ValueError(f"A homework file is text of at most {LARGEST:,} characters.")
    with tempfile.TemporaryDirectory(prefix="headscope-") as folder:
        path = Path(folder, "my_llm_implementation.py")
        path.write_bytes(code.encode("utf-8", "replace"))
        yield from _run(path, str(name)[:200])


def is_from_elsewhere(request: gr.Request) -> bool:
    """Whether a page of another site sends it: a browser says so, and programs say nothing."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    is_other = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    return is_other or site not in (None, "same-origin", "none")


class _Halted(Exception):
    """Nobody waits for the report any more."""


def _run(path: Path, name: str) -> Iterator[dict]:
    """The sandbox works in a thread, and stops at the next block once this generator is closed."""
    from llm_core.homework.report import to_json
    from llm_core.homework.sandbox import check_file

    told: queue.Queue = queue.Queue()
    halted = threading.Event()

    def progress(block: str) -> None:
        if halted.is_set():
            raise _Halted
        told.put({"block": block})

    def work() -> None:
        with suppress(_Halted):
            try:
                told.put({"report": to_json(replace(check_file(path, progress=progress), file=name))})
            except PROBLEMS as error:
                told.put({"error": sentence(error)})

    threading.Thread(target=work, daemon=True).start()
    try:
        part = {}
        while "report" not in part:
            part = told.get()
            if "error" in part:
                raise ValueError(part["error"])
            yield part
    finally:
        halted.set()
