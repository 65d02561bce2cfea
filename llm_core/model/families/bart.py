"""BART (Lewis et al. 2020): encoder and decoder with norms behind the sums, and sizes of their own."""

from typing import Any

from ..architectures import EncoderDecoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import Cut, Table, from_row

MODEL_TYPES = ("bart",)
PREFIXES = ("model.",)
IGNORED = (
    "encoder.embed_tokens.weight",  # the shared table once more
    "decoder.embed_tokens.weight",
    "lm_head.weight",
    "encoder.version",
    "decoder.version",
    "classification_head.*",
)
UNUSED = 2  # rows of the position table before that of the first token


def build(read: Settings, names: set[str]) -> EncoderDecoder:
    width = read.whole("d_model")
    shared: dict[str, Any] = dict(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("max_position_embeddings", 1024),
        n_embd=width,
        attn_pdrop=read.get("attention_dropout", 0.0),
        resid_pdrop=read.get("dropout", 0.1),
        embd_pdrop=read.get("dropout", 0.1),
        norm_eps=1e-5,
        post_norm=True,
        mlp=read.activation("activation_function", "gelu"),
        embedding_norm=True,
        embedding_scale=width**0.5 if read.flag("scale_embedding", False) else 1.0,
    )
    encoder = ModelConfig(**shared, **_sizes(read, "encoder"))
    decoder = ModelConfig(**shared, **_sizes(read, "decoder"), head_bias="final_logits_bias" in names)
    return EncoderDecoder(encoder, decoder, "cross")


def _sizes(read: Settings, stack: str) -> dict:
    return dict(
        n_layer=read.whole(f"{stack}_layers"),
        n_head=read.whole(f"{stack}_attention_heads"),
        mlp_width=read.whole(f"{stack}_ffn_dim"),
    )


def table(config: ModelConfig) -> Table:
    return {
        "shared.weight": "encoder.embedding.token_table.weight",
        **_stack("encoder", [("self_attn", "attn")], [("self_attn_layer_norm", "ln_1")]),
        **_stack(
            "decoder",
            [("self_attn", "attn"), ("encoder_attn", "cross_attn")],
            [("self_attn_layer_norm", "ln_1"), ("encoder_attn_layer_norm", "ln_cross")],
        ),
        "final_logits_bias": Cut(("decoder.lm_head.bias",), lambda x: (x[0],)),
    }


def _stack(stack: str, attentions: list[tuple[str, str]], norms: list[tuple[str, str]]) -> Table:
    theirs, ours = f"{stack}.layers.{{i}}", f"{stack}.blocks.{{i}}"
    table = {
        f"{theirs}.{their_name}.{part}.{{p}}": f"{ours}.{our_name}.{part}.{{p}}"
        for their_name, our_name in attentions
        for part in ("q_proj", "k_proj", "v_proj", "out_proj")
    }
    parts = [*norms, ("fc1", "mlp.up_proj"), ("fc2", "mlp.down_proj"), ("final_layer_norm", "ln_2")]
    table |= {f"{theirs}.{their_name}.{{p}}": f"{ours}.{our_name}.{{p}}" for their_name, our_name in parts}
    return table | {
        f"{stack}.embed_positions.weight": from_row(f"{stack}.embedding.position_table.weight", UNUSED),
        f"{stack}.layernorm_embedding.{{p}}": f"{stack}.embedding.norm.{{p}}",
    }
