"""The weights of a folder as other libraries leave it: one safetensors file, or several and an index."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...hub import CheckpointError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
DTYPES = ("F64", "F32", "F16", "BF16")


class WeightFiles(Mapping):
    """Tensors by name. Names and shapes are read at once, numbers when they are asked for."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file_of = self._files()
        self.shapes = self._shapes()

    def __getitem__(self, name: str) -> Tensor:
        with safe_open(self.file_of[name], framework="pt") as file:
            return file.get_tensor(name)

    def __iter__(self):
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def _files(self) -> dict[str, Path]:
        """Where each tensor is."""
        if (self.folder / SINGLE).exists():
            return {name: self.folder / SINGLE for name in _opened(self.folder / SINGLE)}
        if not (self.folder / INDEX).exists():
            raise CheckpointError(_nothing_to_read(self.folder))
        try:
            file_of = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
            file_of = {str(name): self.folder / Path(part).name for name, part in file_of.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{self.folder / INDEX} cannot be read as an index of weights: {error!r}") from None
        for missing in sorted({path for path in file_of.values() if not path.exists()})[:1]:
            raise CheckpointError(f"{self.folder} has no {missing.name}, which {INDEX} names")
        return file_of

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        heads = {path: _opened(path) for path in set(self.file_of.values())}
        for name, path in self.file_of.items():
            if name not in heads[path]:
                raise CheckpointError(f"{path} has no tensor {name}, though {INDEX} says so")
        return {name: heads[path][name] for name, path in self.file_of.items()}


def _opened(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes from the head of the file."""
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.offset_keys()}
            for name, part in slices.items():
                if part.get_dtype() not in (*DTYPES, "I64", "I32", "BOOL", "U8"):
                    raise CheckpointError(f"{path}: {name} is {part.get_dtype()}; only {', '.join(DTYPES)} can be read")
            return {name: tuple(part.get_shape()) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from None


def _nothing_to_read(folder: Path) -> str:
    pickled = sorted(path.name for path in folder.glob("*.bin"))
    if not pickled:
        return f"{folder} has no {SINGLE}; weights in another format are never loaded"
    return (
        f"{folder} has no {SINGLE}, only {pickled[0]}, which could run any code and is never loaded: convert it once "
        f"where you trust it, with transformers' AutoModel.from_pretrained(folder).save_pretrained(new_folder)"
    )
