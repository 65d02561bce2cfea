"""The shelf of models: those that ship, the runs beside the app, and folders that its owner has named.

A question names its model, so that no choice of one user is another's. Models stay on the shelf, the least recently
used dropped first; one whose file has changed is loaded anew, and one that was deleted is no longer there.
"""

import gc
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from llm_core.hub import fetch, hub_id
from llm_core.paths import RUNS

from .architectures import ARCHITECTURES, KINDS
from .place import NoRoom
from .runner import MODELS, Runner

CAPACITY = 6  # models beside the first
FILES = (".pt", ".gguf")  # models that are one file
LONGEST = 200  # characters of a name


class Shelf:
    """Models by name; the ``first`` is what the app was started with, and always there.

    To take a model loads nothing: it loads itself when it is first needed, and others need not wait for that. With
    ``listed`` (folders, files, runs or Hub ids) these are what can be chosen beside those that ship; ``ValueError`` for
    one that is not there.
    """

    def __init__(self, first: Runner, shipped: Path = MODELS, runs: Path = RUNS, listed: Sequence[str] | None = None):
        self.first, self.shipped, self.runs = first, shipped, runs
        self.is_private = False  # whether only this machine can ask; said when the app is served
        self._others: OrderedDict[tuple, Runner] = OrderedDict()
        self._lock = threading.Lock()
        self._opened: dict[str, Path] = {}  # folders that the app's owner has named
        self._unfetched: dict[str, str] = {}  # of what is listed, what only the Hub has yet, and its id there
        self._listed = (
            None if listed is None else {name: self._found(name) for name in listed if name not in ARCHITECTURES}
        )

    def choices(self, any_folder: bool = False) -> list[dict]:
        """What can be chosen by name: {"name", "title", "architecture"} each. Imports no torch.

        With ``any_folder`` also the folders that the app's owner has opened, which are nobody else's business.
        """
        saved = self._saved() | (self._still_there() if any_folder else {})
        shipped = [{"name": name, "title": ARCHITECTURES[name].title, "architecture": name} for name in self._shipped()]
        return shipped + [
            {"name": name, "title": name, "architecture": _named_architecture(folder)} for name, folder in saved.items()
        ]

    def get(self, name: str = "", any_folder: bool = False) -> Runner:
        """The model of that name, perhaps not yet loaded; without a name, the first.

        With ``any_folder`` it may be any folder of this machine. Raises ``ValueError`` for a name that is unknown.
        """
        if not name or name == str(self.first.model_name):
            return self.first
        name = str(name)[: None if any_folder else LONGEST]
        folder = self.folder(name, any_folder)
        key = (name, str(folder), version := version_of(folder))
        with self._lock:
            if key not in self._others:
                self._others[key] = Runner(name, folder, version, self.first.results, self.first.place)
            self._others.move_to_end(key)
            while len(self._others) > CAPACITY:
                self._others.popitem(last=False)
            return self._others[key]

    def decoder(self, name: str = "", is_owner: bool = False) -> Runner:
        """``explored``, but ``ValueError`` for a model that is no decoder that stands alone."""
        found = self.explored(name, is_owner)
        found.check_writes()
        return found

    def explored(self, name: str = "", is_owner: bool = False) -> Runner:
        """One of the ``choices``, loaded: for the app's owner also one that was opened."""
        return self._with_room(self.get(name, any_folder=is_owner and name in self._still_there()))

    def opened(self, name: str) -> Runner:
        """Any model of this machine or the Hub, loaded, and from now on one of the choices."""
        if not name:
            raise ValueError("Type the folder of a model, or its name on the Hugging Face Hub")
        return self.loaded(name, any_folder=True)

    def loaded(self, name: str, any_folder: bool = False) -> Runner:
        """``get``, loaded, of any architecture; a folder that was named stays one of the choices."""
        found = self._with_room(self.get(name, any_folder))
        if any_folder and found.folder and name not in ARCHITECTURES and name not in self._saved():
            self._opened[name] = found.folder
        return found

    def _with_room(self, found: Runner) -> Runner:
        """The model, loaded; where memory is short, those that nobody has asked for longest make room for it."""
        while True:
            try:
                _ = found.model
                return found
            except NoRoom:
                if not self._forget_one(found):
                    raise

    def _forget_one(self, but: Runner) -> bool:
        """Drop the model that was asked for longest ago, and what was recorded of it; False if there is no other."""
        with self._lock:
            others = [key for key, runner in self._others.items() if runner is not but]
            if not others:
                return False
            del self._others[others[0]]
        self.first.results.recorded.clear()
        gc.collect()
        return True

    def folder(self, name: str, any_folder: bool = False) -> Path:
        """Where a model lies. Raises ``ValueError`` for a name that is unknown."""
        if name in (shipped := self._shipped()):
            return self.shipped / name
        if name in (saved := self._saved()):
            return self._fetched(name) if name in self._unfetched else saved[name]
        if any_folder and name in (opened := self._still_there()):
            return opened[name]
        if any_folder and (path := Path(name).expanduser()).exists() and (path.is_dir() or path.suffix in FILES):
            return path.resolve()
        if any_folder and (id := hub_id(name)):
            return fetch(id)
        known = ", ".join([*shipped, *saved])
        if any_folder:
            raise ValueError(
                f"no folder {name}: give the path of one with model.safetensors and config.json, the Hub id of a model "
                f"such as gpt2, or {known}"
            )
        raise ValueError(
            f"no model {name}: there are {known}; the person who runs this app can open others with "
            "“Open another model”"
        )

    def _shipped(self) -> list[str]:
        own = self.first.model_name
        return [name for name in ARCHITECTURES if name == own or (self.shipped / name).is_dir()]

    def _saved(self) -> dict[str, Path]:
        """Other models that ship, those that are listed or else the runs beside the app, and what the app was started
        with, by name."""
        others = (folder for folder in sorted(self.shipped.glob("*/")) if folder.name not in ARCHITECTURES)
        saved = {folder.name: folder for folder in others if _has_config(folder)}
        saved |= self._runs() if self._listed is None else self._listed
        if not self.first.is_shipped:
            saved[str(self.first.model_name)] = Path(self.first.model_name)
        return saved

    def _still_there(self) -> dict[str, Path]:
        return {name: place for name, place in self._opened.items() if place.is_file() or _has_config(place)}

    def _runs(self) -> dict[str, Path]:
        found = {}
        for folder in sorted(self.runs.glob("*/")):
            for place in (folder, folder / "model"):  # training leaves it in runs/NAME/model
                if _has_config(place):
                    found[f"runs/{folder.name}"] = place
        return found

    def _fetched(self, name: str) -> Path:
        """All that the Hub has of a model that is listed."""
        folder = fetch(self._unfetched[name])
        self._listed = {**(self._listed or {}), name: folder}
        self._unfetched.pop(name, None)
        return folder

    def _found(self, name: str) -> Path:
        """Where a model that is listed lies. Of one on the Hub only what says which kind it is is fetched."""
        if name in (runs := self._runs()):
            return runs[name]
        path = Path(name).expanduser()
        if path.is_dir() or (path.is_file() and path.suffix in FILES):
            return path.resolve()
        if not (id := hub_id(name)):
            raise ValueError(
                f"--models {name}: there is no such folder, file, or run, and it is not a Hub id (owner/name)"
            )
        self._unfetched[name] = id
        return fetch(id, ["config.json"])


def version_of(folder: Path) -> int:
    """Another number for another file."""
    from llm_core.model.checkpoints import WEIGHTS

    path = folder if folder.is_file() else folder / WEIGHTS
    return path.stat().st_mtime_ns if path.is_file() else 0


def _has_config(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _named_architecture(folder: Path) -> str | None:
    """What a model says that it is, unread and unchecked; None if it does not say."""
    if folder.is_file():
        return "decoder"
    try:
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if "architecture" not in about:
            return KINDS.get(about["model_type"])
        parts = [about["architecture"], about.get("conditioning")]
        return "-".join(part for part in parts if part)
    except (OSError, ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return None
