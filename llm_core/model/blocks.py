"""The parts that a stack is built from: embedding, MLP, and the pre-norm block and its relatives."""

import torch
from torch import Tensor, nn

from .attention import KVCache, MultiHeadAttention
from .config import GATED, ModelConfig
from .gated import GatedMLP, activation_of
from .norms import norm_of
from .recording import HookPoint
from .sighted import SightedAttention, is_sighted


def attention_of(config: ModelConfig, layer: int) -> MultiHeadAttention:
    return SightedAttention(config, layer) if is_sighted(config) else MultiHeadAttention(config)


def block_of(config: ModelConfig, cross: bool = False, layer: int = 0) -> "Block":
    """The block of ``layer``, of the kind that the config asks for."""
    kind = PostNormBlock if config.post_norm else ParallelBlock if config.parallel else Block
    return kind(config, cross, layer)


class Embedding(nn.Module):
    """What a token is, plus where it stands: (B, T) ids -> (B, T, C). Positions are learned, as in GPT-2."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.token_table = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_table = nn.Embedding(config.block_size, config.n_embd)
        self.dropout = nn.Dropout(config.embd_pdrop)
        self.ids, self.token, self.position, self.sum = HookPoint(), HookPoint(), HookPoint(), HookPoint()

    def forward(self, ids: Tensor, positions: Tensor | None = None) -> Tensor:
        """``positions`` is (T,) or (B, T), default 0..T-1."""
        if positions is None:
            positions = torch.arange(ids.shape[1], device=ids.device)  # (T,)
        token = self.token(self.token_table(self.ids(ids)))  # (B, T, C)
        position = self.position(self.position_table(positions))  # (T, C) or (B, T, C)
        return self.dropout(self.sum(token + position))  # (B, T, C)


class MLP(nn.Module):
    """Each token for itself: widen four times, GELU (the tanh form, as GPT-2), narrow again."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        C, inner, bias = config.n_embd, config.hidden_width, config.has_bias("mlp")
        self.up_proj = nn.Linear(C, inner, bias=bias)
        self.activation = activation_of(config.mlp)
        self.down_proj = nn.Linear(inner, C, bias=bias)
        self.dropout = nn.Dropout(config.resid_pdrop)
        self.pre, self.post, self.out = HookPoint(), HookPoint(), HookPoint()

    def forward(self, x: Tensor) -> Tensor:
        pre = self.pre(self.up_proj(x))  # (B, T, 4C)
        post = self.post(self.activation(pre))  # (B, T, 4C)
        return self.out(self.dropout(self.down_proj(post)))  # (B, T, C)


class Block(nn.Module):
    """Pre-norm: attention, then (in a cross-attending decoder) attention to the encoder, then the MLP."""

    def __init__(self, config: ModelConfig, cross: bool = False, layer: int = 0):
        super().__init__()
        self.resid_pre = HookPoint()
        self.ln_1 = norm_of(config)
        self.attn = attention_of(config, layer)
        self.resid_mid = HookPoint()
        self.ln_cross = norm_of(config) if cross else None
        self.cross_attn = attention_of(config, layer) if cross else None
        self.resid_cross = HookPoint() if cross else None
        self.ln_2 = norm_of(config)
        self.mlp = GatedMLP(config) if config.mlp in GATED else MLP(config)
        self.resid_post = HookPoint()

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: tuple[KVCache, KVCache | None] = (None, None),
    ) -> Tensor:
        """(B, T, C) -> (B, T, C); masks broadcast to (B, H, T, S)."""
        own, cross = cache
        x = self.resid_pre(x)  # (B, T, C)
        x = self.resid_mid(x + self.attn(self.ln_1(x), attention_mask, is_causal=is_causal, cache=own))
        if self.cross_attn is not None:
            attended = self.cross_attn(self.ln_cross(x), memory_mask, memory=memory, cache=cross)
            x = self.resid_cross(x + attended)
        return self.resid_post(x + self.mlp(self.ln_2(x)))


class ParallelBlock(Block):
    """Attention and MLP read the same stream, and one sum takes both: GPT-NeoX. There is no ``resid_mid``."""

    def __init__(self, config: ModelConfig, cross: bool = False, layer: int = 0):
        super().__init__(config, cross, layer)
        del self.resid_mid

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: tuple[KVCache, KVCache | None] = (None, None),
    ) -> Tensor:
        """(B, T, C) -> (B, T, C), as ``Block``."""
        x = self.resid_pre(x)  # (B, T, C)
        attended = self.attn(self.ln_1(x), attention_mask, is_causal=is_causal, cache=cache[0])
        return self.resid_post(x + attended + self.mlp(self.ln_2(x)))


class PostNormBlock(Block):
    """The Transformer of 2017, BERT and BART: the norms stand behind the sums, on the stream itself.

    ``resid_mid``, ``resid_cross`` and ``resid_post`` are the sums before their norms; what goes on is ``ln_2``'s.
    """

    def forward(
        self,
        x: Tensor,
        attention_mask: Tensor | None = None,
        *,
        is_causal: bool = False,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: tuple[KVCache, KVCache | None] = (None, None),
    ) -> Tensor:
        """(B, T, C) -> (B, T, C), as ``Block``."""
        own, cross = cache
        x = self.resid_pre(x)  # (B, T, C)
        x = self.ln_1(self.resid_mid(x + self.attn(x, attention_mask, is_causal=is_causal, cache=own)))
        if self.cross_attn is not None:
            attended = self.cross_attn(x, memory_mask, memory=memory, cache=cross)
            x = self.ln_cross(self.resid_cross(x + attended))
        return self.ln_2(self.resid_post(x + self.mlp(x)))
