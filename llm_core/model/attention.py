"""Multi-head attention as GPT-2 does it, all heads at once.

    split_heads   (B, T, C) -> (B, H, T, D)   a view, then a transpose: reshaping alone would mix tokens
    merge_heads   (B, H, T, D) -> (B, T, C)   the exact inverse

Dropout acts in two places only: on the weights after the softmax, on the output after the projection.
Vaswani et al. 2017, "Attention Is All You Need", section 3.2; Radford et al. 2019 (GPT-2).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import ModelConfig
from .masks import causal_mask
from .recording import HookPoint

QUERIES = 64  # in a block of compiled attention


def split_heads(x: Tensor, n_head: int) -> Tensor:
    """Cut the width into heads: (B, T, C) -> (B, H, T, D). Raises ``ValueError`` if H does not divide C."""
    B, T, C = x.shape
    if n_head < 1 or C % n_head:
        raise ValueError(f"n_head={n_head} does not divide the width C={C}")
    x = x.view(B, T, n_head, C // n_head)  # (B, T, H, D)
    return x.transpose(1, 2)  # (B, H, T, D)


def merge_heads(x: Tensor) -> Tensor:
    """Put the heads side by side again: (B, H, T, D) -> (B, T, C)."""
    B, H, T, D = x.shape
    x = x.transpose(1, 2)  # (B, T, H, D)
    return x.reshape(B, T, H * D)  # (B, T, C)


class KVCache:
    """Room for the keys and values of one attention layer, filled from the left, and doubled when it is full."""

    def __init__(self, B: int, config: ModelConfig, S: int, like: Tensor):
        shape = (B, config.kv_heads, S, config.head_width)
        self.k = like.new_empty(shape)  # (B, K, S, D)
        self.v = like.new_empty(shape)  # (B, K, S, D)
        self.length = 0

    def append(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Store k, v (B, K, T, D) behind what is there; returns all keys and values so far."""
        start, self.length = self.length, self.length + k.shape[2]
        if self.length > self.k.shape[2]:
            self._grow(max(self.length, 2 * self.k.shape[2]))
        self.k.narrow(2, start, k.shape[2]).copy_(k)
        self.v.narrow(2, start, k.shape[2]).copy_(v)
        return self.filled()

    def filled(self) -> tuple[Tensor, Tensor]:
        return self.k.narrow(2, 0, self.length), self.v.narrow(2, 0, self.length)

    def _grow(self, S: int) -> None:
        for name in ("k", "v"):
            old = getattr(self, name)  # (B, K, S so far, D)
            new = old.new_empty(*old.shape[:2], S, old.shape[3])  # (B, K, S, D)
            new.narrow(2, 0, old.shape[2]).copy_(old)
            setattr(self, name, new)


class MultiHeadAttention(nn.Module):
    """Attention of x (B, T, C) to itself, or to ``memory`` (B, S, C) when given.

    Hook points: q, k, v (B, H, T, D), scores (scaled and masked; hidden cells are -inf), pattern (after the
    softmax), z (B, H, T, D), out (B, T, C). While nobody watches scores or pattern the fused kernel runs.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        C, D = config.n_embd, config.head_width
        self.n_head = config.n_head
        self.q_proj = nn.Linear(C, config.n_head * D, bias=config.has_bias("qkv"))
        self.k_proj = nn.Linear(C, config.kv_heads * D, bias=config.has_bias("qkv"))
        self.v_proj = nn.Linear(C, config.kv_heads * D, bias=config.has_bias("qkv"))
        self.out_proj = nn.Linear(config.n_head * D, C, bias=config.has_bias("out"))
        self.attn_dropout = nn.Dropout(config.attn_pdrop)
        self.resid_dropout = nn.Dropout(config.resid_pdrop)
        self.q, self.k, self.v = HookPoint(), HookPoint(), HookPoint()
        self.scores, self.pattern = HookPoint(), HookPoint()
        self.z, self.out = HookPoint(), HookPoint()

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        memory: Tensor | None = None,
        cache: KVCache | None = None,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C).

        ``attention_mask`` is True where a key is visible, broadcast to (B, H, T, S); ``is_causal`` stands for
        the causal mask without building it, and excludes ``attention_mask``.
        """
        q = self.q(split_heads(self.q_proj(x), self.n_head))  # (B, H, T, D)
        k, v = self._keys_and_values(x, memory, cache)  # (B, H, S, D)
        z = self.z(self._attend(q, k, v, attention_mask, is_causal))  # (B, H, T, D)
        return self.out(self.resid_dropout(self.out_proj(merge_heads(z))))  # (B, T, C)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None, is_causal: bool) -> Tensor:
        """In the form that is fastest, unless somebody watches: all three give the same."""
        if self._needs_steps():
            return self._attend_in_steps(q, k, v, attention_mask, is_causal)
        if torch.compiler.is_compiling() and q.device.type == "cpu":
            return self._attend_in_blocks(q, k, v, attention_mask, is_causal)
        return self._attend_fused(q, k, v, attention_mask, is_causal)

    def _needs_steps(self) -> bool:
        return self.scores.is_watched or self.pattern.is_watched

    def _keys_and_values(self, x: Tensor, memory: Tensor | None, cache: KVCache | None) -> tuple[Tensor, Tensor]:
        if memory is not None and cache is not None and cache.length:
            return cache.filled()  # the memory does not change while generating
        source = x if memory is None else memory  # (B, S, C)
        k = self.k(split_heads(self.k_proj(source), self.n_head))  # (B, H, S, D)
        v = self.v(split_heads(self.v_proj(source), self.n_head))  # (B, H, S, D)
        return (k, v) if cache is None else cache.append(k, v)

    def _attend_in_steps(
        self, q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None, is_causal: bool
    ) -> Tensor:
        D = q.shape[-1]
        scores = q @ k.transpose(-2, -1) / math.sqrt(D)  # (B, H, T, S)
        if is_causal:
            attention_mask = causal_mask(q.shape[2], k.shape[2], q.device)
        if attention_mask is not None:
            scores = scores.where(attention_mask, -math.inf)
        pattern = F.softmax(self.scores(scores), dim=-1)  # (B, H, T, S)
        pattern = self.pattern(pattern.nan_to_num())  # a query that sees nothing attends to nothing
        return self.attn_dropout(pattern) @ v  # (B, H, T, D)

    def _attend_in_blocks(
        self, q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None, is_causal: bool
    ) -> Tensor:
        """The steps, some queries at a time, and causal ones with no key behind the last of them.

        Compiled for a CPU, where a block's scores stay in the cache, twice as fast as the fused kernel.
        """
        T, S = q.shape[2], k.shape[2]
        blocks = []
        for start in range(0, T, QUERIES):
            end = min(start + QUERIES, T)
            seen = S - T + end if is_causal else S
            mask = attention_mask
            if mask is not None and mask.shape[2] > 1:
                mask = mask[:, :, start:end]
            blocks.append(self._attend_in_steps(q[:, :, start:end], k[:, :, :seen], v[:, :, :seen], mask, is_causal))
        return torch.cat(blocks, dim=2)  # (B, H, T, D)

    def _attend_fused(self, q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None, is_causal: bool) -> Tensor:
        dropout_p = self.attn_dropout.p if self.training else 0.0
        return F.scaled_dot_product_attention(
            q, k, v, attn_mask=attention_mask, dropout_p=dropout_p, is_causal=is_causal
        )  # (B, H, T, D)
