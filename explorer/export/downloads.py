"""Files that the app makes of a text: its numbers, and a page of its views that works without the app.

``GET numbers/<key>.npz`` (or ``.safetensors``) and ``GET standalone/<key>.html`` speak of a payload by the key that
running a text gave. ``POST`` to the same places with any other name takes the text as JSON, or an object with
``text`` and perhaps ``model`` (its name), ``edits`` (of a surgery: the changed model is meant) and ``focus``
(for the page).
"""

import json
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..engine.numbers import KINDS, file_name, numbers
from ..engine.payload import unpack
from ..engine.runner import Runner
from ..engine.runners import Runners
from ..pages.ask import PROBLEMS, sentence
from ..questions.surgery import read_edits
from .standalone import standalone_html

TYPES = {"npz": "application/zip", "safetensors": "application/octet-stream", "html": "text/html"}
NOT_KEPT = "This result is no longer kept: run its text again."


def download_routes(runners: Runners, turns) -> list[Route]:
    """The routes; ``turns`` is the semaphore that bounds how many of them work at once."""

    async def numbers_file(request: Request) -> Response:
        return await answer(request, KINDS, lambda asked, kind: numbers(asked.runner, asked.text, kind, asked.edits))

    async def standalone_page(request: Request) -> Response:
        def page(asked: Asked, _kind: str) -> bytes:
            changed = asked.edits and asked.runner.part("surgery", asked.text, asked.edits)
            return standalone_html(changed or asked.runner.payload(asked.text), asked.focus).encode()

        return await answer(request, ("html",), page)

    async def answer(request: Request, kinds: tuple[str, ...], make) -> Response:
        kind = request.path_params["name"].rpartition(".")[2]
        try:
            asked = await _asked(runners, request)
            if asked is None or kind not in kinds:
                return Response(NOT_KEPT if kind in kinds else f"A name ends with .{' or .'.join(kinds)}", 404)
            async with turns:
                body = await run_in_threadpool(make, asked, kind)
        except PROBLEMS as error:
            return Response(sentence(error), 422)
        name = file_name(str(asked.runner.model_name), asked.text, kind)
        return Response(body, media_type=TYPES[kind], headers={"Content-Disposition": f'attachment; filename="{name}"'})

    return [
        Route("/numbers/{name}", numbers_file, methods=["GET", "POST"]),
        Route("/standalone/{name}", standalone_page, methods=["GET", "POST"]),
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file is to be made of."""

    runner: Runner
    text: str
    edits: tuple = ()  # of llm_core.analysis.surgery: the model as it was changed
    focus: dict | None = None


async def _asked(runners: Runners, request: Request) -> Asked | None:
    """What was sent, or what the payload that the name's key names was made of; None if it is neither."""
    if request.method == "POST":
        try:
            sent = json.loads(await request.body())
        except ValueError:
            return None
        sent = {"text": sent} if isinstance(sent, str) else sent
    else:
        payload = runners.first.payloads.get(request.path_params["name"].rpartition(".")[0])
        header = None if payload is None else unpack(payload)[0]
        sent = header and {**header, "model": header.get("model", {}).get("name")}
    if not isinstance(sent, dict) or not isinstance(sent.get("text"), str):
        return None
    focus = sent.get("focus")
    runner = runners.get(sent.get("model") or "")
    return Asked(runner, sent["text"], read_edits(sent.get("edits") or []), focus if isinstance(focus, dict) else None)
