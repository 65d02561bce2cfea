"""The decoder's step for one new token, without most of its modules: the same numbers, sooner.

One token is little work: what takes time is fetching the weights, and Python. So the step reads q, k and v as
one matrix, cuts every matrix into strips that the threads fetch side by side (``PackedLinear``), and passes no
hook point. It stands in for the modules only where that makes no difference: see ``can_pack`` and ``hooks_of``.
"""

import math
from dataclasses import fields
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .architectures import Decoder, DecoderCache
from .attention import KVCache, MultiHeadAttention
from .blocks import MLP, Block, Embedding
from .config import ModelConfig
from .masks import padding_mask
from .recording import HookPoint

PARTS = {
    *(Decoder, Embedding, Block, MultiHeadAttention, MLP, HookPoint),
    *(nn.ModuleList, nn.Embedding, nn.Linear, nn.LayerNorm, nn.Dropout, nn.GELU),
}
STRIP = 32  # outputs in one strip of a matrix: measured, half and twice as many are slower
GRAIN = 32768  # PyTorch shares elementwise work among threads from this many numbers on
_PACKED: WeakKeyDictionary[Decoder, "PackedDecoder"] = WeakKeyDictionary()


def can_pack(decoder: Decoder) -> bool:
    """True if the decoder is as GPT-2, in its config and in the type of every part: one may have been exchanged."""
    parts = (type(part) for name, part in decoder.named_modules() if name != "before_head")  # nothing, in GPT-2
    return _is_gpt2(decoder.config) and all(part in PARTS for part in parts)


def _is_gpt2(config: ModelConfig) -> bool:
    """Whether the step below is that of such a model: only sizes, dropout, biases and epsilon may be its own."""
    own = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "attn_pdrop", "resid_pdrop", "embd_pdrop")
    free = (*own, "bias", "qkv_bias", "out_bias", "mlp_bias", "norm_bias", "norm_eps", "mlp_width", "head_dim")
    return all(getattr(config, field.name) == field.default for field in fields(config) if field.name not in free)


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
        self.lm_head = PackedLinear(decoder.lm_head)

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
        return self.lm_head(torch.layer_norm(x, *self.ln_f))  # (B, V)


class PackedBlock:
    """One block for one new token per row: its modules' weights as plain attributes, which are found sooner."""

    def __init__(self, block: Block):
        attn, mlp = block.attn, block.mlp
        self.H, self.D = attn.n_head, attn.q_proj.out_features // attn.n_head
        self.ln_1, self.ln_2 = norm_of(block.ln_1), norm_of(block.ln_2)
        self.qkv = PackedLinear(attn.q_proj, attn.k_proj, attn.v_proj)
        self.out = PackedLinear(attn.out_proj)
        self.up, self.down = PackedLinear(mlp.up_proj), PackedLinear(mlp.down_proj)
        self.gelu = mlp.activation.approximate
        self.crosses = block.cross_attn is not None
        if self.crosses:
            self.ln_cross = norm_of(block.ln_cross)
            self.cross_q = PackedLinear(block.cross_attn.q_proj)
            self.cross_out = PackedLinear(block.cross_attn.out_proj)

    def __call__(
        self, x: Tensor, own: KVCache, cross: KVCache | None, visible: Tensor | None, memory_mask: Tensor | None
    ) -> Tensor:
        """(B, C) -> (B, C); masks (B, S)."""
        qkv = self.qkv(torch.layer_norm(x, *self.ln_1))  # (B, 3C)
        q, k, v = qkv.view(-1, 3, self.H, 1, self.D).unbind(1)  # (B, H, 1, D) each
        x = self.out(attend(q, *own.append(k, v), visible)).add_(x)
        if self.crosses:
            q = self.cross_q(torch.layer_norm(x, *self.ln_cross)).view(-1, self.H, 1, self.D)
            x = self.cross_out(attend(q, *cross.filled(), memory_mask)).add_(x)
        up = self.up(torch.layer_norm(x, *self.ln_2))  # (B, 4C)
        return self.down(F.gelu(up, approximate=self.gelu)).add_(x)


class PackedLinear:
    """One linear layer, or several with the same input side by side, cut into strips of 32 outputs.

    A product of one row and one matrix runs in one thread; a batch of strips is shared among all of them. The
    last strip is filled up with zeros.
    """

    def __init__(self, *layers: nn.Linear):
        weight = torch.cat([layer.weight for layer in layers])  # (O, I)
        bias = weight.new_zeros(len(weight)) if layers[0].bias is None else torch.cat([layer.bias for layer in layers])
        self.O, missing = len(weight), -len(weight) % STRIP
        self.weight = F.pad(weight, (0, 0, 0, missing)).unflatten(0, (-1, STRIP)).mT.contiguous()  # (O / 32, I, 32)
        self.bias = F.pad(bias, (0, missing)).view(-1, 1, STRIP)  # (O / 32, 1, 32)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, I) -> (B, O)."""
        strips = torch.baddbmm(self.bias, x.expand(len(self.weight), -1, -1), self.weight)  # (O / 32, B, 32)
        return strips.transpose(0, 1).flatten(1)[:, : self.O]


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


def norm_of(layer: nn.LayerNorm) -> tuple:
    return layer.normalized_shape, layer.weight, layer.bias, layer.eps
