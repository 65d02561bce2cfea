"""What the Learn page asks: a lesson, for a text and settings, always of the model that the app was started with."""

from ..engine.cache import Stored
from ..lessons.search import steps_with
from ..lessons.teach import teach
from ..lessons.token_map import map_payload
from .asker import Asker


def lesson(asker: Asker, name: str, text: str, settings: dict) -> Stored:
    return teach(asker.shelf.first, name, text, settings, asker.shelf.get)


def token_map(asker: Asker) -> Stored:
    """All tokens of the model that the lessons are about, on a map."""
    runner = asker.shelf.first
    return runner.payloads.stored([runner.id, "token map"], lambda: map_payload(runner))


def find_in_lessons(_: Asker, words: str) -> list[dict]:
    return steps_with(words)
