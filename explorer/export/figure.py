"""A head as a picture for a paper: one panel for each stack, drawn by matplotlib."""

import io
from collections.abc import Mapping

from .stacks import Stack

KINDS = ("svg", "png", "pdf")
CELL, MARGIN = 0.24, 1.6  # inches
LARGEST = 9.0  # inches, a panel's side
NAMED, NUMBERED = 60, 12  # tokens up to which their names, and their numbers, have room
TITLES = {"": "", "encoder": "Encoder, ", "decoder": "Decoder, ", "cross": "Cross-attention, "}


def figure_bytes(stacks: Mapping[str, Stack], layer: int, head: int, kind: str) -> bytes:
    """The head at those places of every stack, the last one where a stack has fewer."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    sizes = [_size(*stack.pattern.array.shape[2:]) for stack in stacks.values()]
    size = (sum(wide for wide, _ in sizes), max(high for _, high in sizes))
    with rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(stacks), squeeze=False, width_ratios=[wide for wide, _ in sizes])[0]
        for panel, (name, stack) in zip(panels, stacks.items()):
            _draw(panel, name, stack, layer, head)
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=200)
    return file.getvalue()


def _size(T: int, S: int) -> tuple[float, float]:
    step = min(CELL, LARGEST / max(T, S)) if max(T, S) > NUMBERED else 2 * CELL
    return S * step + MARGIN, T * step + MARGIN


def _draw(panel, name: str, stack: Stack, layer: int, head: int) -> None:
    pattern = stack.pattern
    layer, head = min(layer, len(pattern.layers) - 1), min(head, len(pattern.heads) - 1)
    weights = pattern.array[layer, head]  # (T, S)
    panel.imshow(weights**0.5, cmap="Blues", vmin=0, vmax=1, interpolation="nearest", aspect="auto")  # as on the page
    panel.set_title(f"{TITLES[name]}layer {pattern.layers[layer]}, head {pattern.heads[head]}", fontsize=9)
    panel.set_xlabel("key (is looked at)", fontsize=8)
    panel.set_ylabel("query (looks)", fontsize=8)
    _name(panel.set_yticks, stack.queries)
    _name(panel.set_xticks, stack.queries if stack.keys is None else stack.keys, rotation=90)
    if max(weights.shape) <= NUMBERED:
        for (query, key), weight in _cells(stack, weights):
            ink = "white" if weight > 0.4 else "black"
            panel.text(key, query, f"{weight:.2f}".removeprefix("0"), ha="center", va="center", fontsize=7, color=ink)


def _cells(stack: Stack, weights):
    """What a query can see."""
    for query, row in enumerate(weights):
        for key, weight in enumerate(row[: query + 1] if stack.is_causal else row):
            yield (query, key), weight


def _name(set_ticks, tokens: list[dict], **how) -> None:
    if len(tokens) <= NAMED:
        set_ticks(range(len(tokens)), [_visible(token["text"]) for token in tokens], fontsize=7, **how)


def _visible(text: str) -> str:
    """A space in front is seen as ·, and what no font draws as it is escaped."""
    shown = text.replace("\n", "⏎").replace("\t", "⇥")
    shown = f"·{shown[1:]}" if shown.startswith(" ") else shown
    return "".join(c if c.isprintable() else f"\\x{ord(c):02X}" for c in shown)
