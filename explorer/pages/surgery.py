"""The surgery panel of the Explore page: what is changed in the model, and what that changes."""

import json
from collections.abc import Iterator

from ..components import Surgery
from ..engine.runner import SHIPPED
from ..experiments import shipped
from ..questions.asker import Asker
from ..questions.surgery import before_and_after, effect, read_edits, sweep
from .endpoints import MODEL_WORK, offer


def surgery_panel(asker: Asker) -> None:
    """Lay out the panel inside the current Blocks."""
    Surgery(elem_id="surgery", given=json.dumps({"model": SHIPPED, "experiments": shipped()["surgery"]}))

    def surgery(text: str, edits: list[dict], model: str = "") -> dict:
        """Run a text through the model as it is and with edits. An edit is {"what": "head" | "attention" |
        "everywhere" | "mlp", "how": "zero" | "mean" | "absent" | "uniform" | "diagonal" | "previous" | "open" |
        "window" | "first" | "painted", "layer": from 0, "head": from 0}, a window with "n", a painted mask with
        "rows" of 0 and 1. Returns losses in nats per token before and after, the likeliest next tokens, and which
        positions could see the token that they have to predict."""
        return before_and_after(asker.decoder(model), text, read_edits(edits))

    def surgery_effect(edits: list[dict], model: str = "") -> Iterator[dict]:
        """The effect of edits (as in surgery) on 100 held-out sentences: streams {"done", "of"}; the last one has
        "effect": the mean change of the loss in nats per token, "low" and "high" of its 95 % interval, "before"."""
        yield from effect(asker.decoder(model), read_edits(edits))

    def surgery_sweep(how: str, model: str = "") -> Iterator[dict]:
        """Switch off every head and MLP on its own, how="zero" or "mean", and measure each on 100 held-out sentences:
        streams {"done", "of", "one"}, one being the place with its mean change of the loss and 95 % interval."""
        yield from sweep(asker.decoder(model), how)

    for function in (surgery, surgery_effect, surgery_sweep):
        offer(function, **MODEL_WORK)
