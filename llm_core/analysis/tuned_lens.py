"""The tuned lens: for each layer an affine map, after which the model's end reads the stream as it reads its last.

The logit lens reads every layer as if it were the last. Here a layer's stream is first translated, x + x A + b, and the
translators are trained on the prediction itself: KL(final prediction || what is read of the translated stream).
Belrose et al. 2023, "Eliciting Latent Predictions from Transformers with the Tuned Lens". They begin at least squares.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..model.architectures import Decoder
from ..model.recording import record
from .lens import stream_names

RIDGE = 0.01  # of the mean square: keeps a fit of few texts from following their noise
WARMUP = 20  # steps
BATCH = 16  # texts that run at once


@dataclass(frozen=True, slots=True)
class TunedLens:
    """``weights`` (L, C, C) and ``biases`` (L, C), of the embedding's row and of each layer's but the last."""

    weights: Tensor
    biases: Tensor
    about: dict[str, str] = field(default_factory=dict)  # how it was made

    def translated(self, stream: Tensor, row: int) -> Tensor:
        """The stream (..., C) of row 0..L as the model's end wants it; the last is as it is."""
        return stream if row == len(self.weights) else stream + stream @ self.weights[row] + self.biases[row]

    def save(self, path: Path) -> None:
        """In float16."""
        from safetensors.torch import save_file

        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {"weights": self.weights.half(), "biases": self.biases.half()}
        save_file(tensors, path, metadata=self.about)

    @classmethod
    def load(cls, path: Path) -> "TunedLens":
        from safetensors import safe_open

        with safe_open(path, "pt") as file:
            weights, biases = (file.get_tensor(name).float() for name in ("weights", "biases"))
            return cls(weights, biases, file.metadata() or {})


def fit(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The affine map that takes x (N, C) nearest to y (N, C), least squares: A (C, C) and b (C,), y ≈ x + x A + b."""
    middle = x.mean(0)
    centered, change = x - middle, y - x
    square = centered.T @ centered  # (C, C)
    square += RIDGE * square.diagonal().mean() * torch.eye(len(square))
    A = torch.linalg.solve(square, centered.T @ (change - change.mean(0)))
    return A, change.mean(0) - middle @ A


def least_squares(streams: Tensor) -> TunedLens:
    """Every row of ``streams`` (L+1, N, C) fitted to the last."""
    weights, biases = zip(*(fit(row, streams[-1]) for row in streams[:-1]))
    return TunedLens(torch.stack(weights), torch.stack(biases))


def read(model: Decoder, stream: Tensor) -> Tensor:
    """Log-probabilities (N, V), as the model would read them off a stream (N, C)."""
    return model.lm_head(model.before_head(model.ln_f(stream))).log_softmax(-1)


def divergence(own: Tensor, other: Tensor) -> Tensor:
    """Mean KL(own || other) of log-probabilities (N, V), in nats."""
    return (own.exp() * (own - other)).sum(-1).mean()


@torch.no_grad()
def streams_of(model: Decoder, texts: list[list[int]]) -> Tensor:
    """The stream at every token of texts of one length, in front of each layer and behind the last: (L+1, N, C)."""
    found = []
    for i in tqdm(range(0, len(texts), BATCH), desc="running texts", unit="batch"):
        with record(model, [*stream_names(model)]) as trace:
            model.hidden(torch.tensor(texts[i : i + BATCH]))
        found.append(torch.stack([trace[name].flatten(0, 1) for name in stream_names(model)]))  # (L+1, b T, C)
    return torch.cat(found, dim=1)


def train(model: Decoder, streams: Tensor, steps: int, batch: int, learning_rate: float, seed: int = 0) -> TunedLens:
    """Translators of the rows of ``streams`` (L+1, N, C): Adam, a short warmup, then down to 0 in a line."""
    start = least_squares(streams)
    parameters = [start.weights.clone().requires_grad_(), start.biases.clone().requires_grad_()]
    lens = TunedLens(*parameters)
    optimizer = torch.optim.Adam(parameters, lr=learning_rate)
    generator = torch.Generator().manual_seed(seed)
    bar = tqdm(range(steps), desc="training", unit="step")
    for step in bar:
        optimizer.param_groups[0]["lr"] = learning_rate * min(1, (step + 1) / WARMUP) * (1 - step / steps)
        picked = streams[:, torch.randint(streams.shape[1], (batch,), generator=generator)]  # (L+1, n, C)
        with torch.no_grad():
            own = read(model, picked[-1])
        losses = [divergence(own, read(model, lens.translated(x, row))) for row, x in enumerate(picked[:-1])]
        gradients = torch.autograd.grad(sum(losses), parameters)
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient
        optimizer.step()
        bar.set_postfix_str(f"KL {sum(losses).item() / len(losses):.3f}")
    return TunedLens(*(parameter.detach() for parameter in parameters))


@torch.no_grad()
def divergences(model: Decoder, streams: Tensor, lens: TunedLens | None = None) -> list[float]:
    """Mean KL of each row of ``streams`` (L+1, N, C) to the model's own prediction; without a lens, the logit lens."""
    own = read(model, streams[-1])  # (N, V)
    translated = lens.translated if lens else lambda stream, row: stream
    return [divergence(own, read(model, translated(x, row))).item() for row, x in enumerate(streams)]
