"""Models on disk: ``model.safetensors`` (the weights), ``config.json`` (the sizes, and which tokenizer the ids are of),
``README.md`` (the card), and ``tokenizer.tiktoken`` if the tokenizer is none of those that are known by name.

Nothing is ever unpickled. Loading checks the names and shapes in the weights file against the sizes before it
reads a weight, so whatever is wrong with a checkpoint is one sentence. Saving is atomic: a full disk or a kill
leaves the old files whole.
"""

import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_safetensors
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..hub import CheckpointError, fetch, hub_id
from ..paths import MODELS
from ..text.tokenizer import GPT2, NAMES, OURS
from .architectures import Decoder, Encoder, EncoderDecoder
from .config import ModelConfig
from .families.files import WeightFiles
from .families.gguf import read_gguf
from .families.loading import load_family
from .families.nanogpt import read_checkpoint

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
OWN_TOKENIZER = "tokenizer.tiktoken"  # what config.json then names, and the file beside it
DRAFTS = ".saving"  # always the same folder, so that what a killed process left in it is cleared away
FILES = {".pt": read_checkpoint, ".gguf": read_gguf}  # models that are one file, of other libraries
ARCHITECTURES = ("decoder", "encoder", "encoder-decoder")

Model = Encoder | Decoder | EncoderDecoder


@dataclass(frozen=True)
class ModelInfo:
    """A model that ships, as it is listed before it is loaded."""

    name: str
    architecture: str
    num_parameters: int
    path: Path
    tokenizer: str  # for load_tokenizer


def num_parameters(model: nn.Module) -> int:
    """Numbers in the weights, a shared matrix counted once."""
    return sum(p.numel() for p in model.parameters())


def save_model(
    model: Model,
    folder: str | Path,
    card: str | None = None,
    dtype: torch.dtype = torch.float32,
    tokenizer: str | Path = OURS,
) -> None:
    """Write weights, sizes and, if given, the card into ``folder``, each matrix once and as ``dtype``.

    ``tokenizer`` is the name of the one that made the ids the model learned from, or its rank file, which is copied.
    Raises ``CheckpointError`` for a name that is unknown, or if the disk refuses; the files that were there are then
    unchanged.
    """
    path = Path(str(tokenizer))
    ranks = path.read_bytes() if path.suffix == ".tiktoken" and path.is_file() else None
    name = OWN_TOKENIZER if ranks else tokenizer
    _check_tokenizer(name)
    tensors = {name: p.detach().to("cpu", dtype).contiguous() for name, p in model.named_parameters()}
    files = {
        WEIGHTS: to_safetensors(tensors, metadata={"format": "pt"}),
        CONFIG: (json.dumps(_describe(model) | {"tokenizer": name}, indent=2) + "\n").encode(),
    }
    if ranks:
        files[OWN_TOKENIZER] = ranks
    if card is not None:
        files[CARD] = card.encode()
    write_files(Path(folder), files)


