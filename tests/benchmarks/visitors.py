"""What visitors of a class ask, as their pages ask it: a reader's text, a training that is watched, a measurement."""

import itertools
import struct
from collections.abc import Iterator

import httpx

from explorer.engine.payload import unpack

WORDS = "Fold the paper in half and press the edge with your thumb, then open it again. "
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100)
OVER = ("stopped", "failed", "done")


def visitors(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=120, limits=LIMITS)


async def read(client: httpx.AsyncClient, text: str) -> None:
    """Every picture of a text: its bytes are there."""
    answer = await client.post("ask/run", json={"text": text})
    answer.raise_for_status()


async def train(client: httpx.AsyncClient, page: str, **choices: object) -> str:
    """Start a run, watch it to its end, and leave; returns how it ended."""
    started = await client.post("ask/live_start", json={"page": page, "choices": choices})
    started.raise_for_status()
    run, state, seen = started.json()["run"], "", 0
    while state not in OVER:
        async with client.stream("POST", "ask/live_frames", json={"run": run, "after": seen}) as stream:
            stream.raise_for_status()
            rest = b""
            async for some in stream.aiter_bytes():
                *frames, rest = _frames(rest + some)
                seen += len(frames)
                states = (unpack(frame)[0].get("state") for frame in frames)
                state = next((one for one in states if one in OVER), state)
    await client.post("ask/live_tell", json={"run": run, "what": "close"})
    return state


async def train_on(client: httpx.AsyncClient, page: str) -> None:
    """One run after the other, until cancelled."""
    for seed in itertools.count():
        await train(client, page, seed=seed)


async def measure_on(client: httpx.AsyncClient) -> None:
    """What every head and MLP does to the loss, over and over, until cancelled."""
    while True:
        async with client.stream("POST", "ask/surgery_sweep", json={"how": "zero"}) as stream:
            stream.raise_for_status()
            async for _ in stream.aiter_lines():
                pass


def _frames(data: bytes) -> Iterator[bytes]:
    """The whole frames, and at last what is left."""
    while len(data) >= 4 and len(data) >= (end := 4 + struct.unpack("<I", data[:4])[0]):
        yield data[4:end]
        data = data[end:]
    yield data
