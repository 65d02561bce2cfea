"""The page "Check your code": shows a report of ``python -m llm_core.homework``, read in the browser.

Only where the app's owner has allowed it (``--allow-code-upload``) it also takes a file to check; else there is
neither such a question nor such an endpoint.
"""

import json
from collections.abc import Iterator

import gradio as gr

from llm_core.homework.diagnosis.faults import faults_of
from llm_core.homework.report import BLOCKS

from ..components import Check
from ..engine.shelf import Shelf
from ..exercises.exercise import exercises
from ..lessons.teach import catalog
from ..questions.asker import asker_of
from ..questions.check import checked
from .endpoints import offer

ONE_AT_A_TIME = {"concurrency_limit": 1, "concurrency_id": "homework"}


def check_page(shelf: Shelf, code_upload: bool) -> None:
    """Lay out the page inside the current Blocks."""
    upload = _blocks() if code_upload else None
    ids = [{"id": one.id} for one in exercises()]
    Check(
        elem_id="check", given=json.dumps({"lessons": catalog(), "known": _known(), "upload": upload, "exercises": ids})
    )
    if code_upload:
        _offer_api(shelf)


def _blocks() -> list[dict]:
    return [{"name": name, "title": title} for name, (title, _points) in BLOCKS.items()]


def _known() -> list[dict]:
    """The mistakes that a report can name, block by block."""
    named = {title: [fault.title for fault in faults_of(name)] for name, (title, _points) in BLOCKS.items()}
    return [{"block": block, "faults": faults} for block, faults in named.items() if faults]


def _offer_api(shelf: Shelf) -> None:
    def check_code(code: str, name: str, request: gr.Request) -> Iterator[dict]:
        """Check a homework file, given as its text and what the report should call it, in a process with limits.
        Streams {"block": the name of what is being checked}, and last {"report": the report as JSON text}. Exists only
        with --allow-code-upload, and answers only on the machine that the app runs on."""
        yield from checked(asker_of(shelf, request.headers), name, code)

    offer(check_code, "check_code", **ONE_AT_A_TIME)
