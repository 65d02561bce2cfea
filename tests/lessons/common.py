"""What tests of lessons share: a lesson built for a text, and texts that have broken things before."""

import numpy as np

from explorer.engine.runner import Runner
from explorer.lessons import LESSONS
from explorer.lessons.lesson import Panel, Step, as_array

BOAT = "How to Make a Paper Boat"
CUP = "Wash the red cup and dry the red cup. Wash the blue bowl and dry the blue"
LAST_BITS = {"loop - batch"}  # panels of what another number of threads changes
ODD_TEXTS = [
    "",
    "a",
    "\x00\x1b\n\t",
    "👩‍👧‍👦 é ☕",
    "مرحبا بالعالم",
    "<img src=x onerror=alert(1)> ${1} {{2}} `q`",
    "to to to " * 9000,
]


def steps_of(runner: Runner, id: str, text: str = BOAT, **given) -> list[Step]:
    lesson = LESSONS[id]
    return lesson.build(lesson.scene(runner, text, given))


def panel(step: Step, name: str) -> Panel:
    """The only panel of that name in the step's picture."""
    (found,) = [item for item in step.show if isinstance(item, Panel) and item.name == name]
    return found


def values(step: Step, name: str) -> np.ndarray:
    return as_array(panel(step, name).values)


def right(step: Step) -> str:
    """The text of the right answer."""
    return next(option.text for option in step.question.options if option.right)
