"""Watch a model learn: what was recorded of the shipped models while they trained."""

from ..components import Timeline
from ..runner import Runner


def timeline_part(runner: Runner) -> None:
    """Lay out the part inside the current Blocks."""
    Timeline(elem_id="timeline")
