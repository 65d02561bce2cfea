"""T5 (Raffel et al. 2020): relative positions, RMS norms, no biases, scores that are not scaled."""

from typing import Any

from ..architectures import EncoderDecoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import Table

MODEL_TYPES = ("t5",)
PREFIXES = ()
IGNORED = (
    "encoder.embed_tokens.weight",  # the shared table once more
    "decoder.embed_tokens.weight",
    "decoder.block.{i}.layer.1.EncDecAttention.relative_attention_bias.weight",  # never used
    "encoder.version",
    "decoder.version",
)
WINDOW = 512  # what it was trained on; nothing in it ends there


def build(read: Settings, names: set[str]) -> EncoderDecoder:
    gated, mlp = _mlp(read)
    scaled = read.flag("scale_decoder_outputs", read.flag("tie_word_embeddings", True))
    own = "lm_head.weight" in names  # whatever the config says of tying
    width = read.whole("d_model")
    shared: dict[str, Any] = dict(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("n_positions", WINDOW),
        n_head=read.whole("num_heads"),
        n_embd=width,
        attn_pdrop=read.get("dropout_rate", 0.1),
        resid_pdrop=read.get("dropout_rate", 0.1),
        embd_pdrop=read.get("dropout_rate", 0.1),
        bias=False,
        norm="rms",
        norm_eps=read.get("layer_norm_epsilon", 1e-6),
        positions="relative",
        relative_buckets=read.whole("relative_attention_num_buckets", 32),
        relative_distance=read.whole("relative_attention_max_distance", 128),
        head_dim=read.whole("d_kv"),
        attn_scale=1.0,
        mlp={"gelu_tanh": "geglu_tanh", "gelu": "geglu", "silu": "swiglu"}[mlp] if gated else mlp,
        mlp_width=read.whole("d_ff"),
    )
    n_layer = read.whole("num_layers")
    encoder = ModelConfig(**shared, n_layer=n_layer)
    decoder = ModelConfig(
        **shared,
        n_layer=read.whole("num_decoder_layers", n_layer),
        head="own" if own else "tied",
        head_scale=width**-0.5 if scaled else 1.0,
    )
    return EncoderDecoder(encoder, decoder, "cross")


def _mlp(read: Settings) -> tuple[bool, str]:
    """Whether the MLP has a gate, and its activation: "relu", "gated-gelu"."""
    words = str(read.get("feed_forward_proj", "relu"))
    gated, name = words.startswith("gated-"), words.removeprefix("gated-")
    name = "gelu_new" if gated and name == "gelu" else name
    return gated, Settings({"feed_forward_proj": name}).activation("feed_forward_proj", "relu")


def table(config: ModelConfig) -> Table:
    return {
        "shared.weight": "encoder.embedding.token_table.weight",
        **_stack("encoder", crosses=False),
        **_stack("decoder", crosses=True),
        "lm_head.weight": "decoder.lm_head.weight",
    }


def _stack(stack: str, crosses: bool) -> Table:
    theirs, ours, mlp = f"{stack}.block.{{i}}.layer", f"{stack}.blocks.{{i}}", 2 if crosses else 1
    attentions = [("0.SelfAttention", "attn")] + ([("1.EncDecAttention", "cross_attn")] if crosses else [])
    table = {f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight": f"{stack}.relative.table.weight"}
    for their_name, our_name in attentions:
        for part, name in zip("qkvo", ("q_proj", "k_proj", "v_proj", "out_proj")):
            table[f"{theirs}.{their_name}.{part}.weight"] = f"{ours}.{our_name}.{name}.weight"
    norms = ("ln_1", "ln_cross", "ln_2") if crosses else ("ln_1", "ln_2")
    table |= {f"{theirs}.{j}.layer_norm.weight": f"{ours}.{name}.weight" for j, name in enumerate(norms)}
    names = {"wi": "up_proj", "wi_0": "gate_proj", "wi_1": "up_proj", "wo": "down_proj"}
    table |= {f"{theirs}.{mlp}.DenseReluDense.{n}.weight": f"{ours}.mlp.{name}.weight" for n, name in names.items()}
    return table | {f"{stack}.final_layer_norm.weight": f"{stack}.ln_f.weight"}
