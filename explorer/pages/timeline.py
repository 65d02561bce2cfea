"""Watch a model learn: what was recorded of the shipped models while they trained."""

from ..components import Timeline


def timeline_part() -> None:
    """Lay out the part inside the current Blocks."""
    Timeline(elem_id="timeline")
