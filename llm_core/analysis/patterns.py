"""What can be said of attention patterns alone, without the model they came from."""

import torch
from torch import Tensor


def uniform(visible: Tensor) -> Tensor:
    """The pattern that looks at every visible key alike: (..., T, S), True = visible -> (..., T, S).

    A query that sees nothing attends to nothing.
    """
    visible = visible.float()
    return visible / visible.sum(-1, keepdim=True).clamp(min=1)


def received(pattern: Tensor, visible: Tensor) -> Tensor:
    """The mean attention that each key gets from the queries that can see it, 0..1: (..., T, S) -> (..., S).

    ``visible`` (broadcast to the pattern) is True where a query sees a key: a mask of ``llm_core.model.masks``, or
    ``scores.isfinite()``. Without it, the last keys of a causal pattern would look neglected, whatever the model
    does. A key that nobody sees gets 0. What a query gives needs no function: every row sums to 1.
    """
    visible = visible.expand_as(pattern)
    return (pattern * visible).sum(-2) / visible.sum(-2).clamp(min=1)


def rollout(patterns: Tensor) -> Tensor:
    """How much of each input is in each place after each layer, if attention were all there is.

    (L, H, T, T) -> (L, T, T): mean over the heads, plus the identity for the residual stream, rows brought back
    to a sum of 1, multiplied up the layers. Row i of ``[l]`` is where place i after layer l comes from, as shares.
    A causal pattern stays causal. Raises ``ValueError`` for another shape.
    Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3.
    """
    if patterns.ndim != 4 or patterns.shape[2] != patterns.shape[3]:
        raise ValueError(
            f"patterns of shape {tuple(patterns.shape)}: rollout needs (L, H, T, T), one text, self-attention"
        )
    T = patterns.shape[-1]
    identity = torch.eye(T, dtype=patterns.dtype, device=patterns.device)
    layers = patterns.mean(1) + identity  # (L, T, T)
    layers = layers / layers.sum(-1, keepdim=True)
    so_far, steps = identity, []
    for layer in layers:
        so_far = layer @ so_far
        steps.append(so_far)
    return torch.stack(steps)  # (L, T, T)
