"""The homework's nine blocks in the course's interface, right or with known faults switched on.

    solution()                        the reference that student files are compared with
    solution({"no-scale"})            a file whose scores are not scaled: what a diagnosis compares a failing file with
    solution({"no-scale", "one-head"})

So a student's file and a suspicion are of one kind: something that has the nine names. ``faults.py`` says what each
fault means. Needs the course's package on the path (see ``homework/course.py``).
"""

import math
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.attention import merge_heads, split_heads
from ...model.masks import causal_mask, is_token
from ..inside.course import course
from ..inside.probes import PADDING
from ..inside.standins import Names, stand_ins


def among_stand_ins(block: str, faults: Collection[str] = ()) -> SimpleNamespace:
    """The block alone, and stand-ins for the others: as a student's block is tested."""
    names = stand_ins()
    _PARTS[block](names, frozenset(faults))
    return names


def solution(faults: Collection[str] = ()) -> SimpleNamespace:
    """The nine names, as a module of a student would have them."""
    names = SimpleNamespace()
    for part in (embedding, attention, block, transformer, masks, sampling, encoder_decoder):
        part(names, frozenset(faults))
    return names


def embedding(names: Names, faults: frozenset[str]) -> None:
    given: Any = course()

    class Embedding(given.DummyEmbedding):
        def forward(self, idx: Tensor) -> Tensor:
            B, T = idx.shape
            places = torch.arange(T)  # (T,)
            if "positions-from-one" in faults:
                places = (places + 1) % self.block_size
            if "positions-over-batch" in faults:
                places = torch.arange(B * T).view(B, T) % self.block_size
            if "one-position" in faults:
                places = torch.zeros(T, dtype=torch.long)
            token, position = self.vocab_embeddings(idx), self.position_embeddings(places)
            return token if "no-positions" in faults else token + position  # (B, T, C)

    names.Embedding = Embedding


