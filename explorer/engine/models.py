"""The models that can be compared: the four that ship, the runs beside the app, and folders that are named.

Models are kept, the least recently used dropped first; one whose file has changed is loaded anew.
"""

import json
import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from llm_core.paths import ROOT

from .runner import SHIPPED, Runner, check_vocabulary

MODELS, RUNS = ROOT / "assets" / "models", ROOT / "runs"
KEPT = 6


@dataclass(frozen=True)
class Architecture:
    """One of the four: its title, and what it does in one sentence."""

    title: str
    sentence: str


ARCHITECTURES = {
    "encoder": Architecture("Encoder", "Reads the whole text at once, to both sides, and fills in a hidden token."),
    "decoder": Architecture("Decoder", "Reads from left to right and predicts the next token: a writer, like GPT."),
    "encoder-decoder-prefix": Architecture(
        "Encoder-decoder, prefix",
        "An encoder reads the title; its states stand in front of the decoder's tokens, as if they were tokens.",
    ),
    "encoder-decoder-cross": Architecture(
        "Encoder-decoder, cross",
        "An encoder reads the title; every block of the decoder looks back at it, through cross-attention.",
    ),
}


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run, and what there is to say about it."""

    name: str
    architecture: str  # one of ARCHITECTURES
    model: object  # llm_core's Encoder, Decoder or EncoderDecoder
    tokenizer: object  # llm_core's Tokenizer
    held_out: dict | None  # {"loss", "unit"} of its card
    version: int  # of its file

    @property
    def title(self) -> str:
        return ARCHITECTURES[self.name].title if self.name in ARCHITECTURES else self.name


class Models:
    """Models by name, loaded when they are asked for."""

    def __init__(self, runner: Runner, shipped: Path = MODELS, runs: Path = RUNS):
        self.runner, self.shipped, self.runs = runner, shipped, runs
        self._kept, self._lock = OrderedDict(), threading.Lock()
        self._opened: dict[str, Path] = {}  # folders that the app's owner has named

    def choices(self) -> list[dict]:
        """What can be chosen without naming a folder: {"name", "title", "architecture"} each. Imports no torch."""
        shipped = [{"name": name, "title": ARCHITECTURES[name].title, "architecture": name} for name in self._shipped()]
        return shipped + [
            {"name": name, "title": name, "architecture": _named_architecture(folder)}
            for name, folder in self._saved().items()
        ]

    def get(self, name: str, any_folder: bool = False) -> Loaded:
        """The model of that name; with ``any_folder`` also that of any folder of this machine.

        Raises ``ValueError`` with one sentence for what is unknown, damaged or cannot be shown.
        """
        folder = self.folder(name, any_folder)
        version = version_of(folder) if folder else 0  # the runner's own stays as it was loaded
        key = (name, str(folder), version)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = self._load(name, folder, version)
            self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            if any_folder and folder and name not in ARCHITECTURES and name not in self._saved():
                self._opened[name] = folder
            return self._kept[key]

    def _shipped(self) -> list[str]:
        own = self.runner.model_name
        return [name for name in ARCHITECTURES if name == own or (self.shipped / name).is_dir()]

    def _saved(self) -> dict[str, Path]:
        """Other models that ship, runs beside the app, and what the app was started with, by name."""
        others = (folder for folder in sorted(self.shipped.glob("*/")) if folder.name not in ARCHITECTURES)
        found = {folder.name: folder for folder in others if (folder / "config.json").is_file()}
        for folder in sorted(self.runs.glob("*/")):
            for place in (folder, folder / "model"):  # training leaves it in runs/NAME/model
                if (place / "config.json").is_file():
                    found[f"runs/{folder.name}"] = place
        if not self.runner.is_shipped:
            found[str(self.runner.model_name)] = Path(self.runner.model_name)
        return found | {name: folder for name, folder in self._opened.items() if (folder / "config.json").is_file()}

    def folder(self, name: str, any_folder: bool = False) -> Path | None:
        """Where a model lies; None for the one that the runner has already. Raises ``ValueError`` for a name that is
        unknown."""
        if name == self.runner.model_name:
            return None
        if name in (shipped := self._shipped()):
            return self.shipped / name
        if name in (saved := self._saved()):
            return saved[name]
        if any_folder and Path(name).expanduser().is_dir():
            return Path(name).expanduser().resolve()
        known = ", ".join([*shipped, *saved])
        if any_folder:
            raise ValueError(
                f"no folder {name}: give the path of one with model.safetensors and config.json, or {known}"
            )
        raise ValueError(
            f"no model {name}: there are {known}; other folders are opened on the page Compare of an app on your own "
            "machine"
        )

    def _load(self, name: str, folder: Path | None, version: int) -> Loaded:
        from llm_core import load_model, load_tokenizer
        from llm_core.model.checkpoints import tokenizer_name

        if folder:
            model, tokenizer = load_model(folder), load_tokenizer(tokenizer_name(folder))
        else:
            model, tokenizer, folder = self.runner.model, self.runner.tokenizer, self._card_folder(name)
        _check(name, model, tokenizer)
        return Loaded(name, architecture_of(model), model, tokenizer, _held_out(folder), version)

    def _card_folder(self, name: str) -> Path | None:
        """The folder of the model that the app was started with; None if it came from the Hub."""
        folder = self.shipped / name if name == SHIPPED else Path(name).expanduser()
        return folder if folder.is_dir() else None


def _check(name: str, model, tokenizer) -> None:
    """Raise ``ValueError`` for a model that its tokens mean nothing to, or that lacks its encoder."""
    parts = [model.encoder, model.decoder] if hasattr(model, "encoder") else [model]
    for part in parts:
        check_vocabulary(name, part.config, tokenizer)
    if len(parts) == 1 and getattr(model, "conditioning", None):
        raise ValueError(f"{name} is only the decoder of an encoder-decoder: give the folder of the whole model")


def _named_architecture(folder: Path) -> str | None:
    """What a model says that it is, unread and unchecked; None if it does not say."""
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        parts = [about["architecture"], about.get("conditioning")]
        return "-".join(part for part in parts if part)
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None


def architecture_of(model) -> str:
    """Which of ARCHITECTURES a model is."""
    from llm_core import Encoder, EncoderDecoder

    if isinstance(model, EncoderDecoder):
        return f"encoder-decoder-{model.conditioning}"
    return "encoder" if isinstance(model, Encoder) else "decoder"


def version_of(folder: Path) -> int:
    """Another number for another file."""
    from llm_core.model.checkpoints import WEIGHTS

    path = folder / WEIGHTS
    return path.stat().st_mtime_ns if path.is_file() else 0


def _held_out(folder: Path | None) -> dict | None:
    """The loss that the model's card states, which training measured on articles it never learned from."""
    from llm_core.model.checkpoints import CARD

    if folder is None or not (folder / CARD).is_file():
        return None
    card = (folder / CARD).read_text(encoding="utf-8", errors="replace")
    found = re.search(r"\| Held-out loss \| ([\d.]+) (nats per (?:masked )?token)", card)
    return {"loss": float(found[1]), "unit": found[2]} if found else None
