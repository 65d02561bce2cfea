"""The Blocks object and how it is served: static modules, examples, payloads, and nothing from another host."""

import mimetypes
import signal
import threading
from collections.abc import Callable, Container, Sequence
from functools import cache
from urllib.parse import urlsplit

import gradio as gr
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from llm_core.paths import ASSETS

from .ask import ask_route
from .classroom import Classroom
from .engine.shelf import Shelf
from .engine.timelines import timeline_routes
from .examples import FOLDER
from .first_html import middleware
from .gallery import gallery_routes
from .guard import said
from .join import invitation, join_address, join_route, names_on_the_network, shown
from .lessons.ahead import FOLDER as LESSONS_AHEAD
from .pages.check import check_page
from .pages.compare import compare_page
from .pages.endpoints import Endpoints
from .pages.explore import explore_page
from .pages.generate import generate_page
from .pages.learn import learn_page
from .pages.prompt import prompt_row
from .pages.train import train_page
from .port import cannot_listen
from .questions.asker import Asker, is_loopback
from .static_files import Web

HOMEWORK = ASSETS / "homework"  # an example report, made as README.md there says
mimetypes.add_type("text/javascript", ".mjs")  # Windows does not know it

SYSTEM_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]
MOMENT = 1.0  # s in which the first page takes what it needs
QUEUE_SLEEPS = 0.05  # s, as it does on Windows


def build(shelf: Shelf, code_upload: bool = False) -> gr.Blocks:
    """The app, not yet served; with ``code_upload`` it runs homework files that its owner sends."""
    asker = Asker(shelf)  # a program that calls an endpoint
    with Endpoints(title="Headscope", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as demo:
        prompt_row(asker)
        with gr.Column(elem_id="page-learn"):
            learn_page(asker, code_upload)
        with gr.Column(elem_id="page-explore"):
            explore_page(asker)
        with gr.Column(elem_id="page-compare"):
            compare_page(shelf)
        with gr.Column(elem_id="page-generate"):
            generate_page(asker)
        with gr.Column(elem_id="page-train"):
            train_page()
        with gr.Column(elem_id="page-check"):
            check_page(shelf, code_upload)
    demo.queue(max_size=64)
    demo._queue.sleep_when_free = QUEUE_SLEEPS  # Gradio looks a thousand times a second, for 8 % of a core
    return demo


def routes(shelf: Shelf, web: Web | None = None, code_upload: bool = False, classroom: Classroom | None = None) -> list:
    """What the page fetches beside Gradio's own: modules, files that were made ahead, and what it asks."""

    async def payload(request: Request) -> Response:
        found = shelf.first.payloads.get(request.path_params["key"])
        if found is None:
            return Response("This result is no longer kept: press Run again.", status_code=404)
        return Response(found, media_type="application/octet-stream")

    return [
        Mount("/web", (web or Web()).files()),
        Mount("/examples", StaticFiles(directory=FOLDER)),
        Mount("/homework", StaticFiles(directory=HOMEWORK)),
        Mount("/lessons", StaticFiles(directory=LESSONS_AHEAD)),
        ask_route(shelf, code_upload, classroom=classroom),
        join_route(classroom),
        Route("/payload/{key}", payload),  # for programs: an endpoint gives the key
        *timeline_routes(),
    ]


def launch_options(
    demo: gr.Blocks,
    shelf: Shelf,
    web: Web,
    code_upload: bool = False,
    hosts: Container[str] | None = None,
    classroom: Classroom | None = None,
) -> dict:
    """What ``demo.launch`` needs beside host and port. ``hosts``: see ``Guard``."""
    ours = [*routes(shelf, web, code_upload, classroom), *gallery_routes(demo, web)]
    return {
        "app_kwargs": {
            "routes": ours,
            "middleware": middleware(web, hosts, classroom, loading(shelf)),
            "exception_handlers": {RequestValidationError: malformed},
        },
        "theme": gr.themes.Base(font=SYSTEM_FONTS, font_mono=MONO_FONTS, primary_hue="zinc", neutral_hue="zinc"),
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "max_file_size": "5mb",
        "pwa": False,
        "ssr_mode": False,
        "show_error": True,
        "quiet": True,
    }


def loading(shelf: Shelf) -> Callable[[], None]:
    """What loads the first model, a moment after it is first called: until then the first page has the processor."""

    @cache
    def soon() -> None:
        timer = threading.Timer(MOMENT, shelf.first.warm_up)
        timer.daemon = True
        timer.start()

    return soon


async def malformed(_request: Request, _error: Exception) -> Response:
    """In place of FastAPI's answer, which repeats what was sent, and breaks if JSON cannot say that."""
    return said(422, "This address does not take such a request: docs/API.md lists what it takes.")


def serve(
    demo: gr.Blocks,
    shelf: Shelf,
    host: str,
    port: int,
    share: bool,
    *,
    prefix: str | None = None,
    names: Sequence[str] = (),
    code_upload: bool = False,
    dev: bool = False,
    classroom: Classroom | None = None,
) -> None:
    """Listen until Ctrl-C. The model loads when the first page is up.

    ``prefix``: under which path a proxy shows the app, as ``proxy.root_path`` gives it, ``names``: under which hosts;
    ``dev``: the browser half is read anew at each page load; ``classroom``: of the class that it is for. Raises
    ``OSError`` for a taken port.
    """
    shelf.is_private = is_loopback(host) and not share and classroom is None
    is_class = classroom is not None and not share  # a public link has a name that is not known yet
    hosts = hosts_of([*names, urlsplit(prefix or "").hostname or ""], shelf.is_private, is_class)
    options = {
        "root_path": prefix,
        "server_name": host,
        "server_port": port,
        "share": share,
        "prevent_thread_lock": True,
    }
    try:
        ours = launch_options(demo, shelf, Web(dev), code_upload, hosts, classroom)
        _, url, shared = demo.launch(**options, **ours)
    except (OSError, OverflowError):
        raise cannot_listen(host, port) from None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)  # both end it in order
    if classroom:
        classroom.address = join_address(host, port, shared or prefix)
        url = shown(classroom.address)
    print(f"Headscope is at {shared or url}  (Ctrl-C ends it)", flush=True)
    if classroom:
        print(invitation(classroom), flush=True)
    demo.block_thread()


def hosts_of(names: Sequence[str], is_private: bool, is_class: bool) -> Container[str] | None:
    """The names that the app answers to beside this machine's own; None for all."""
    given = {name.lower() for name in names if name}
    if is_class:
        return names_on_the_network(given)
    return given if is_private else None
