"""What the Explore page asks: the run of a text, and parts of it that some views need beside the payload.

A part is a function of the model and the recorded run; its bytes are packed as the payload is.
"""

from collections.abc import Callable

from ..engine.cache import Stored
from ..engine.runner import MAX_CHARACTERS, Runner
from .asker import Asker
from .neurons import neurons
from .stream import stream
from .surgery import read_edits
from .surgery_part import surgery
from .tensors import tensors

PARTS = {"neurons": neurons, "stream": stream, "surgery": surgery, "tensors": tensors}


def models(asker: Asker) -> list[dict]:
    """What can be chosen: name, title, architecture of each."""
    return asker.shelf.choices(asker.is_owner)


def rights(asker: Asker) -> dict:
    """What who asks may do beside what everybody may."""
    return {"any_folder": asker.is_owner}


def open_model(asker: Asker, name: str) -> dict:
    """Loads a model from a folder, a file or the Hub, which is a choice from then on; for the app's owner alone.

    Raises ``ValueError`` with one sentence for anybody else, and for what cannot be opened, or is no decoder.
    """
    if not asker.is_owner:
        raise ValueError("Only the person who started this app can open other models, on the machine it runs on")
    found = asker.shelf.opened(name.strip())
    return {"name": str(found.model_name), "architecture": found.architecture}


def run(asker: Asker, text: str, model: str = "") -> Stored:
    """A text through a decoder with everything recorded."""
    return asker.decoder(model).run(text)


def part(runner: Runner, name: str, text: str, edits: tuple = ()) -> Stored:
    """One of PARTS of the same run, or of the model with ``edits``."""

    def make(text: str) -> bytes:
        return PARTS[name](runner, runner.operated(text[:MAX_CHARACTERS], edits))

    return runner.stored(name, text, make, repr(edits))


def part_question(name: str) -> Callable:
    def answer(asker: Asker, text: str, model: str = "", edits: list | None = None) -> Stored:
        return part(asker.decoder(model), name, text, read_edits(edits or []))

    return answer
