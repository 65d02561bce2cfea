"""Two recipes of updating weights: AdamW for all, or Muon for the matrices inside the blocks and AdamW for the rest.

AdamW (Loshchilov & Hutter 2017) decays matrices and tables only. Muon (Jordan et al. 2024) makes each update of a
matrix orthogonal; scaled as by Liu et al. 2025 (arXiv:2502.16982), it takes the learning rate and the decay of AdamW.
"""

import math

import torch
from torch import Tensor, nn

from .config import TrainConfig
from .devices import has_fast_bf16

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # of Jordan et al. 2024: five rounds bring singular values to 0.7 to 1.2


def orthogonal(matrix: Tensor, num_rounds: int = 5) -> Tensor:
    """(m, n) → (m, n), about U Vᵀ of ``matrix`` = U S Vᵀ: all its directions, each as long as the others.

    By products alone (Newton and Schulz): each round takes every singular value s to a·s + b·s³ + c·s⁵.
    """
    a, b, c = NEWTON_SCHULZ
    x = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(num_rounds):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class Muon(torch.optim.Muon):
    """PyTorch's own works in bf16 everywhere. On a CPU that has no such products a step of our decoder then takes 13 s
    instead of 0.4 s, so that this one works in float32 there."""

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                self._update(p, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, p: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p.grad)
        mean = state["momentum_buffer"].lerp_(p.grad, 1 - momentum)
        ahead = p.grad.lerp(mean, momentum)  # Nesterov's
        direction = orthogonal(ahead.bfloat16() if has_fast_bf16(p.device.type) else ahead)
        p.mul_(1 - lr * weight_decay)
        p.add_(direction, alpha=-lr * 0.2 * math.sqrt(max(p.shape)))  # as long as AdamW's: Liu et al. 2025


MOMENTS = {torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"), Muon: ("momentum_buffer",)}


class Together:
    """Several optimizers of different parameters, to be stepped as one."""

    def __init__(self, *optimizers: torch.optim.Optimizer):
        self.optimizers = optimizers
        self.param_groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        self.state = optimizers[0].state  # one for all: it is keyed by parameter
        for optimizer in optimizers:
            optimizer.state = self.state

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer | Together:
    """What ``config.optimizer`` names, for all weights of ``model``."""
    in_blocks = {p for name, p in model.named_parameters() if "blocks." in name and p.dim() == 2}
    if config.optimizer == "adamw":
        return _adamw(model.parameters(), config)
    matrices = [p for p in model.parameters() if p in in_blocks]
    muon = Muon(matrices, lr=config.learning_rate, weight_decay=config.weight_decay)
    return Together(muon, _adamw([p for p in model.parameters() if p not in in_blocks], config))


def moments(optimizer: torch.optim.Optimizer | Together) -> dict[nn.Parameter, tuple[str, ...]]:
    """What is remembered of each parameter after a step: "step" is one number, the others have its shape."""
    parts = optimizer.optimizers if isinstance(optimizer, Together) else (optimizer,)
    return {p: MOMENTS[type(part)] for part in parts for group in part.param_groups for p in group["params"]}


def _adamw(parameters, config: TrainConfig) -> torch.optim.AdamW:
    parameters = list(parameters)
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(config.beta1, config.beta2), fused=True)
