"""What stands between a stack's states and its logits, in families where it is more than the token table."""

from torch import Tensor, nn

from .config import ModelConfig
from .gated import activation_of
from .norms import norm_of
from .recording import HookPoint


def before_head_of(config: ModelConfig) -> nn.Module:
    if config.head_mlp is not None:
        return HeadMLP(config)
    return nn.Identity() if config.head_scale == 1 else Scale(config.head_scale)


class HeadMLP(nn.Module):
    """BERT's, before the token table: a square layer, its activation, a norm. (B, T, C) -> (B, T, C)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.proj = nn.Linear(config.n_embd, config.n_embd)
        self.activation = activation_of(config.head_mlp)
        self.pre, self.post = HookPoint(), HookPoint()
        self.norm = norm_of(config)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.post(self.activation(self.pre(self.proj(x)))))  # (B, T, C)


class Scale(nn.Module):
    """Every number times ``factor``."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class NoHead(nn.Module):
    """In the place of the head of a model that was saved without one."""

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("this model has no language-model head, so it predicts no token; its attention is there")
