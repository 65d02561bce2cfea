"""Parts as matplotlib figures: for ``.savefig("figure.pdf")``, with letters that stay letters."""

import io
import math
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.colors import LinearSegmentedColormap, Normalize, PowerNorm, to_rgb
from matplotlib.figure import Figure

from .parts import SEVERAL, SHARE, SIGNED, Cells, Line, Points

STYLE = {"font.size": 8, "axes.titlesize": 9, "pdf.fonttype": 42, "svg.fonttype": "none", "text.parse_math": False}
STEP, SMALL, MARGIN = 0.32, 0.12, 1.3  # inches: a cell with names, one without, and what stands around
LARGEST = 10.0  # inches
MANY = 12
CLOSE = {"left": 0.03, "right": 0.98, "bottom": 0.03, "top": 0.9, "wspace": 0.15, "hspace": 0.35}
MAPS = {
    signed: LinearSegmentedColormap.from_list("headscope", colors)
    for signed, colors in ((False, SHARE), (True, SIGNED))
}


class Picture(Figure):
    """A matplotlib figure that a notebook shows without pyplot, and saves as letters, not as outlines."""

    def savefig(self, *args, **kwargs) -> None:
        with rc_context(STYLE):
            super().savefig(*args, **kwargs)

    def _repr_png_(self) -> bytes:
        self.savefig(file := io.BytesIO(), format="png", dpi=120)
        return file.getvalue()


def cells(panels: Sequence[Cells], columns: int | None = None) -> Picture:
    """Panels side by side, ``columns`` in a row; panels that measure the same share one color bar."""
    across = min(columns or len(panels), len(panels))
    down = math.ceil(len(panels) / across)
    wide, high = zip(*(_size(panel) for panel in panels))
    scale = min(1.0, LARGEST / (max(wide) * across), LARGEST / (max(high) * down))
    with rc_context(STYLE):
        size = (max(wide) * across * scale + 0.8, max(high) * down * scale + 0.2)
        is_bare = len(panels) > MANY  # laying out names takes seconds where there are many panels
        figure = Picture(figsize=(max(size[0], 2.6), max(size[1], 1.8)), layout=None if is_bare else "constrained")
        axes = figure.subplots(down, across, squeeze=False, gridspec_kw=CLOSE if is_bare else None).flatten()
        for panel, place in zip(panels, axes):
            image = _draw(place, panel)
        for place in axes[len(panels) :]:
            place.set_axis_off()
        if panels[0].measure:
            figure.colorbar(image, ax=list(axes), label=panels[0].measure, shrink=0.8, pad=0.02)
    return figure


def lines(curves: Sequence[Line], *, across: str, up: str, title: str = "") -> Picture:
    """Curves over one axis, with a legend where there are several."""
    with rc_context(STYLE):
        figure = Picture(figsize=(5.5, 3.2), layout="constrained")
        axes = figure.subplots()
        for i, line in enumerate(curves):
            style: dict[str, Any] = {
                "color": SEVERAL[i % len(SEVERAL)],
                "linestyle": "--" if line.dashed else "-",
                "linewidth": 1.3,
            }
            axes.plot(line.x, line.y, label=line.name, **style)
        axes.set(xlabel=across, ylabel=up, title=title)
        axes.grid(alpha=0.25, linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        if len(curves) > 1:
            axes.legend(frameon=False)
    return figure


def points(cloud: Points) -> Picture:
    """Every point with its name beside it."""
    with rc_context(STYLE):
        figure = Picture(figsize=(5.5, 4.8), layout="constrained")
        is_deep = cloud.at.shape[1] == 3
        axes: Any = figure.add_subplot(projection="3d" if is_deep else None)
        axes.scatter(*cloud.at.T, s=10, color=SEVERAL[0])
        for at, name in zip(cloud.at, cloud.names):
            axes.text(*at, f" {name}", fontsize=7, clip_on=True)
        axes.set(title=cloud.title, **dict(zip(("xlabel", "ylabel", "zlabel"), cloud.axes)))
    return figure


def _size(panel: Cells) -> tuple[float, float]:
    """Inches of a panel with its names."""
    step = STEP * (1.6 if panel.texts else 1) if panel.columns else SMALL
    rows, columns = panel.values.shape
    names = MARGIN if panel.rows else 0.35
    return columns * step + names, rows * (STEP if panel.rows else SMALL) + names * 0.8


def _draw(axes, panel: Cells):
    low = -panel.limit if panel.signed else 0
    norm = Normalize(low, panel.limit) if panel.signed else PowerNorm(0.5, low, panel.limit)
    image = axes.imshow(panel.values, cmap=MAPS[panel.signed], norm=norm, interpolation="nearest", aspect="auto")
    axes.set(title=panel.title, xlabel=panel.across, ylabel=panel.down)
    axes.set_xticks(range(len(panel.columns)), panel.columns, rotation=90 if _are_long(panel.columns) else 0)
    axes.set_yticks(range(len(panel.rows)), panel.rows)
    axes.tick_params(length=0)
    for row, texts in enumerate(panel.texts or ()):
        for column, text in enumerate(texts):
            light = sum(to_rgb(image.to_rgba(panel.values[row, column])[:3])) / 3
            color = "black" if light > 0.55 else "white"
            axes.text(column, row, text, ha="center", va="center", fontsize=6, color=color, clip_on=True)
    return image


def _are_long(names: Sequence[str]) -> bool:
    return any(len(name) > 3 for name in names)
