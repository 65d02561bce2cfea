"""One step of training on a copy of the model: the lines that are shown beside the pictures, and what they do."""

from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING

from ...engine.runner import Runner

if TYPE_CHECKING:
    from torch import Tensor

SHOWN = 12  # numbers of a weight's row
LONG_RUN = 3  # steps with and without zero_grad


def inputs_and_targets(rows, filler):
    from llm_core.model.padding import pad
    from llm_core.train.data import IGNORE

    inputs, _ = pad([row[:-1] for row in rows], filler)  # (B, T)
    targets, _ = pad([row[1:] for row in rows], IGNORE)  # (B, T)
    return inputs, targets


def loss_by_hand(logits, targets, ignore=-100):
    log_p = logits.log_softmax(dim=-1)  # (B, T, V)
    counted = targets != ignore  # (B, T)
    picked = log_p.gather(-1, targets.where(counted, 0)[..., None])[..., 0]  # (B, T)
    return -picked[counted].sum() / counted.sum()


def gradient_of_logits(logits, targets):
    from torch.nn import functional as F

    logits.requires_grad_()
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    return logits.grad  # (B, T, V)


def one_step(model, optimizer, inputs, targets):
    from torch.nn import functional as F

    optimizer.zero_grad()
    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


def one_step_without_zeroing(model, optimizer, inputs, targets):
    from torch.nn import functional as F

    loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


class Stepped:
    """What one step at a learning rate does to a copy of the model, and a few more with and without zero_grad."""

    def __init__(self, runner: Runner, rows: tuple, rate: float, pad: int):
        self.runner, self.pad, self.rate = runner, pad, rate
        self.inputs, self.targets = inputs_and_targets(rows, pad)
        self.id = int(self.targets[0, -1])  # the token whose row is shown
        model, optimizer = self.copy()
        self.weight = self.row(model)
        self.before = one_step(model, optimizer, self.inputs, self.targets)
        self.gradient = self.row(model, gradient=True)
        self.new = self.row(model)
        self.gradients = self.gradients_of_each()
        self.runs = {  # a copy comes without the gradients that the other run needs
            "zeroed": self.run_on(*deepcopy((model, optimizer)), one_step),
            "never zeroed": self.run_on(model, optimizer, one_step_without_zeroing),
        }
        self.after = self.runs["zeroed"][1]

    def copy(self):
        """A copy of the model, and the optimizer that ours are trained with."""
        from llm_core.train.config import TrainConfig
        from llm_core.train.optimizers import make_optimizer

        with self.runner.alone():
            model = deepcopy(self.runner.model)
        return model, make_optimizer(model, TrainConfig(learning_rate=self.rate))

    def row(self, model, gradient: bool = False) -> "Tensor":
        """The first numbers of the target's row of the token table, (K,)."""
        weight = model.embedding.token_table.weight
        return (weight.grad if gradient else weight).detach()[self.id, :SHOWN].clone()

    def loss(self, model) -> float:
        import torch
        from torch.nn import functional as F

        with torch.inference_mode():
            return F.cross_entropy(model(self.inputs).flatten(0, 1), self.targets.flatten()).item()

    def run_on(self, model, optimizer, step) -> list[float]:
        """Losses before the first step, which is done already, and after each; the first step zeroed nothing anyway."""
        losses = [step(model, optimizer, self.inputs, self.targets) for _ in range(LONG_RUN - 1)]
        return [self.before, *losses, self.loss(model)]

    def gradients_of_each(self) -> list["Tensor"]:
        """Of the target's row: for the first text alone, for the second alone, and for one after the other."""
        from torch.nn import functional as F

        model, optimizer = self.copy()

        def backward(b: int) -> "Tensor":
            F.cross_entropy(model(self.inputs[b : b + 1])[0], self.targets[b]).backward()
            return self.row(model, gradient=True)

        second = backward(1)
        optimizer.zero_grad()
        return [backward(0), second, backward(1)]


@lru_cache(maxsize=16)
def stepped(runner: Runner, rows: tuple, rate: float, pad: int) -> Stepped:
    return Stepped(runner, rows, rate, pad)


@lru_cache(maxsize=32)
def fresh_loss(runner: Runner, rows: tuple, pad: int) -> float:
    """The loss of a model of the same sizes that was never trained."""
    import torch
    from torch.nn import functional as F

    inputs, targets = inputs_and_targets(rows, pad)
    with torch.inference_mode():
        logits = fresh_model(runner)(inputs)  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()


@lru_cache(maxsize=2)
def fresh_model(runner: Runner):
    import torch

    from llm_core import Decoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Decoder(runner.model.config).eval()
