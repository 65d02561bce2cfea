"""Pictures of a run: its losses over the tokens seen, and all of its history for TensorBoard."""

import io
from functools import cached_property
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


class Board:
    """The history of a run as TensorBoard reads it, in ``tensorboard/``; nothing where that is not installed."""

    def __init__(self, folder: Path, step: int):
        """What was written after ``step``, which the run does again, is hidden."""
        self.folder, self.step = folder, step

    def append(self, step: int, entry: dict[str, float]) -> None:
        for name, value in entry.items() if self._writer else ():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        if writer := vars(self).get("_writer"):
            writer.close()

    @cached_property
    def _writer(self):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return None
        return SummaryWriter(self.folder / "tensorboard", purge_step=self.step + 1)
