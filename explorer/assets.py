"""Everything that follows from the models, by one command, after others have been trained.

    python -m explorer.assets                              makes what is stale: examples, first screen, lessons, …
    python -m explorer.assets --run decoder=runs/decoder   ships the model of a run first, with its timeline and lens
    python -m explorer.assets --check                      only says what is stale; exit code 1 if anything is

Each thing is made by its own command, in a process of its own. ``assets/made.json`` keeps the hash of the weights that
it was made with. What the models have no part in (``mistakes.json``, the tokenizer) is not made here. A timeline and a
lens are made of a run, which has the snapshots and names the articles.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

from llm_core.paths import ASSETS, ROOT
from llm_core.train.run_state import read_settings

MADE = ASSETS / "made.json"
LOSSES = ROOT / "docs" / "loss.png"
SHIPPED = "decoder"  # the model that the app starts with
FOLLOWS = {  # what is made with the shipped model -> the module that makes it
    "examples": "explorer.examples",  # and roles.json
    "first_sight": "explorer.first_sight",
    "experiments": "explorer.experiments",
    "lessons": "explorer.lessons.ahead",
    "homework": "tests.homework.example",
    "pictures": "tests.pictures",  # of the README
}
OF_A_RUN = "lens"  # is made with its articles


def weights_hash(name: str) -> str:
    """Of the weights of a model that ships."""
    return hashlib.sha256((ASSETS / "models" / name / "model.safetensors").read_bytes()).hexdigest()


def stale() -> list[str]:
    """What was made with other weights than ship now."""
    made = json.loads(MADE.read_text()) if MADE.exists() else {}
    models = {f"timeline/{folder.name}": folder.name for folder in sorted((ASSETS / "models").glob("*/"))}
    wanted = models | dict.fromkeys([OF_A_RUN, *FOLLOWS], SHIPPED)
    return [what for what, model in wanted.items() if made.get(what) != weights_hash(model)]


def note(what: str, model: str) -> None:
    """Remember that ``what`` was made with the weights that ship now."""
    made = json.loads(MADE.read_text()) if MADE.exists() else {}
    MADE.write_text(json.dumps(dict(sorted({**made, what: weights_hash(model)}.items())), indent=1) + "\n")


def ship(name: str, run: Path) -> None:
    """Put the model of a finished run among those that ship, and record its timeline."""
    if not (run / "model" / "README.md").exists():
        raise ValueError(f"{run} holds no model with a card: give the folder of a run that has reached its last step")
    shutil.copytree(run / "model", ASSETS / "models" / name, dirs_exist_ok=True)
    execute("llm_core.timeline", run, "--out", ASSETS / "timeline", "--name", name)
    note(f"timeline/{name}", name)
    if name == SHIPPED:
        shutil.copyfile(run / "loss.png", LOSSES)
        execute("llm_core.tune_lens", "--data", read_settings(run, "data")["data"][0])
        note(OF_A_RUN, SHIPPED)


def execute(module: str, *arguments: object) -> None:
    print(f"python -m {module} {' '.join(map(str, arguments))}", flush=True)
    if subprocess.run([sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT).returncode:
        raise ValueError(f"python -m {module} has failed, as it says above")


def make(runs: dict[str, Path]) -> None:
    for name, run in runs.items():
        ship(name, run)
    for what in [what for what in stale() if what in FOLLOWS]:
        execute(FOLLOWS[what])
        note(what, SHIPPED)


def _named_run(text: str) -> tuple[str, Path]:
    name, _, run = text.partition("=")
    if not run:
        raise argparse.ArgumentTypeError(f"{text!r}: must be NAME=RUN, such as decoder=runs/decoder")
    return name, Path(run).resolve()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m explorer.assets", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", type=_named_run, nargs="+", default=[], help="NAME=RUN, models to ship from their runs"
    )
    parser.add_argument("--check", action="store_true", help="only say what is stale")
    args = parser.parse_args(arguments)
    try:
        if not args.check:
            make(dict(args.run))
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    left = stale()
    print(f"stale: {', '.join(left)}" if left else "all is made with the models that ship")
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    main()
