"""The one way to ask: ``POST ask/<name>`` with a JSON object gives what the question of that name answers.

A payload comes as bytes, other answers as JSON. A stream comes as lines of JSON, or as frames, each behind its length
(uint32, little-endian); who leaves ends it within a step. What is wrong is one sentence of text: 4xx when it is the
question's fault, 503 when too many wait.
"""

import json
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import suppress
from functools import partial

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from .classroom import Classroom
from .engine.cache import Stored
from .engine.problems import PROBLEMS, sentence
from .engine.shelf import Shelf
from .guard import Refused, address_of, said
from .live.runs import LIVE, LiveRuns
from .questions import questions
from .questions.asker import Forbidden, asker_of
from .questions.question import File, Malformed, Question

AT_ONCE = {"short": 8, "long": 8, "writing": 32, "homework": 1}  # or who measures would let nobody look
MOST_WAITING = 64  # in one lane
UNKNOWN = "No such question: the page and the app are different versions. Reload the page."
BUSY = "Too many questions are waiting already: try again in a moment."
NO_NUMBER = "The result contains something that is not a number, so it cannot be shown."
FRAMES, LINES, BYTES = "application/x-headscope-frames", "application/x-ndjson", "application/octet-stream"
OVER = object()  # a stream has ended


class Lane:
    """At most ``size`` questions at once; others wait in the order in which they came, a bounded number of them."""

    def __init__(self, size: int):
        self._turns, self._waiting = anyio.Semaphore(size), 0
        self._threads = anyio.CapacityLimiter(size)  # of our own: Gradio's pages must not wait for them

    async def enter(self) -> None:
        with suppress(anyio.WouldBlock):
            return self._turns.acquire_nowait()
        if self._waiting >= MOST_WAITING:
            raise Refused(503, BUSY)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1

    def leave(self) -> None:
        self._turns.release()

    async def work(self, function: Callable):
        return await anyio.to_thread.run_sync(function, limiter=self._threads)


def ask_route(
    shelf: Shelf, code_upload: bool = False, live: LiveRuns = LIVE, classroom: Classroom | None = None
) -> Route:
    """The route of all questions."""
    known = questions(code_upload, classroom is not None)
    lanes = {name: Lane(size) for name, size in AT_ONCE.items()}

    async def ask(request: Request) -> Response:
        try:
            question, given = await _read(known, request)
            asker = asker_of(shelf, request.headers, live, classroom, address_of(request.scope))
            return await _answer(question, partial(question.function, asker, **given), lanes[question.lane], request)
        except Refused as refused:
            return said(refused.status, refused.sentence)
        except Forbidden as error:
            return said(403, str(error))
        except Malformed as error:
            return said(400, str(error))
        except PROBLEMS as error:
            return said(422, sentence(error))
        except ClientDisconnect:
            return Response(status_code=400)

    return Route("/ask/{name}", ask, methods=["POST"])


async def _read(known: dict[str, Question], request: Request) -> tuple[Question, dict]:
    """The question that a request names, and its arguments."""
    question = known.get(request.path_params["name"])
    if question is None:
        raise Refused(404, UNKNOWN)
    return question, question.read(_parsed(await request.body()))


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body or b"{}", parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Malformed("A question is a JSON object, and this is not JSON.") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


async def _answer(question: Question, call: Callable, lane: Lane, request: Request) -> Response:
    """The response, once it is this question's turn."""
    if question.waits:
        return await _streamed(call(), lambda: None)
    await lane.enter()
    is_streaming = False
    try:
        if await request.is_disconnected():
            raise ClientDisconnect
        if not question.is_stream:
            return await lane.work(lambda: _response(call()))
        response = await _streamed(_in_threads(call(), lane), lane.leave)
        is_streaming = True
        return response
    finally:
        if not is_streaming:
            lane.leave()


def _response(answer: object) -> Response:
    headers = {"Cache-Control": "no-store"}
    if isinstance(answer, Stored):
        return Response(answer.payload, media_type=BYTES, headers=headers)
    if isinstance(answer, File):
        headers["Content-Disposition"] = f'attachment; filename="{answer.name}"'
        return Response(answer.content, media_type=answer.media_type, headers=headers)
    return Response(_json(answer), media_type="application/json", headers=headers)


def _json(answer: object) -> bytes:
    try:
        return json.dumps(answer, allow_nan=False).encode()
    except ValueError:
        raise ValueError(NO_NUMBER) from None


async def _in_threads(steps: Generator, lane: Lane) -> AsyncGenerator:
    """The same steps, each in a thread; they end with this generator."""
    try:
        while (step := await lane.work(lambda: next(steps, OVER))) is not OVER:
            yield step
    finally:
        steps.close()


async def _streamed(steps: AsyncGenerator, then: Callable[[], None]) -> Response:
    """A response whose first step is done: what is wrong with the question is its status."""
    first = await anext(steps, OVER)
    return _Stream(steps, first, then)


class _Stream(StreamingResponse):
    """Lines or frames; ``then()`` is called at its end, however that comes."""

    def __init__(self, steps: AsyncGenerator, first: object, then: Callable[[], None]):
        self.steps, self.then = steps, then
        media_type = FRAMES if isinstance(first, bytes) else LINES
        super().__init__(self._body(first), media_type=media_type, headers={"Cache-Control": "no-store"})

    async def __call__(self, scope, receive, send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self.steps.aclose()
            self.then()

    async def _body(self, step: object) -> AsyncIterator[bytes]:
        try:
            while step is not OVER:
                yield _written(step)
                step = await anext(self.steps, OVER)
        except PROBLEMS as error:
            if self.media_type == FRAMES:
                raise  # the connection breaks: a frame holds no sentence
            yield _written({"error": sentence(error)})


def _written(step: object) -> bytes:
    return struct.pack("<I", len(step)) + step if isinstance(step, bytes) else _json(step) + b"\n"
