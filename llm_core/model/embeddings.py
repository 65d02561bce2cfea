"""The embeddings of families in which more or less than a position is added to a token's row."""

import torch
from torch import Tensor, nn

from .blocks import Embedding
from .config import ModelConfig
from .norms import norm_of
from .recording import HookPoint


def embedding_of(config: ModelConfig) -> "Embedding | TokenEmbedding | NormedEmbedding":
    if config.positions != "learned":
        return TokenEmbedding(config)
    needs_more = config.embedding_norm or config.n_segment or config.embedding_scale != 1
    return NormedEmbedding(config) if needs_more else Embedding(config)


class TokenEmbedding(nn.Module):
    """The token alone: attention knows where it stands. (B, T) ids -> (B, T, C)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.token_table = nn.Embedding(config.vocab_size, config.n_embd)
        self.dropout = nn.Dropout(config.embd_pdrop)
        self.ids, self.token, self.sum = HookPoint(), HookPoint(), HookPoint()

    def forward(self, ids: Tensor, positions: Tensor | None = None) -> Tensor:
        """``positions`` are what other embeddings take, and change nothing here."""
        token = self.token(self.token_table(self.ids(ids)))  # (B, T, C)
        return self.dropout(self.sum(token))  # (B, T, C)


class NormedEmbedding(nn.Module):
    """Token, position and segment, and a norm over their sum: BERT's and BART's. (B, T) ids -> (B, T, C)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.scale = config.embedding_scale
        self.token_table = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_table = nn.Embedding(config.block_size, config.n_embd)
        self.segment_table = nn.Embedding(config.n_segment, config.n_embd) if config.n_segment else None
        self.dropout = nn.Dropout(config.embd_pdrop)
        self.ids, self.token, self.position = HookPoint(), HookPoint(), HookPoint()
        self.segment = HookPoint() if config.n_segment else None
        self.sum = HookPoint()
        self.norm = norm_of(config) if config.embedding_norm else nn.Identity()

    def forward(self, ids: Tensor, positions: Tensor | None = None) -> Tensor:
        """``positions`` is (T,) or (B, T), default 0..T-1. Every token is of segment 0."""
        if positions is None:
            positions = torch.arange(ids.shape[1], device=ids.device)  # (T,)
        x = self.token(self.token_table(self.ids(ids)) * self.scale)  # (B, T, C)
        x = x + self.position(self.position_table(positions))  # (B, T, C)
        if self.segment_table is not None:
            x = x + self.segment(self.segment_table(torch.zeros_like(ids)))  # (B, T, C)
        return self.dropout(self.norm(self.sum(x)))  # (B, T, C)
