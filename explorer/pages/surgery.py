"""The surgery panel of the Explore page: what is changed in the model, and what that changes."""

from ..components import Surgery
from ..runner import Runner


def surgery_panel(runner: Runner) -> None:
    """Lay out the panel inside the current Blocks."""
    Surgery(elem_id="surgery")
