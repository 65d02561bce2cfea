"""What stands before every route: which of them are open, who may ask, and how much may be sent.

A page of another site can make a browser post here, and whose name is made to lead here (DNS rebinding) could read the
answers, too. So what is posted comes from the app's own page or from a program, and an app that only this machine
reaches answers to this machine's names. Of Gradio's routes those are open that the page and ``gradio_client`` need.
"""

import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .proxy import path_of
from .questions.asker import host_of, is_from_elsewhere, is_loopback

LARGEST = 4_000_000  # bytes of a body
DEEPEST = 64  # brackets in brackets
LONGEST_PATH = 1000
READING = ("GET", "HEAD", "OPTIONS")
OPEN = re.compile(
    r"/(|(web|examples|homework|lessons|ask|payload|timeline|gallery|static|assets)/.*|gallery|config/?|favicon\.ico|"
    r"theme\.css|robots\.txt|manifest\.json|join|gradio_api/(info|openapi\.json|queue/(join|data)|call/(?!v2/).*|cancel|"
    r"reset|heartbeat/[^/]*|app_id|startup-events|theme\.css)/?)"
)
NOT_HERE = "There is nothing at this address."
ELSEWHERE = "Questions are accepted only from the app's own page and from programs."
OTHER_NAME = (
    "This app answers to the names of the machine it runs on. If a proxy shows it under another name, start it with "
    "--proxy-host and that name."
)
TOO_LARGE = f"A question may have at most {LARGEST // 1_000_000} MB."
TOO_DEEP = f"A question may nest at most {DEEPEST} brackets."
TOO_MANY = "Too many of your questions are in progress already: wait until one of them is answered."
TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class Refused(Exception):
    """Answered with a status and a sentence."""

    def __init__(self, status: int, sentence: str):
        self.status, self.sentence = status, sentence


def said(status: int, sentence: str) -> Response:
    return Response(sentence.encode("utf-8", "replace"), status, media_type="text/plain")


class Guard:
    """``hosts``: the names beside this machine's own that the app answers to; None for all.

    ``each``: how many questions of one network address it answers at a time; None for any number.
    """

    def __init__(self, app: ASGIApp, hosts: Container[str] | None = None, each: int | None = None):
        self.app, self.hosts, self.each = app, hosts, each
        self._asking: Counter[str] = Counter()  # questions that are under way, by network address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        try:
            self._check(scope)
            with self._one_more(scope):
                if scope["method"] not in READING:
                    receive = await _read(Headers(scope=scope), receive)
                await self._go_on(scope, receive, send)
        except Refused as refused:
            return await said(refused.status, refused.sentence)(scope, receive, send)
        except Gone:
            return None

    async def _go_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body"})  # Gradio had begun to answer, and found no such session

    @contextmanager
    def _one_more(self, scope: Scope) -> Iterator[None]:
        """Counts a question until it is answered."""
        address = address_of(scope)
        if self.each is None or not address or not path_of(scope).startswith("/ask/"):
            yield
            return
        if self._asking[address] >= self.each:
            raise Refused(429, TOO_MANY)
        self._asking[address] += 1
        try:
            yield
        finally:
            self._asking[address] -= 1
            if not self._asking[address]:
                del self._asking[address]

    def _check(self, scope: Scope) -> None:
        path, headers = path_of(scope), Headers(scope=scope)
        if not is_named(headers, self.hosts):
            raise Refused(421, OTHER_NAME)
        if len(path) > LONGEST_PATH or not path.isprintable() or not OPEN.fullmatch(path):
            raise Refused(404, NOT_HERE)
        if scope["method"] not in READING and is_from_elsewhere(headers):
            raise Refused(403, ELSEWHERE)


class Gone(Exception):
    """Who asked has left before the question was whole."""


def address_of(scope: Scope) -> str:
    """The network address of who asks; empty for this machine, and for all who come through a proxy on it."""
    address, *_ = scope.get("client") or [""]
    return "" if is_loopback(address) else address


def is_named(headers: Mapping[str, str], hosts: Container[str] | None) -> bool:
    """Whether a request asks for the app by a name that is its own."""
    host = host_of(headers)
    return hosts is None or is_loopback(host) or host in hosts


async def _read(headers: Headers, receive: Receive) -> Receive:
    """The whole body, checked, as it is then received once more."""
    length = headers.get("content-length", "0")
    if len(length) > 12 or (length.isdecimal() and int(length) > LARGEST):
        raise Refused(413, TOO_LARGE)
    body = await _body(receive)
    if is_deep(body):
        raise Refused(400, TOO_DEEP)
    messages: list[Message] = [{"type": "http.request", "body": body}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


async def _body(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST:
            raise Refused(413, TOO_LARGE)
    return bytes(body)


def is_deep(body: bytes) -> bool:
    """Whether more than DEEPEST brackets stand inside one another."""
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    depth = 0
    for token in TOKENS.finditer(body):
        if token[0] in (b"[", b"{"):
            depth += 1
            if depth > DEEPEST:
                return True
        elif token[0] in (b"]", b"}"):
            depth -= 1
    return False
