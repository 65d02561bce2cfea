"""How a page talks to its training run: it starts one, fetches frames as they come, and tells it what to do.

``POST live/start`` takes ``{"page": the tab's own random name, "choices": {…}}`` and answers ``{"run": its key}``; then
``GET live/<key>/frames?after=N`` waits for the frames behind the Nth, and ``POST live/<key>/pause`` (resume, stop,
close, keep) commands it; ``keep`` takes ``{"name": …}`` and answers ``{"kept": "runs/NAME"}``. What cannot be is
answered with one sentence. ``GET live/choices`` says what there is to choose.
"""

import json
import re

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..pages.ask import PROBLEMS, sentence
from .runs import LIVE, LiveRuns, joined

HOLD_SECONDS = 5  # a question for frames waits at most so long
TICK_SECONDS = 0.05
LARGEST = 10_000  # bytes of a question
COMMANDS = ("pause", "resume", "stop", "close", "keep")
PAGE_NAME = re.compile(r"[\w-]{8,64}")


def live_routes(runs: LiveRuns = LIVE) -> list[Route]:
    """The routes of the runs that are given: the app has one registry for all its pages."""

    async def choices(_request: Request) -> Response:
        return await answered(lambda: JSONResponse(_described()))

    async def start(request: Request) -> Response:
        asked = await _asked(request)
        return await answered(lambda: JSONResponse({"run": _start(runs, asked)}))

    async def frames(request: Request) -> Response:
        number = request.query_params.get("after", "0")
        if not re.fullmatch(r"\d{1,9}", number):
            return Response("after is the number of the last frame that is known: 0 at first.", 422)
        try:
            run = runs.get(request.path_params["run"])
        except ValueError as error:
            return Response(sentence(error), 404)
        for _ in range(int(HOLD_SECONDS / TICK_SECONDS)):
            found = run.after(int(number))
            if found or run.is_over or await request.is_disconnected():
                break
            await anyio.sleep(TICK_SECONDS)
        return Response(joined(found), media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    async def command(request: Request) -> Response:
        asked = await _asked(request)
        run, do = request.path_params["run"], request.path_params["do"]
        return await answered(lambda: JSONResponse(_command(runs, run, do, asked)))

    async def answered(make) -> Response:
        try:
            return await run_in_threadpool(make)
        except PROBLEMS as error:
            return Response(sentence(error), 422)

    return [
        Route("/live/choices", choices),
        Route("/live/start", start, methods=["POST"]),
        Route("/live/{run}/frames", frames),
        Route("/live/{run}/{do}", command, methods=["POST"]),
    ]


def _described() -> dict:
    from llm_core.live.choices import describe

    return describe()


def _start(runs: LiveRuns, asked: dict | None) -> str:
    page, choices = (asked or {}).get("page"), (asked or {}).get("choices")
    if not isinstance(page, str) or not PAGE_NAME.fullmatch(page) or not isinstance(choices, dict):
        raise ValueError('A run is started with {"page": a random name of 8 to 64 letters, "choices": {…}}.')
    return runs.start(page, choices).id


def _command(runs: LiveRuns, run: str, do: str, asked: dict | None) -> dict:
    if do not in COMMANDS or asked is None:
        raise ValueError(f"A run can be told to {', '.join(COMMANDS[:-1])} or {COMMANDS[-1]}, not to {do[:40]}.")
    if do == "close":
        runs.close(run)
    elif do == "keep":
        return {"kept": runs.keep(run, str(asked.get("name") or ""))}
    else:
        getattr(runs.get(run), do)()
    return {}


async def _asked(request: Request) -> dict | None:
    """The question, {} for an empty body; None if it is no JSON object, or another site's page has sent it."""
    if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
        return None
    try:
        body = await request.body()
        asked = json.loads(body[:LARGEST] or b"{}")
    except ValueError:
        return None
    return asked if isinstance(asked, dict) else None
