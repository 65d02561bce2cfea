"""Parts as plotly figures: hover reads every number, a drag zooms, a press on the legend hides a curve."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from .parts import SEVERAL, SHARE, SIGNED, Cells, Line, Points

FONT = {"family": "system-ui, sans-serif", "size": 12}
TICKS = (0, 0.05, 0.25, 0.5, 1)  # of a share


def cells(panels: Sequence[Cells], columns: int | None = None) -> go.Figure:
    """Panels side by side, ``columns`` in a row, with one color bar."""
    across = min(columns or len(panels), len(panels))
    down = math.ceil(len(panels) / across)
    figure = make_subplots(rows=down, cols=across, subplot_titles=[panel.title for panel in panels])
    for i, panel in enumerate(panels):
        row, column = divmod(i, across)
        figure.add_trace(_heatmap(panel, has_bar=i == 0), row=row + 1, col=column + 1)
        figure.update_yaxes(autorange="reversed", title=panel.down, row=row + 1, col=column + 1)
        figure.update_xaxes(title=panel.across, row=row + 1, col=column + 1)
    figure.update_layout(template="simple_white", font=FONT)
    return figure


def lines(curves: Sequence[Line], *, across: str, up: str, title: str = "") -> go.Figure:
    """Curves over one axis."""
    figure = go.Figure()
    for i, line in enumerate(curves):
        look = {"color": SEVERAL[i % len(SEVERAL)], "dash": "dash" if line.dashed else "solid"}
        figure.add_trace(go.Scatter(x=list(line.x), y=list(line.y), name=line.name, mode="lines", line=look))
    figure.update_layout(template="simple_white", font=FONT, title=title, xaxis_title=across, yaxis_title=up)
    return figure


def points(cloud: Points) -> go.Figure:
    """Every point with its name: in three dimensions it turns."""
    look = {"mode": "markers+text", "text": list(cloud.names), "marker": {"size": 5, "color": SEVERAL[0]}}
    if cloud.at.shape[1] == 3:
        trace = go.Scatter3d(**dict(zip("xyz", cloud.at.T)), **look)
        layout: dict[str, Any] = {"scene": {f"{axis}axis": {"title": name} for axis, name in zip("xyz", cloud.axes)}}
    else:
        trace = go.Scatter(x=cloud.at[:, 0], y=cloud.at[:, 1], textposition="top center", **look)
        layout = {"xaxis_title": cloud.axes[0], "yaxis_title": cloud.axes[1]}
    return go.Figure(trace, {"template": "simple_white", "font": FONT, "title": cloud.title, **layout})


def _heatmap(panel: Cells, has_bar: bool) -> go.Heatmap:
    """Colors by the root, as in print; what is read by pointing is the number itself."""
    colors = SIGNED if panel.signed else SHARE
    scale = [[i / (len(colors) - 1), color] for i, color in enumerate(colors)]
    shown = panel.values if panel.signed else np.sqrt(np.clip(panel.values, 0, None))
    limit = panel.limit if panel.signed else math.sqrt(panel.limit)
    rows = list(panel.rows) or [str(i) for i in range(panel.values.shape[0])]
    columns = list(panel.columns) or [str(i) for i in range(panel.values.shape[1])]
    ticks = {} if panel.signed else {"tickvals": [math.sqrt(x * panel.limit) for x in TICKS],
                                     "ticktext": [f"{x * panel.limit:.3g}" for x in TICKS]}  # fmt: skip
    texts = {"text": panel.texts, "texttemplate": "%{text}"} if panel.texts is not None else {}
    return go.Heatmap(
        z=shown,
        customdata=panel.values,
        x=np.arange(len(columns)),
        y=np.arange(len(rows)),
        colorscale=scale,
        zmin=-limit if panel.signed else 0,
        zmax=limit,
        showscale=has_bar,
        colorbar={"title": panel.measure, **ticks},
        hovertext=[[f"{row} · {column}" for column in columns] for row in rows],
        hovertemplate="%{hovertext}<br>%{customdata:.4f}<extra></extra>",
        **texts,
    )
