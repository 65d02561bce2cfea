"""q and k of every head, in full precision: their products sum to the scores that the model computed.

Where positions are rotary, these are the turned ones; a key head that several query heads share stands there for each.
"""

from ..engine.family import scales
from ..engine.payload import pack


def neurons(runner, run, layer: int | None = None) -> bytes:
    """Arrays q and k, (L, H, T, D), float32; of one ``layer``, (1, H, T, D).

    For each layer ``scale``, what a sum of products is multiplied by, and ``windows``, how many keys a query sees
    (None: all); ``shared``: how many query heads a key head has; ``causal``: whether a query sees no later key.
    """
    config = run.attention.model_of(runner.model).config
    points = {name: f"rot_{name}" if config.positions == "rotary" else name for name in "qk"}
    shared = config.n_head // config.kv_heads  # query heads of a key head
    q, k = (run.attention.stacked(run.trace, points[name], layer) for name in "qk")  # (L, H, T, D) and (L, K, S, D)
    header = {
        "names": {name: run.attention.point(point) for name, point in points.items()},
        "shared": shared,
        "scale": scales(config),
        "windows": [config.window_of(layer) for layer in range(config.n_layer)],
        "causal": run.attention.is_causal,
    }
    return pack(header, {"q": ("float32", q), "k": ("float32", k.repeat(shared, axis=1))})
