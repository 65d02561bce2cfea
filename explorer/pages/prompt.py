"""The text that all pages are about, and the model that it is given to."""

import json

import gradio as gr

from ..components import Examples, ModelChoice, Prompt, SaveMenu
from ..engine.problems import PROBLEMS, sentence
from ..engine.shelf import Shelf
from ..examples import EXAMPLES, EXPLORED, FIRST, TWO_LINES
from ..questions.asker import Asker
from ..questions.explore import run as run_text
from .endpoints import MODEL_WORK, offer


def prompt_row(asker: Asker) -> None:
    """Lay out the row inside the current Blocks."""
    with gr.Row(elem_id="ask"):
        ModelChoice(str(asker.shelf.first.model_name), elem_id="model")
        gr.Textbox(
            FIRST,
            label="Your text",
            placeholder="Type anything and press Enter",
            show_label=False,
            lines=1,
            max_lines=2,
            scale=8,
            interactive=True,
            elem_id="prompt",
        )
        gr.Button("Run", variant="primary", scale=0, min_width=80, elem_id="run")
        Examples(elem_id="examples", given=json.dumps(list(EXAMPLES)))
        SaveMenu(elem_id="save")
    Prompt(elem_id="problem", given=json.dumps(given_examples(asker.shelf)))

    def run(text: str, model: str = "") -> str:
        """Run a text through a decoder with everything recorded; returns JSON: the URL of the binary payload, or an
        error as one sentence. model: by its name; without it, what the app was started with."""
        try:
            return json.dumps({"url": f"payload/{run_text(asker, text or '', model).key}"})
        except PROBLEMS as error:
            return json.dumps({"error": sentence(error)})

    offer(run, "run", **MODEL_WORK)


def given_examples(shelf: Shelf) -> dict:
    """The examples, and where they lie if they were computed ahead with the model that the app was started with."""
    first = shelf.first
    ahead = "examples" if first.is_shipped else None
    texts = {"explore": EXAMPLES[EXPLORED], "compare": TWO_LINES, "other": FIRST}
    return {"examples": list(EXAMPLES.values()), "first": texts, "ahead": ahead, "model": str(first.model_name)}
