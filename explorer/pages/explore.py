"""The Explore page: the tokens of a text; the heads, one large picture of what the model did, and the next token."""

import json

import gradio as gr

from ..components import (
    AttentionHead,
    HeadGrid,
    HeadRoles,
    HeadScatter,
    LogitLens,
    NextToken,
    Patch,
    Phone,
    Pipeline,
    SurgeryBanner,
    SurgeryBoard,
    SurgeryNext,
    Tabs,
    TokenStrip,
)
from ..engine.runner import SHIPPED
from ..experiments import shipped
from ..questions.asker import Asker
from .residual import residual_panel
from .surgery import surgery_panel


def explore_page(asker: Asker) -> None:
    """Lay out the page inside the current Blocks."""
    SurgeryBanner(elem_id="changed")
    Phone(elem_id="phone")
    TokenStrip(elem_id="tokens")
    with gr.Row(elem_id="look"):
        with gr.Column(elem_id="heads", min_width=0):
            HeadGrid(elem_id="grid")
            SurgeryBoard(elem_id="board")
        with gr.Column(elem_id="stage", min_width=0):
            Tabs(elem_id="tabs")
            AttentionHead(elem_id="attention")
            Pipeline(elem_id="pipeline")
            LogitLens(elem_id="lens")
            residual_panel(asker)
            surgery_panel(asker)
            Patch(elem_id="patch", given=json.dumps({"model": SHIPPED, "experiments": shipped()["patch"]}))
        with gr.Column(elem_id="beside", min_width=0):
            NextToken(elem_id="next")
            SurgeryNext(elem_id="next-changed")
            HeadRoles(elem_id="roles")
            HeadScatter(elem_id="scatter")
