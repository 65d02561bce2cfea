"""Lesson: The bug museum."""

from .lesson import Lesson, Scene, Step


def build(scene: Scene) -> list[Step]:
    return [Step(title="In the making", text="This lesson is being written.", show=[])]


LESSON = Lesson(
    id="museum",
    title="The bug museum",
    summary="Twelve real mistakes, switched on in a trained model.",
    build=build,
    num_steps=1,
)
