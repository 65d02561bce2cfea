"""A learner asks for a lesson: build its steps for their text and settings, and keep the payload for the browser."""

import hashlib
import json

from ..engine.runner import MAX_CHARACTERS, Runner
from . import LESSONS
from .encode import lesson_payload
from .lesson import Lesson


def teach(runner: Runner, id: str, text: str, given: dict) -> str:
    """The key under which the lesson's payload lies. Raises ``ValueError`` in a sentence for what cannot be shown."""
    if id not in LESSONS:
        raise ValueError(f"no lesson {id!r}: there are {', '.join(LESSONS)}")
    lesson = LESSONS[id]
    text = text[:MAX_CHARACTERS] if lesson.uses_text else ""
    key = hashlib.sha256(json.dumps([runner.id, id, text, given], sort_keys=True).encode()).hexdigest()[:24]
    acts = any(given.get(control.name) for control in lesson.controls(runner) if control.kind == "action")
    if acts or runner.payloads.get(key) is None:  # an action is done again each time it is asked for
        runner.payloads.put(key, payload_of(runner, lesson, text, given))
    return key


def payload_of(runner: Runner, lesson: Lesson, text: str = "", given: dict | None = None) -> bytes:
    """The whole lesson as the browser gets it."""
    scene = lesson.scene(runner, text, given or {})
    return lesson_payload(lesson, scene, lesson.build(scene))


def catalog() -> list[dict]:
    """The table of contents, for the page."""
    names = ("id", "title", "summary", "uses_text", "num_steps")
    return [{name: getattr(lesson, name) for name in names} for lesson in LESSONS.values()]
