"""A training run that takes a second: our own articles, a narrow model, twelve steps."""

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from llm_core.paths import ASSETS
from llm_core.train import command as train
from llm_core.train import samples
from llm_core.train.run_state import History

ROOT = ASSETS.parent
ARTICLES = ASSETS / "sample_articles.jsonl"
STEPS = 12
SETTINGS = {
    "model": "decoder",
    "data": ARTICLES,
    "held-out": 0.2,
    "n-layer": 2,
    "n-head": 3,
    "n-embd": 24,  # D=8
    "block-size": 32,
    "steps": STEPS,
    "batch-size": 4,
    "micro-batch-size": 2,
    "learning-rate": 1e-2,
    "warmup-steps": 2,
    "log-every": 1,
    "eval-every": 6,
    "eval-batches": 2,
    "save-every": 4,
    "device": "cpu",
}


def command(out: Path, **changes: object) -> list[str]:
    """The arguments of ``python -m llm_core.train``."""
    settings = {**SETTINGS, "out": out, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return [*words(settings), "--no-bf16", "--no-compile"]


def words(settings: dict[str, object]) -> list[str]:
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def run_here(out: Path, **changes: object) -> int | str:
    """Train in this process; returns the exit code, or the sentence that stands for it."""
    return run_words(command(out, **changes))


def run_words(arguments: list[str], sample_tokens: int = 1) -> int | str:
    """The same for a whole command. The samples on the card would take most of a tiny run's time."""
    with patch.object(samples, "MOST", sample_tokens), pytest.raises(SystemExit) as end:
        train.main(arguments)
    return end.value.code


def run_process(*arguments: object) -> subprocess.CompletedProcess:
    """Python in a process of its own, with one thread as the tests have themselves."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, *map(str, arguments)]
    return subprocess.run(words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600)


def losses(out: Path) -> dict[tuple[str, int], float]:
    """Every loss in the history: {("loss" or "held_out_loss", step): value}; a step written twice is an error."""
    found = {}
    for entry in History(out / "history.jsonl").read():
        for kind in {"loss", "held_out_loss"} & set(entry):
            assert (kind, entry["step"]) not in found
            found[kind, entry["step"]] = entry[kind]
    return found
