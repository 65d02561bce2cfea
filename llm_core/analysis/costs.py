"""What a forward pass costs, by formula: numbers in the weights, and floating-point operations (FLOPs).

A multiplication and the addition that follows it count as two. Only matrix products count: norms, softmax, GELU
and sums cost little beside them. The usual convention (Kaplan et al. 2020, arXiv:2001.08361, section
2.1), and that of ``torch.utils.flop_counter``. A mask saves nothing: a hidden score is computed, then thrown away.
"""

from collections import Counter

from ..model.architectures import EncoderDecoder
from ..model.checkpoints import Model
from ..model.config import ModelConfig


def parameters(model: Model) -> dict[str, int]:
    """Numbers in the weights by part: embedding (shared with the output), positions, attention, cross-attention, MLP,
    norms."""
    if isinstance(model, EncoderDecoder):
        both = Counter(parameters(model.encoder))
        both.update(parameters(model.decoder))
        if model.encoder.embedding.token_table is model.decoder.embedding.token_table:
            both["embedding"] //= 2
        return dict(both)
    config, crosses = model.config, getattr(model, "conditioning", None) == "cross"
    C, L, bias = config.n_embd, config.n_layer, int(config.bias)
    attention = L * 4 * (C * C + bias * C)
    norm = C + bias * C
    return {
        "embedding": config.vocab_size * C,
        "positions": config.block_size * C,
        "attention": attention,
        "cross-attention": attention if crosses else 0,
        "MLP": L * (8 * C * C + bias * 5 * C),
        "norms": norm * (L * (3 if crosses else 2) + 1),
    }


def flops(model: Model, T: int, S: int = 0) -> dict[str, int]:
    """FLOPs of a forward of one sequence of ``T`` tokens without a cache, by part; ``S`` is how many tokens an
    encoder-decoder's encoder reads. The parts are: projections (q, k, v and output), attention (scores, and the sums
    of values), MLP, vocabulary (the logits)."""
    if not isinstance(model, EncoderDecoder):
        return {**_stack(model.config, T), "vocabulary": _vocabulary(model.config, T)}
    both = Counter(_stack(model.encoder.config, S))  # the encoder's logits are not asked for
    config, crosses = model.decoder.config, model.conditioning == "cross"
    both.update(_stack(config, T if crosses else S + T))
    if crosses:
        both.update(_cross(config, T, S))
    return {**both, "vocabulary": _vocabulary(config, T)}


def _stack(config: ModelConfig, T: int) -> dict[str, int]:
    """All blocks, for a sequence of T tokens that look at each other."""
    C, L = config.n_embd, config.n_layer
    return {
        "projections": L * 4 * 2 * T * C * C,
        "attention": L * 2 * 2 * T * T * C,  # each of H heads: (T, D) x (D, T), then (T, T) x (T, D); H D = C
        "MLP": L * 2 * 2 * T * C * 4 * C,
    }


def _cross(config: ModelConfig, T: int, S: int) -> dict[str, int]:
    """T tokens look at S states: q and output are of the T, k and v of the S."""
    C, L = config.n_embd, config.n_layer
    return {"projections": L * 2 * 2 * (T + S) * C * C, "attention": L * 2 * 2 * T * S * C}


def _vocabulary(config: ModelConfig, T: int) -> int:
    return 2 * T * config.n_embd * config.vocab_size
