"""What the weights alone say: whether a head copies, and which heads write what others read.

A head moves vectors through its OV circuit, W_V W_O, and compares them through its QK circuit, W_Q W_K^T: two C x C
matrices of rank D. All that is computed here stays D x D, so GPT-2's 10,000 pairs of heads take a moment.
Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..model.architectures import Decoder, Encoder
from ..model.attention import MultiHeadAttention

TOKENS = 4096  # of the vocabulary that run at once


class _Head(NamedTuple):
    """As factors of rank D: q, k and v (H, C, D), o (H, D, C)."""

    q: Tensor
    k: Tensor
    v: Tensor
    o: Tensor


@torch.no_grad()
def composition_scores(model: Encoder | Decoder, kind: str) -> Tensor:
    """How much of what an earlier head writes a later one reads, (L, H, L, H): [earlier, head, later, head], 0..1.

    ``kind``: "Q", "K" or "V", through the later head's query, key or value. The score is the Frobenius norm of the
    product of both circuits by the product of their norms; 0 where the second head is not in a later layer. Unrelated
    heads score about 1 / sqrt(C), not 0. The weights of norms are left out. ``ValueError`` for another kind.
    """
    if kind not in ("Q", "K", "V"):
        raise ValueError(f'kind={kind!r}: must be "Q", "K" or "V"')
    layers = [_factors(block.attn) for block in model.blocks]
    L, H = len(layers), model.config.n_head
    scores = torch.zeros(L, H, L, H, dtype=torch.float64)
    for i, early in enumerate(layers):
        written = _norm(early.v, torch.eye(early.v.shape[-1], dtype=torch.float64), early.o.mT)  # (H,)
        for j in range(i + 1, L):
            late = layers[j]
            read, rest = {"Q": (late.q, late.k), "K": (late.k, late.q), "V": (late.v, late.o.mT)}[kind]
            between = torch.einsum("edc,lcf->eldf", early.o, read)  # (H, H, D, D)
            alone = _norm(read, torch.eye(read.shape[-1], dtype=torch.float64), rest)  # (H,)
            product = _norm(early.v[:, None], between, rest[None])  # (H, H)
            scores[i, :, j] = product / (written[:, None] * alone)
    return scores.float()


@torch.no_grad()
def copying_scores(model: Decoder, depth: int = 1) -> Tensor:
    """Whether attending to a token makes its own logit rise, (L, H), -1..1.

    The eigenvalues of the whole way from token to logit, through the head's norm, W_V W_O and the head of the model:
    their sum by the sum of their sizes, so 1 where every mix of tokens raises itself. A token is read as it stands in
    the stream when it is alone and ``depth`` layers have seen it (0: its row of the table), as much of its meaning is
    written by the first MLP. Elhage et al. 2021, "Summarizing OV/QK Matrices". ``ValueError`` for a model without a
    head that makes logits, and for another depth.
    """
    if model.config.head == "none":
        raise ValueError("this model was saved without a language-model head: there are no logits to copy to")
    if not 0 <= depth <= model.config.n_layer:
        raise ValueError(f"depth={depth}: must be between 0 and {model.config.n_layer}")
    into = model.lm_head.weight.double().cpu()  # (V, C)
    into = into - into.mean(0)  # what raises all logits alike copies nothing
    into = into if isinstance(model.ln_f, nn.Identity) else into * model.ln_f.weight.double().cpu()
    streams = _tokens_alone(model, depth)
    scores = []
    for layer, block in enumerate(model.blocks):
        stream = streams[min(depth, layer)]  # (V, C)
        read = stream if model.config.post_norm else block.ln_1.forward(stream)
        head = _factors(block.attn)
        values = torch.linalg.eigvals(head.o @ (into.mT @ read.double().cpu()) @ head.v)  # (H, D), the others are 0
        scores.append(values.real.sum(-1) / values.abs().sum(-1))
    return torch.stack(scores).float()


def _tokens_alone(model: Decoder, depth: int) -> list[Tensor]:
    """Every token of the vocabulary as a text of its own: the streams (V, C) in front of layers 0 to ``depth``."""
    parts = []
    for ids in torch.arange(model.config.vocab_size, device=model.device).split(TOKENS):
        x = model.embed(ids[:, None], None)  # (N, 1, C)
        streams = [x[:, 0]]
        for block in model.blocks[:depth]:
            x = block(x, is_causal=True)
            streams.append(x[:, 0])
        parts.append(streams)
    return [torch.cat(rows) for rows in zip(*parts)]


def _factors(attention: MultiHeadAttention) -> _Head:
    """The weights by head, float64; a key head that several query heads share stands there for each."""
    H = attention.n_head
    D = attention.out_proj.weight.shape[1] // H

    def by_head(weight: Tensor) -> Tensor:
        split = weight.double().cpu().view(-1, D, weight.shape[1]).mT  # (K, C, D)
        return split.repeat_interleave(H // len(split), dim=0)  # (H, C, D)

    q, k, v = (by_head(getattr(attention, f"{name}_proj").weight) for name in "qkv")
    out = attention.out_proj.weight.double().cpu()  # (C, H D)
    return _Head(q, k, v, out.view(len(out), H, D).permute(1, 2, 0))


def _norm(a: Tensor, middle: Tensor, b: Tensor) -> Tensor:
    """The Frobenius norm of a @ middle @ b^T for a, b (..., C, D), without a C x C matrix: a trace of D x D ones."""
    left, right = a.mT @ a, b.mT @ b  # (..., D, D)
    return (middle.mT @ left @ middle * right.mT).sum((-2, -1)).clamp(min=0).sqrt()
