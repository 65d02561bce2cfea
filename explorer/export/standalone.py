"""One HTML file that shows a run without a server: the page's own script and styles, and the payloads, inside it.

All are compressed. A few lines of script unpack them; the modules are one script (see ``bundle``). No file is fetched,
so that the page opens from a disk, in a notebook's frame, and without a network.
"""

import base64
import gzip
import html
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from ..engine.payload import unpack
from .bundle import bundle

STATIC = Path(__file__).resolve().parents[1] / "web"
PAGE_CSS = Path(__file__).with_name("page.css")
ENTRY = "standalone.mjs"
LONGEST = 2000  # characters of a word of the focus
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body data-page="alone">
<p id="wait">This page is drawn by its script. If you can read this, scripts are not allowed here.</p>
<script>
const unpacked = (text) => {{
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}};
const added = (name, text) => {{
  const element = document.createElement(name);
  element.textContent = text;
  document.head.append(element);
}};
(async ({{ app, runs, focus }}) => {{
  const {{ script, styles }} = await unpacked(app).json();
  added("style", styles);
  added("script", `globalThis.page = ${{script}}`);
  const payloads = {{}};
  for (const [name, run] of Object.entries(runs)) payloads[name] = await unpacked(run).arrayBuffer();
  globalThis.page.open(payloads, focus);
  document.getElementById("wait").remove();
}})({inside}).catch(({{ message }}) => {{
  document.getElementById("wait").textContent =
    `This page could not be drawn (${{message}}): open its file in a browser of 2023 or later.`;
}});
</script>
</body>
</html>
"""


def standalone_html(payload: bytes | Mapping[str, bytes], focus: dict | None = None) -> str:
    """The page of a payload of ``payload.trace_payload``, or of those that ``show`` makes, by the name of the stack.

    ``focus`` is what it opens with: any of the client's focus, for example ``{"layer": 3, "head": 0, "query": 5}``,
    all counted from 0. Raises ``ValueError`` for bytes that are no payload, and for a focus with other values than
    whole numbers, names and None.
    """
    payloads = payload if isinstance(payload, Mapping) else {"": payload}
    model = next(unpack(one)[0]["model"]["name"] for one in payloads.values())
    runs = {name: packed(one) for name, one in payloads.items()}
    inside = {"app": packed_app(), "runs": runs, "focus": checked_focus(focus or {})}
    return PAGE.format(title=html.escape(f"Attention in {model}, with Headscope"), inside=_in_script(inside))


def checked_focus(focus: dict) -> dict:
    """The same, if it may go into a page."""
    for name, value in focus.items():
        is_number = isinstance(value, int) and 0 <= value < 2**31
        is_text = isinstance(value, str) and len(value) <= LONGEST
        if not (value is None or is_number or is_text):
            raise ValueError(f"focus: {name}={str(value)[:40]} is neither a whole number from 0, nor a name, nor None")
    return focus


def style_sheets() -> list[Path]:
    """The styles of the browser half; the sheet that puts their layers in order comes first."""
    return sorted(STATIC.rglob("*.css"), key=lambda path: (path.name != "tokens.css", path.parent.name != "base", path))


@lru_cache(maxsize=1)
def packed_app() -> str:
    """Script and styles, packed: they are the same in every page."""
    sheets = [*style_sheets(), PAGE_CSS]
    styles = "\n".join(path.read_text(encoding="utf-8") for path in sheets)
    return packed(json.dumps({"script": bundle(ENTRY, STATIC), "styles": styles}).encode())


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def _in_script(value) -> str:
    """JSON that cannot end the script element in which it stands."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
