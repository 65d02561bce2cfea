"""The logit lens: what the model would predict if it stopped after each layer.

The final norm and ``lm_head`` read the residual stream where they were never trained to, so early rows are a
view, not what the model "thinks". nostalgebraist 2020, "interpreting GPT: the logit lens".
"""

from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from ..model.architectures import Decoder, Encoder, EncoderDecoder
from ..model.recording import Trace
from ..text.tokenizer import Tokenizer

PIECE = 2**22  # logits at once, 16 MB: of a large vocabulary some places at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Lens:
    """One row for the embedding, one after each layer; the last is the model's own prediction.

    ``names`` are the hook points the rows were read from. Every tensor starts with (B, L+1, T).
    """

    names: tuple[str, ...]  # L+1
    tokens: Tensor  # (B, L+1, T, K), the likeliest first
    probabilities: Tensor  # (B, L+1, T, K), 0..1
    entropy: Tensor  # (B, L+1, T), nats
    kl: Tensor  # (B, L+1, T), nats: KL(final prediction || this row's), 0 in the last row
    followed_probabilities: Tensor  # (B, L+1, T, J), 0..1, of the tokens that were to be followed
    followed_ranks: Tensor  # (B, L+1, T, J), 1 for the likeliest

    def pieces(self, tokenizer: Tokenizer, text: int = 0) -> list[list[str]]:
        """The likeliest token of every cell as text: ``[row][place]``, L+1 rows of T, of one text of the batch."""
        return [[tokenizer.piece(id) for id in row] for row in self.tokens[text, ..., 0].tolist()]


def logit_lens(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, top: int = 10, follow: Tensor | None = None
) -> Lens:
    """Read the recorded residual stream, layer by layer, as the model reads its end.

    ``trace`` needs what ``stream_names`` lists, and ``logits``; of an encoder-decoder the decoder is read,
    at its own tokens. ``top`` is K, at most V. ``follow`` (B, T, J) are ids whose way through the rows is wanted, J of
    them at every place; without it, the likeliest at the end. Raises ``ValueError`` for another ``top``, ``KeyError``
    for what was not recorded.
    """
    V = decoder_with_head(model)[0].config.vocab_size
    if not 1 <= top <= V:
        raise ValueError(f"top={top}: must be between 1 and the vocabulary's {V}")
    B, T = residual_stream(model, trace, 0).shape[:2]
    step = max(1, PIECE // (B * V))
    pieces = [_columns(model, trace, slice(i, i + step), top, follow) for i in range(0, T, step)]
    columns = (torch.cat(part, dim=2) for part in zip(*pieces))
    read = ("tokens", "probabilities", "entropy", "kl", "followed_probabilities", "followed_ranks")
    return Lens(names=stream_names(model), **dict(zip(read, columns)))


def _columns(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, places: slice, top: int, follow: Tensor | None
) -> list[Tensor]:
    """The six tensors of a lens at some places, (B, L+1, t, …)."""
    L = len(stream_names(model)) - 1
    final = lens_logits(model, trace, L, places).log_softmax(-1)  # (B, t, V)
    final_p = final.exp()
    early = (lens_logits(model, trace, row, places).log_softmax(-1) for row in range(L))  # one at a time: V is large
    ids = final.argmax(-1, keepdim=True) if follow is None else follow[:, places]  # (B, t, J)
    rows = [(*_read(log_p, final, final_p, top), *_follow(log_p, ids)) for log_p in chain(early, [final])]
    return [torch.stack(part, dim=1) for part in zip(*rows)]


@torch.no_grad()
def lens_logits(
    model: Encoder | Decoder | EncoderDecoder, trace: Trace, row: int, places: slice = slice(None)
) -> Tensor:
    """One row of the lens at some places, (B, T, V): row 0 is the embedding's, row L equals the model's logits."""
    stack, _ = decoder_of(model)
    stream = residual_stream(model, trace, row)[:, places]  # (B, T, C)
    own = stream.to(stack.lm_head.weight)  # as the model computes, and where
    hidden = stack.ln_f.forward(own)  # forward alone, so that no hook hears it
    return stack.lm_head.forward(stack.before_head.forward(hidden)).to(stream)  # (B, T, V)


def residual_stream(model: Encoder | Decoder | EncoderDecoder, trace: Trace, row: int) -> Tensor:
    """The recorded stream (B, T, C) before the first layer (row 0) or after layer ``row - 1``; without a prefix."""
    _, prefix = decoder_of(model)
    T = trace[f"{prefix}logits"].shape[1]
    return trace[stream_names(model)[row]][:, -T:]


def stream_names(model: Encoder | Decoder | EncoderDecoder) -> tuple[str, ...]:
    """The L+1 hook points where the stream is read, from the embedding to the last layer: behind a norm that stands on
    the stream itself."""
    stack, prefix = decoder_of(model)
    first = "embedding.norm" if stack.config.embedding_norm else "embedding.sum"
    end = "ln_2" if stack.config.post_norm else "resid_post"
    return (f"{prefix}{first}", *(f"{prefix}blocks.{i}.{end}" for i in range(stack.config.n_layer)))


def decoder_of(model: Encoder | Decoder | EncoderDecoder) -> tuple[Encoder | Decoder, str]:
    """The stack that makes the logits, and what its names in a trace begin with."""
    return (model.decoder, "decoder.") if isinstance(model, EncoderDecoder) else (model, "")


def decoder_with_head(model: Encoder | Decoder | EncoderDecoder) -> tuple[Encoder | Decoder, str]:
    """The same. Raises ``ValueError`` for a model that makes no logits."""
    stack, prefix = decoder_of(model)
    if stack.config.head == "none":
        raise ValueError("this model was saved without a language-model head: it predicts no token")
    return stack, prefix


def _read(log_p: Tensor, final: Tensor, final_p: Tensor, top: int) -> tuple[Tensor, ...]:
    """Log-probabilities (B, T, V) -> tokens and probabilities (B, T, K), entropy and KL (B, T)."""
    best = log_p.topk(top, dim=-1)
    entropy = -(log_p.exp() * log_p).sum(-1)  # (B, T)
    kl = (final_p * (final - log_p)).sum(-1)  # (B, T)
    return best.indices, best.values.exp(), entropy, kl.clamp(min=0)  # rounding may fall below


def _follow(log_p: Tensor, ids: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities (B, T, V) and ids (B, T, J) -> their probabilities and ranks, (B, T, J)."""
    own = log_p.gather(-1, ids)  # (B, T, J)
    ranks = [(log_p > own[..., j : j + 1]).sum(-1) + 1 for j in range(ids.shape[-1])]  # one by one: V is large
    return own.exp(), torch.stack(ranks, -1)
