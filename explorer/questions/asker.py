"""Who asks a question: what they may use, and whether they sit at the machine that the app runs on."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..engine.shelf import Shelf
from ..live.runs import LIVE, LiveRuns

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclass(frozen=True, slots=True)
class Asker:
    """The first argument of every question."""

    shelf: Shelf
    live: LiveRuns = LIVE
    is_owner: bool = False  # whether they may name any folder, and send code


def asker_of(shelf: Shelf, headers: Mapping[str, str], live: LiveRuns = LIVE) -> Asker:
    """Who sends a request with these headers."""
    is_own_page = not is_from_elsewhere(headers)
    return Asker(shelf, live, is_own_page and is_owner(shelf.is_private, headers))


def is_owner(is_private: bool, headers: Mapping[str, str]) -> bool:
    """Whether the question comes from the machine that the app runs on: only then may it name any folder.

    The app must listen to this machine alone, without a public link (``is_private``), and no proxy may stand between.
    """
    host = (headers.get("host") or "").rsplit(":", 1)[0].strip("[]")
    return is_private and is_loopback(host) and not any(headers.get(name) for name in FORWARDED)


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site sends it: a browser says so, and programs say nothing."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return True
    return origin is not None and urlsplit(origin).netloc not in (headers.get("host"), headers.get("x-forwarded-host"))


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name
        return False
