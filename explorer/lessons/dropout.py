"""Lesson: Where dropout goes."""

from .lesson import Lesson, Scene, Step


def build(scene: Scene) -> list[Step]:
    return [Step(title="In the making", text="This lesson is being written.", show=[])]


LESSON = Lesson(
    id="dropout",
    title="Where dropout goes",
    summary="The two places, and what others would change.",
    build=build,
    num_steps=1,
)
