"""Figures for papers and notebooks: each function gives a matplotlib figure, or with ``interactive=True`` plotly's.

    from llm_core import figures
    figures.attention(trace.attention(5)[0, 3], tokens).savefig("head.pdf")
    figures.attention(trace.attention(5)[0, 3], tokens, interactive=True).write_html("head.html")

views.py     what there is to draw              parts.py   what a figure is made of: cells, lines, points
paper.py     parts -> matplotlib, for print     screen.py  parts -> plotly, with hover and zoom
"""

from ..lazily import handed_on

__all__ = [
    "ablation",
    "attention",
    "attention_grid",
    "attribution",
    "curves",
    "embedding_map",
    "lens",
    "patching",
    "roles",
    "training_curves",
]

__getattr__, __dir__ = handed_on(__name__, {"views": __all__})
