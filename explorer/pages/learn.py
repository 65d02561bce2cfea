"""The Learn page: one view."""

import json

from ..components import Lessons
from ..examples import FIRST
from ..lessons.teach import catalog
from ..questions import learn
from ..questions.asker import Asker
from .endpoints import MODEL_WORK, offer


def learn_page(asker: Asker) -> None:
    """Lay out the page inside the current Blocks."""
    ahead = "lessons" if asker.shelf.first.is_shipped else None
    defaults = {"text": FIRST, "ahead": ahead}
    Lessons(elem_id="lessons", catalog=json.dumps(catalog()), defaults=json.dumps(defaults))

    def lesson(name: str, text: str, settings: dict) -> str:
        """Build a lesson for a text and settings; returns the address of its binary payload, relative to the app."""
        return f"payload/{learn.lesson(asker, name, text, settings).key}"

    offer(lesson, "lesson", **MODEL_WORK)
