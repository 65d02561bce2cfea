"""A learner asks for a lesson: build its steps for their text and settings, and keep the payload for the browser."""

from collections.abc import Callable

from ..engine.cache import Stored
from ..engine.runner import MAX_CHARACTERS, Runner
from . import LESSONS
from .encode import lesson_payload
from .lesson import Lesson, shipped


def teach(runner: Runner, id: str, text: str, given: dict, models: Callable[[str], Runner] = shipped) -> Stored:
    """The lesson's payload; ``models`` gives those that a lesson needs besides. Raises ``ValueError`` in a sentence for what cannot be shown."""
    if id not in LESSONS:
        raise ValueError(f"there is no lesson {id!r}; the lessons are {', '.join(LESSONS)}")
    lesson = LESSONS[id]
    text = text[:MAX_CHARACTERS] if lesson.uses_text else ""
    acts = any(given.get(control.name) for control in lesson.controls(runner) if control.kind == "action")
    about = [runner.id, "lesson", id, text, given]  # an action is done again each time it is asked for
    return runner.payloads.stored(about, lambda: payload_of(runner, lesson, text, given, models), anew=acts)


def payload_of(
    runner: Runner,
    lesson: Lesson,
    text: str = "",
    given: dict | None = None,
    models: Callable[[str], Runner] = shipped,
) -> bytes:
    """The whole lesson as the browser gets it."""
    scene = lesson.scene(runner, text, given or {}, models)
    return lesson_payload(lesson, scene, lesson.build(scene))


def catalog() -> list[dict]:
    """The table of contents, for the page."""
    names = ("id", "title", "summary", "uses_text", "num_steps")
    return [{name: getattr(lesson, name) for name in names} for lesson in LESSONS.values()]
