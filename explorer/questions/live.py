"""How a page talks to its training run: it starts one, watches its frames as they come, and tells it what to do."""

import re
import time
from collections.abc import AsyncIterator

import anyio

from .asker import Asker

HOLD_SECONDS = 5  # a stream ends after so long: who asks for the next one has the frames of this one
TICK_SECONDS = 0.05
COMMANDS = ("pause", "resume", "stop", "close")
PAGE_NAME = re.compile(r"[\w-]{8,64}")


def live_choices(asker: Asker) -> dict:
    """What there is to choose, and what a page starts with."""
    from llm_core.live.choices import describe

    return describe()


def live_start(asker: Asker, page: str, choices: dict) -> dict:
    """Start a run for a page, which has a random name of its own; the run that it had ends."""
    if not PAGE_NAME.fullmatch(page):
        raise ValueError('A run is started with {"page": a random name of 8 to 64 letters, "choices": {…}}.')
    return {"run": asker.live.start(page, choices, asker.address).id}


async def live_frames(asker: Asker, run: str, after: int = 0) -> AsyncIterator[bytes]:
    """The frames behind the one with that number, as they come: the page has those before."""
    watched, end = asker.live.get(run), time.monotonic() + HOLD_SECONDS
    watched.forget(after)
    while time.monotonic() < end:
        for frame in watched.frames(after):
            after += 1
            yield frame
        if watched.is_over:
            return
        await anyio.sleep(TICK_SECONDS)


def live_tell(asker: Asker, run: str, what: str) -> dict:
    """Pause a run, let it resume, stop it, or close it: then nothing of it stays."""
    if what not in COMMANDS:
        raise ValueError(f"A run can be told to {', '.join(COMMANDS[:-1])} or {COMMANDS[-1]}, not to {what[:40]}.")
    if what == "close":
        asker.live.close(run)
    else:
        getattr(asker.live.get(run), what)()
    return {}


def live_keep(asker: Asker, run: str, name: str) -> dict:
    """Save what a run has learned as a checkpoint beside the app, and return its name."""
    if asker.classroom:
        raise ValueError("A class keeps no trained models: to keep one, start Headscope on your own machine.")
    return {"kept": asker.live.keep(run, name)}
