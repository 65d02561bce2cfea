"""Lesson: Splitting heads."""

from .lesson import Lesson, Scene, Step


def build(scene: Scene) -> list[Step]:
    return [Step(title="In the making", text="This lesson is being written.", show=[])]


LESSON = Lesson(
    id="heads",
    title="Splitting heads",
    summary="Cut a width into heads without mixing tokens.",
    build=build,
    num_steps=1,
)
