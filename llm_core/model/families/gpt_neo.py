"""GPT-Neo (Black et al. 2021): the TinyStories models. GPT-2 with windows on some layers, and scores unscaled."""

from ..architectures import Decoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import Table

MODEL_TYPES = ("gpt_neo",)
PREFIXES = ("transformer.",)
IGNORED = ("h.{i}.attn.attention.bias", "h.{i}.attn.attention.masked_bias", "lm_head.weight", "score.weight")


def build(read: Settings, names: set[str]) -> Decoder:
    default = [kind for kinds, times in read.get("attention_types", []) for _ in range(times) for kind in kinds]
    kinds = read.get("attention_layers", default)
    near = tuple(layer for layer, kind in enumerate(kinds) if kind == "local")
    config = ModelConfig(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("max_position_embeddings", 2048),
        n_layer=read.whole("num_layers"),
        n_head=read.whole("num_heads"),
        n_embd=read.whole("hidden_size"),
        attn_pdrop=float(read.get("attention_dropout", 0.0)),
        resid_pdrop=float(read.get("resid_dropout", 0.0)),
        embd_pdrop=float(read.get("embed_dropout", 0.0)),
        qkv_bias=False,
        norm_eps=read.get("layer_norm_epsilon", 1e-5),
        attn_scale=1.0,
        window=read.whole("window_size", 256) if near else None,
        window_layers=near or None,
        mlp=read.activation("activation_function", "gelu_new"),
        mlp_width=read.whole("intermediate_size", None),
    )
    return Decoder(config)


def table(config: ModelConfig) -> Table:
    return {
        "wte.weight": "embedding.token_table.weight",
        "wpe.weight": "embedding.position_table.weight",
        "h.{i}.ln_1.{p}": "blocks.{i}.ln_1.{p}",
        "h.{i}.ln_2.{p}": "blocks.{i}.ln_2.{p}",
        "h.{i}.attn.attention.q_proj.weight": "blocks.{i}.attn.q_proj.weight",
        "h.{i}.attn.attention.k_proj.weight": "blocks.{i}.attn.k_proj.weight",
        "h.{i}.attn.attention.v_proj.weight": "blocks.{i}.attn.v_proj.weight",
        "h.{i}.attn.attention.out_proj.{p}": "blocks.{i}.attn.out_proj.{p}",
        "h.{i}.mlp.c_fc.{p}": "blocks.{i}.mlp.up_proj.{p}",
        "h.{i}.mlp.c_proj.{p}": "blocks.{i}.mlp.down_proj.{p}",
        "ln_f.{p}": "ln_f.{p}",
    }
