"""Direct logit attribution: a logit as a sum over everything that wrote to the residual stream.

The stream is a sum, and the final LayerNorm, once its scale is held at the value it had, is linear. So each part
that was added has its own share of the logit; what a part did by changing *later* parts is in their shares. Where
norms stand on the stream itself (BERT), a part is read through every norm behind it, so early ones seem small.
Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..model.architectures import Decoder, Encoder, EncoderDecoder
from ..model.attention import MultiHeadAttention
from ..model.recording import Trace
from .lens import decoder_of, decoder_with_head, residual_stream
from .reading import Reader


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribution:
    """Contributions in logits, float64; ``total()`` adds every one of them up to ``logit``.

    Every shape goes on with ``*``: nothing for one logit, (T, K) for K tokens at each of T places. A head's share is
    that of its z through its own columns of ``out_proj``; the bias of ``out_proj`` belongs to no head. The cross
    tensors are None in a model without cross-attention.
    """

    token: Tensor  # (*) of the token embedding
    position: Tensor | None  # (*) of the position embedding; None where positions are not in the stream
    segment: Tensor | None  # (*) of the segment embedding, BERT's
    heads: Tensor  # (L, H, *)
    attention_bias: Tensor  # (L, *)
    cross_heads: Tensor | None  # (L, H, *)
    cross_bias: Tensor | None  # (L, *)
    mlps: Tensor  # (L, *), their bias included
    norm_bias: Tensor  # (*) of the biases of the norms between the stream and the logit
    head_bias: Tensor | None  # (*) of the biases of the head, where it has some
    logit: Tensor  # (*), float32: the one the model computed

    @property
    def attentions(self) -> Tensor:
        """(L, *): the whole output of each layer's self-attention, its heads and its bias."""
        return self.heads.sum(1) + self.attention_bias

    @property
    def cross_attentions(self) -> Tensor | None:
        """(L, *): the same for cross-attention."""
        return None if self.cross_heads is None else self.cross_heads.sum(1) + self.cross_bias

    def contributions(self) -> Tensor:
        """(N, *): every contribution once."""
        attention = (self.heads, self.attention_bias, self.cross_heads, self.cross_bias)
        tensors = (self.token, self.position, self.segment, *attention, self.mlps, self.norm_bias, self.head_bias)
        return torch.cat([tensor.reshape(-1, *self.logit.shape) for tensor in tensors if tensor is not None])

    def total(self) -> Tensor:
        """(*), float64: the sum of all contributions, which is the logit."""
        return self.contributions().sum(0)

    def one(self, place: int, column: int = 0) -> "Attribution":
        """Of (T, K) logits, that in ``column`` 0..K-1 at ``place``."""
        tensors = {field.name: getattr(self, field.name) for field in fields(self)}
        return Attribution(**{name: None if t is None else t[..., place, column] for name, t in tensors.items()})


def logit_attribution(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, place: int, token_id: int, row: int = 0
) -> Attribution:
    """Split the logit of ``token_id`` at ``place`` (0..T-1) of batch row ``row`` into its contributions.

    As ``logit_attributions``, for one logit; ``ValueError`` also for a place that does not exist.
    """
    T = trace[f"{decoder_of(model)[1]}logits"].shape[1]
    if not 0 <= place < T:
        raise ValueError(f"place={place}: must be between 0 and {T - 1}")
    return logit_attributions(model, trace, torch.full((T, 1), token_id), row).one(place)


@torch.no_grad()
def logit_attributions(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, token_ids: Tensor, row: int = 0
) -> Attribution:
    """Split the logits of ``token_ids`` (T, K), K of them at every place of batch row ``row``; contributions (…, T, K).

    ``trace`` is a whole recording in eval mode; of an encoder-decoder, the decoder is split, at its own tokens.
    Raises ``ValueError`` for a token or row that does not exist, or another T, and if the parts do not add up to the
    recorded logits: after dropout, or after an intervention on what is added (one on q, k, v, scores, pattern, z
    or inside the MLP keeps the sum). ``KeyError`` for what was not recorded.
    """
    stack, prefix = decoder_with_head(model)
    logits = trace[f"{prefix}logits"]  # (B, T, V)
    _check_asked(token_ids, row, logits)
    T = logits.shape[1]

    def recorded(name: str) -> Tensor:
        """(T, C), or (H, T, D): a prefix stands before the own tokens, so places count from the end."""
        tensor = trace[f"{prefix}{name}"]  # positions may have no batch
        return (tensor if tensor.ndim == 2 else tensor[row])[..., -T:, :]

    weight = stack.lm_head.weight
    reader = Reader(weight[token_ids].to(logits.device))  # (T, K, C)
    if stack.lm_head.bias is not None:
        reader.head_bias += stack.lm_head.bias[token_ids].to(reader.head_bias)  # (T, K)
    reader.through_head(stack.before_head, recorded)
    reader.through_norm(stack.ln_f, residual_stream(model, trace, stack.config.n_layer)[row])
    shares = _shares(stack, reader, recorded)  # before the biases are read: the way down adds to them
    has_head_bias = stack.config.head_bias or stack.config.head_mlp is not None
    result = Attribution(
        **shares,
        norm_bias=reader.norm_bias,
        head_bias=reader.head_bias if has_head_bias else None,
        logit=logits[row].gather(1, token_ids),
    )
    _check_sum(result, torch.finfo(weight.dtype).eps)
    return result