def load_model(
    name_or_path: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Model:
    """A shipped model by name, a local folder, nanoGPT's ``ckpt.pt``, a ``.gguf`` file, or a Hub id (owner/name), in
    eval mode; ``dtype`` is that of its weights.

    The folder is one of ours or of a family that ``families`` knows. Raises ``CheckpointError`` (a ``ValueError``) with
    one sentence for whatever is wrong or missing.
    """
    folder, device = _find(name_or_path), torch.device(device)
    if (foreign := _foreign(folder)) is not None:
        with _LeaveUnfilled():
            return load_family(*foreign, folder, device, dtype)
    model = _skeleton(folder, _read_config(folder / CONFIG))
    model.load_state_dict(_read_weights(folder / WEIGHTS, device, dtype), strict=False, assign=True)
    model.tie()
    return model.eval()


def foreign_weights(name_or_path: str | Path) -> int | None:
    """How many numbers another library's model has, none of them read; None for a model of ours."""
    foreign = _foreign(_find(name_or_path))
    if foreign is None:
        return None
    _, tensors = foreign
    shapes = getattr(tensors, "shapes", None) or {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    return sum(math.prod(shape) for shape in shapes.values())


def _foreign(folder: Path) -> tuple[dict, Mapping[str, Tensor]] | None:
    """Description and tensors of another library's model; None for one of ours."""
    if folder.is_file():
        return FILES[folder.suffix](folder)
    description = _read_config(folder / CONFIG)
    return (description, WeightFiles(folder)) if is_foreign(description) else None


def is_foreign(description: dict) -> bool:
    """Whether a config.json is another library's."""
    return "architecture" not in description and "model_type" in description


def tokenizer_name(name_or_path: str | Path) -> str:
    """Which tokenizer a checkpoint's ids are of, for ``load_tokenizer``; one that does not say so is of ours.

    Of another library's it is the folder, in which its tokenizer is.

    Raises ``CheckpointError`` for a name that is unknown: a checkpoint names no file but the one beside it, and nothing
    to download.
    """
    folder = _find(name_or_path)
    if folder.is_file():
        return GPT2 if folder.suffix == ".pt" else str(folder)
    description = _read_config(folder / CONFIG)
    if is_foreign(description):
        return str(folder)
    name = description.get("tokenizer", OURS)
    _check_tokenizer(name, f"{folder / CONFIG}: ")
    return str(folder / OWN_TOKENIZER) if name == OWN_TOKENIZER else name


def list_models() -> list[ModelInfo]:
    """The models that ship, in order of name; damaged ones are left out. Reads no weights."""
    found = []
    for folder in sorted(MODELS.glob("*/")):
        try:
            model, tokenizer = _skeleton(folder, _read_config(folder / CONFIG)), tokenizer_name(folder)
        except CheckpointError:
            continue
        found.append(ModelInfo(folder.name, _describe(model)["architecture"], num_parameters(model), folder, tokenizer))
    return found


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write all ``files`` beside the old ones, and only when all are on the disk put them in their place."""
    drafts = folder / DRAFTS
    try:
        drafts.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            with open(drafts / name, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        for name in files:
            os.replace(drafts / name, folder / name)
    except OSError as error:
        raise CheckpointError(
            f"{folder} could not be written ({error.strerror or error}); what was saved there before is unchanged"
        ) from error
    finally:
        shutil.rmtree(drafts, ignore_errors=True)


def _check_tokenizer(name: object, where: str = "") -> None:
    if name not in (*NAMES, OWN_TOKENIZER):
        raise CheckpointError(f"{where}unknown tokenizer {name!r}; known are {', '.join(NAMES)}")


def _describe(model: Model) -> dict:
    """What ``config.json`` says of the model."""
    if isinstance(model, EncoderDecoder):
        name = "encoder-decoder"
        config = {"encoder": model.encoder.config.to_dict(), "decoder": model.decoder.config.to_dict()}
    elif isinstance(model, (Encoder, Decoder)):
        name, config = type(model).__name__.lower(), model.config.to_dict()
    else:
        raise CheckpointError(f"{type(model).__name__} cannot be saved: it must be one of {', '.join(ARCHITECTURES)}")
    conditioning = getattr(model, "conditioning", None)
    return {
        "architecture": name,
        **({"conditioning": conditioning} if conditioning else {}),
        "config": config,
    }


def _find(name_or_path: str | Path) -> Path:
    """The folder of a shipped name, a path or a Hub id."""
    name, path = str(name_or_path), Path(name_or_path).expanduser()
    if re.fullmatch(r"[\w-][\w.-]*", name) and (MODELS / name).is_dir():
        return MODELS / name
    if path.is_dir():
        return path
    if path.is_file() and path.suffix in FILES:
        return path
    if path.exists():
        raise CheckpointError(f"{name} is a file: give the folder that holds {WEIGHTS} and {CONFIG}")
    if hub_id(name) is not None:
        return fetch(hub_id(name))
    shipped = ", ".join(info.name for info in list_models()) or "none"
    raise CheckpointError(f"no model {name!r}: give a folder, a Hub id (owner/name), or a shipped name ({shipped})")


def _skeleton(folder: Path, description: dict) -> Model:
    """The model without its weights (on the meta device), once names and shapes in the file agree with it."""
    shapes = _read_shapes(folder / WEIGHTS)
    try:
        with torch.device("meta"), _LeaveUnfilled():
            model = _build(description, most_layers=len(shapes))
    except ValueError as error:
        raise CheckpointError(f"{folder / CONFIG}: {error}") from None
    except (RuntimeError, TypeError):  # PyTorch's, when a size overflows
        raise CheckpointError(f"{folder / CONFIG}: these sizes are impossible, no tensor is that large") from None
    _compare({name: tuple(p.shape) for name, p in model.named_parameters()}, shapes, folder / WEIGHTS)
    return model


class _LeaveUnfilled(TorchFunctionMode):
    """Skips the drawing of initial weights, which on the meta device would import half of PyTorch (1.5 s)."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        return kwargs["tensor"] if function is nn.init.normal_ else function(*args, **kwargs)


def _build(description: dict, most_layers: int) -> Model:
    architecture: Any = description.get("architecture")
    conditioning: Any = description.get("conditioning")
    if architecture == "encoder-decoder":
        parts = _object(description, "config")
        encoder, decoder = (_sizes(parts, part, most_layers) for part in ("encoder", "decoder"))
        return EncoderDecoder(encoder, decoder, conditioning)
    if architecture == "decoder":
        return Decoder(_sizes(description, "config", most_layers), conditioning)
    if architecture == "encoder":
        return Encoder(_sizes(description, "config", most_layers))
    raise ValueError(f"unknown architecture {architecture!r}; known are {', '.join(ARCHITECTURES)}")


def _sizes(parent: dict, name: str, most_layers: int) -> ModelConfig:
    config = ModelConfig.from_dict(_object(parent, name))
    if config.n_layer > most_layers:
        raise ValueError(f"n_layer={config.n_layer} is impossible: {WEIGHTS} has {most_layers} tensors in all")
    return config


def _object(parent: dict, name: str) -> dict:
    value = parent.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name!r} must be an object with the model's sizes, not {value!r}")
    return value


def _read_config(path: Path) -> dict:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path.parent} has no {path.name}, so it is not a checkpoint") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(description, dict):
        raise CheckpointError(f"{path} must hold one JSON object, not {type(description).__name__}")
    return description


