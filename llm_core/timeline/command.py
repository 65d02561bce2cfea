"""A training made visible: what a model computed at each snapshot of its run, in files small enough to ship.

    python -m llm_core.timeline runs/decoder --out assets/timeline --name decoder

``<out>/<name>/timeline.json`` holds the losses, the head roles and a sample text of every step, and since when a head
has had its role; ``<k>.safetensors.gz`` holds prompt k at all steps: attention of every head in 16 bits (65535 is 1;
of causal attention the lower triangle, row by row) and the likeliest next tokens. Layers, heads and places count from
0. Whoever shows a timeline needs these files alone.
"""

import argparse
import gzip
import hashlib
import json
import math
import re
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from ..model.checkpoints import write_files
from ..paths import ASSETS
from ..train.loop import ARCHITECTURES
from .run import record_run, snapshots

TIMELINES = ASSETS / "timeline"
INFO = "timeline.json"
FORMAT = {"format": "headscope-timeline", "version": 1}
MAX_BYTES = 6 * 2**20  # of one model


class TimelineError(ValueError):
    """A timeline that cannot be made or read; the message is one sentence for the user."""


def write_timeline(run: Path, out: Path, name: str) -> Path:
    """Record the snapshots of a run; returns the folder of the files.

    Raises ``TimelineError`` if the run has no snapshots or the files would be too large; ``CheckpointError`` if a
    snapshot is damaged or the disk refuses. What was there before is then unchanged.
    """
    folder = _folder(out, name)
    if not snapshots(run):
        raise TimelineError(f"{run} has no snapshots: give the folder of a run, as python -m llm_core.train leaves it")
    info, prompts = record_run(run)
    files = {}
    for k, (described, arrays) in enumerate(zip(info["prompts"], prompts)):
        content = gzip.compress(safetensors.numpy.save(arrays), mtime=0)
        described |= {"file": _file(k), "num_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        files[_file(k)] = content
    text = json.dumps({**FORMAT, "name": name, **info}, allow_nan=False, separators=(",", ":"))
    files[INFO] = text.encode()  # the file that tells of the others is the last
    if (size := sum(map(len, files.values()))) > MAX_BYTES:
        raise TimelineError(
            f"the timeline of {len(info['steps'])} snapshots takes {size:,} bytes, more than {MAX_BYTES:,}: keep fewer"
        )
    write_files(folder, files)
    for path in folder.glob("*.safetensors.gz"):
        if path.name not in files:  # an earlier recording had more prompts
            path.unlink()
    return folder


@dataclass(frozen=True)
class Timeline:
    """What was recorded of one model. ``info`` is ``timeline.json``."""

    info: dict
    folder: Path

    def prompt(self, k: int) -> dict[str, np.ndarray]:
        """Prompt k at all N steps: the arrays of ``record_prompt`` with N in front, attention as probabilities.

        "attention.decoder" is (N, L, H, M, M), 0 where the mask hides. Raises ``TimelineError``.
        """
        path = self.folder / _file(k)
        wanted = self.info["prompts"][k]["sha256"]
        try:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != wanted:
                raise _damaged(path, "it is not the file that was recorded")
            arrays = safetensors.numpy.load(gzip.decompress(content))
        except (OSError, EOFError, zlib.error, SafetensorError) as error:
            raise _damaged(path, error) from None
        causal = {f"attention.{kind['name']}" for kind in self.info["stacks"] if kind["mask"] == "causal"}
        return {name: _as_stored(name, array, name in causal) for name, array in arrays.items()}


def read_timeline(folder: str | Path, name: str) -> Timeline:
    """The timeline of model ``name`` in ``folder`` (``TIMELINES`` are those that ship).

    Raises ``TimelineError`` (a ``ValueError``) with one sentence if it is missing or damaged.
    """
    path = _folder(Path(folder), name) / INFO
    if not path.exists():
        known = ", ".join(one["name"] for one in list_timelines(folder)) or "none"
        raise TimelineError(f"no timeline of {name!r} in {folder}; there are: {known}")
    try:
        info = json.loads(path.read_bytes())
        _check(info)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(path, error) from None
    return Timeline(info, path.parent)


def list_timelines(folder: str | Path = TIMELINES) -> list[dict[str, str]]:
    """``{"name", "architecture"}`` of every model with a readable timeline, in the order of the architectures."""
    timelines = []
    for path in sorted(Path(folder).glob(f"*/{INFO}")):
        try:
            info = read_timeline(folder, path.parent.name).info
        except TimelineError:
            continue
        timelines.append({"name": info["name"], "architecture": info["architecture"]})
    return sorted(timelines, key=lambda one: ARCHITECTURES.index(one["architecture"]))


def _check(info: dict) -> None:
    """``ValueError`` or ``KeyError`` for anything but what ``write_timeline`` writes."""
    for key, value in FORMAT.items():
        if info[key] != value:
            raise ValueError(f"its {key} is {info[key]!r}, not {value!r}")
    if info["architecture"] not in ARCHITECTURES:
        raise ValueError(f"architecture {info['architecture']!r}")
    N, shapes = len(info["steps"]), {kind["name"]: (kind["n_layer"], kind["n_head"]) for kind in info["stacks"]}
    tables = {"tokens": info["tokens"], "held-out losses": info["held_out"]["loss"], "samples": _texts(info["sample"])}
    for what, table in tables.items():
        if len(table) != N:
            raise ValueError(f"{len(table)} {what} of {N} steps")
    for kind, roles in info["scores"].items():
        for role, measured in roles.items():
            if np.shape(measured["scores"]) != (N, *shapes[kind]):
                raise ValueError(f"scores of shape {np.shape(measured['scores'])} for {role}")
    for prompt in info["prompts"]:
        if len(prompt["places"]) != len(prompt["truth"]) or not prompt["sha256"]:
            raise ValueError(f"prompt {prompt['title']!r}")
    [info[key] for key in ("name", "masked", "vocab_size", "curve", "roles", "marks", "pieces")]


def _texts(sample: dict) -> list:
    return sample["fills"] if "fills" in sample else sample["texts"]


def _as_stored(name: str, array: np.ndarray, is_causal: bool) -> np.ndarray:
    """16 bits -> probabilities, a triangle -> a square."""
    if not name.startswith("attention."):
        return array
    pattern = array / np.float32(65535)
    if not is_causal:
        return pattern
    M = (math.isqrt(8 * array.shape[-1] + 1) - 1) // 2
    square = np.zeros((*array.shape[:-1], M, M), np.float32)
    rows, keys = np.tril_indices(M)
    square[..., rows, keys] = pattern
    return square


def _damaged(path: Path, problem: object) -> TimelineError:
    if isinstance(problem, TimelineError):
        return problem
    return TimelineError(f"{path} is damaged or missing ({problem}): record it again with python -m llm_core.timeline")


def _folder(out: Path, name: str) -> Path:
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise TimelineError(f"name={name!r}: must be letters, digits, dots, dashes")
    return out / name


def _file(k: int) -> str:
    return f"{k}.safetensors.gz"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m llm_core.timeline", description="Record what a model computed at each snapshot of its training."
    )
    parser.add_argument("run", type=Path, help="folder of a run, with snapshots/")
    parser.add_argument("--out", type=Path, default=TIMELINES, help="folder of the timelines (%(default)s)")
    parser.add_argument("--name", help="of the model; default: the run folder's")
    args = parser.parse_args(arguments)
    try:
        folder = write_timeline(args.run, args.out, args.name or args.run.resolve().name)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{folder}: {len(read_timeline(args.out, folder.name).info['steps'])} steps, {size / 2**20:.2f} MiB")
