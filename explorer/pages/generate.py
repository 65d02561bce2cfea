"""The Generate page: the model writes, one token at a time or many, and shows how each was chosen."""

import json
from collections.abc import Iterator
from functools import partial

import gradio as gr

from ..components import PayloadLink, SampleStream
from ..runner import MAX_NEW_TOKENS, Runner
from .ask import IDLE, MODEL_WORK, PROBLEMS, QUIET, run_text, sentence

WRITE = "(...inputs) => { document.dispatchEvent(new CustomEvent('hs-write')); return inputs; }"
LOOK = """(...inputs) => {
    document.dispatchEvent(new CustomEvent('hs-busy'));
    document.dispatchEvent(new CustomEvent('hs-show', { detail: 'explore' }));
    return inputs;
}"""
NOTHING_WRITTEN = {"text": None, "ids": [], "lines": []}


def generate_page(runner: Runner, prompt: gr.Textbox, link: PayloadLink) -> None:
    """Lay out the page inside the current Blocks."""
    written, stream, use = _sampling_panel(prompt, runner)
    use.click(
        partial(use_as_prompt, runner), [prompt, written], [prompt, link, written, stream],
        js=LOOK,
        api_visibility="private", **QUIET, **MODEL_WORK,
    ).then(**IDLE)  # fmt: skip


def _sampling_panel(prompt: gr.Textbox, runner: Runner) -> tuple[gr.State, SampleStream, gr.Button]:
    """Controls, buttons and the written text; wired here, because nothing else listens to them."""
    written = gr.State(NOTHING_WRITTEN, time_to_live=3600)
    with gr.Column(elem_id="sampling"):
        with gr.Row(elem_id="sampling-controls"):
            temperature = gr.Slider(
                0, 2, 0.8, step=0.05, label="Temperature", info="0 always takes the likeliest token"
            )
            top_k = gr.Slider(0, 200, 0, step=1, label="Top-k", info="keep the k likeliest; 0 keeps all")
            top_p = gr.Slider(0.05, 1, 0.95, step=0.05, label="Top-p", info="keep the likeliest until they sum to p")
            seed = gr.Number(1, label="Seed", info="same seed, same text", precision=0, min_width=90)
            count = gr.Slider(1, 200, 60, step=1, label="Tokens", info="how many to write at most")
        with gr.Row(elem_id="sampling-buttons"):
            write = gr.Button("Write", variant="primary", min_width=90, elem_id="write")
            step = gr.Button("One token", min_width=90, elem_id="step")
            stop = gr.Button("Stop", min_width=90, elem_id="stop")
            clear = gr.Button("Clear", min_width=90, elem_id="clear")
            use = gr.Button("Look inside this text", min_width=160, elem_id="use")
        stream = SampleStream("", elem_id="written")
    settings = [temperature, top_k, top_p, seed]
    going = [
        write.click(partial(write_text, runner), [prompt, written, count, *settings], [stream, written],
                    js=WRITE, api_name="sample", **QUIET, **MODEL_WORK),
        step.click(partial(write_text, runner, count=1), [prompt, written, *settings], [stream, written],
                   js=WRITE, api_visibility="private", **QUIET, **MODEL_WORK),
    ]  # fmt: skip
    stop.click(None, None, None, cancels=going)
    clear.click(None, None, None, cancels=going).then(  # only then, or a token on its way would come back
        lambda: ("", NOTHING_WRITTEN), None, [stream, written], queue=False, api_visibility="private", **QUIET
    )
    return written, stream, use


def write_text(
    runner: Runner,
    text: str,
    written: dict,
    *values: float,
    count: int | None = None,
) -> Iterator[tuple[str, dict]]:
    """Go on writing behind ``text``; yields all lines so far, and what was written, after every token."""
    if count is None:
        count, *values = values
    temperature, top_k, top_p, seed = values
    start = json.dumps({"prompt": text or ""})
    ids, lines = (written["ids"], written["lines"]) if written["text"] == text else ([], [start])
    settings = {"temperature": temperature, "top_k": int(top_k) or None, "top_p": top_p}
    try:
        if seed is None or not 0 <= seed < 2**63:
            raise ValueError(f"seed={seed}: must be a whole number from 0 to 9,223,372,036,854,775,807")
        if len(ids) >= MAX_NEW_TOKENS:
            raise ValueError(f"{MAX_NEW_TOKENS} tokens are written: press Clear, or look inside the text")
        if ids and ids[-1] == runner.tokenizer.end:
            raise ValueError("The model has ended this text: press Clear to write another, or look inside it")
        for token in runner.sample(text or "", ids, int(count), seed=int(seed), **settings):
            ids, lines = [*ids, token["id"]], [*lines, json.dumps(token)]
            yield "\n".join(lines) + "\n", {"text": text, "ids": ids, "lines": lines}
    except PROBLEMS as error:
        problem = json.dumps({"error": sentence(error)})
        yield "\n".join([*lines, problem]) + "\n", {"text": text, "ids": ids, "lines": lines}


def use_as_prompt(runner: Runner, text: str, written: dict) -> tuple[str, str, dict, str]:
    """Put what was written behind the text that it goes on from, and run both."""
    text = written["text"] if written["ids"] else text
    tokenizer = runner.tokenizer
    ids = [*tokenizer.encode(text or ""), *(id for id in written["ids"] if not tokenizer.is_special(id))]
    whole = tokenizer.decode(ids)
    return whole, run_text(runner, whole), NOTHING_WRITTEN, ""
