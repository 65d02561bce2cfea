"""q and k of every head, in full precision: their products sum to the scores that the model computed.

Where positions are rotary, these are the turned ones; a key head that several query heads share stands there for each.
"""

import numpy as np

from ..engine.family import scales
from ..engine.payload import pack


def neurons(runner, run) -> bytes:
    """Arrays q and k, (L, H, T, D), float32. For each layer ``scale``, what a sum of products is multiplied by, and
    ``windows``, how many keys a query sees (None: all); ``shared``: how many query heads a key head has."""
    config = runner.model.config
    points = {name: f"attn.rot_{name}" if config.positions == "rotary" else f"attn.{name}" for name in "qk"}
    shared = config.n_head // config.kv_heads  # query heads of a key head

    def stacked(point: str, times: int) -> np.ndarray:
        layers = [run.trace[f"blocks.{i}.{point}"][0].numpy() for i in range(config.n_layer)]
        return np.stack(layers).repeat(times, axis=1)  # (L, H, T, D)

    arrays = {"q": ("float32", stacked(points["q"], 1)), "k": ("float32", stacked(points["k"], shared))}
    windows = [config.window_of(layer) for layer in range(config.n_layer)]
    names = {name: f"blocks.{{layer}}.{point}" for name, point in points.items()}
    return pack({"names": names, "shared": shared, "scale": scales(config), "windows": windows}, arrays)