def attention(names: Names, faults: frozenset[str]) -> None:
    given: Any = course()

    class GenericSelfAttention(given.DummyMultiHeadedSelfAttention):
        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            H = 1 if "one-head" in faults else self.n_head
            q, k, v = (split(layer(x), H, faults) for layer in self._layers())  # (B, H, T, D)
            z = self._loop(q, k, v, attention_mask) if "loop-over-heads" in faults else self._z(q, k, v, attention_mask)
            out = merge(z, faults)  # (B, T, C)
            if "no-projection" not in faults:
                out = self.c_proj(out)
            return out if "no-output-dropout" in faults else self._dropouts()[1](out)

        def _dropouts(self) -> tuple[nn.Module, nn.Module]:
            """That of the weights, that of the output."""
            both = self.attn_dropout, self.hidden_dropout
            return both[::-1] if "dropouts-swapped" in faults else both

        def _layers(self) -> tuple[nn.Module, nn.Module, nn.Module]:
            if "qk-swapped" in faults:
                return self.k, self.q, self.v
            if "kv-swapped" in faults:
                return self.q, self.v, self.k
            return self.q, self.k, self.v

        def _loop(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
            heads = [slice(h, h + 1) for h in range(q.shape[1])]
            return torch.cat([self._z(q[:, h], k[:, h], v[:, h], mask) for h in heads], dim=1)

        def _z(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
            """(B, H, T, D)"""
            scores = q @ k.transpose(-2, -1) / scale(q, self.n_embd, faults)  # (B, H, T, T)
            pattern = weights(scores, mask != 0, faults, self.attn_dropout)
            if "dropout-on-values" in faults:
                v = self.attn_dropout(v)
            z = (pattern if "no-attention-dropout" in faults else self._dropouts()[0](pattern)) @ v
            return self.attn_dropout(z) if "third-dropout" in faults else z

    names.GenericSelfAttention = GenericSelfAttention


def split(x: Tensor, H: int, faults: frozenset[str]) -> Tensor:
    B, T, C = x.shape
    return x.reshape(B, H, T, C // H) if "split-by-reshape" in faults else split_heads(x, H)


def merge(z: Tensor, faults: frozenset[str]) -> Tensor:
    B, H, T, D = z.shape
    return z.reshape(B, T, H * D) if "merge-by-reshape" in faults else merge_heads(z)


def scale(q: Tensor, C: int, faults: frozenset[str]) -> float:
    if "no-scale" in faults:
        return 1.0
    if "scale-without-root" in faults:
        return float(q.shape[-1])
    return math.sqrt(C if "scale-by-width" in faults else q.shape[-1])


def weights(scores: Tensor, visible: Tensor, faults: frozenset[str], dropout: nn.Module) -> Tensor:
    """Scores (B, H, T, T) and the mask (B, 1, T, T) -> what each query takes of each value; rows sum to 1."""
    if "mask-ignored" in faults:
        visible = torch.ones_like(visible)
    if "mask-inverted" in faults:
        visible = ~visible
    if "dropout-on-scores" in faults:
        scores = dropout(scores)
    if "no-softmax" in faults:
        return scores.masked_fill(~visible, 0.0)
    axes = {"softmax-over-queries": -2, "softmax-over-heads": 1}
    axis = next((axes[fault] for fault in axes if fault in faults), -1)
    if "mask-after-softmax" in faults:
        return F.softmax(scores, dim=axis) * visible
    if "mask-added" in faults:
        return F.softmax(scores + visible, dim=axis)
    return F.softmax(scores.masked_fill(~visible, -math.inf), dim=axis)


def block(names: Names, faults: frozenset[str]) -> None:
    given: Any = course()

    class TransformerBlock(given.DummyBlock):
        def __init__(self, config):
            super().__init__(config, names.GenericSelfAttention)

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            ln_2 = self.ln_1 if "one-norm-twice" in faults else self.ln_2
            if "post-norm" in faults:
                x = self.ln_1(x + self.attn(x, attention_mask))
                return self.ln_2(x + self.mlpf(x))
            if "stream-normalised" in faults:  # the sum starts from what the norm made of x
                x = self.ln_1(x)
                x = self.ln_2(x + self.attn(x, attention_mask))
                return x + self.mlpf(x)
            if "no-residual" in faults:
                return self.mlpf(self.ln_2(self.attn(self.ln_1(x), attention_mask)))
            if "parallel" in faults:
                return x + self.attn(self.ln_1(x), attention_mask) + self.mlpf(self.ln_2(x))
            x = x + self.attn(self.ln_1(x), attention_mask)
            return x + self.mlpf(ln_2(x))

    names.TransformerBlock = TransformerBlock


def transformer(names: Names, faults: frozenset[str]) -> None:
    given: Any = course()

    class GenericTransformer(given.DummyTransformer):
        def __init__(self, config):
            super().__init__(config, names.TransformerBlock, names.Embedding)

        def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
            P = 0 if hidden_cache is None or "cache-ignored" in faults else hidden_cache.shape[1]
            x = self._stream(idx.long(), hidden_cache if P else None)  # (B, P+T, C)
            for layer in self.transformer["h"]:
                x = layer(x, self._mask(idx, P))
                if "norm-in-every-block" in faults:
                    x = self.transformer["ln_f"](x)
            hidden = x if {"norm-in-every-block", "no-final-norm"} & faults else self.transformer["ln_f"](x)
            if return_hidden:
                return x if "hidden-before-norm" in faults else hidden
            logits = self.lm_head(hidden)  # (B, P+T, V)
            return logits, None if targets is None else self._loss(logits, targets.long(), P)

        def _stream(self, idx: Tensor, cache: Tensor | None) -> Tensor:
            x = self.transformer["embedding"](idx if "padding-embedded" in faults else idx.clamp(min=0))
            if cache is None:
                return x
            return torch.cat([x, cache] if "cache-behind" in faults else [cache, x], dim=1)

        def _mask(self, idx: Tensor, P: int) -> Tensor:
            lengths = (idx != PADDING).sum(1)
            if "mask-forgets-padding" in faults:
                lengths = torch.full_like(lengths, idx.shape[1])
            if "cache-not-in-mask" in faults:
                return self.get_attention_mask(lengths)
            mask = self.get_attention_mask(lengths + P)
            return F.pad(mask, (0, P + idx.shape[1] - mask.shape[-1], 0, P + idx.shape[1] - mask.shape[-2]))

        def _loss(self, logits: Tensor, targets: Tensor, P: int) -> Tensor:
            if P:
                logits = logits[:, P:] if "cache-targets-not-shifted" in faults else logits[:, P - 1 : -1]
            elif "targets-shifted-twice" in faults:
                logits, targets = logits[:, :-1], targets[:, 1:]
            if "loss-over-padding" in faults:
                return F.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten())
            if "padding-not-ignored" in faults:
                return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
            how = "sum" if "loss-summed" in faults else "mean"
            return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=PADDING, reduction=how)

    names.GenericTransformer = GenericTransformer


def masks(names: Names, faults: frozenset[str]) -> None:
    class Encoder(names.GenericTransformer):
        def get_attention_mask(self, num_tokens: Tensor) -> Tensor:
            T = int(num_tokens.max())
            return finished(of_padding(num_tokens, T, faults), num_tokens, faults)

    class Decoder(names.GenericTransformer):
        def get_attention_mask(self, num_tokens: Tensor) -> Tensor:
            T = int(num_tokens.max())
            mask = of_padding(num_tokens, T, faults) & of_time(T, faults)
            return finished(mask, num_tokens, faults)

    names.Encoder, names.Decoder = Encoder, Decoder


def of_padding(num_tokens: Tensor, T: int, faults: frozenset[str]) -> Tensor:
    """(B, 1, T, T), True = visible."""
    if "padding-forgotten" in faults:
        num_tokens = torch.full_like(num_tokens, T)
    if "padding-off-by-one" in faults:
        num_tokens = num_tokens + 1
    columns = is_token(num_tokens, T)[:, None, None, :].expand(-1, 1, T, T)
    rows = columns.transpose(-2, -1)
    if "padding-hides-rows" in faults:
        return rows
    return columns & rows if "padded-rows-see-nothing" in faults else columns


def of_time(T: int, faults: frozenset[str]) -> Tensor:
    """(1, 1, T, T), True = visible."""
    if "not-causal" in faults:
        return torch.ones(1, 1, T, T, dtype=torch.bool)
    if "sees-one-ahead" in faults:
        return torch.ones(1, 1, T, T, dtype=torch.bool).tril(1)
    if "cannot-see-itself" in faults:
        return torch.ones(1, 1, T, T, dtype=torch.bool).tril(-1)
    return causal_mask(T).transpose(-2, -1) if "sees-only-ahead" in faults else causal_mask(T)


def finished(mask: Tensor, num_tokens: Tensor, faults: frozenset[str]) -> Tensor:
    if "mask-means-hidden" in faults:
        mask = ~mask
    if "one-mask-for-all" in faults:
        mask = mask[:1].expand(len(num_tokens), -1, -1, -1)
    return mask.long()


def sampling(names: Names, faults: frozenset[str]) -> None:
    @torch.no_grad()
    def generate(model, idx, max_new_tokens, temperature=1.0):
        prompt = idx
        for _ in range(max_new_tokens):
            seen = prompt if "not-fed-back" in faults else idx[:, -1:] if "only-last-token-seen" in faults else idx
            logits, _ = model(seen)
            idx = torch.cat([idx, drawn(logits, temperature, faults)], dim=1)
        return idx

    @torch.no_grad()
    def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):
        hidden = model.encoder(prefix, return_hidden=True)
        new = prefix.new_empty(len(prefix), 0)
        for _ in range(max_new_tokens):
            seen = new[:, :0] if "not-fed-back" in faults else new[:, -1:] if "only-last-token-seen" in faults else new
            if "encoded-every-time" in faults:
                hidden = model.encoder(prefix, return_hidden=True)
            logits, _ = model.decoder(seen, hidden_cache=hidden)
            new = torch.cat([new, drawn(logits, temperature, faults)], dim=1)
        return torch.cat([prefix, new], dim=1) if "prefix-returned" in faults else new

    names.generate, names.prefix_generate = generate, prefix_generate


