"""Lesson: Loop or batch."""

from .lesson import Lesson, Scene, Step


def build(scene: Scene) -> list[Step]:
    return [Step(title="In the making", text="This lesson is being written.", show=[])]


LESSON = Lesson(
    id="loop",
    title="Loop or batch",
    summary="The same heads, one after the other or all at once.",
    build=build,
    num_steps=1,
)
