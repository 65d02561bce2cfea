"""Lesson: One head, step by step."""

from .lesson import Lesson, Scene, Step


def build(scene: Scene) -> list[Step]:
    return [Step(title="In the making", text="This lesson is being written.", show=[])]


LESSON = Lesson(
    id="attention",
    title="One head, step by step",
    summary="From vectors to attention, number by number.",
    build=build,
    num_steps=1,
)
