"""What a head itself writes, read as logits: whether it raises the token that it should copy.

A head's direct path to the logits leads through its own columns of ``out_proj``, the norms behind it, and the token
table; what later layers make of it is left out. Norms divide all logits of a place by one positive number, and biases
belong to no head: neither changes which of a head's logits is the highest, so both are left out too.
Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

import torch
from torch import Tensor, nn

from ..model.architectures import Decoder


def has_direct_path(stack: nn.Module) -> bool:
    """Whether a stack predicts the next token, and linearly from its last states."""
    return isinstance(stack, Decoder) and stack.config.head != "none" and stack.config.head_mlp is None


@torch.no_grad()
def own_logits(decoder: Decoder, layer: int, z: Tensor, tokens: Tensor) -> Tensor:
    """What each head of ``layer`` adds to the logits of ``tokens`` (K,): z (..., H, T, D) -> (..., H, T, K), float32,
    each place up to a positive factor. ``decoder`` must have a direct path."""
    H, D = z.shape[-3], z.shape[-1]
    attention = decoder.blocks[layer].attn
    written = _directions(decoder, layer, tokens) @ attention.out_proj.weight.float()  # (K, C) -> (K, H D)
    return torch.einsum("...htd,khd->...htk", z.float(), written.unflatten(-1, (H, D)))


def copying_on_repeats(decoder: Decoder, layer: int, z: Tensor, ids: Tensor) -> Tensor:
    """How often each head of ``layer`` copies, (H,), 0..1: z (H, 2n, D) on n different tokens, (n,), written twice.

    The share of the second half's places at which, of the n tokens, a head's own logits put the one that came next
    the first time highest; 1 / n by chance. The copying half of induction: Olsson et al. 2022, "In-context Learning
    and Induction Heads", who measure by how much that logit is raised.
    """
    n = len(ids)
    best = own_logits(decoder, layer, z[:, n:], ids).argmax(-1)  # (H, n, n) -> (H, n)
    comes_next = torch.arange(1, n + 1, device=best.device) % n  # behind the last stands the first token again
    return (best == comes_next).float().mean(-1)


def _directions(decoder: Decoder, layer: int, tokens: Tensor) -> Tensor:
    """What the logits of ``tokens`` read of what attention of ``layer`` adds to the stream: (K, C)."""
    directions = _through(decoder.ln_f, decoder.lm_head.weight[tokens.to(decoder.device)].float())
    if not decoder.config.post_norm:
        return directions
    for block in reversed(decoder.blocks[layer:]):  # norms stand on the stream itself
        for norm in (block.ln_2, block.ln_cross, block.ln_1):
            directions = directions if norm is None else _through(norm, directions)
    return directions


def _through(norm: nn.Module, directions: Tensor) -> Tensor:
    """Directions behind a norm -> in front of it, (K, C): its weights, and a LayerNorm takes the mean off."""
    if isinstance(norm, nn.Identity):
        return directions
    weighed = directions * norm.weight.float()
    return weighed if isinstance(norm, nn.RMSNorm) else weighed - weighed.mean(-1, keepdim=True)
