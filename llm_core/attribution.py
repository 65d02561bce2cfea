"""Direct logit attribution: the logit of one token as a sum over everything that wrote to the residual stream.

The stream is a sum, and the final LayerNorm, once its scale is held at the value it had, is linear. So each part
that was added has its own share of the logit; what a part did by changing *later* parts is in their shares.
Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from .architectures import Decoder, Encoder, EncoderDecoder
from .attention import MultiHeadAttention
from .lens import decoder_of, residual_stream
from .recording import Trace


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """Contributions in logits, float64; ``total()`` adds every one of them up to ``logit``.

    A head's share is that of its z through its own columns of ``out_proj``; the bias of ``out_proj`` belongs to no
    head. The cross tensors are None in a model without cross-attention.
    """

    token: Tensor  # () of the token embedding
    position: Tensor  # () of the position embedding
    heads: Tensor  # (L, H)
    attention_bias: Tensor  # (L,)
    cross_heads: Tensor | None  # (L, H)
    cross_bias: Tensor | None  # (L,)
    mlps: Tensor  # (L,), their bias included
    norm_bias: Tensor  # () of the final LayerNorm's bias
    logit: float  # the one the model computed

    @property
    def attentions(self) -> Tensor:
        """(L,): the whole output of each layer's self-attention, its heads and its bias."""
        return self.heads.sum(-1) + self.attention_bias

    @property
    def cross_attentions(self) -> Tensor | None:
        """(L,): the same for cross-attention."""
        return None if self.cross_heads is None else self.cross_heads.sum(-1) + self.cross_bias

    def parts(self) -> Tensor:
        """(N,): every contribution once, flat."""
        tensors = (self.token, self.position, self.heads, self.attention_bias, self.cross_heads, self.cross_bias)
        tensors += (self.mlps, self.norm_bias)
        return torch.cat([tensor.flatten() for tensor in tensors if tensor is not None])

    def total(self) -> float:
        return self.parts().sum().item()


@torch.no_grad()
def logit_attribution(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, place: int, token_id: int, row: int = 0
) -> Attribution:
    """Split the logit of ``token_id`` at ``place`` (0..T-1) of batch row ``row`` into its contributions.

    ``trace`` is a whole recording in eval mode; of an encoder-decoder, the decoder is split, at its own tokens.
    Raises ``ValueError`` for a place, token or row that does not exist, and if the parts do not add up to the
    recorded logit: after dropout, or after an intervention on what is added (one on q, k, v, scores, pattern, z
    or inside the MLP keeps the sum). ``KeyError`` for what was not recorded.
    """
    stack, prefix = decoder_of(model)
    logits = trace[f"{prefix}logits"]  # (B, T, V)
    for name, value, size in zip(("row", "place", "token_id"), (row, place, token_id), logits.shape):
        if not 0 <= value < size:
            raise ValueError(f"{name}={value}: must be between 0 and {size - 1}")
    from_end = place - logits.shape[1]  # a prefix stands before the own tokens, so places count from the end
    end = residual_stream(model, trace, stack.config.n_layer)[row, place]  # (C,)
    reader = _reading_direction(stack, end, token_id)  # (C,)

    def share(name: str) -> Tensor:
        tensor = trace[f"{prefix}{name}"]
        return (tensor if tensor.ndim == 2 else tensor[row])[from_end].double() @ reader

    def head_shares(name: str, attention: MultiHeadAttention) -> tuple[Tensor, Tensor]:
        z = trace[f"{prefix}{name}.z"][row, :, from_end].double()  # (H, D)
        return _through_projection(attention, z, reader)

    layers = range(stack.config.n_layer)
    own = [head_shares(f"blocks.{i}.attn", stack.blocks[i].attn) for i in layers]
    crosses = stack.blocks[0].cross_attn is not None
    cross = [head_shares(f"blocks.{i}.cross_attn", stack.blocks[i].cross_attn) for i in layers if crosses]
    bias = stack.ln_f.bias
    result = Attribution(
        token=share("embedding.token"),
        position=share("embedding.position"),
        heads=torch.stack([heads for heads, _ in own]),
        attention_bias=torch.stack([bias for _, bias in own]),
        cross_heads=torch.stack([heads for heads, _ in cross]) if crosses else None,
        cross_bias=torch.stack([bias for _, bias in cross]) if crosses else None,
        mlps=torch.stack([share(f"blocks.{i}.mlp.out") for i in layers]),
        norm_bias=reader.new_zeros(()) if bias is None else bias.double() @ stack.lm_head.weight[token_id].double(),
        logit=logits[row, place, token_id].item(),
    )
    _check_sum(result)
    return result


def _reading_direction(stack: Encoder | Decoder, end: Tensor, token_id: int) -> Tensor:
    """(C,), float64: its dot product with a part of the final stream ``end`` (C,) is the part's share of the logit.

    It is the token's row of ``lm_head`` seen through the final LayerNorm: times its weight, the mean taken off (as
    the norm does to the stream), over the stream's standard deviation.
    """
    norm = stack.ln_f
    scale = (end.double().var(unbiased=False) + norm.eps).sqrt()
    direction = norm.weight.double() * stack.lm_head.weight[token_id].double()  # (C,)
    return (direction - direction.mean()) / scale


def _through_projection(attention: MultiHeadAttention, z: Tensor, reader: Tensor) -> tuple[Tensor, Tensor]:
    """z (H, D) -> the shares (H,) of the heads, and () of the projection's bias."""
    projection = attention.out_proj
    written_by = reader @ projection.weight.double()  # (C,), one number for each of the H*D inputs
    heads = (z * written_by.view_as(z)).sum(-1)  # (H,)
    return heads, heads.new_zeros(()) if projection.bias is None else projection.bias.double() @ reader


def _check_sum(result: Attribution) -> None:
    total, size = result.total(), result.parts().abs().sum().item()
    if abs(total - result.logit) > 1e-4 * (1 + size):  # far above what float32 rounds
        raise ValueError(
            f"the parts add up to {total:.4g} and the recorded logit is {result.logit:.4g}: record in eval mode, and "
            "intervene on z or inside the MLP rather than on what is added to the stream"
        )
