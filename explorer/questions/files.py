"""Files that the app makes of a text: its numbers, and a page of its views that works without the app."""

from ..engine.numbers import TYPES, file_name, numbers
from ..engine.payload import MOST_CELLS, unpack
from ..export.standalone import standalone_html
from .asker import Asker
from .explore import part
from .question import File
from .surgery import read_edits


def numbers_file(
    asker: Asker, text: str, kind: str, model: str = "", edits: list | None = None, masked: int | None = None
) -> File:
    """Every tensor that was recorded, of the changed model if there are ``edits``."""
    runner = asker.explored(model)
    content = numbers(runner, text, kind, read_edits(edits or []), masked)
    return File(content, file_name(str(runner.model_name), text, kind), TYPES[kind])


def standalone_page(
    asker: Asker,
    text: str,
    model: str = "",
    edits: list | None = None,
    focus: dict | None = None,
    masked: int | None = None,
) -> File:
    """The Explore page's views, opened at ``focus``; of an encoder-decoder, of each of its attentions."""
    runner = asker.explored(model)
    changed = read_edits(edits or [])
    payload: bytes | dict[str, bytes]
    if changed:
        payload = part(runner, "surgery", text, changed).payload
    elif runner.architecture == "decoder":
        payload = runner.payload(text, cells=MOST_CELLS)
    else:
        stacks = [attention.name for attention in runner.operated(text, (), masked=masked).attentions]
        payload = {stack: runner.payload(text, stack, masked, MOST_CELLS) for stack in stacks}
    payloads = payload.values() if isinstance(payload, dict) else [payload]
    if any("pattern_shape" in unpack(one)[0] for one in payloads):
        raise ValueError("the attention of all heads is too much for a stand-alone page: shorten the text")
    content = standalone_html(payload, focus).encode()
    return File(content, file_name(str(runner.model_name), text, "html"), "text/html")
