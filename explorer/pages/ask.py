"""The text that all pages are about: the prompt, and what running it gives."""

import json
import time
from functools import partial

import gradio as gr

from ..components import PayloadLink
from ..examples import EXAMPLES
from ..runner import Runner

MODEL_WORK = {"concurrency_limit": 8, "concurrency_id": "model"}
QUIET = {"show_progress": "hidden"}
BUSY = "(...inputs) => { document.dispatchEvent(new CustomEvent('hs-busy')); return inputs; }"
IDLE = {"fn": None, "js": "() => { document.dispatchEvent(new CustomEvent('hs-idle')); }"}
PROBLEMS = (ValueError, OSError, ImportError)  # what can be wrong with a model, said in one sentence on the page


def ask_row(runner: Runner) -> tuple[gr.Textbox, PayloadLink]:
    """The text that all pages are about, and what running it gives."""
    with gr.Row(elem_id="ask"):
        prompt = gr.Textbox(
            next(iter(EXAMPLES.values())),
            label="Your text",
            info="Type anything and press Enter: below is what a real model computes for it, number by number.",
            lines=1,
            max_lines=4,
            scale=8,
            elem_id="prompt",
        )
        run = gr.Button("Run", variant="primary", scale=0, min_width=110, elem_id="run")
    first = partial(open_example, runner, 0)  # as a function it is asked again by every new page
    link = PayloadLink(first() if runner.is_shipped else first, elem_id="problem")
    gr.on(
        [prompt.submit, run.click], partial(run_text, runner), prompt, link, js=BUSY, api_name="run",
        trigger_mode="always_last", **QUIET, **MODEL_WORK,
    ).then(**IDLE)  # fmt: skip
    return prompt, link


def run_text(runner: Runner, text: str) -> str:
    """Run a text through the model; returns JSON: the URL of the binary payload, or an error as one sentence.

    The time makes no two values the same, or asking again would change nothing on the page, and tells the page
    which of two results was asked for later.
    """
    asked = time.time_ns()
    try:
        return json.dumps({"url": f"payload/{runner.run(text or '')}", "asked": asked})
    except PROBLEMS as error:
        return json.dumps({"error": sentence(error), "asked": asked})


def open_example(runner: Runner, index: int) -> str:
    """The example as it was computed ahead; with a model that is not the shipped one it is run now."""
    if runner.is_shipped:
        return json.dumps({"url": f"examples/{index}.bin", "asked": time.time_ns()})
    return run_text(runner, list(EXAMPLES.values())[index])


def sentence(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"The model cannot run here ({error}): install what requirements.txt lists, and start the app again."
    return str(error)
