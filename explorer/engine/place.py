"""Where the models of other libraries compute, as what, and whether there is room for them.

Ours are small: they stay on the CPU, in float32, as their examples and lessons were made.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEVICES = ("auto", "cpu", "cuda", "mps")
BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}  # of a number, by the name of its type
MEMORY, GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Place:
    """A device, and one of BYTES."""

    device: str = "cpu"
    dtype: str = "float32"

    @property
    def found(self) -> str:
        """The device; for "auto" a GPU if there is one."""
        if self.device != "auto":
            return self.device
        from llm_core.train.devices import default_device

        return default_device()

    @property
    def is_usual(self) -> bool:
        return (self.found, self.dtype) == ("cpu", "float32")

    def settings(self) -> dict[str, Any]:
        """For ``load_model``."""
        if self.is_usual:
            return {}
        import torch

        return {"device": self.found, "dtype": getattr(torch, self.dtype)}

    def check(self) -> None:
        """``ValueError`` for a device that is not there. Only then torch is needed."""
        if self.device not in ("auto", "cpu"):
            from llm_core.train.devices import require_present

            require_present(self.device)

    def check_room(self, name: str, weights: int) -> None:
        """``ValueError`` for a model of so many numbers that there is no memory for."""
        needed, free = weights * BYTES[self.dtype], free_bytes(self.found)
        if free is not None and needed > free:
            smaller = " start the app with --dtype bfloat16, or" if self.dtype == "float32" else ""
            raise NoRoom(
                f"{name} has {weights / 1e6:,.0f} million numbers, {needed / 1e9:.1f} GB as {self.dtype}, and only "
                f"{free / 1e9:.1f} GB of memory is free:{smaller} open a smaller model"
            )

    def put(self, model: Any) -> Any:
        """The model, so that it takes ids from anywhere, and gives what it computes in float32 on the CPU."""
        if self.is_usual:
            return model
        device = next(model.parameters()).device

        def take(_model: Any, inputs: tuple) -> tuple:
            return tuple(x.to(device) if hasattr(x, "to") else x for x in inputs)

        model.register_forward_pre_hook(take)
        model.register_forward_hook(lambda _model, _inputs, output: output.float().cpu())
        return model


CPU = Place()


class NoRoom(ValueError):
    """A model is larger than the memory that is free."""


def free_bytes(device: str) -> int | None:
    """What can still be used there; None where nobody says."""
    if device == "cuda":
        import torch

        return torch.cuda.mem_get_info()[0]
    known = [free for free in (_of_machine(), _of_group()) if free is not None]
    return min(known, default=None)


def _of_machine() -> int | None:
    with suppress(OSError, ValueError, StopIteration, IndexError):
        lines = MEMORY.read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])
    with suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _of_group() -> int | None:
    """What a container may still take."""
    with suppress(OSError, ValueError):  # "max" is no number
        return int((GROUP / "memory.max").read_text()) - int((GROUP / "memory.current").read_text())
    return None
