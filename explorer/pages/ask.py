"""The text that all pages are about: the prompt, and what running it gives."""

import json
import time
from functools import partial

import gradio as gr

from ..components import ModelChoice, PayloadLink
from ..engine.runner import SHIPPED
from ..engine.runners import Runners
from ..examples import EXAMPLES

MODEL_WORK = {"concurrency_limit": 8, "concurrency_id": "model"}
QUIET = {"show_progress": "hidden"}
BUSY = "(...inputs) => { document.dispatchEvent(new CustomEvent('hs-busy')); return inputs; }"
IDLE = {"fn": None, "js": "() => { document.dispatchEvent(new CustomEvent('hs-idle')); }"}
ASK = """(text) => {
  document.dispatchEvent(new CustomEvent('hs-busy'));
  globalThis.headscope?.asking(true);
  return [text, globalThis.headscope?.model ?? ''];
}"""  # the text, and the model that is chosen
PROBLEMS = (ValueError, OSError, ImportError)  # what can be wrong with a model, said in one sentence on the page


def ask_row(runners: Runners) -> tuple[gr.Textbox, ModelChoice, PayloadLink]:
    """The text that all pages are about, the model that it is given to, and what running it gives."""
    with gr.Row(elem_id="ask"):
        model = ModelChoice(str(runners.first.model_name), elem_id="model")
        prompt = gr.Textbox(
            next(iter(EXAMPLES.values())),
            label="Your text",
            info="Type anything and press Enter: below is what a real model computes for it, number by number.",
            lines=1,
            max_lines=4,
            scale=8,
            elem_id="prompt",
        )
        button = gr.Button("Run", variant="primary", scale=0, min_width=110, elem_id="run")
    first = partial(open_example, runners, 0)  # as a function it is asked again by every new page
    link = PayloadLink(first() if runners.first.is_shipped else first, elem_id="problem")
    gr.on(
        [prompt.submit, button.click], partial(run_text, runners), [prompt, model], link, js=ASK,
        api_visibility="private", trigger_mode="always_last", **QUIET, **MODEL_WORK,
    ).then(**IDLE)  # fmt: skip

    def run(text: str, model: str = "") -> str:
        """Run a text through a decoder with everything recorded; returns JSON: the URL of the binary payload, or an
        error as one sentence. model: one of GET /models, by name; without it, what the app was started with."""
        return run_text(runners, text, model)

    gr.api(run, api_name="run", **MODEL_WORK)
    return prompt, model, link


def run_text(runners: Runners, text: str, model: str = "") -> str:
    """Run a text through a model; returns JSON: the URL of the binary payload, or an error as one sentence.

    The time makes no two values the same, or asking again would change nothing on the page, and tells the page
    which of two results was asked for later.
    """
    about = {"asked": time.time_ns(), "model": model}
    try:
        return json.dumps({"url": f"payload/{runners.get(model).run(text or '')}", **about})
    except PROBLEMS as error:
        return json.dumps({"error": sentence(error), **about})


def open_example(runners: Runners, index: int, model: str = "") -> str:
    """The example as it was computed ahead; with a model that is not the shipped one it is run now."""
    if (model or str(runners.first.model_name)) == SHIPPED:
        return json.dumps({"url": f"examples/{index}.bin", "asked": time.time_ns(), "model": model})
    return run_text(runners, list(EXAMPLES.values())[index], model)


def sentence(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"The model cannot run here ({error}): install what requirements.txt lists, and start the app again."
    return str(error)
