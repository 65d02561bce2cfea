"""The Explore page: a text, its tokens, attention in every head, and the rest of the model."""

import gradio as gr

from ..components import (
    AttentionHead,
    HeadGrid,
    HeadRoles,
    Inside,
    LogitLens,
    NextToken,
    Pipeline,
    SurgeryBanner,
    TokenStrip,
)
from ..examples import EXAMPLES
from ..questions.asker import Asker
from .residual import residual_panel
from .surgery import surgery_panel


def explore_page(asker: Asker) -> None:
    """Lay out the page inside the current Blocks."""
    with gr.Row(elem_id="examples"):
        for name in EXAMPLES:
            gr.Button(name, size="sm", min_width=0, elem_classes="chip")
    SurgeryBanner(elem_id="changed")
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
    residual_panel(asker)
    surgery_panel(asker)
