"""What the pages of a class ask: the teacher's, to point at an address, and everybody's, to hear where that is."""

import time
from collections.abc import AsyncIterator

import anyio

from ..classroom import Classroom
from .asker import Asker, Forbidden

HOLD_SECONDS = 25  # a stream ends after so long: no proxy takes it for dead, and the page asks for the next one
TICK_SECONDS = 0.25
NOT_THE_TEACHER = (
    "Only the teacher can point everyone at a page: open the teacher's link that the terminal shows since the app was "
    "started."
)


async def class_follow(asker: Asker, secret: str = "") -> AsyncIterator[dict]:
    """Where the teacher points, now and whenever that changes: "id", and "search" and "title", null where nobody does.

    "teaches" says whether the secret is the teacher's.
    """
    classroom = classroom_of(asker)
    end, told = time.monotonic() + HOLD_SECONDS, ""
    while True:
        point = classroom.point
        if point.id != told:
            told = point.id
            yield {
                "teaches": classroom.teaches(secret), "id": point.id, "search": point.search, "title": point.title
            }  # fmt: skip
        if time.monotonic() >= end:
            return
        await anyio.sleep(TICK_SECONDS)


def class_point(asker: Asker, secret: str, search: str | None, title: str = "") -> dict:
    """Point everyone at an address of the page, or with None at nothing any more; for the teacher alone."""
    classroom = classroom_of(asker)
    if not classroom.teaches(secret):
        raise Forbidden(NOT_THE_TEACHER)
    if search is None:
        classroom.stop()
    else:
        classroom.point_at(search, title)
    return {"id": classroom.point.id}


def classroom_of(asker: Asker) -> Classroom:
    if asker.classroom is None:
        raise ValueError("There is no class here: start the app with --classroom to hold one.")
    return asker.classroom
