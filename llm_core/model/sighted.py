"""The attention of families in which it is attention itself that knows of places.

    GPT-2's            q · k / sqrt(D), one key head for each query head, positions in the tokens
    SightedAttention   q and k turned by their places, several query heads on one key head, a scale of its own, a bias
                       by distance, a window: whatever of this the config asks for

What it needs to know of the forward comes as a ``Sight`` in place of the mask.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import KVCache, MultiHeadAttention, merge_heads, split_heads
from .config import ModelConfig
from .masks import causal_mask
from .recording import HookPoint
from .sight import Sight, sight_of, turned


def is_sighted(config: ModelConfig) -> bool:
    """Whether attention has to know more than GPT-2's does."""
    return (
        config.positions in ("rotary", "relative")
        or config.kv_heads != config.n_head
        or config.qk_norm
        or config.attn_scale is not None
        or config.scale_by_layer
        or config.window is not None
    )


class HeadNorm(nn.Module):
    """RMSNorm over the width of each head, with one weight for all heads: (B, H, T, D) -> (B, H, T, D)."""

    def __init__(self, D: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(D)), eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class SightedAttention(MultiHeadAttention):
    """Attention as ``MultiHeadAttention``, with what the families do otherwise.

    Hook points besides: rot_q (B, H, T, D) and rot_k (B, K, T, D) where positions are rotary. k and v are (B, K, S, D).
    """

    def __init__(self, config: ModelConfig, layer: int = 0):
        super().__init__(config)
        D = config.head_width
        self.config, self.layer = config, layer
        self.n_kv_head = config.kv_heads
        self.scale = 1 / math.sqrt(D) if config.attn_scale is None else config.attn_scale
        self.scale /= layer + 1 if config.scale_by_layer else 1
        self.has_window = config.window_of(layer) is not None
        self.q_norm = HeadNorm(D, config.norm_eps) if config.qk_norm else nn.Identity()
        self.k_norm = HeadNorm(D, config.norm_eps) if config.qk_norm else nn.Identity()
        if config.positions == "rotary":
            self.rot_q, self.rot_k = HookPoint(), HookPoint()

    def forward(
        self,
        x: Tensor,
        attention_mask: Sight | Tensor | None = None,
        *,
        is_causal: bool = False,
        memory: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C). A mask alone is that of a whole forward, whose first token stands at place 0."""
        sight = attention_mask
        if memory is not None:
            sight = Sight(mask=attention_mask, near=attention_mask)
        elif not isinstance(sight, Sight):
            sight = self._sight(x, attention_mask, is_causal)
        q = self.q(self.q_norm(split_heads(self.q_proj(x), self.n_head)))  # (B, H, T, D)
        if sight.turn is not None:
            q = self.rot_q(turned(q, sight.turn))  # (B, H, T, D)
        k, v = self._keys_and_values_with(x, memory, cache, sight)  # (B, K, S, D)
        z = self.z(self._attend_with(q, k, v, sight))  # (B, H, T, D)
        return self.out(self.resid_dropout(self.out_proj(merge_heads(z))))  # (B, T, C)

    def _sight(self, x: Tensor, attention_mask: Tensor | None, is_causal: bool) -> Sight:
        if self.config.positions == "relative":
            raise ValueError("relative positions belong to the whole stack: call the stack, not a block of it")
        T = x.shape[1]
        return sight_of(self.config, T, T, x.device, attention_mask, is_causal)

    def _keys_and_values_with(
        self, x: Tensor, memory: Tensor | None, cache: KVCache | None, sight: Sight
    ) -> tuple[Tensor, Tensor]:
        if memory is not None and cache is not None and cache.length:
            return cache.filled()  # the memory does not change while generating
        source = x if memory is None else memory  # (B, S, C)
        k = self.k(self.k_norm(split_heads(self.k_proj(source), self.n_kv_head)))  # (B, K, S, D)
        v = self.v(split_heads(self.v_proj(source), self.n_kv_head))  # (B, K, S, D)
        if sight.turn is not None:
            k = self.rot_k(turned(k, sight.turn))  # (B, K, S, D)
        return (k, v) if cache is None else cache.append(k, v)

    def _attend_with(self, q: Tensor, k: Tensor, v: Tensor, sight: Sight) -> Tensor:
        """In steps while somebody watches, else in the kernel that gives the same."""
        mask, is_causal = (sight.near, False) if self.has_window else (sight.mask, sight.is_causal)
        if not self._needs_steps():
            return self._attend_in_kernel(q, k, v, mask, is_causal, sight.bias)
        scores = self.raw_scores(q, k, sight.bias)  # (B, H, T, S)
        if is_causal:
            mask = causal_mask(q.shape[2], k.shape[2], q.device)
        if mask is not None:
            scores = scores.where(mask, -math.inf)
        pattern = F.softmax(self.scores(scores), dim=-1)  # (B, H, T, S)
        pattern = self.pattern(pattern.nan_to_num())  # a query that sees nothing attends to nothing
        return self.attn_dropout(pattern) @ self.for_queries(v)  # (B, H, T, D)

    def raw_scores(self, q: Tensor, k: Tensor, bias: Tensor | None = None) -> Tensor:
        """Scores (B, H, T, S) before any mask, of q (B, H, T, D) and k (B, K, S, D) as they meet: after rotation."""
        scores = q @ self.for_queries(k).transpose(-2, -1) * self.scale  # (B, H, T, S)
        return scores if bias is None else scores + bias

    def for_queries(self, x: Tensor) -> Tensor:
        """Each key head once for every query head that looks at it: (B, K, S, D) -> (B, H, S, D)."""
        return x.repeat_interleave(self.n_head // self.n_kv_head, dim=1)

    def _attend_in_kernel(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool, bias: Tensor | None
    ) -> Tensor:
        if bias is not None:  # the kernel takes one thing to add to the scores
            mask = causal_mask(q.shape[2], k.shape[2], q.device) if is_causal else mask
            mask, is_causal = bias if mask is None else bias.masked_fill(~mask, -math.inf), False
        z = F.scaled_dot_product_attention(
            q,
            k,
            v,
            attn_mask=mask,
            dropout_p=self.attn_dropout.p if self.training else 0.0,
            is_causal=is_causal,
            scale=self.scale,
            enable_gqa=self.n_head != self.n_kv_head,
        )  # (B, H, T, D)
        return z if bias is None else z.nan_to_num()
