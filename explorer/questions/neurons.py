"""q and k of every head, in full precision: their products sum to the scores that the model computed."""

import numpy as np

from ..engine.payload import pack


def neurons(runner, run) -> bytes:
    """Arrays q and k, (L, H, T, D), float32."""
    layers = range(runner.facts.n_layer)
    arrays = {
        name: ("float32", np.stack([run.trace[f"blocks.{i}.attn.{name}"][0].numpy() for i in layers])) for name in "qk"
    }
    return pack({"names": {name: f"blocks.{{layer}}.attn.{name}" for name in "qk"}}, arrays)
