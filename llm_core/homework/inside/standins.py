"""What stands in for a student's other blocks while one is tested: of the same interface, and no homework solved.

Each is a function of everything that it is given, so that a wrong input shows; none is what the homework asks for,
so that nothing can be taken from it. The right block and every known mistake are run among the same ones.
"""

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from .course import course
from .observations import tokens_of

Names = Any  # a student's module, or a namespace of ours: its classes are built while it runs


def stand_ins() -> SimpleNamespace:
    """By the names that a student's file gives its blocks; new classes each time."""
    names = SimpleNamespace(Embedding=_embedding(), GenericSelfAttention=_attention(), TransformerBlock=_block())
    names.GenericTransformer = GenericTransformer
    names.Encoder, names.Decoder = Encoder, Decoder
    names.generate = names.prefix_generate = names.EncoderDecoder = None
    return names


def _embedding() -> type:
    given: Any = course()

    class Embedding(given.DummyEmbedding):
        def forward(self, idx: Tensor) -> Tensor:
            place = torch.linspace(0, 1, idx.shape[1])[:, None]  # (T, 1)
            return torch.tanh(self.vocab_embeddings(idx)) - place * self.position_embeddings.weight[0]  # (B, T, C)

    return Embedding


def _attention() -> type:
    given: Any = course()

    class GenericSelfAttention(given.DummyMultiHeadedSelfAttention):
        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            seen = (attention_mask != 0).to(x.dtype).mean(1)  # (B, T, T)
            return self.c_proj(seen @ torch.tanh(self.v(x)) / (1 + seen.sum(-1, keepdim=True)))  # (B, T, C)

    return GenericSelfAttention


def _block() -> type:
    given: Any = course()

    class TransformerBlock(given.DummyBlock):
        def __init__(self, config):
            super().__init__(config, _attention())

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            return 0.7 * x + torch.sin(self.attn(self.ln_2(x), attention_mask))  # (B, T, C)

    return TransformerBlock


class Model(nn.Module):
    """In place of a transformer: token and place, mixed over the tokens that come before (or over all).

    ``fed`` keeps the tokens that it was given, ``cached`` the last hidden states.
    """

    causal = True

    def __init__(self, config):
        super().__init__()
        self.config, self.vocab_size, self.block_size = config, config.vocab_size, config.block_size
        self.n_embd, self.n_head, self.n_layer = config.n_embd, config.n_head, config.n_layer
        self.tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.fed: list[Tensor] = []
        self.cached: Tensor | None = None

    def configure_optimizers(self, train_config) -> list[dict]:
        return [{"params": list(self.parameters()), "weight_decay": train_config.weight_decay}]

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        self.fed.append(tokens_of(idx, hidden_cache).detach().clone())
        self.cached = hidden_cache
        real = (idx != -1)[..., None]  # (B, T, 1)
        x = self.tokens(idx.long().clamp(min=0)) * real  # (B, T, C)
        if hidden_cache is not None:
            x = torch.cat([hidden_cache.tanh(), x], dim=1)  # (B, P+T, C)
        places = 1 + torch.arange(x.shape[1])[:, None]  # (P+T, 1)
        x = torch.sin(x.cumsum(1) / places.sqrt() if self.causal else x.sum(1, keepdim=True) + x / places)
        if return_hidden:
            return x
        logits = self.lm_head(x)  # (B, P+T, V)
        return logits, None if targets is None else self._loss(logits, targets)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Some number that depends on which target meets which row."""
        T = targets.shape[1]
        weight = torch.cos(targets.to(logits.dtype)) * (1 + torch.arange(T))  # (B, T)
        return (torch.logsumexp(logits[:, -T:], -1) * weight).mean() if T else logits.sum() * 0


class Encoder(Model):
    causal = False


class Decoder(Model):
    pass


class GenericTransformer(Model):
    pass


def visible(num_tokens: Tensor) -> Tensor:
    """A mask for a transformer that is tested: (B, 1, T, T), 1 = visible; neither an encoder's nor a decoder's."""
    T = int(num_tokens.max())
    row, column = torch.arange(T)[:, None], torch.arange(T)
    return ((column < num_tokens[:, None, None, None]) & ((row - column) % 3 != 1)).long().expand(-1, 1, T, T)
