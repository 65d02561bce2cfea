"""The residual stream's panel of the Explore page."""

from ..components import Residual
from ..questions import residual
from ..questions.asker import Asker
from .endpoints import MODEL_WORK, offer


def residual_panel(asker: Asker) -> None:
    """Lay out the panel inside the current Blocks."""
    Residual(elem_id="residual")

    def attribution(text: str, token: str, place: int = -1, model: str = "") -> dict:
        """Split the logit of a token, as the one after ``place`` of ``text``, into what every part of the model adds.

        ``token`` is one token of the vocabulary (a space in front counts; without one, both are tried). Places are
        positions in the text, 0 the start; negative ones count from the end. Returns id and place, the logit, and in
        logits its parts, which sum to it: token, position, heads (L, H), attention_bias (L), mlps (L), norm_bias.
        """
        return residual.attribution(asker.decoder(model), text, token, place)

    offer(attribution, "attribution", **MODEL_WORK)
