"""What stands in the first HTML, before Gradio has loaded: header, theme, which page is open, and the first screen.

Gradio's page is one element and a megabyte of script, and takes the server a while to write. A middleware answers
at once with the header and the first screen, a few rules that keep everything else out of sight until it is right,
and the addresses of the browser half; Gradio's page follows when it is there. The query is the browser's alone: Gradio
gives some names in it a meaning of its own (``/?page=x`` is an error 500), so it does not see it.
"""

import json
import re
from collections.abc import Callable, Container
from functools import lru_cache
from html import escape

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .classroom import QUESTIONS_EACH, Classroom
from .export.standalone import STATIC
from .guard import Guard
from .pages.start import start_html
from .proxy import RootPath, path_of
from .static_files import SHEET, Web

TITLE = "Headscope"
ABOUT = "See inside a real Transformer: every number of a forward pass, in the browser."
SHELL = STATIC / "shell"
SAID_ALREADY = re.compile(r'<(?:!doctype|/?html|/?head|/?body|base|meta|link rel="manifest")(?=[\s>/])[^>]*>\s*', re.I)
HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-cache"),  # it names the version of everything else
)
CARD = "start/card.png"  # what a link to the app looks like elsewhere: 1200 x 630
CRITICAL = ("base/tokens.css", "color/palette.css", "shell/loading.css", "start/start.css")  # for the first paint
COMPRESSED = ("/web/", "/config", "/gradio_api/info", "/models", "/timeline/")  # numbers in bytes hardly shrink

# the styles of <html> and <body> are those that Gradio's page gives them
OPENING = """<!doctype html>
<html lang="en" style="margin: 0; padding: 0; min-height: 100%; display: flex; flex-direction: column">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<base href="./">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}</head>
<body style="width: 100%; margin: 0; padding: 0; display: flex; flex-direction: column; flex-grow: 1">
{body}"""


def middleware(
    web: Web,
    hosts: Container[str] | None = None,
    classroom: Classroom | None = None,
    shown: Callable[[], None] = lambda: None,
) -> list[Middleware]:
    """For ``app_kwargs``: the first is the outermost. ``hosts``: see ``Guard``; ``shown`` is called after each page."""
    modules = ("main.mjs", "classroom/bar.mjs") if classroom else ("main.mjs",)
    inner = [Middleware(Compressed), Middleware(FirstHtml, web=web, modules=modules, shown=shown)]
    guard = Middleware(Guard, hosts=hosts, each=QUESTIONS_EACH if classroom else None)
    return [Middleware(RootPath), guard, *inner]


class Compressed:
    """Gzip for the page and for what it loads as text. Gradio's own compression leaves modules out."""

    def __init__(self, app: ASGIApp):
        self.plain, self.compressed = app, GZipMiddleware(app, minimum_size=500, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_text = scope["type"] == "http" and (path_of(scope) == "/" or path_of(scope).startswith(COMPRESSED))
        await (self.compressed if is_text else self.plain)(scope, receive, send)


class FirstHtml:
    """Answers with our part at once, and goes on with Gradio's page as soon as Gradio has it."""

    def __init__(
        self,
        app: ASGIApp,
        web: Web,
        modules: tuple[str, ...] = ("main.mjs",),
        shown: Callable[[], None] = lambda: None,
    ):
        self.app, self.web, self.modules, self.shown = app, web, modules, shown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or path_of(scope) != "/" or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        scope = {**scope, "query_string": b""}
        if scope["method"] == "HEAD":
            return await self.app(scope, receive, send)
        ours, page = opening(self.web.address, str(Request(scope).base_url), self.modules), _Page()
        await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS]})
        await send({"type": "http.response.body", "body": ours.encode(), "more_body": True})
        await self.app(scope, receive, page.hear)
        await send({"type": "http.response.body", "body": going_on(page.html, self.web.address).encode()})
        self.shown()


class _Page:
    """A response that is gathered until it is whole."""

    def __init__(self):
        self.is_page, self.body = False, b""

    async def hear(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            is_html = dict(message["headers"]).get(b"content-type", b"").startswith(b"text/html")
            self.is_page = message["status"] == 200 and is_html
        else:
            self.body += message.get("body", b"")

    @property
    def html(self) -> str:
        """Empty where there is none: the first screen stands without it."""
        return self.body.decode() if self.is_page else ""


def opening(address: str, base: str, modules: tuple[str, ...] = ("main.mjs",)) -> str:
    """The page up to where Gradio's begins; ``address`` is where the browser half lies, below the app's ``base``."""
    return OPENING.format(head=head(address, modules) + card(address, base), body=body())


def going_on(html: str, address: str) -> str:
    """What Gradio's page has beside what ours says already; our sheet comes after its own."""
    sheet = f'<link rel="stylesheet" href="./{address}/{SHEET}">\n'
    return SAID_ALREADY.sub("", html).replace("<gradio-app", f"{sheet}<gradio-app", 1) + "</body></html>"


def card(address: str, base: str) -> str:
    """How other sites show a link to the app; they want whole addresses."""
    return f"""<meta property="og:url" content="{escape(base)}">
<meta property="og:image" content="{escape(base)}{address}/{CARD}">
<meta property="og:image:width" content="1200">
<meta property="og:image:height" content="630">
<meta name="twitter:card" content="summary_large_image">
"""


@lru_cache(maxsize=2)
def head(address: str, modules: tuple[str, ...] = ("main.mjs",)) -> str:
    scripts = "".join(f'<script type="module" src="./{address}/{module}"></script>\n' for module in modules)
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
{scripts}"""


def critical() -> str:
    """The rules that the first paint needs: measures and colours, light and dark, and the header."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in CRITICAL)


def body() -> str:
    """Header and first screen: they need no other file."""
    return f"""{_read("header.html")}<script>{_read("first_paint.js")}</script>
{start_html()}"""


def _read(name: str) -> str:
    return (SHELL / name).read_text(encoding="utf-8")
