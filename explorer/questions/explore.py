"""What the Explore page asks: the run of a text, and parts of it that some views need beside the payload.

A part is a function of the model and the recorded run; its bytes are packed as the payload is.
"""

from collections.abc import Callable

from ..engine.cache import Stored
from ..engine.panels import check_has
from ..engine.payload import pack
from ..engine.runner import MAX_CHARACTERS, Recorded, Runner, look
from .asker import Asker
from .neurons import neurons
from .stream import stream
from .surgery import read_edits
from .surgery_part import surgery
from .tensors import tensors


def pattern(runner: Runner, run: Recorded, layer: int = 0) -> bytes:
    """The attention of one layer of a large model, pattern (1, H, T, S)."""
    return pack({}, {"pattern": ("unit16", run.attention.stacked(run.trace, "pattern", layer))})


PARTS: dict[str, Callable[..., bytes]] = {
    "layer": pattern,
    "neurons": neurons,
    "stream": stream,
    "surgery": surgery,
    "tensors": tensors,
}
PICTURES = {"neurons": "neuron", "stream": "lens", "surgery": "surgery", "tensors": "pipeline"}  # that they are for
BY_LAYER = ("layer", "neurons", "tensors")  # of a large model one layer at a time


def models(asker: Asker) -> list[dict]:
    """What can be chosen: name, title, architecture of each."""
    return asker.shelf.choices(asker.is_owner)


def rights(asker: Asker) -> dict:
    """What who asks may do beside what everybody may."""
    return {"any_folder": asker.is_owner}


def open_model(asker: Asker, name: str) -> dict:
    """Loads a model from a folder, a file or the Hub, which is a choice from then on; for the app's owner alone.

    Raises ``ValueError`` with one sentence for anybody else, and for what cannot be opened.
    """
    if not asker.is_owner:
        raise ValueError("Only the person who started this app can open other models, on the machine it runs on")
    found = asker.shelf.opened(name.strip())
    return {"name": str(found.model_name), "architecture": found.architecture}


def run(asker: Asker, text: str, model: str = "", stack: str = "", masked: int | None = None) -> Stored:
    """A text through a model with everything recorded.

    ``stack`` says whose attention is looked at in an encoder-decoder ("encoder", "decoder" or "cross"), ``masked`` the
    place that is hidden from an encoder.
    """
    return asker.explored(model).run(text, stack, masked)


def part(
    runner: Runner,
    name: str,
    text: str,
    edits: tuple = (),
    stack: str = "",
    masked: int | None = None,
    layer: int | None = None,
) -> Stored:
    """One of PARTS of the same run, or of the model with ``edits``; of one ``layer``, if it is in BY_LAYER.

    ``ValueError`` for a part that the model has not.
    """

    def make(text: str) -> bytes:
        run = runner.operated(text[:MAX_CHARACTERS], edits, stack, masked)
        check_has(runner.model, run.attention, PICTURES.get(name, name))
        if layer is None:
            return PARTS[name](runner, run)
        L = run.attention.n_layer
        if name not in BY_LAYER or not 0 <= layer < L:
            raise ValueError(f"layer={layer}: must be from 0 to {L - 1}, and of {', '.join(BY_LAYER)}")
        return PARTS[name](runner, run, layer)

    of = "" if layer is None else f" layer {layer}"
    return runner.stored(name, text, make, f"{edits!r}{look(stack, masked)}{of}")


def part_question(name: str) -> Callable:
    def answer(
        asker: Asker,
        text: str,
        model: str = "",
        edits: list | None = None,
        stack: str = "",
        masked: int | None = None,
        layer: int | None = None,
    ) -> Stored:
        changes = read_edits(edits or [])
        runner = asker.decoder(model) if changes else asker.explored(model)
        return part(runner, name, text, changes, stack, masked, layer)

    return answer
