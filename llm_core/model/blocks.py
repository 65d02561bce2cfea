"""The parts that a stack is built from: embedding, MLP, and the pre-norm block."""

import torch
from torch import Tensor, nn

from .attention import KVCache, MultiHeadAttention
from .config import ModelConfig
from .recording import HookPoint


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
        C = config.n_embd
        self.up_proj = nn.Linear(C, 4 * C, bias=config.bias)
        self.gelu = nn.GELU(approximate="tanh")
        self.down_proj = nn.Linear(4 * C, C, bias=config.bias)
        self.dropout = nn.Dropout(config.resid_pdrop)
        self.pre, self.post, self.out = HookPoint(), HookPoint(), HookPoint()

    def forward(self, x: Tensor) -> Tensor:
        pre = self.pre(self.up_proj(x))  # (B, T, 4C)
        post = self.post(self.gelu(pre))  # (B, T, 4C)
        return self.out(self.dropout(self.down_proj(post)))  # (B, T, C)


class Block(nn.Module):
    """Pre-norm: attention, then (in a cross-attending decoder) attention to the encoder, then the MLP."""

    def __init__(self, config: ModelConfig, cross: bool = False):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attn = MultiHeadAttention(config)
        self.resid_mid = HookPoint()
        self.ln_cross = nn.LayerNorm(config.n_embd, bias=config.bias) if cross else None
        self.cross_attn = MultiHeadAttention(config) if cross else None
        self.resid_cross = HookPoint() if cross else None
        self.ln_2 = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)
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
        x = self.resid_mid(x + self.attn(self.ln_1(x), attention_mask, is_causal=is_causal, cache=own))
        if self.cross_attn is not None:
            attended = self.cross_attn(self.ln_cross(x), memory_mask, memory=memory, cache=cross)
            x = self.resid_cross(x + attended)
        return self.resid_post(x + self.mlp(self.ln_2(x)))
