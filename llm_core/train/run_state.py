"""What a training run leaves on disk: its state in one safetensors file, its history in JSON lines.

The state (weights, optimizer moments, step) is written beside the old one and then takes its place in one
move, so a kill or a full disk at any moment leaves a state that can be resumed.
"""

import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..model.checkpoints import DRAFTS, write_files

STATE_FILE = "state.safetensors"


class History:
    """A JSON-lines file: one object a line, each with its "step"."""

    def __init__(self, path: Path):
        self.path = path

    def append(self, entry: dict) -> None:
        try:
            with open(self.path, "a") as file:
                file.write(json.dumps(entry) + "\n")
        except OSError as error:
            raise OSError(f"{self.path} could not be written ({error}); the last saved state is intact") from None

    def read(self) -> list[dict]:
        """All whole entries; a line cut by a kill is left out."""
        entries = []
        for line in self.path.read_text().splitlines() if self.path.exists() else []:
            try:
                entries.append(json.loads(line))
            except ValueError:
                continue
        return entries

    def cut_after(self, step: int) -> None:
        """Forget what lies behind ``step``: the run will write it again."""
        kept = [entry for entry in self.read() if entry["step"] <= step]
        write_files(self.path.parent, {self.path.name: "".join(json.dumps(entry) + "\n" for entry in kept).encode()})


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


def load_run(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[int, int, float]:
    """Restore a saved run into model and optimizer; returns step, tokens, seconds: all 0 if there is none.

    Raises ``ValueError`` if the state is damaged or belongs to a model of another shape.
    """
    path = folder / STATE_FILE
    if not path.exists():
        return 0, 0, 0.0
    try:
        with safe_open(path, framework="pt") as file:
            counters = file.metadata() or {}
            saved = {name: file.get_tensor(name) for name in file.offset_keys()}
        progress = int(counters["step"]), int(counters["num_tokens"]), float(counters["seconds"])
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(
            f"{path} is damaged ({error}): move it away to start anew, or put a copy in its place"
        ) from None
    _require_fit(saved, model, path)
    _restore(saved, model, optimizer)
    return progress


def _tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors = {}
    for name, parameter in model.named_parameters():  # a tied matrix is named once
        tensors[f"model.{name}"] = parameter
        for key, value in optimizer.state[parameter].items():
            tensors[f"optimizer.{name}/{key}"] = value
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}


def _require_fit(saved: dict[str, Tensor], model: nn.Module, path: Path) -> None:
    shapes = {name.removeprefix("model."): tuple(x.shape) for name, x in saved.items() if name.startswith("model.")}
    wanted = {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    for name in [*wanted, *shapes]:
        if shapes.get(name) != wanted.get(name):
            raise ValueError(
                f"{path} holds another model: {name} is {shapes.get(name, 'not there')} in it, "
                f"and {wanted.get(name, 'not there')} in this one"
            )


def _restore(saved: dict[str, Tensor], model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    parameters = dict(model.named_parameters())
    for name, tensor in saved.items():
        kind, _, rest = name.partition(".")
        parameter = parameters[rest.split("/")[0]]
        if kind == "model":
            parameter.data.copy_(tensor)
        else:
            optimizer.state[parameter][rest.split("/")[1]] = tensor.to(parameter.device)
