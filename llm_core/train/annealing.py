"""A model out of a run that goes on: ``--decay-now`` lets the learning rate of a copy decay.

The copy is a run of its own in ``RUN/decayed/STEP+STEPS``: with the state, the history and the snapshots up to that
step, links to the same tokens, and ``--decay-steps`` more to go, which read on where the run had come. So it has the
losses that the run would have had with its end there. Nothing of the run itself is changed.
"""

import os
import shutil
from dataclasses import fields
from pathlib import Path

from ..model.checkpoints import CARD, DRAFTS, WEIGHTS, write_files
from .baselines import FILE as BASELINES
from .config import TrainConfig
from .corpus import PARTS, link_tokens
from .model_card import RECIPE
from .run_state import HISTORY_FILE, SETTINGS_FILE, STATE_FILE, History, read_progress, read_settings, write_settings
from .schedule import decay_start, learning_rate

FOLDER = "decayed"
SHARE = 5  # without --decay-steps: a fifth of the steps so far (Hägele et al. 2024, section 4: 10 to 20 %)


def decayed_copy(run: Path, decay_steps: int, floor: float) -> Path:
    """The folder of the copy, ready to be resumed; of one that was begun and has not come to its end, if there is one.

    ``floor`` is the share of the rate that remains at the end. Raises ``ValueError`` if the run in ``run`` has not been
    saved yet, still warms up, or has begun to decay by itself.
    """
    if begun := _unfinished(run / FOLDER, decay_steps):
        print(f"continues {begun}, which was started earlier")
        return begun
    draft = run / FOLDER / DRAFTS
    try:
        draft.mkdir(parents=True, exist_ok=True)
        read_progress(run)  # a sentence if there is none
        shutil.copyfile(run / STATE_FILE, draft / STATE_FILE)  # the run may save its next one meanwhile
        step = read_progress(draft).step
        decay_steps = decay_steps or max(1, step // SHARE)
        settings = _settings(run, step, decay_steps, floor)
        folder = run / FOLDER / f"{step:06d}+{decay_steps}"
        if not _is_finished(folder):
            _copy(run, draft / STATE_FILE, folder, step)
            write_settings(folder, settings)  # last: what has settings is whole
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _unfinished(folder: Path, decay_steps: int) -> Path | None:
    for copy in sorted(folder.glob(f"[0-9]*+{decay_steps or '*'}")):
        if (copy / SETTINGS_FILE).exists() and not _is_finished(copy):
            return copy
    return None


def _is_finished(folder: Path) -> bool:
    return (folder / "model" / CARD).exists()


def _settings(run: Path, step: int, decay_steps: int, floor: float) -> dict:
    """Those of the run, but that it ends here: the rate decays from what it is now."""
    settings = read_settings(run, "steps", "learning_rate")
    recipe = TrainConfig(**{f.name: settings[f.name] for f in fields(TrainConfig) if f.name in settings})
    if step < recipe.warmup_steps:
        raise ValueError(f"{run} is at step {step} and warms up until {recipe.warmup_steps}: let it continue first")
    if recipe.schedule == "wsd" and step > decay_start(recipe):
        raise ValueError(f"{run} began to decay at step {decay_start(recipe)} by itself: let it finish")
    here = {"steps": step + decay_steps, "decay_steps": decay_steps, "learning_rate": learning_rate(recipe, step)}
    return {**settings, **here, "schedule": "wsd", "cycles": 1, "final_lr_fraction": floor}


def _copy(run: Path, state: Path, folder: Path, step: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.replace(state, folder / STATE_FILE)
    write_files(folder, {HISTORY_FILE: (run / HISTORY_FILE).read_bytes()})
    History(folder / HISTORY_FILE).cut_after(step)
    for name in filter(lambda name: (run / name).exists(), (BASELINES, RECIPE)):
        shutil.copyfile(run / name, folder / name)
    for part in filter(lambda part: (run / "tokens" / part).exists(), PARTS):
        link_tokens(run / "tokens" / part, folder / "tokens" / part)
    for snapshot in (run / "snapshots").glob(f"[0-9]*/{WEIGHTS}"):
        if int(snapshot.parent.name) <= step:
            shutil.copytree(snapshot.parent, folder / "snapshots" / snapshot.parent.name, dirs_exist_ok=True)
