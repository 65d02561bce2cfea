"""What stands in the first HTML, before Gradio has loaded: header, theme, which page is open, and the first screen.

Gradio's page is one element and a megabyte of script. A middleware puts the header and the first screen in front of
it, a few rules that keep everything else out of sight until it is right, and the addresses of the browser half. Gradio's
own style sheet comes after them, so that they are painted without it. The query is the browser's alone: Gradio gives
some names in it a meaning of its own (``/?page=x`` is an error 500), so it does not see it.
"""

import json
import re
from collections.abc import Callable
from functools import lru_cache
from html import escape
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .export.standalone import STATIC
from .pages.start import start_html
from .static_files import SHEET, Web

TITLE = "Headscope"
ABOUT = "See inside a real Transformer: every number of a forward pass, in the browser."
SHELL = STATIC / "shell"
NOT_OURS = re.compile(r'\s*<(?:meta\s+(?:property|name)="(?:og|twitter):|link rel="manifest")[^>]*>')
CARD = "start/card.png"  # what a link to the app looks like elsewhere: 1200 x 630
CRITICAL = ("base/tokens.css", "color/palette.css", "shell/loading.css", "start/start.css")  # for the first paint
GRADIOS_SHEET = re.compile(r'<link rel="stylesheet" crossorigin[^>]*>')
BASE = re.compile(r"<base [^>]*>")
BODY = re.compile(r"<body[^>]*>")
COMPRESSED = ("/web/", "/config", "/gradio_api/info", "/models", "/timeline/")  # numbers in bytes hardly shrink


def middleware(web: Web) -> list[Middleware]:
    """For ``app_kwargs``: the first is the outermost."""
    return [Middleware(RootPath), Middleware(Compressed), Middleware(FirstHtml, web=web)]


def root_path(given: str) -> str:
    """``--root-path`` without the last slash. Raises ``ValueError`` for what is neither a path nor a URL."""
    if not given.startswith(("/", "http://", "https://")):
        raise ValueError(f"--root-path {given} is neither a path such as /headscope nor a URL such as https://me.org/x")
    return given.rstrip("/")


class RootPath:
    """Behind a proxy a path may come with the app's prefix or without: from here on, it has it, as ASGI wants it."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if prefix := urlsplit(scope.get("root_path", "")).path.rstrip("/"):
            path = scope["path"]
            has_it = path == prefix or path.startswith(f"{prefix}/")
            scope = {**scope, "root_path": prefix, "path": path if has_it else prefix + path}
        await self.app(scope, receive, send)


def path_of(scope: Scope) -> str:
    """The path below the app's prefix."""
    return scope["path"].removeprefix(scope.get("root_path", "")) or "/"


class Compressed:
    """Gzip for the page and for what it loads as text. Gradio's own compression leaves modules out."""

    def __init__(self, app: ASGIApp):
        self.plain, self.compressed = app, GZipMiddleware(app, minimum_size=500, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_text = scope["type"] == "http" and (path_of(scope) == "/" or path_of(scope).startswith(COMPRESSED))
        await (self.compressed if is_text else self.plain)(scope, receive, send)


class FirstHtml:
    """Puts our part into Gradio's page."""

    def __init__(self, app: ASGIApp, web: Web):
        self.app, self.web = app, web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_of(scope) != "/" or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        is_asked = scope["method"] == "GET"
        base = str(Request(scope).base_url)
        page = _Buffered(send, lambda html: with_our_part(html, self.web.address, base))
        await self.app({**scope, "query_string": b""}, receive, page.hear if is_asked else send)


class _Buffered:
    """A response that is held back until it is whole, and changed then if it is a page."""

    def __init__(self, send: Send, change: Callable[[str], str]):
        self.send, self.change, self.body = send, change, b""
        self.start: Message = {}

    async def hear(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            return
        self.body += message.get("body", b"")
        if message.get("more_body", False):
            return
        headers = dict(self.start["headers"])
        if self.start["status"] == 200 and headers.get(b"content-type", b"").startswith(b"text/html") and self.body:
            self.body = self.change(self.body.decode()).encode()
            headers[b"content-length"] = str(len(self.body)).encode()
            headers[b"cache-control"] = b"no-cache"  # it names the version of everything else
        await self.send({**self.start, "headers": list(headers.items())})
        await self.send({"type": "http.response.body", "body": self.body})


def with_our_part(html: str, address: str, base: str) -> str:
    """Gradio's page with our part; ``address`` is where the browser half lies, below the app's own at ``base``."""
    html = NOT_OURS.sub("", html)
    later = "".join(GRADIOS_SHEET.findall(html))
    html = GRADIOS_SHEET.sub("", html)
    html = BASE.sub(lambda found: found[0] + head(address) + card(address, base), html, count=1)
    return BODY.sub(lambda found: found[0] + body(address) + later, html, count=1)


def card(address: str, base: str) -> str:
    """How other sites show a link to the app; they want whole addresses."""
    return f"""<meta property="og:url" content="{escape(base)}">
<meta property="og:image" content="{escape(base)}{address}/{CARD}">
<meta property="og:image:width" content="1200">
<meta property="og:image:height" content="630">
<meta name="twitter:card" content="summary_large_image">
"""


@lru_cache(maxsize=2)
def head(address: str) -> str:
    imports = json.dumps({"imports": {"headscope/": f"./{address}/"}})
    return f"""
<title>{TITLE}</title>
<meta name="description" content="{ABOUT}">
<meta property="og:title" content="{TITLE}">
<meta property="og:type" content="website">
<meta property="og:description" content="{ABOUT}">
<link rel="icon" href="./favicon.ico">
<style>{critical()}</style>
<script type="importmap">{imports}</script>
<script type="module" src="./{address}/main.mjs"></script>
"""


def critical() -> str:
    """The rules that the first paint needs: measures and colours, light and dark, and the header."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in CRITICAL)


@lru_cache(maxsize=2)
def body(address: str) -> str:
    """Header and first screen are drawn before the style sheets after them have come."""
    return f"""
{_read("header.html")}<script>{_read("first_paint.js")}</script>
{start_html()}
<link rel="stylesheet" href="./{address}/{SHEET}">
"""


def _read(name: str) -> str:
    return (SHELL / name).read_text(encoding="utf-8")
