"""Exercises on the Learn page: a block of the homework with blanks, in Gradio's own editor."""

import json
from dataclasses import asdict

import gradio as gr

from llm_core.homework.report import POSSIBLE

from ..components import Turn
from ..exercises.exercise import exercises, pieces
from ..lessons.teach import catalog

TYPED = "(text) => { document.dispatchEvent(new CustomEvent('hs-code', { detail: text })); }"
SET = "() => globalThis.headscopeCode ?? ''"


def turn_panel(code_upload: bool) -> None:
    """Lay out the exercise beside the lessons; it is checked here only with ``code_upload``."""
    written = [asdict(one) for one in exercises()]
    given = {"exercises": written, "pieces": pieces(), "lessons": catalog()}
    Turn(elem_id="turn-view", given=json.dumps({**given, "mayCheck": code_upload, "possible": POSSIBLE}))
    code = gr.Code(
        language="python", show_label=False, lines=12, interactive=True, elem_id="turn-code", label="Your code"
    )
    code.change(fn=None, inputs=code, js=TYPED, api_visibility="private")
    gr.Button("Set", elem_id="turn-set").click(fn=None, outputs=code, js=SET, api_visibility="private")
