"""A reverse proxy of a few lines, in front of a running app, and a page that shows it in a frame."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from .serving import App, free_port

HOP = ("connection", "transfer-encoding", "keep-alive", "host")  # of one connection alone
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]


def proxy_of(app: App, prefix: str, strips: bool) -> Starlette:
    """Shows the app under ``prefix``, and nothing elsewhere but /frame, a page with the app in a frame."""
    client = httpx.AsyncClient(base_url=app.url, timeout=120)

    async def forward(request: Request) -> Response:
        path = request.url.path.removeprefix(prefix) if strips else request.url.path
        headers = {name: value for name, value in request.headers.items() if name not in HOP}
        headers |= {"host": request.headers["host"], "x-forwarded-host": request.headers["host"]}
        asked = client.build_request(
            request.method, path, params=request.query_params, headers=headers, content=await request.body()
        )
        answer = await client.send(asked, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name not in HOP}
        return StreamingResponse(answer.aiter_raw(), answer.status_code, kept)

    def frame(_request: Request) -> Response:
        return HTMLResponse(
            '<!doctype html><title>x</title><link rel="icon" href="data:,">'
            f'<iframe src="{prefix}/" width="1200" height="800"></iframe>'
        )

    return Starlette(
        routes=[
            Route("/frame", frame),
            Route(f"{prefix}/{{path:path}}", forward, methods=METHODS),
        ]
    )


@contextmanager
def running_proxy(app: App, prefix: str, strips: bool) -> Iterator[str]:
    """The proxy's address, without a path, until the block ends."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(proxy_of(app, prefix, strips), host="127.0.0.1", port=port, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)
