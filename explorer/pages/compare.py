"""The Compare page: one view."""

import json

import gradio as gr

from ..components import Comparison
from ..engine.shelf import Shelf
from ..questions.asker import asker_of
from ..questions.compare import comparison
from .endpoints import MODEL_WORK, offer


def compare_page(shelf: Shelf) -> None:
    """Lay out the page inside the current Blocks."""
    Comparison(elem_id="compare", choices=json.dumps(shelf.choices()))

    def compared(text: str, names: list[str], masked: int, second_text: str | None, request: gr.Request) -> str:
        """Run a text through 1 to 4 models, or two texts through one; returns the address of the binary payload,
        relative to the app, which explorer.engine.payload.unpack reads.

        names: "encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross", "runs/NAME", or the path of a
        folder if the app runs on your own machine. masked: the position of the token hidden from encoders, -1 for
        the middle. second_text: null, or another text for the one model in names.
        """
        asker = asker_of(shelf, request.headers)
        return f"payload/{comparison(asker, text, names, masked, second_text).key}"

    offer(compared, "compare", **MODEL_WORK)
