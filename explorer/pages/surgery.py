"""The surgery panel of the Explore page: what is changed in the model, and what that changes.

A changed text comes as a part (``parts/surgery.py``); what takes seconds, the effect on held-out sentences and the
sweep over all heads, streams from here, and can be cancelled.
"""

import json
from collections.abc import Iterator

import gradio as gr

from ..components import Surgery, SurgeryBanner
from ..engine.runners import Runners
from ..questions.surgery import effect, read_edits, sweep, told
from .ask import MODEL_WORK, PROBLEMS, QUIET, sentence


def surgery_banner() -> None:
    """Says, above everything, that it is the changed model that is shown."""
    SurgeryBanner(elem_id="changed")


def surgery_panel(runners: Runners) -> None:
    """Lay out the panel inside the current Blocks."""
    view = Surgery(elem_id="surgery")

    def answer_effect(evt: gr.EventData) -> Iterator[str]:
        yield from answers(evt._data, lambda asked: effect(runners.get(asked.get("model")), read_edits(asked["edits"])))

    def answer_sweep(evt: gr.EventData) -> Iterator[str]:
        yield from answers(evt._data, lambda asked: collected(sweep(runners.get(asked.get("model")), asked["how"])))

    options = {"api_visibility": "private", "trigger_mode": "multiple", **QUIET, **MODEL_WORK}
    going = [view.effect(answer_effect, None, view, **options), view.sweep(answer_sweep, None, view, **options)]
    view.halt(None, None, None, cancels=going)

    def surgery(text: str, edits: list[dict], model: str = "") -> dict:
        """Run a text through the model as it is and with edits. An edit is {"what": "head" | "attention" |
        "everywhere" | "mlp", "how": "zero" | "mean" | "uniform" | "diagonal" | "previous" | "open" | "window" |
        "first" | "painted", "layer": from 0, "head": from 0}, a window with "n", a painted mask with "rows" of 0 and
        1. Returns losses in nats per token before and after, the likeliest next tokens, and which places could see
        the token that they have to predict."""
        return told(runners.get(model), text, read_edits(edits))

    def surgery_effect(edits: list[dict], model: str = "") -> Iterator[dict]:
        """The effect of edits (as in surgery) on 100 held-out sentences: streams {"done", "of"}; the last one has
        "effect": the mean change of the loss in nats per token, "low" and "high" of its 95 % interval, "before"."""
        yield from effect(runners.get(model), read_edits(edits))

    def surgery_sweep(how: str, model: str = "") -> Iterator[dict]:
        """Switch off every head and MLP on its own, how="zero" or "mean", and measure each on 100 held-out sentences:
        streams {"done", "of", "one"}, one being the place with its mean change of the loss and 95 % interval."""
        yield from sweep(runners.get(model), how)

    for function in (surgery, surgery_effect, surgery_sweep):
        gr.api(function, api_name=function.__name__, **MODEL_WORK)


def answers(asked: dict, work) -> Iterator[str]:
    """What ``work(asked)`` yields, as JSON that says which question it answers; or what is wrong, in a sentence."""
    seq = asked["seq"]
    try:
        for part in work(asked):
            yield json.dumps({"seq": seq, **part})
    except PROBLEMS as error:
        yield json.dumps({"seq": seq, "error": sentence(error)})


def collected(parts: Iterator[dict]) -> Iterator[dict]:
    """The parts of a sweep, each with all that were found so far: the page may miss one."""
    found = []
    for part in parts:
        if "one" in part:
            found.append(part.pop("one"))
        yield {**part, "found": found}