def leading_heads(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, row: int = 0, is_cross: bool = False
) -> tuple[Tensor, Tensor]:
    """At every place of batch row ``row``, the head that adds most to the logit of the likeliest token there.

    Its layer and head (T, 2), and what it adds (T,), in logits; with ``is_cross`` among the heads of cross-attention.
    Raises as ``logit_attributions``.
    """
    best = trace[f"{decoder_of(model)[1]}logits"][row].argmax(-1, keepdim=True)  # (T, 1)
    found = logit_attributions(model, trace, best, row)
    own = found.cross_heads if is_cross and found.cross_heads is not None else found.heads
    heads = own[..., 0]  # (L, H, T)
    most, at = heads.flatten(0, 1).max(0)  # (T,)
    return torch.stack([at // heads.shape[1], at % heads.shape[1]], -1), most


def _shares(stack: Encoder | Decoder, reader: Reader, recorded: Callable[[str], Tensor]) -> dict[str, Tensor | None]:
    """What each part added to the stream, read where it was added: down from the end, past the norms on the way."""
    config = stack.config
    heads, crossed, mlps = [], [], []

    def past(norm: str, stream: str) -> None:
        if config.post_norm:
            reader.through_norm(block.get_submodule(norm), recorded(f"blocks.{layer}.{stream}"))

    def attention(name: str) -> Tensor:
        """(H+1, T, K): of the heads and, last, of the projection's bias."""
        z, out = (recorded(f"blocks.{layer}.{name}.{part}") for part in ("z", "out"))
        return _of_attention(reader, block.get_submodule(name), z, has_added=bool(out.any()))

    for layer, block in reversed(list(enumerate(stack.blocks))):
        past("ln_2", "resid_post")
        mlps.append(reader.shares(recorded(f"blocks.{layer}.mlp.out")))
        if block.cross_attn is not None:
            past("ln_cross", "resid_cross")
            crossed.append(attention("cross_attn"))
        past("ln_1", "resid_mid")
        heads.append(attention("attn"))
    if config.embedding_norm:
        reader.through_norm(stack.embedding.norm, recorded("embedding.sum"))
    own = torch.stack(heads[::-1])  # (L, H+1, T, K)
    cross = torch.stack(crossed[::-1]) if crossed else None
    return {
        "token": reader.shares(recorded("embedding.token")),
        "position": reader.shares(recorded("embedding.position")) if config.positions == "learned" else None,
        "segment": reader.shares(recorded("embedding.segment")) if config.n_segment else None,
        "heads": own[:, :-1],
        "attention_bias": own[:, -1],
        "cross_heads": None if cross is None else cross[:, :-1],
        "cross_bias": None if cross is None else cross[:, -1],
        "mlps": torch.stack(mlps[::-1]),
    }


def _check_asked(token_ids: Tensor, row: int, logits: Tensor) -> None:
    B, T, V = logits.shape
    if not 0 <= row < B:
        raise ValueError(f"row={row}: must be between 0 and {B - 1}")
    if token_ids.ndim != 2 or len(token_ids) != T:
        raise ValueError(f"token_ids of shape {tuple(token_ids.shape)}: must be (T, K), here with T={T}")
    for wrong in token_ids[(token_ids < 0) | (token_ids >= V)].tolist()[:1]:
        raise ValueError(f"token_id={wrong}: must be between 0 and {V - 1}")


def _of_attention(reader: Reader, attention: MultiHeadAttention, z: Tensor, has_added: bool) -> Tensor:
    """z (H, T, D) -> what each head and, last, the projection's bias added to each logit, (H+1, T, K); a layer that
    surgery left out added no bias. The directions are read in front of the projection, where heads are apart."""
    projection, (H, _, D) = attention.out_proj, z.shape
    directions = reader.directions @ projection.weight.to(reader.directions)  # (T, K, C) -> (T, K, H D)
    of_heads = torch.einsum("htd,tkhd->htk", z.double(), directions.unflatten(-1, (H, D)))  # (H, T, K)
    bias = torch.zeros_like(reader.norm_bias)  # (T, K)
    if has_added and projection.bias is not None:
        bias = reader.directions @ projection.bias.to(bias)
    return torch.cat([of_heads, bias[None]])


def _check_sum(result: Attribution, eps: float) -> None:
    """``eps``: the relative step of the numbers that the model computed with."""
    total, size = result.total(), result.contributions().abs().sum(0)
    wrong = (total - result.logit).abs() > max(1e-4, 16 * eps) * (1 + size)  # far above what is rounded
    if wrong.any() or not total.isfinite().all():
        i = wrong.flatten().int().argmax()
        raise ValueError(
            f"the parts add up to {total.flatten()[i]:.4g} and the recorded logit is {result.logit.flatten()[i]:.4g}: "
            "record in eval mode, and intervene on z or inside the MLP rather than on what is added to the stream"
        )
