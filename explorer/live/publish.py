"""Checkpoints that the page keeps: folders of ``runs/`` beside the app, a bounded number, never one over another."""

import json
import re
import shutil
import threading
from pathlib import Path

MOST = 20
ABOUT = "live.json"  # says how a kept model was trained, and that the page has put it there
LONGEST_NAME = 40
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)  # names that Windows keeps for itself
_one_at_a_time = threading.Lock()


def publish(model: Path, runs: Path, name: str, about: dict) -> str:
    """Copy the folder ``model`` to ``runs``/NAME, where every page finds it, and return that NAME.

    Raises ``ValueError`` with one sentence if there are MOST already, or the disk has no room.
    """
    with _one_at_a_time:
        require_room(runs)
        folder = None
        try:
            folder = _new_folder(runs, safe_name(name))
            (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
            last = "config.json"  # a folder counts as a model as soon as it has one: it comes when the rest is there
            for path in sorted(model.iterdir(), key=lambda path: path.name == last):
                shutil.copyfile(path, folder / path.name)
        except OSError as error:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            raise ValueError(f"The model could not be kept: {error.strerror or error}.") from None
    return folder.name


def require_room(runs: Path) -> None:
    """``ValueError`` if as many models are kept as may be."""
    if len(list(runs.glob(f"*/{ABOUT}"))) >= MOST:
        raise ValueError(
            f"{MOST} models are kept already: delete a folder in {runs.name}/ beside the app to make room."
        )


def safe_name(name: str) -> str:
    """A name for a folder: letters, digits, - and _ of ``name``, at most LONGEST_NAME of them."""
    name = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-_")[:LONGEST_NAME].strip("-_")
    return f"tiny-{name}".strip("-") if not name or RESERVED.fullmatch(name) else name


def _new_folder(runs: Path, name: str) -> Path:
    """``runs``/NAME, or NAME-2, NAME-3, … if that is taken; to create it is to claim it."""
    number = 1
    while True:
        folder = runs / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1
