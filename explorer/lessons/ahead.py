"""The lessons as they are for the first example, computed ahead, so that they are there before torch is.

python -m explorer.lessons.ahead        computes them anew, after another model ships or a lesson changes
"""

from pathlib import Path

from llm_core.paths import ASSETS

from ..engine.runner import Runner
from ..examples import FIRST
from . import LESSONS
from .teach import payload_of

FOLDER = ASSETS / "lessons"


def lesson_file(id: str) -> Path:
    return FOLDER / f"{id}.bin"


def main() -> None:
    runner, text = Runner(), FIRST
    FOLDER.mkdir(parents=True, exist_ok=True)
    for lesson in LESSONS.values():
        lesson_file(lesson.id).write_bytes(payload_of(runner, lesson, text))
        print(f"{lesson_file(lesson.id)}: {lesson_file(lesson.id).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
