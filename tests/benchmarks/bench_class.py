"""A class on one laptop: thirty readers who send new texts, and thirty who write at once.

    python -m tests.benchmarks.bench_class [--users 30] [--rounds 3] [--training]

The app runs as its user starts it, on this machine; everything is asked as the page asks it. Readers send a new text of
about 60 tokens every ten seconds, spread evenly; a picture is there when its bytes are. Writers ask for 60 tokens each.
With ``--training`` the readers come once more, while two tiny models train and one visitor measures all heads: nobody
may wait longer than a second. Read the figures beside the machine's load, which is printed.
"""

import argparse
import asyncio
import os
import time
from statistics import median, quantiles

import httpx

from tests.ui.serving import running_app

from .visitors import WORDS, measure_on, read, train_on, visitors

EVERY, TOKENS = 10.0, 60  # seconds between two texts of a reader; tokens of a writer


async def reader(client: httpx.AsyncClient, name: str, wait: float, rounds: int, seconds: list[float]) -> None:
    await asyncio.sleep(wait)
    for round in range(rounds):
        start = time.perf_counter()
        await read(client, f"{name} {round} {WORDS * 3}")
        seconds.append(time.perf_counter() - start)
        await asyncio.sleep(max(0.0, EVERY - seconds[-1]))


async def write(client: httpx.AsyncClient, user: int) -> list[float]:
    """When each token came."""
    asked = {"text": f"How to fold {user} boats", "written": [], "count": TOKENS, "seed": user, "temperature": 1.0}
    async with client.stream("POST", "ask/write", json=asked) as stream:
        stream.raise_for_status()
        return [time.perf_counter() async for _ in stream.aiter_lines()]


async def readers(client: httpx.AsyncClient, users: int, rounds: int, name: str = "reader") -> str:
    seconds: list[float] = []
    waits = [EVERY * user / users for user in range(users)]
    each = (reader(client, f"{name} {user}", wait, rounds, seconds) for user, wait in enumerate(waits))
    await asyncio.gather(*each)
    late = quantiles(seconds, n=20)[-1]
    return (
        f"{users} readers   to the picture: median {median(seconds):.2f} s   95 % {late:.2f} s   "
        f"slowest {max(seconds):.2f} s   of {len(seconds)}"
    )


async def readers_in_company(client: httpx.AsyncClient, users: int, rounds: int) -> str:
    """The same while two train and one measures."""
    company = [train_on(client, f"bench-{page}-page") for page in range(2)]
    tasks = [asyncio.create_task(one) for one in (*company, measure_on(client))]
    await asyncio.sleep(EVERY)  # by then both train
    said = await readers(client, users, rounds, "in company")
    failed = [task.exception() for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    return f"{said}   (slowest: at most 1){f'   the others failed: {failed}' if failed else ''}"


async def writers(client: httpx.AsyncClient, users: int) -> tuple[str, float]:
    start = time.perf_counter()
    times = await asyncio.gather(*(write(client, user) for user in range(users)))
    first = min(one[-1] for one in times)
    behind = min(sum(at <= first for at in one) / len(one) for one in times)
    rate = sum(map(len, times)) / (max(one[-1] for one in times) - start)
    return (
        f"{users:2d} writers   {rate:6.1f} tokens/s together   when the first was done, the slowest had {behind:4.0%}",
        rate,
    )


async def measure(url: str, users: int, rounds: int, training: bool) -> None:
    async with visitors(url) as client:
        await write(client, 0)  # the first text waits for the model
        print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        said, one = await writers(client, 1)
        print(said, flush=True)
        said, all = await writers(client, users)
        print(f"{said}   × {all / one:.1f}", flush=True)
        print(await readers(client, users, rounds), flush=True)
        if training:
            print("two train and one measures:", await readers_in_company(client, users, rounds), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a class of readers and writers.")
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--training", action="store_true", help="the readers once more, while others train")
    args = parser.parse_args()
    with running_app() as app:
        asyncio.run(measure(app.url, args.users, args.rounds, args.training))


if __name__ == "__main__":
    main()
