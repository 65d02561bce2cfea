"""The Learn page: the lessons, and beside them an exercise."""

import json

import gradio as gr

from ..components import Lessons
from ..examples import FIRST
from ..exercises.exercise import exercises
from ..lessons.teach import catalog
from ..questions import learn
from ..questions.asker import Asker
from .endpoints import MODEL_WORK, offer
from .turn import turn_panel


def learn_page(asker: Asker, code_upload: bool) -> None:
    """Lay out the page inside the current Blocks."""
    ahead = "lessons" if asker.shelf.first.is_shipped else None
    defaults = {"text": FIRST, "ahead": ahead}
    turns = [{"id": one.id, "title": one.title, "lesson": one.lesson} for one in exercises()]
    with gr.Row(elem_id="learn-row"):
        Lessons(
            elem_id="lessons", catalog=json.dumps(catalog()), defaults=json.dumps(defaults), turns=json.dumps(turns)
        )
        with gr.Column(elem_id="turn"):
            turn_panel(code_upload)

    def lesson(name: str, text: str, settings: dict) -> str:
        """Build a lesson for a text and settings; returns the address of its binary payload, relative to the app."""
        return f"payload/{learn.lesson(asker, name, text, settings).key}"

    offer(lesson, "lesson", **MODEL_WORK)
