"""The Blocks object and how it is served: static modules, examples, payloads, and nothing from another host."""

import json
import mimetypes

import anyio
import gradio as gr
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from .engine.runners import Runners
from .engine.timelines import timeline_routes
from .examples import FOLDER
from .export.downloads import download_routes
from .first_html import middleware, root_path
from .lessons.ahead import FOLDER as LESSONS_AHEAD
from .live.routes import live_routes
from .pages.ask import PROBLEMS, ask_row, sentence
from .pages.check import EXAMPLE, check_page
from .pages.compare import compare_page, is_loopback
from .pages.explore import explore_page
from .pages.generate import generate_page
from .pages.learn import learn_page
from .pages.train import train_page
from .questions.parts import PARTS
from .questions.surgery import read_edits
from .static_files import Web

mimetypes.add_type("text/javascript", ".mjs")  # Windows does not know it

SYSTEM_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
MONO_FONTS = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]


def build(runners: Runners, code_upload: bool = False) -> gr.Blocks:
    """The app, not yet served; with ``code_upload`` it runs homework files that its owner sends."""
    with gr.Blocks(title="Headscope", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as demo:
        prompt, model, link = ask_row(runners)
        with gr.Column(elem_id="page-learn"):
            learn_page(runners.first)
        with gr.Column(elem_id="page-explore"):
            explore_page(runners, prompt, model, link)
        with gr.Column(elem_id="page-compare"):
            compare_page(runners)
        with gr.Column(elem_id="page-generate"):
            generate_page(runners, prompt, link)
        with gr.Column(elem_id="page-train"):
            train_page()
        with gr.Column(elem_id="page-check"):
            check_page(runners.first, code_upload)
    return demo.queue(max_size=64)


def routes(runners: Runners, web: Web | None = None) -> list:
    """What the page fetches beside Gradio's own: modules, example payloads, and payloads of the user's texts."""

    turns = anyio.Semaphore(8)  # as many as Gradio's queue lets work at once

    async def payload(request: Request) -> Response:
        found = runners.first.payloads.get(request.path_params["key"])
        if found is None:
            return Response("This result is no longer kept: press Run again.", status_code=404)
        return Response(found, media_type="application/octet-stream")

    async def part(request: Request) -> Response:
        """One of PARTS; the text comes as a JSON string, or as {text, model, edits}."""
        try:
            asked = json.loads(await request.body())
        except ValueError:
            asked = None
        asked = {"text": asked} if isinstance(asked, str) else asked if isinstance(asked, dict) else {}
        text, model, edits = asked.get("text"), asked.get("model", ""), asked.get("edits", [])
        name = request.path_params["name"]
        if name not in PARTS or not isinstance(text, str) or not isinstance(model, str) or not isinstance(edits, list):
            return Response("No such part: the page and the app are of two versions, load the page again.", 404)
        try:
            async with turns:
                found = await run_in_threadpool(lambda: runners.get(model).part(name, text, read_edits(edits)))
        except PROBLEMS as error:
            return Response(sentence(error), 422)
        return Response(found, media_type="application/octet-stream")

    def models(_request: Request) -> Response:
        return JSONResponse(runners.models.choices())

    return [
        Mount("/web", (web or Web()).files()),
        Mount("/examples", StaticFiles(directory=FOLDER)),
        Mount("/homework", StaticFiles(directory=EXAMPLE)),
        Mount("/lessons", StaticFiles(directory=LESSONS_AHEAD)),
        Route("/payload/{key}", payload),
        Route("/part/{name}", part, methods=["POST"]),
        Route("/models", models),
        *download_routes(runners, turns),
        *timeline_routes(),
        *live_routes(),
    ]


def launch_options(runners: Runners, web: Web) -> dict:
    """What ``Blocks.launch`` needs beside host and port."""
    return {
        "app_kwargs": {"routes": routes(runners, web), "middleware": middleware(web)},
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


def serve(
    demo: gr.Blocks, runners: Runners, host: str, port: int, share: bool, prefix: str | None = None, dev: bool = False
) -> None:
    """Listen until Ctrl-C. The shipped model loads while the page is up already; another one is checked first.

    ``prefix``: under which path a proxy shows the app; ``dev``: the browser half is read anew at each page load.
    Raises ``ValueError`` for a prefix that is none or a model that cannot be loaded, ``OSError`` for a taken port.
    """
    first = runners.first
    if not first.is_shipped:
        first.run("")
    first.is_private = is_loopback(host) and not share
    first.warm_up()
    if prefix is not None:
        prefix = root_path(prefix)
    options = {
        "root_path": prefix,
        "server_name": host,
        "server_port": port,
        "share": share,
        "prevent_thread_lock": True,
    }
    try:
        _, url, shared = demo.launch(**options, **launch_options(runners, Web(dev)))
    except (OSError, OverflowError):
        raise OSError(f"cannot listen on {host}:{port}: if another program does, choose another --port") from None
    print(f"Headscope is at {shared or url}  (Ctrl-C ends it)", flush=True)
    demo.block_thread()
