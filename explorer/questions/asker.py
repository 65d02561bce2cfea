"""Who asks a question: what they may use, and whether they sit at the machine that the app runs on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..classroom import Classroom
from ..engine.runner import Runner
from ..engine.shelf import Shelf
from ..live.runs import LIVE, LiveRuns

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class Forbidden(ValueError):
    """What is asked is for somebody else alone."""


@dataclass(frozen=True, slots=True)
class Asker:
    """The first argument of every question."""

    shelf: Shelf
    live: LiveRuns = LIVE
    is_owner: bool = False  # whether they may name any folder, and send code
    classroom: Classroom | None = None  # in which they sit
    address: str = ""  # of the network, from which they ask

    def decoder(self, model: str = "") -> Runner:
        """The model of that name, loaded. ``ValueError`` for one that they may not use, or that is no decoder."""
        return self.shelf.decoder(model, self.is_owner)

    def explored(self, model: str = "") -> Runner:
        """The same of any architecture."""
        return self.shelf.explored(model, self.is_owner)


def asker_of(
    shelf: Shelf,
    headers: Mapping[str, str],
    live: LiveRuns = LIVE,
    classroom: Classroom | None = None,
    address: str = "",
) -> Asker:
    """Who sends a request with these headers, from a network address."""
    is_own_page = not is_from_elsewhere(headers)
    return Asker(shelf, live, is_own_page and is_owner(shelf.is_private, headers), classroom, address)


def is_owner(is_private: bool, headers: Mapping[str, str]) -> bool:
    """Whether the question comes from the machine that the app runs on: only then may it name any folder.

    The app must listen to this machine alone, without a public link (``is_private``), and no proxy may stand between.
    """
    return is_private and is_loopback(host_of(headers)) and not any(headers.get(name) for name in FORWARDED)


def is_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site sends it: a browser says so, and programs say nothing.

    Browsers that keep to HTTPS and this machine say it outright; else the page's own address is compared with ours,
    which a proxy may have replaced.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc not in (headers.get("host"), headers.get("x-forwarded-host"))


def host_of(headers: Mapping[str, str]) -> str:
    """The name by which a request asks for the app, without the port."""
    host = headers.get("host") or ""
    return re.sub(r":\d+$", "", host).strip("[]").lower()


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name
        return False
