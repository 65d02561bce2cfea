"""Which steps of the lessons have given words: in their title, text or question, as they were computed ahead."""

from functools import cache

from ..engine.payload import unpack
from . import LESSONS
from .ahead import lesson_file

MOST = 12


def steps_with(words: str) -> list[dict]:
    """The first steps that have all of ``words``, whatever their case: lesson, step and title. None for no words."""
    wanted = words.lower().split()
    found = [where for where, said in _said() if wanted and all(word in said for word in wanted)]
    return found[:MOST]


@cache
def _said() -> list[tuple[dict, str]]:
    """Every step, with all that it says in lower case; the first of a lesson also has the lesson's own title."""
    steps = []
    for lesson in LESSONS.values():
        header, _ = unpack(lesson_file(lesson.id).read_bytes())
        for i, step in enumerate(header["steps"]):
            own = [] if i else [lesson.title, lesson.summary]
            said = " ".join([*own, step["title"], step["text"], (step["question"] or {}).get("prompt", "")])
            steps.append(({"lesson": lesson.id, "step": i, "title": step["title"]}, said.replace("`", "").lower()))
    return steps
