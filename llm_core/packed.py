"""The decoder's step for one new token, without most of its modules: the same numbers, sooner.

One token is little work: what takes time is fetching the weights, and Python. So the step reads q, k and v as
one matrix, reads the widest matrices input by input (rows of 4C or V numbers stream from memory, rows of C do
not), and passes no hook point. It stands in for the modules only where that makes no difference: see ``can_pack``
and ``hooks_of``.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .architectures import Decoder, DecoderCache
from .attention import KVCache, MultiHeadAttention, split_heads
from .blocks import MLP, Block, Embedding
from .masks import padding_mask
from .recording import HookPoint

PARTS = {
    *(Decoder, Embedding, Block, MultiHeadAttention, MLP, HookPoint),
    *(nn.ModuleList, nn.Embedding, nn.Linear, nn.LayerNorm, nn.Dropout, nn.GELU),
}
GRAIN = 32768  # PyTorch shares elementwise work among threads from this many numbers on


def can_pack(decoder: Decoder) -> bool:
    """False if a part of the decoder has been exchanged for one of another type."""
    return all(type(module) in PARTS for module in decoder.modules())


def hooks_of(decoder: Decoder) -> list[dict]:
    """The hooks of every part. While one of these is not empty somebody watches, and the modules have to run."""
    return [hooks for part in decoder.modules() for hooks in (part._forward_hooks, part._forward_pre_hooks)]


class PackedDecoder:
    """A decoder in eval mode with some of its weights copied; they must not change while it is in use."""

    def __init__(self, decoder: Decoder):
        self.decoder = decoder
        self.blocks = [PackedBlock(block) for block in decoder.blocks]
        self.head_weight = input_major(decoder.lm_head.weight)  # (V, C)

    def next_logits(self, ids: Tensor, cache: DecoderCache, memory_mask: Tensor | None = None) -> Tensor:
        """The newest token of each row, (B, 1) -> logits (B, V). The cache, filled before, grows by one place."""
        x = self.decoder.embed(ids, None, cache.num_tokens)  # (B, 1, C)
        cache.num_tokens = cache.num_tokens + 1
        if cache.visible is not None:
            cache.visible = F.pad(cache.visible, (0, 1), value=True)  # (B, S)
        mask = None if cache.visible is None else padding_mask(cache.visible)
        cross_mask = None if memory_mask is None else padding_mask(memory_mask)
        for block, (own, cross) in zip(self.blocks, cache.layers):
            x = block(x, own, cross, mask, cross_mask)
        return F.linear(self.decoder.ln_f(x), self.head_weight)[:, 0]  # (B, V)


class PackedBlock:
    """One block for one new token per row."""

    def __init__(self, block: Block):
        self.block = block
        projections = (block.attn.q_proj, block.attn.k_proj, block.attn.v_proj)
        self.qkv_weight = input_major(torch.cat([p.weight for p in projections]))  # (3C, C)
        has_bias = projections[0].bias is not None
        self.qkv_bias = torch.cat([p.bias for p in projections]) if has_bias else None  # (3C,)
        self.up_weight = input_major(block.mlp.up_proj.weight)  # (4C, C)

    def __call__(
        self, x: Tensor, own: KVCache, cross: KVCache | None, mask: Tensor | None, cross_mask: Tensor | None
    ) -> Tensor:
        """(B, 1, C) -> (B, 1, C); masks (B, 1, 1, S)."""
        block, attn, mlp = self.block, self.block.attn, self.block.mlp
        qkv = F.linear(block.ln_1(x), self.qkv_weight, self.qkv_bias)  # (B, 1, 3C)
        q, k, v = split_heads(qkv, 3 * attn.n_head).chunk(3, dim=1)  # (B, H, 1, D) each
        x = x + attn.out_proj(attend(q, *own.append(k, v), mask))
        if block.cross_attn is not None:
            q = split_heads(block.cross_attn.q_proj(block.ln_cross(x)), attn.n_head)  # (B, H, 1, D)
            x = x + block.cross_attn.out_proj(attend(q, *cross.filled(), cross_mask))
        up = F.linear(block.ln_2(x), self.up_weight, mlp.up_proj.bias)  # (B, 1, 4C)
        return x + mlp.down_proj(mlp.gelu(up))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """One query per head, (B, H, 1, D), to k and v, (B, H, S, D) -> (B, 1, C).

    The fused kernel wakes every thread, however small the work; small work is done before they are awake.
    """
    B, H, _, D = q.shape
    if k.numel() > GRAIN:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).reshape(B, 1, H * D)
    scores = (k * q).sum(-1) / math.sqrt(D)  # (B, H, S)
    if mask is not None:
        scores = scores.masked_fill(~mask[:, 0], -math.inf)
    pattern = F.softmax(scores, dim=-1)  # (B, H, S)
    return (pattern[..., None] * v).sum(2).reshape(B, 1, H * D)


def input_major(weight: Tensor) -> Tensor:
    """The same (out, in) matrix, but what belongs to one input lies together in memory."""
    return weight.t().contiguous().t()