def drawn(logits: Tensor, temperature: float, faults: frozenset[str]) -> Tensor:
    """(B, T, V) -> (B, 1)"""
    last = logits[:, 0] if "first-position" in faults else logits[:, -1]
    if "always-argmax" in faults:
        return last.argmax(-1, keepdim=True)
    if "temperature-ignored" in faults:
        temperature = 1.0
    last = last * temperature if "temperature-multiplied" in faults else last / temperature
    return torch.multinomial(F.softmax(last, dim=-1), 1)


def encoder_decoder(names: Names, faults: frozenset[str]) -> None:
    class EncoderDecoder(nn.Module):
        def __init__(self, encoder_config, decoder_config):
            super().__init__()
            if "no-end-of-text" not in faults:
                decoder_config.vocab_size += 1
            self.encoder, self.decoder = names.Encoder(encoder_config), names.Decoder(decoder_config)

        def configure_optimizers(self, train_config):
            return self.encoder.configure_optimizers(train_config) + self.decoder.configure_optimizers(train_config)

        def forward(self, prefix, targets=None):
            hidden = self.encoder(prefix, return_hidden=True)  # (B, P, C)
            if "encoder-detached" in faults:
                hidden = hidden.detach()
            tokens = prefix.new_empty(len(prefix), 0) if targets is None else targets
            if "encoder-unused" in faults:
                return self.decoder(tokens, targets)
            return self.decoder(prefix if "prefix-decoded" in faults else tokens, targets, hidden)

    names.EncoderDecoder = EncoderDecoder


_PARTS = {
    "embedding": embedding,
    "attention": attention,
    "block": block,
    "transformer": transformer,
    "encoder mask": masks,
    "decoder mask": masks,
    "generate": sampling,
    "encoder-decoder": encoder_decoder,
    "prefix generate": sampling,
}
