"""A course's own points, from a small file:

    {"points": {"attention": 3, "pipeline": 0}, "late": {"off": 0.1, "days": 3, "due": "2026-11-30T23:59+01:00"}}

``points`` says what a block is worth (those that are not named keep theirs); ``off`` is the share that each late day
costs, ``days`` how many there may be, ``due`` when the first one begins (where an export says when something came).
"""

import json
import math
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..report import BLOCKS, PASSED, Report


@dataclass(frozen=True)
class Grading:
    points: dict[str, float] = field(default_factory=lambda: {name: points for name, (_, points) in BLOCKS.items()})
    off: float = 0.0
    days: int = 0
    due: datetime | None = None

    @property
    def possible(self) -> float:
        return sum(self.points.values())

    def of_block(self, report: Report, name: str) -> float:
        block = next(block for block in report.blocks if block.name == name)
        return self.points[name] if block.status == PASSED else 0.0

    def total(self, report: Report, late_days: int = 0) -> float:
        """After more late days than there may be it is 0."""
        if late_days and self.off and late_days > self.days:
            return 0.0
        earned = sum(self.of_block(report, name) for name in BLOCKS)
        return round(earned * max(0.0, 1 - self.off * late_days), 4)


def read_grading(path: Path | None) -> Grading:
    """
    Raises:
        OSError: the file cannot be read.
        ValueError: one sentence, if it is not as it should be.
    """
    if path is None:
        return Grading()
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is not JSON") from None
    if not isinstance(told, dict) or set(told) - {"points", "late"}:
        raise ValueError(f"{path} should have “points” and “late”, and nothing else")
    points, late = told.get("points", {}), told.get("late", {})
    if not isinstance(points, dict) or set(points) - set(BLOCKS):
        raise ValueError(f"{path}: “points” should name blocks: {', '.join(BLOCKS)}")
    if not isinstance(late, dict) or set(late) - {"off", "days", "due"}:
        raise ValueError(f"{path}: “late” should have “off”, “days” and “due”")
    due = _time(path, late.pop("due", None))
    numbers = [*points.values(), *late.values()]
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) and x >= 0 for x in numbers):
        raise ValueError(f"{path}: points and late days should be numbers that are not negative")
    return Grading({**Grading().points, **points}, float(late.get("off", 0.0)), int(late.get("days", 0)), due)


def _time(path: Path, told: object) -> datetime | None:
    try:
        due = datetime.fromisoformat(str(told)) if told is not None else None
    except ValueError:
        due = datetime.min
    if due and not due.tzinfo:
        raise ValueError(f"{path}: “due” should be a time with its zone, like 2026-11-30T23:59+01:00 (points, late)")
    return due
