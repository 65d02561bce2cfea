"""DistilBERT (Sanh et al. 2019): BERT without segments and with half the layers."""

from ..architectures import Encoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import Table

MODEL_TYPES = ("distilbert",)
PREFIXES = ("distilbert.",)
IGNORED = (
    "vocab_projector.weight",
    "embeddings.position_ids",
    "pre_classifier.{p}",
    "classifier.{p}",
    "qa_outputs.{p}",
)


def build(read: Settings, names: set[str]) -> Encoder:
    has_head = "vocab_projector.bias" in names
    activation = read.activation("activation", "gelu")
    config = ModelConfig(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("max_position_embeddings", 512),
        n_layer=read.whole("n_layers"),
        n_head=read.whole("n_heads"),
        n_embd=read.whole("dim"),
        attn_pdrop=read.get("attention_dropout", 0.1),
        resid_pdrop=read.get("dropout", 0.1),
        embd_pdrop=read.get("dropout", 0.1),
        norm_eps=1e-12,
        post_norm=True,
        mlp=activation,
        mlp_width=read.whole("hidden_dim"),
        embedding_norm=True,
        head="tied" if has_head else "none",
        head_bias=has_head,
        head_mlp=activation if has_head else None,
    )
    return Encoder(config)


def table(config: ModelConfig) -> Table:
    head = {
        "vocab_transform.{p}": "before_head.proj.{p}",
        "vocab_layer_norm.{p}": "before_head.norm.{p}",
        "vocab_projector.bias": "lm_head.bias",
    }
    layer = "transformer.layer.{i}"
    return {
        "embeddings.word_embeddings.weight": "embedding.token_table.weight",
        "embeddings.position_embeddings.weight": "embedding.position_table.weight",
        "embeddings.LayerNorm.{p}": "embedding.norm.{p}",
        f"{layer}.attention.q_lin.{{p}}": "blocks.{i}.attn.q_proj.{p}",
        f"{layer}.attention.k_lin.{{p}}": "blocks.{i}.attn.k_proj.{p}",
        f"{layer}.attention.v_lin.{{p}}": "blocks.{i}.attn.v_proj.{p}",
        f"{layer}.attention.out_lin.{{p}}": "blocks.{i}.attn.out_proj.{p}",
        f"{layer}.sa_layer_norm.{{p}}": "blocks.{i}.ln_1.{p}",
        f"{layer}.ffn.lin1.{{p}}": "blocks.{i}.mlp.up_proj.{p}",
        f"{layer}.ffn.lin2.{{p}}": "blocks.{i}.mlp.down_proj.{p}",
        f"{layer}.output_layer_norm.{{p}}": "blocks.{i}.ln_2.{p}",
        **(head if config.head != "none" else {}),
    }
