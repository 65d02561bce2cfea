"""Train a tiny model now: a small model that learns a task while one watches.

What the view asks is in ``questions/live.py``; for programs there is one endpoint, which trains to the end.
"""

import secrets
import time
from typing import Any

from ..components import Live
from ..engine.payload import unpack
from ..live.runs import LIVE, LiveRuns
from .endpoints import offer

MOST_STEPS = 2000
MOST_SECONDS = 300  # waiting for its turn included
LOOK_SECONDS = 0.05


def live_part() -> None:
    """Lay out the part inside the current Blocks."""
    Live(elem_id="live")
    offer(train_tiny, "train_tiny", concurrency_limit=2)


def train_tiny(task: str, steps: int, choices: dict) -> dict:
    """Train a tiny model, at most 1,000,000 parameters, and return its loss curve.

    task: "copy", "reverse", "induction", "sorting" or "articles". steps: 1 to 2,000. choices: of architecture, n_layer,
    n_head, n_embd, learning_rate, positions, scale, dropout, seed; {} for none. Losses are in nats.
    """
    if not isinstance(steps, int) or not 1 <= steps <= MOST_STEPS:
        raise ValueError(f"steps is a whole number from 1 to {MOST_STEPS:,}, not {steps}.")
    if not isinstance(choices, dict):
        raise ValueError('choices is an object such as {"n_layer": 1}, or {} for none.')
    return trained(LIVE, {**choices, "task": task, "steps": steps})


def trained(runs: LiveRuns, choices: dict) -> dict:
    """The curve of a run that is waited for. Raises ``ValueError`` with one sentence if it cannot be trained at all."""
    run = runs.start(f"api-{secrets.token_hex(8)}", choices)
    end, number = time.monotonic() + MOST_SECONDS, 0
    curve: dict[str, Any] = {"step": [], "loss": [], "measured": [], "events": []}
    try:
        while curve.get("state") not in ("done", "stopped", "failed"):
            for frame in run.after(number):
                _hear(curve, unpack(frame)[0])
                number += 1
            if time.monotonic() > end:
                raise ValueError(f"It was not done after {MOST_SECONDS} s: ask for fewer steps, or a smaller model.")
            time.sleep(LOOK_SECONDS)
    finally:
        runs.close(run.id)
    return curve


def _hear(curve: dict, frame: dict) -> None:
    """Take what a frame says into the answer."""
    kind = frame["kind"]
    if kind == "ready":
        curve |= {name: frame[name] for name in ("choices", "num_parameters", "uniform_loss")}
    elif kind == "measured":
        curve["step"] += frame["points"]["step"]
        curve["loss"] += frame["points"]["loss"]
        fresh = frame["fresh"]
        if fresh and fresh not in curve["measured"]:
            curve["measured"].append(fresh)
    elif kind == "event":
        curve["events"].append({name: frame[name] for name in ("step", "what", "title", "sentence")})
    elif kind == "state":
        curve |= {"state": frame["state"], "sentence": frame["sentence"]}
