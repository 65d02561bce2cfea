"""The Compare page: one text through several models, side by side."""

import gradio as gr

from ..runner import Runner


def compare_page(runner: Runner, prompt: gr.Textbox) -> None:
    """Lay out the page inside the current Blocks."""
