"""The Learn page: one view, which asks for a lesson and gets the address of its payload."""

import json

import gradio as gr

from ..components import Lessons
from ..engine.runner import Runner
from ..examples import EXAMPLES
from ..lessons.teach import catalog, teach
from .ask import MODEL_WORK, PROBLEMS, QUIET, sentence


def learn_page(runner: Runner) -> None:
    """Lay out the page inside the current Blocks."""
    defaults = {"text": next(iter(EXAMPLES.values())), "ahead": "lessons" if runner.is_shipped else None}
    lessons = Lessons(elem_id="lessons", catalog=json.dumps(catalog()), defaults=json.dumps(defaults))

    def answer(evt: gr.EventData) -> str:
        """The page's question -> JSON with its number, and the payload's address or what is wrong in a sentence."""
        asked = evt._data
        try:
            url = lesson(asked["lesson"], asked["text"], asked["inputs"])
            return json.dumps({"seq": asked["seq"], "url": url})
        except PROBLEMS as error:
            return json.dumps({"seq": asked["seq"], "error": sentence(error)})

    def lesson(name: str, text: str, settings: dict) -> str:
        """Build a lesson for a text and settings; returns the address of its binary payload, relative to the app."""
        return f"payload/{teach(runner, name, text, settings)}"

    lessons.ask(answer, None, lessons, api_visibility="private", trigger_mode="multiple", **QUIET, **MODEL_WORK)
    gr.api(lesson, api_name="lesson", **MODEL_WORK)
