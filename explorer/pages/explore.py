"""The Explore page: a text, its tokens, attention in every head, and the rest of the model."""

import gradio as gr

from ..components import (
    AttentionHead,
    HeadGrid,
    HeadRoles,
    Inside,
    LogitLens,
    ModelChoice,
    NextToken,
    PayloadLink,
    Pipeline,
    TokenStrip,
)
from ..engine.runners import Runners
from ..examples import EXAMPLES
from .ask import ASK, BUSY, IDLE, QUIET, open_example
from .residual import residual_panel
from .surgery import surgery_banner, surgery_panel


def explore_page(runners: Runners, prompt: gr.Textbox, model: ModelChoice, link: PayloadLink) -> None:
    """Lay out the page inside the current Blocks."""
    with gr.Row(elem_id="examples"):
        chips = [gr.Button(name, size="sm", min_width=0, elem_classes="chip") for name in EXAMPLES]
    surgery_banner()
    TokenStrip(elem_id="tokens")
    with gr.Row(elem_id="look"):
        with gr.Column(elem_id="heads", min_width=0):
            HeadGrid()
            HeadRoles()
        AttentionHead(elem_id="attention")
        NextToken(elem_id="next")
    Inside(elem_id="inside")
    Pipeline(elem_id="pipeline")
    LogitLens(elem_id="lens")
    residual_panel(runners)
    surgery_panel(runners)

    for index, (chip, text) in enumerate(zip(chips, EXAMPLES.values())):
        chip.click(lambda text=text: text, None, prompt, js=BUSY, api_visibility="private", **QUIET)

        def open_this(_text: str, model: str, index: int = index) -> str:
            return open_example(runners, index, model)

        chip.click(open_this, [prompt, model], link, js=ASK, api_visibility="private", **QUIET).then(**IDLE)
