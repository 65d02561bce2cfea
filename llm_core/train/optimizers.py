"""Two recipes of updating weights: AdamW for all, or Muon for the matrices inside the blocks and AdamW for the rest.

AdamW (Loshchilov & Hutter 2017) decays matrices and tables only. Muon (Jordan et al. 2024) makes each update of a
matrix orthogonal; scaled as by Liu et al. 2025 (arXiv:2502.16982), it takes the learning rate and the decay of AdamW.
"""

import torch
from torch import nn

from .config import TrainConfig

MOMENTS = {torch.optim.AdamW: ("step", "exp_avg", "exp_avg_sq"), torch.optim.Muon: ("momentum_buffer",)}


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
    muon = torch.optim.Muon(
        [p for p in model.parameters() if p in in_blocks],
        lr=config.learning_rate,
        weight_decay=config.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
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
