"""The norms of the families: LayerNorm, and RMSNorm, which takes no mean off and adds no bias."""

from torch import nn

from .config import ModelConfig


def norm_of(config: ModelConfig) -> nn.LayerNorm | nn.RMSNorm:
    """A norm over the width C, as the config asks for it."""
    if config.norm == "rms":
        return nn.RMSNorm(config.n_embd, eps=config.norm_eps)
    return nn.LayerNorm(config.n_embd, eps=config.norm_eps, bias=config.has_bias("norm"))
