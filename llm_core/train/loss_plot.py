"""The picture of a run: its losses over the tokens seen."""

import io
from pathlib import Path

from ..model.checkpoints import write_files


def plot_history(history: list[dict], path: Path) -> None:
    """Training and held-out loss over tokens, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for key, label in (("loss", "training"), ("held_out_loss", "held out")):
        entries = [entry for entry in history if key in entry]
        axes.plot(
            [e["tokens"] / 1e6 for e in entries],
            [e[key] for e in entries],
            label=label,
            marker="." if len(entries) < 40 else "",
        )
    axes.set(xlabel="tokens seen (millions)", ylabel="loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture := io.BytesIO(), dpi=120)
    write_files(path.parent, {path.name: picture.getvalue()})
