"""One HTML file that shows a run without a server: the page's own modules and styles, and the payload, inside it.

All are compressed. A few lines of script unpack them; the modules import each other by bare names, which an import
map leads to ``data:`` URLs. No file is fetched, so that the page opens from a disk, in a notebook's frame, and
without a network.
"""

import base64
import gzip
import html
import json
import posixpath
import re
from functools import lru_cache
from pathlib import Path

from ..engine.payload import unpack

STATIC = Path(__file__).resolve().parents[1] / "web"
PAGE_CSS = Path(__file__).with_name("page.css")
ENTRY = "standalone.mjs"
LONGEST = 2000  # characters of a word of the focus
IMPORT = re.compile(r'(\bfrom\s*|\bimport\s*\(?\s*)"(\.\.?/[\w/.]+\.mjs)"')
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
</head>
<body data-page="alone">
<p id="wait">This page draws itself, with JavaScript, in a browser of 2023 or later.</p>
<script>
const unpacked = (text) => {{
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}};
const added = (name, attributes) => document.head.append(Object.assign(document.createElement(name), attributes));
(async ({{ app, run, focus }}) => {{
  const {{ modules, styles, entry }} = await unpacked(app).json();
  const url = (source) => "data:text/javascript;charset=utf-8," + encodeURIComponent(source);
  const imports = Object.fromEntries(Object.entries(modules).map(([name, source]) => [name, url(source)]));
  added("style", {{ textContent: styles }});
  added("script", {{ type: "importmap", textContent: JSON.stringify({{ imports }}) }});
  const [{{ open }}, payload] = await Promise.all([import(entry), unpacked(run).arrayBuffer()]);
  document.getElementById("wait").remove();
  open(payload, focus);
}})({inside});
</script>
</body>
</html>
"""


def standalone_html(payload: bytes, focus: dict | None = None) -> str:
    """The page of a payload of ``payload.trace_payload`` or ``notebook.pattern_payload``.

    ``focus`` is what it opens with: any of the client's focus, for example ``{"layer": 3, "head": 0, "query": 5}``,
    all counted from 0. Raises ``ValueError`` for bytes that are no payload, and for a focus with other values than
    whole numbers, names and None.
    """
    model = unpack(payload)[0]["model"]["name"]
    inside = {"app": packed_app(), "run": packed(payload), "focus": checked_focus(focus or {})}
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
    """Modules and styles, packed: they are the same in every page."""
    sheets = [*style_sheets(), PAGE_CSS]
    styles = "\n".join(path.read_text(encoding="utf-8") for path in sheets)
    return packed(json.dumps({"modules": modules(ENTRY), "styles": styles, "entry": ENTRY}).encode())


def modules(entry: str) -> dict[str, str]:
    """The source of ``entry`` and of all that it imports, by path; imports say that path, too."""
    found: dict[str, str] = {}
    waiting = [entry]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue

        def bare(match: re.Match, folder: str = posixpath.dirname(name)) -> str:
            waiting.append(path := posixpath.normpath(posixpath.join(folder, match[2])))
            return f'{match[1]}"{path}"'

        found[name] = IMPORT.sub(bare, (STATIC / name).read_text(encoding="utf-8"))
    return found


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def _in_script(value) -> str:
    """JSON that cannot end the script element in which it stands."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
