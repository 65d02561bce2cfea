"""The decoder's step for one new token, without most of its modules: the same numbers, sooner.

One token is little work: what takes time is fetching the weights, and Python. So the step reads q, k and v as
one matrix, reads the widest matrices input by input (rows of 4C or V numbers stream from memory, rows of C do
not), and passes no hook point. It stands in for the modules only where that makes no difference: see ``can_pack``
and ``hooks_of``.
"""

import math
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .architectures import Decoder, DecoderCache
from .attention import KVCache, MultiHeadAttention
from .blocks import MLP, Block, Embedding
from .masks import padding_mask
from .recording import HookPoint

PARTS = {
    *(Decoder, Embedding, Block, MultiHeadAttention, MLP, HookPoint),
    *(nn.ModuleList, nn.Embedding, nn.Linear, nn.LayerNorm, nn.Dropout, nn.GELU),
}
GRAIN = 32768  # PyTorch shares elementwise work among threads from this many numbers on
_PACKED: WeakKeyDictionary[Decoder, "PackedDecoder"] = WeakKeyDictionary()


def can_pack(decoder: Decoder) -> bool:
    """False if a part of the decoder has been exchanged for one of another type."""
    return all(type(module) in PARTS for module in decoder.modules())


def hooks_of(decoder: Decoder) -> list[dict]:
    """The hooks of every part. While one of these is not empty somebody watches, and the modules have to run."""
    return [hooks for part in decoder.modules() for hooks in (part._forward_hooks, part._forward_pre_hooks)]


def packed(decoder: Decoder) -> "PackedDecoder":
    """The packed form of ``decoder``, kept as long as it lives, and made anew when a weight has changed."""
    state = state_of(decoder)
    if decoder not in _PACKED or _PACKED[decoder].state != state:
        _PACKED[decoder] = PackedDecoder(decoder, state)
    return _PACKED[decoder]


def state_of(decoder: Decoder) -> list[tuple]:
    """Where each weight lies, how often it was written, and its sum, as a write through ``.data`` is not counted."""
    parameters = list(decoder.parameters())
    sums = torch.stack([p.detach().sum() for p in parameters]).tolist()
    return [(p.data_ptr(), 0 if p.is_inference() else p._version, total) for p, total in zip(parameters, sums)]


class PackedDecoder:
    """A decoder's weights, some of them copied into the order in which one token's step reads them."""

    def __init__(self, decoder: Decoder, state: list[tuple]):
        self.state = state
        self.token_table = decoder.embedding.token_table.weight  # (V, C)
        self.position_table = decoder.embedding.position_table.weight  # (block_size, C)
        self.blocks = [PackedBlock(block) for block in decoder.blocks]
        self.ln_f = norm_of(decoder.ln_f)
        self.head_weight = input_major(decoder.lm_head.weight)  # (V, C)

    def next_logits(self, ids: Tensor, cache: DecoderCache, memory_mask: Tensor | None = None) -> Tensor:
        """The newest token of each row, (B,) -> logits (B, V). The cache, filled before, grows by one place."""
        places = cache.num_tokens
        position = self.position_table[places[:, 0] if isinstance(places, Tensor) else places]  # (B, C) or (C,)
        x = F.embedding(ids, self.token_table) + position  # (B, C)
        cache.num_tokens = places + 1
        if cache.visible is not None:
            cache.visible = F.pad(cache.visible, (0, 1), value=True)  # (B, S)
        for block, (own, cross) in zip(self.blocks, cache.layers):
            x = block(x, own, cross, cache.visible, memory_mask)
        return F.linear(torch.layer_norm(x, *self.ln_f), self.head_weight)  # (B, V)


class PackedBlock:
    """One block for one new token per row: its modules' weights as plain attributes, which are found sooner."""

    def __init__(self, block: Block):
        attn, mlp = block.attn, block.mlp
        self.H, self.D = attn.n_head, attn.q_proj.out_features // attn.n_head
        self.ln_1, self.ln_2 = norm_of(block.ln_1), norm_of(block.ln_2)
        self.qkv = joined(attn.q_proj, attn.k_proj, attn.v_proj)  # (3C, C)
        self.out = weight_and_bias(attn.out_proj)  # (C, C)
        self.up = (input_major(mlp.up_proj.weight), mlp.up_proj.bias)  # (4C, C)
        self.gelu = mlp.gelu.approximate
        self.down = weight_and_bias(mlp.down_proj)  # (C, 4C)
        self.crosses = block.cross_attn is not None
        if self.crosses:
            self.ln_cross = norm_of(block.ln_cross)
            self.cross_q = weight_and_bias(block.cross_attn.q_proj)  # (C, C)
            self.cross_out = weight_and_bias(block.cross_attn.out_proj)  # (C, C)

    def __call__(
        self, x: Tensor, own: KVCache, cross: KVCache | None, visible: Tensor | None, memory_mask: Tensor | None
    ) -> Tensor:
        """(B, C) -> (B, C); masks (B, S)."""
        qkv = F.linear(torch.layer_norm(x, *self.ln_1), *self.qkv)  # (B, 3C)
        q, k, v = qkv.view(-1, 3, self.H, 1, self.D).unbind(1)  # (B, H, 1, D) each
        x = F.linear(attend(q, *own.append(k, v), visible), *self.out).add_(x)
        if self.crosses:
            q = F.linear(torch.layer_norm(x, *self.ln_cross), *self.cross_q).view(-1, self.H, 1, self.D)
            x = F.linear(attend(q, *cross.filled(), memory_mask), *self.cross_out).add_(x)
        up = F.linear(torch.layer_norm(x, *self.ln_2), *self.up)  # (B, 4C)
        return F.linear(F.gelu(up, approximate=self.gelu), *self.down).add_(x)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """One query per head, (B, H, 1, D), to k and v, (B, H, S, D) -> (B, C). The mask is (B, S).

    The fused kernel wakes every thread, however small the work; small work is done before they are awake.
    """
    B, H, _, D = q.shape
    if k.numel() > GRAIN or torch.get_num_threads() == 1:
        mask = None if mask is None else padding_mask(mask)  # (B, 1, 1, S)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).view(B, H * D)
    scores = (k * (q / math.sqrt(D))).sum(-1)  # (B, H, S)
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None], -math.inf)
    pattern = torch.softmax(scores, dim=-1).unsqueeze(-1)  # (B, H, S, 1)
    return (pattern * v).sum(2).view(B, H * D)


def input_major(weight: Tensor) -> Tensor:
    """The same (out, in) matrix, but what belongs to one input lies together in memory."""
    return weight.t().contiguous().t()


def joined(*layers: nn.Linear) -> tuple[Tensor, Tensor | None]:
    """Several layers with the same input as one, input-major."""
    weight = torch.cat([layer.weight.t() for layer in layers], dim=1).t()  # (sum of out, in)
    return weight, None if layers[0].bias is None else torch.cat([layer.bias for layer in layers])


def weight_and_bias(layer: nn.Linear) -> tuple[Tensor, Tensor | None]:
    return layer.weight, layer.bias


def norm_of(layer: nn.LayerNorm) -> tuple:
    return layer.normalized_shape, layer.weight, layer.bias, layer.eps
