"""Files that the app makes of a text: its numbers, and a page of its views that works without the app.

``GET numbers/<key>.npz`` (or ``.safetensors``) and ``GET standalone/<key>.html`` speak of a payload by the key that
running a text gave. ``POST`` to the same places with any other name takes the text as JSON.
"""

import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .numbers import KINDS, file_name, numbers
from .pages.ask import PROBLEMS, sentence
from .payload import unpack
from .runner import Runner
from .standalone import standalone_html

TYPES = {"npz": "application/zip", "safetensors": "application/octet-stream", "html": "text/html"}
NOT_KEPT = "This result is no longer kept: run its text again."


def download_routes(runner: Runner, turns) -> list[Route]:
    """The routes; ``turns`` is the semaphore that bounds how many of them work at once."""

    async def numbers_file(request: Request) -> Response:
        text = await _text(runner, request)
        return await answer(request, text, lambda kind: numbers(runner, text, kind), KINDS)

    async def standalone_page(request: Request) -> Response:
        asked = await _json(request) if request.method == "POST" else {}
        text = asked.get("text") if isinstance(asked, dict) else None
        text = text if isinstance(text, str) else await _text(runner, request)
        focus = asked.get("focus") if isinstance(asked, dict) else None

        def page(_kind: str) -> bytes:
            payload = runner.payloads.get(runner.run(text))
            return standalone_html(payload, focus if isinstance(focus, dict) else None).encode()

        return await answer(request, text, page, ("html",))

    async def answer(request: Request, text: str | None, make, kinds: tuple[str, ...]) -> Response:
        kind = request.path_params["name"].rpartition(".")[2]
        if text is None or kind not in kinds:
            return Response(NOT_KEPT if kind in kinds else f"A name ends with .{' or .'.join(kinds)}", 404)
        try:
            async with turns:
                body = await run_in_threadpool(make, kind)
        except PROBLEMS as error:
            return Response(sentence(error), 422)
        name = file_name(str(runner.model_name), text, kind)
        return Response(body, media_type=TYPES[kind], headers={"Content-Disposition": f'attachment; filename="{name}"'})

    return [
        Route("/numbers/{name}", numbers_file, methods=["GET", "POST"]),
        Route("/standalone/{name}", standalone_page, methods=["GET", "POST"]),
    ]


async def _text(runner: Runner, request: Request) -> str | None:
    """The text that is asked about: sent as a JSON string, or that of the payload which the name's key names."""
    if request.method == "POST":
        asked = await _json(request)
        return asked if isinstance(asked, str) else None
    payload = runner.payloads.get(request.path_params["name"].rpartition(".")[0])
    return None if payload is None else unpack(payload)[0].get("text")


async def _json(request: Request):
    try:
        return json.loads(await request.body())
    except ValueError:
        return None
