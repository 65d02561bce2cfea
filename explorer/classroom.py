"""Where the teacher points: one address of the page for everyone, behind a secret that only the teacher has."""

import secrets
from dataclasses import dataclass

LONGEST_ADDRESS = 4000  # characters
LONGEST_TITLE = 200
QUESTIONS_EACH = 16  # of one network address at a time; a browser has at most six connections
TRAININGS_EACH = 2  # of one network address, waiting ones too
NO_ADDRESS = (
    "This is not an address of the page: it must begin with “?” or be empty, and have at most 4,000 characters."
)


@dataclass(frozen=True, slots=True)
class Point:
    """``search``: the address behind the path, None while nobody points; ``title``: what is seen there."""

    id: str
    search: str | None = None
    title: str = ""


class Classroom:
    """The secret of the teacher's link, and what they point at."""

    def __init__(self) -> None:
        self.secret = secrets.token_urlsafe(16)
        self.address = ""  # that a class opens; said when the app is served
        self.stop()

    def teaches(self, secret: str) -> bool:
        """Whether somebody knows the secret."""
        return secrets.compare_digest(secret.encode("utf-8", "replace"), self.secret.encode())

    def point_at(self, search: str, title: str) -> None:
        """``ValueError`` for what is no address of the page."""
        is_address = (search == "" or search.startswith("?")) and len(search) <= LONGEST_ADDRESS
        if not is_address or not search.isascii() or not search.isprintable():
            raise ValueError(NO_ADDRESS)
        self.point = Point(_id(), search, title[:LONGEST_TITLE])

    def stop(self) -> None:
        self.point = Point(_id())


def _id() -> str:
    """Another one for each point, of another run of the app, too."""
    return secrets.token_hex(6)
