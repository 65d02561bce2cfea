"""``/gallery``: every view of the app on the first example, wide and narrow, light and dark; tests look at it, too.

The views are those that the app's own pages hold, with what these give them: a new one stands here by itself.
``/gallery`` has a frame for each; ``/gallery/<view>`` is one alone, behind an unseen prompt that runs the example.
"""

import json
from html import escape
from urllib.parse import urlencode

import gradio as gr
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from .components import Prompt, View
from .export.standalone import PAGE_CSS
from .static_files import SHEET, Web

ENTRY = "gallery.mjs"
WIDTHS = {"wide": 1200, "narrow": 390}  # px
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Headscope</title>
{head}
<link rel="stylesheet" href="{web}/{sheet}">
<style>{style}</style>
</head>
<body class="{theme}" {data}>
{body}
</body>
</html>
"""
FRAMES = """
section { margin-top: 24px; }
.frames { display: flex; gap: 24px; overflow-x: auto; }
iframe { flex: none; height: 640px; }
"""


def gallery_routes(demo: gr.Blocks, web: Web) -> list[Route]:
    """The index and the views of ``demo``, by name."""
    views = {block.view: block for block in demo.blocks.values() if isinstance(block, View)}

    async def index(request: Request) -> Response:
        theme = _theme(request)
        body = _head(theme) + "".join(_frames(view, theme) for view in views.values())
        return _page("Gallery", body, web, theme=theme, style=FRAMES)

    async def alone(request: Request) -> Response:
        view = views.get(request.path_params["view"])
        if view is None:
            return Response(f"The views are {', '.join(views)}.", 404)
        prompt = views[Prompt.view]
        first = json.loads(prompt.props["given"])["examples"][0]
        body = f'<div id="prompt" hidden><textarea>{escape(first)}</textarea></div>'
        body += "".join(_holder(shown) for shown in dict.fromkeys([prompt, view]))
        data = " ".join(f'data-{name}="{escape(value)}"' for name, value in _state(view).items())
        head = f'<base href="../">\n<script type="module" src="{web.address}/{ENTRY}"></script>'
        return _page(view.view, body, web, theme=_theme(request), head=head, data=data)

    return [Route("/gallery", index), Route("/gallery/{view}", alone)]


def _page(title: str, body: str, web: Web, *, theme: str, head: str = "", style: str = "", data: str = "") -> Response:
    style = PAGE_CSS.read_text(encoding="utf-8") + style
    page = PAGE.format(
        title=title, head=head, web=web.address, sheet=SHEET, style=style, theme=theme, data=data, body=body
    )
    return HTMLResponse(page, headers={"cache-control": "no-cache"})


def _theme(request: Request) -> str:
    return "dark" if request.query_params.get("__theme") == "dark" else "light"


def _state(view: View) -> dict[str, str]:
    """What the address, and so the body, says when the view is seen."""
    return {"page": view.shown_on or "explore", **view.seen_with}


def _head(theme: str) -> str:
    other = "light" if theme == "dark" else "dark"
    return (
        f'<header class="hs-view hs-alone-head"><strong>Gallery</strong><p>Every view of Headscope on one text, as a \
page and a phone show it.</p><a href="gallery?__theme={other}">{other.title()}</a></header>'
    )


def _frames(view: View, theme: str) -> str:
    state = _state(view)
    query = urlencode({"show": state.pop("page"), **state, "__theme": theme})
    address = escape(f"gallery/{view.view}?{query}")
    frames = "".join(
        f'<iframe title="{view.view}, {name}" class="{name}" width="{width}" loading="lazy" src="{address}"></iframe>'
        for name, width in WIDTHS.items()
    )
    about = escape((type(view).__doc__ or "").splitlines()[0])
    return f'<section data-view="{view.view}_frames"><h2><a href="{address}">{view.view}</a></h2><p>{about}</p>\
<div class="frames">{frames}</div></section>'


def _holder(view: View) -> str:
    """The view's element, and what its module is given."""
    props = json.dumps({**view.props, "value": view.value})
    return f'<div data-props="{escape(props)}">{view.html_template}</div>'
