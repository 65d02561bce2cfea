"""What a model's family does otherwise than GPT-2, as the page shows it."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm_core import ModelConfig


def family_facts(config: "ModelConfig") -> dict:
    """Of the facts of ``shown``, those that differ from GPT-2's."""
    return {name: value for name, (value, usual) in shown(config).items() if value != usual}


def shown(config: "ModelConfig") -> dict[str, tuple]:
    """(value, GPT-2's value) by name. ``windows``: how many keys a query of each layer sees, None for all."""
    H, C = config.n_head, config.n_embd
    windows = [config.window_of(layer) for layer in range(config.n_layer)]
    return {
        "norm": (config.norm, "layer"),
        "positions": (config.positions, "learned"),
        "mlp": (config.mlp, "gelu_tanh"),
        "parallel": (config.parallel, False),
        "post_norm": (config.post_norm, False),
        "head": (config.head, "tied"),
        "n_kv_head": (config.kv_heads, H),
        "head_dim": (config.head_width, C // H),
        "mlp_width": (config.hidden_width, 4 * C),
        "scales": (scales(config), [1 / math.sqrt(config.head_width)] * config.n_layer),
        "windows": (windows, [None] * config.n_layer),
    }


def scales(config: "ModelConfig") -> list[float]:
    """What the product of query and key is multiplied by, for each layer."""
    base = 1 / math.sqrt(config.head_width) if config.attn_scale is None else config.attn_scale
    return [base / (layer + 1 if config.scale_by_layer else 1) for layer in range(config.n_layer)]
