"""What a training run leaves on disk: its settings, its state in one safetensors file, its history in JSON lines.

The state (weights, optimizer moments, step) is written beside the old one and then takes its place in one
move, so a kill or a full disk at any moment leaves a state that can be resumed.
"""

import json
import math
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..model.checkpoints import DRAFTS, write_files
from .optimizers import moments

STATE_FILE, SETTINGS_FILE, HISTORY_FILE = "state.safetensors", "run.json", "history.jsonl"
REMEDY = "move it away to start over, or put a copy in its place"


class Progress(NamedTuple):
    """How far a run has come."""

    step: int = 0
    num_tokens: int = 0
    seconds: float = 0.0


def write_settings(folder: Path, settings: dict) -> None:
    write_files(folder, {SETTINGS_FILE: json.dumps(settings, indent=2).encode()})


def read_settings(folder: Path, *needed: str) -> dict:
    """What ``write_settings`` left in a run's folder; ``ValueError`` without it, or without one of those ``needed``."""
    path = folder / SETTINGS_FILE
    if not path.exists():
        raise ValueError(f"{folder} has no {SETTINGS_FILE}, so it is not the folder of a run")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{path} cannot be read as JSON ({error}): {REMEDY}") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path} holds {type(settings).__name__}, not the settings of a run: {REMEDY}")
    if missing := [name for name in needed if name not in settings]:
        raise ValueError(f"{path} does not say {missing[0]!r}, as the settings of a run do: {REMEDY}")
    return settings


class History:
    """A JSON-lines file: one object a line, a number by each name, "step" among them."""

    def __init__(self, path: Path):
        self.path = path

    def append(self, entry: dict) -> None:
        try:
            with open(self.path, "a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise OSError(f"{self.path} could not be written ({error}); the last saved state is intact") from None

    def read(self) -> list[dict]:
        """All entries. A last line that a kill has cut is left out; any other that is none is a ``ValueError``."""
        lines = self.path.read_bytes().splitlines() if self.path.exists() else []
        entries = [_entry(line) for line in lines]
        damaged = [number for number, entry in enumerate(entries, 1) if entry is None]
        if damaged and damaged[0] < len(lines):
            raise ValueError(
                f"{self.path}, line {damaged[0]} is not an entry of a run's history: remove it, or move the file away"
            )
        return [entry for entry in entries if entry]

    def cut_after(self, step: int) -> None:
        """Forget what lies behind ``step``: the run will write it again."""
        kept = [entry for entry in self.read() if entry["step"] <= step]
        write_files(self.path.parent, {self.path.name: "".join(json.dumps(entry) + "\n" for entry in kept).encode()})


def _entry(line: bytes) -> dict | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(entry, dict) and "step" in entry and all(map(_is_number, entry.values()))
    return entry if is_one and isinstance(entry["step"], int) else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def save_run(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, step: int, num_tokens: int, seconds: float
) -> None:
    """Write weights, optimizer state and counters; raises ``OSError`` (disk full) with the old state intact."""
    counters = {"step": str(step), "num_tokens": str(num_tokens), "seconds": str(seconds)}
    drafts = folder / DRAFTS
    try:
        drafts.mkdir(parents=True, exist_ok=True)
        save_file(_tensors(model, optimizer), drafts / STATE_FILE, metadata=counters)
        with open(drafts / STATE_FILE, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(drafts / STATE_FILE, folder / STATE_FILE)
    except (OSError, SafetensorError) as error:
        raise OSError(f"the run could not be saved in {folder} ({error}); the last saved state is intact") from None
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def load_run(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Restore a saved run into model and optimizer; all 0 if there is none.

    Raises ``ValueError``, with nothing restored, if the state is damaged or belongs to a model of another shape.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return Progress()
    try:
        with safe_open(path, framework="pt") as file:
            progress = _progress(file.metadata() or {})
            saved = {name: file.get_tensor(name) for name in file.offset_keys()}
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): {REMEDY}") from None
    _require_fit(saved, model, optimizer, path)
    _require_numbers(saved, path)
    _restore(saved, model, optimizer)
    return progress


def read_progress(folder: Path) -> Progress:
    """How far the state in a run's folder has come; reads no tensor."""
    path = folder / STATE_FILE
    if not path.exists():
        raise ValueError(f"{folder} has no {STATE_FILE} yet: nothing of the run has been saved")
    try:
        with safe_open(path, framework="pt") as file:
            return _progress(file.metadata() or {})
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}): {REMEDY}") from None


def _progress(counters: dict[str, str]) -> Progress:
    progress = Progress(int(counters["step"]), int(counters["num_tokens"]), float(counters["seconds"]))
    for name, value in progress._asdict().items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}={value}")
    return progress


def _tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {}
    for name, parameter in model.named_parameters():  # a tied matrix is named once
        tensors[f"model.{name}"] = parameter
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{name}/{key}"] = value
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _require_fit(saved: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> None:
    """Every tensor that this model and this optimizer need is there in its shape, and no other."""
    shapes = {name: tuple(tensor.shape) for name, tensor in saved.items()}
    kept, wanted = moments(optimizer), {}
    for name, parameter in model.named_parameters():
        wanted[f"model.{name}"] = shape = tuple(parameter.shape)
        wanted |= {f"optimizer.{name}/{key}": () if key == "step" else shape for key in kept[parameter]}
    for name in sorted({**wanted, **shapes}, key=lambda name: not name.startswith("model.")):
        if shapes.get(name) != wanted.get(name):
            what = "model" if name.startswith("model.") else "optimizer's state"
            raise ValueError(
                f"{path} holds another {what}: {name.removeprefix('model.')} is {shapes.get(name, 'not there')} in it, "
                f"and {wanted.get(name, 'not there')} in this one; {REMEDY}"
            )


def _require_numbers(saved: dict[str, Tensor], path: Path) -> None:
    for name, tensor in saved.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            what = "NaN or infinity" if tensor.is_floating_point() else f"{tensor.dtype} instead of fractions"
            raise ValueError(f"{path} is damaged ({name} holds {what}): {REMEDY}")


def _restore(saved: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    parameters = dict(model.named_parameters())
    for name, tensor in saved.items():
        kind, _, rest = name.partition(".")
        parameter = parameters[rest.split("/")[0]]
        if kind == "model":
            parameter.data.copy_(tensor)
        else:
            optimizer.state[parameter][rest.split("/")[1]] = tensor.to(parameter.device)
