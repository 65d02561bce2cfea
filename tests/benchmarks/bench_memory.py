"""What a long day leaves in the app: memory, threads, files, processes and temporary folders, on Linux.

    python -m tests.benchmarks.bench_memory [--texts 500] [--trainings 30]

The app runs as its user starts it, with a folder for temporary files of its own. A text of each length and one training
come first, since some things are loaded and started once; then new texts of 20 to 256 tokens, and trainings, two at a
time, each watched to its end. Bars: at most 900 MB at the end, and of all else no more than after those first ones. It
ends with status 1 if one is missed.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import httpx

from tests.ui.serving import App, running_app

from .visitors import WORDS, read, train, visitors

MOST_MB, SETTLES = 900, 60  # seconds within which what is over has gone
STEPS = 100  # of a training
LENGTHS = 13  # of texts
RESTS = 8  # seconds after which the server has closed a connection that nobody uses


@dataclass(frozen=True)
class Held:
    """What a process holds."""

    threads: int
    files: int  # open, with sockets and pipes
    processes: int  # those that it started
    folders: int  # temporary files and folders, however deep

    @classmethod
    def by(cls, app: App, temporary: Path) -> "Held":
        own = Path("/proc", str(app.process.pid))
        return cls(
            threads=len(list(own.glob("task/*"))),
            files=len(list(own.glob("fd/*"))),
            processes=sum(len(one.read_text().split()) for one in own.glob("task/*/children")),
            folders=len(list(temporary.rglob("*"))),
        )

    def beyond(self, other: "Held") -> Iterator[str]:
        """The names of those of which this holds more."""
        return (one.name for one in fields(self) if getattr(self, one.name) > getattr(other, one.name))


def megabytes(app: App, line: str) -> float:
    """``VmRSS``: what the app has in memory now; ``VmHWM``: the most that it ever had."""
    status = Path("/proc", str(app.process.pid), "status").read_text()
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def line(name: str, app: App, held: Held) -> str:
    numbers = "   ".join(f"{getattr(held, one.name):3} {one.name}" for one in fields(held))
    return f"{name:8} {megabytes(app, 'VmRSS'):6.0f} MB (at most so far {megabytes(app, 'VmHWM'):.0f})   {numbers}"


async def work(client: httpx.AsyncClient, texts: range, trainings: range) -> None:
    """The texts one after the other, and meanwhile the trainings, two at a time."""

    async def reads() -> None:
        for number in texts:
            await read(client, f"{number} {WORDS * (1 + number % LENGTHS)}")

    async def trains(page: int) -> None:
        for seed in trainings[page::2]:
            state = await train(client, f"bench-{page}-page", steps=STEPS, seed=seed)
            if state != "done":
                raise RuntimeError(f"the training {seed} is {state}")

    await asyncio.gather(reads(), trains(0), trains(1))


async def measure(app: App, temporary: Path, texts: int, trainings: int) -> list[str]:
    """Prints what there was at the start and at the end; returns the names of the bars that were missed."""
    async with visitors(app.url) as client:
        await work(client, range(LENGTHS), range(1))
        await asyncio.sleep(RESTS)  # by then the training's process has ended
        first = Held.by(app, temporary)
        print(line("at first", app, first), flush=True)
        began = time.monotonic()
        await work(client, range(LENGTHS, texts + LENGTHS), range(1, trainings + 1))
        print(f"{texts} texts and {trainings} trainings took {time.monotonic() - began:.0f} s", flush=True)
        began = time.monotonic()
        while list((last := Held.by(app, temporary)).beyond(first)) and time.monotonic() < began + SETTLES:
            await read(client, "Idle threads end when there is work for others.")
            await asyncio.sleep(RESTS)
        print(line("at last", app, last), f"  settled after {time.monotonic() - began:.0f} s", flush=True)
        return [*last.beyond(first), *(["memory"] if megabytes(app, "VmRSS") > MOST_MB else [])]


def main() -> None:
    parser = argparse.ArgumentParser(description="What many texts and trainings leave in the app.")
    parser.add_argument("--texts", type=int, default=500)
    parser.add_argument("--trainings", type=int, default=30)
    args = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as temporary, running_app(env={"TMPDIR": temporary}) as app:
        missed = asyncio.run(measure(app, Path(temporary), args.texts, args.trainings))
    print(f"more than it may be: {', '.join(missed)}" if missed else f"at most {MOST_MB} MB, all else as it was")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
