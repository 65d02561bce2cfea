"""Files that the app makes of a text: its numbers, and a page of its views that works without the app."""

from ..engine.numbers import TYPES, file_name, numbers
from ..export.standalone import standalone_html
from .asker import Asker
from .explore import part
from .question import File
from .surgery import read_edits


def numbers_file(asker: Asker, text: str, kind: str, model: str = "", edits: list | None = None) -> File:
    """Every tensor that was recorded, of the changed model if there are ``edits``."""
    runner = asker.decoder(model)
    content = numbers(runner, text, kind, read_edits(edits or []))
    return File(content, file_name(str(runner.model_name), text, kind), TYPES[kind])


def standalone_page(
    asker: Asker, text: str, model: str = "", edits: list | None = None, focus: dict | None = None
) -> File:
    """The Explore page's views, opened at ``focus``."""
    runner = asker.decoder(model)
    changed = read_edits(edits or [])
    payload = part(runner, "surgery", text, changed).payload if changed else runner.payload(text)
    content = standalone_html(payload, focus).encode()
    return File(content, file_name(str(runner.model_name), text, "html"), "text/html")
