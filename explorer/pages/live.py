"""Train a tiny model now: a small model that learns a task while one watches."""

import gradio as gr

from ..runner import Runner


def live_part(runner: Runner) -> None:
    """Lay out the part inside the current Blocks."""
    gr.HTML()