def _read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes from the head of the file, which also says whether the file is as long as it must be."""
    if not path.exists():
        raise CheckpointError(f"{path.parent} has no {path.name}; weights in another format are never loaded")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.offset_keys()}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file: {error}") from None


def _read_weights(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Copies: the file itself may be replaced while the model is in use."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.offset_keys()}
    _require_weights(tensors, path)
    return {name: tensor.to(device, dtype, copy=True) for name, tensor in tensors.items()}


def _require_weights(tensors: dict[str, Tensor], path: Path) -> None:
    """``CheckpointError`` for what no model can compute with."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            raise CheckpointError(
                f"{path}: {name} holds {tensor.dtype}, and weights are fractions (float16 to float64)"
            )
        if not tensor.float().isfinite().all():
            raise CheckpointError(
                f"{path}: {name} holds NaN or infinity: its training diverged, or the file is damaged"
            )


def _compare(wanted: dict[str, tuple], found: dict[str, tuple], path: Path) -> None:
    if missing := [name for name in wanted if name not in found]:
        raise CheckpointError(f"{path} lacks {len(missing)} of {len(wanted)} tensors, the first is {missing[0]}")
    if unexpected := [name for name in found if name not in wanted]:
        raise CheckpointError(f"{path} has {len(unexpected)} unexpected tensors, the first is {unexpected[0]}")
    for name, shape in wanted.items():
        if found[name] != shape:
            raise CheckpointError(f"{path}: {name} has shape {found[name]}, but {CONFIG} makes it {shape}")
