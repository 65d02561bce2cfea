"""What figures are made of, before anybody draws: cells, lines and points, and the colors that they share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# as on the page: a share from the ground up, a signed number from below zero to above, and one of several
SHARE = ("#ffffff", "#d6c4f0", "#966cd6", "#5b2ca0", "#2e0c5c")
SIGNED = ("#8a5a00", "#f7f7f7", "#0e6a84")
SEVERAL = ("#6d28d9", "#d97e09", "#7b0338", "#ae74ff", "#cb101c", "#183982", "#31a691", "#875884")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """Numbers (R, C) as colors: ``signed`` from -``limit`` to ``limit``, or a share from 0 to it, by its root."""

    values: np.ndarray
    rows: Sequence[str] = ()  # R names, or none
    columns: Sequence[str] = ()  # C names, or none
    title: str = ""
    across: str = ""  # what the columns are
    down: str = ""
    measure: str = ""  # what the numbers are
    signed: bool = False
    limit: float = 1.0
    texts: Sequence[Sequence[str]] | None = None  # [row][column], written into the cells


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One curve."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """Points (N, 2) or (N, 3), each with its name."""

    at: np.ndarray
    names: Sequence[str]
    axes: Sequence[str]
    title: str = ""
