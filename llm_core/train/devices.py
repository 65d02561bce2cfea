"""What the machine can do: on which device to train, and what is faster there."""

import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path

import torch


def default_device() -> str:
    """A GPU if there is one, of NVIDIA, AMD or Apple."""
    return next(filter(is_present, ("cuda", "mps")), "cpu")


def is_present(device: str) -> bool:
    """True if numbers can be kept there and read back."""
    try:
        found = torch.device(device)
        if found.type == "cuda":  # without making a context on it, which takes half a gigabyte
            return (found.index or 0) < torch.cuda.device_count()
        return torch.ones(1, device=found).item() == 1
    except (RuntimeError, AssertionError, ImportError):
        return False


def require_present(device: str) -> None:
    """``ValueError`` for a device that is not there."""
    if not is_present(device):
        raise ValueError(f"device={device}: must be a device that PyTorch finds on this machine, such as cpu")


def has_fast_bf16(device: str) -> bool:
    """True if bf16 matrix products are known to be faster than float32 there."""
    if device.startswith("cuda"):
        return torch.cuda.is_bf16_supported()
    return device == "cpu" and torch.cpu._is_avx512_bf16_supported()


def can_compile() -> bool:
    """True if there is what ``torch.compile`` needs: a C++ compiler, and Python's headers."""
    has_headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    return sys.platform != "win32" and has_headers and any(map(shutil.which, ("g++", "clang++")))


def describe_device(device: str, bf16: bool, compiled: bool, num_processes: int = 1) -> str:
    """For a model card."""
    several = f"{num_processes} × " if num_processes > 1 else ""
    precision = "bf16 autocast" if bf16 else "float32"
    return f"{several}{_hardware(device)}, {precision}{', torch.compile' if compiled else ''}"


def _hardware(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"{device.upper()} of {platform.machine()}" if device != "cpu" else f"CPU, {os.cpu_count()} cores"
