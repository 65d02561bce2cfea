"""Reading directions: what a logit reads of a stream, seen through the norms and the head that stand between them.

A logit is the dot product of a row of ``lm_head`` with the states in front of it. Going down from there, every norm is
linear once its scale is held at the value it had, and so is an activation once each number's factor is held: what is
read behind it becomes a direction that reads the same in front of it, and a constant from its bias.
Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..model.heads import HeadMLP, Scale


class Reader:
    """Directions (T, K, C) of K logits at each of T places, float64, and what their biases have added so far."""

    def __init__(self, rows: Tensor):
        self.directions = rows.double()  # (T, K, C)
        self.norm_bias = self.directions.new_zeros(rows.shape[:2])  # (T, K)
        self.head_bias = self.directions.new_zeros(rows.shape[:2])  # (T, K)

    def shares(self, written: Tensor) -> Tensor:
        """What was added to the stream, (..., T, C) -> its part of each logit, (..., T, K)."""
        return torch.einsum("...tc,tkc->...tk", written.double(), self.directions)

    def through_norm(self, norm: nn.Module, x: Tensor) -> None:
        """Go on in front of a norm, which got the stream x (T, C). A LayerNorm also takes the mean off."""
        if isinstance(norm, nn.Identity):
            return
        x = x.double()
        if isinstance(norm, nn.RMSNorm):
            self.directions = norm.weight.to(self.directions) * self.directions / _scale(x.square().mean(-1), norm.eps)
            return
        if norm.bias is not None:
            self.norm_bias += self.directions @ norm.bias.to(self.directions)
        weighed = norm.weight.to(self.directions) * self.directions  # (T, K, C)
        self.directions = (weighed - weighed.mean(-1, keepdim=True)) / _scale(x.var(-1, unbiased=False), norm.eps)

    def through_head(self, head: nn.Module, recorded: Callable[[str], Tensor]) -> None:
        """Go on in front of what stands before ``lm_head``; ``recorded`` gives a hook point's tensor (T, C)."""
        if isinstance(head, Scale):
            self.directions = self.directions * head.factor
        if isinstance(head, HeadMLP):
            pre, post = recorded("before_head.pre").double(), recorded("before_head.post").double()
            self.through_norm(head.norm, post)
            passed = torch.where(pre == 0, 0.0, post / pre)[:, None]  # (T, 1, C)
            self.directions = passed * self.directions
            self.head_bias += self.directions @ head.proj.bias.to(self.directions)
            self.directions = self.directions @ head.proj.weight.to(self.directions)


def _scale(square: Tensor, eps: float) -> Tensor:
    """(T,) -> (T, 1, 1)"""
    return (square + eps).sqrt()[:, None, None]
