"""What a forward pass costs, by formula: numbers in the weights, and floating-point operations (FLOPs).

A multiplication and the addition that follows it count as two. Only matrix products count: norms, softmax, GELU
and sums cost little beside them. The usual convention (Kaplan et al. 2020, arXiv:2001.08361, section
2.1), and that of ``torch.utils.flop_counter``. A mask saves nothing: a hidden score is computed, then thrown away.
"""

from collections import Counter

from ..model.architectures import EncoderDecoder
from ..model.checkpoints import Model
from ..model.config import GATED, ModelConfig

PARTS = ("embedding", "positions", "attention", "cross-attention", "MLP", "norms")


def parameters(model: Model) -> dict[str, int]:
    """Numbers in the weights by part: embedding (shared with the output, if that is tied), positions, attention,
    cross-attention, MLP, norms; and the head, where it has weights of its own."""
    counts = Counter(dict.fromkeys(PARTS, 0))
    for name, parameter in model.named_parameters():
        counts[_part(name)] += parameter.numel()
    return dict(counts)


def _part(name: str) -> str:
    """Of a parameter, by its name in our models."""
    words = name.split(".")
    if "cross_attn" in words:
        return "cross-attention"
    if "attn" in words:
        return "attention"
    if "mlp" in words:
        return "MLP"
    if "position_table" in words or "relative" in words:
        return "positions"
    if "before_head" in words or ("lm_head" in words and "token_table" not in words):
        return "head"
    return "embedding" if {"token_table", "segment_table"} & set(words) else "norms"


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
    C, L, heads = config.n_embd, config.n_layer, config.n_head * config.head_width
    matrices = 3 if config.mlp in GATED else 2
    return {
        "projections": L * (_queries_and_out(config, T) + _keys_and_values(config, T)),
        "attention": L * 2 * 2 * T * T * heads,  # each of H heads: (T, D) x (D, T), then (T, T) x (T, D)
        "MLP": L * matrices * 2 * T * C * config.hidden_width,
    }


def _cross(config: ModelConfig, T: int, S: int) -> dict[str, int]:
    """T tokens look at S states: q and output are of the T, k and v of the S."""
    L, heads = config.n_layer, config.n_head * config.head_width
    projections = _queries_and_out(config, T) + _keys_and_values(config, S)
    return {"projections": L * projections, "attention": L * 2 * 2 * T * S * heads}


def _queries_and_out(config: ModelConfig, T: int) -> int:
    return 2 * 2 * T * config.n_embd * config.n_head * config.head_width


def _keys_and_values(config: ModelConfig, S: int) -> int:
    return 2 * 2 * S * config.n_embd * config.kv_heads * config.head_width


def _vocabulary(config: ModelConfig, T: int) -> int:
    if config.head == "none":
        return 0
    before = 0 if config.head_mlp is None else 2 * T * config.n_embd**2
    return before + 2 * T * config.n_embd * config.vocab_size
