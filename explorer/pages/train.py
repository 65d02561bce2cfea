"""The Train page: a tiny model that learns now, and how large ones learned, step by step."""

import gradio as gr

from ..components import TrainSwitch
from .live import live_part
from .timeline import timeline_part


def train_page() -> None:
    """Lay out the page inside the current Blocks; a switch on top shows one of its two parts."""
    TrainSwitch(elem_id="train-switch")
    with gr.Column(elem_id="train-live"):
        live_part()
    with gr.Column(elem_id="train-timeline"):
        timeline_part()
