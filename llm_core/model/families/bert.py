"""BERT (Devlin et al. 2019), with and without the head that fills in masked words."""

from ..architectures import Encoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import Table

MODEL_TYPES = ("bert",)
PREFIXES = ("bert.",)
IGNORED = (
    "embeddings.position_ids",
    "embeddings.token_type_ids",
    "pooler.dense.{p}",
    "cls.seq_relationship.{p}",
    "cls.predictions.decoder.weight",  # the token table once more
    "classifier.{p}",
    "qa_outputs.{p}",
)


def build(read: Settings, names: set[str]) -> Encoder:
    has_head = "cls.predictions.bias" in names or "cls.predictions.decoder.bias" in names
    return Encoder(config_of(read, has_head, block_size=read.whole("max_position_embeddings", 512)))


def config_of(read: Settings, has_head: bool, block_size: int) -> ModelConfig:
    """What BERT and RoBERTa have in common."""
    read.refuse("is_decoder", False)
    read.refuse("position_embedding_type", "absolute")
    activation = read.activation("hidden_act", "gelu")
    return ModelConfig(
        vocab_size=read.whole("vocab_size"),
        block_size=block_size,
        n_layer=read.whole("num_hidden_layers"),
        n_head=read.whole("num_attention_heads"),
        n_embd=read.whole("hidden_size"),
        attn_pdrop=read.get("attention_probs_dropout_prob", 0.1),
        resid_pdrop=read.get("hidden_dropout_prob", 0.1),
        embd_pdrop=read.get("hidden_dropout_prob", 0.1),
        norm_eps=read.get("layer_norm_eps", 1e-12),
        post_norm=True,
        mlp=activation,
        mlp_width=read.whole("intermediate_size"),
        n_segment=read.whole("type_vocab_size", 2),
        embedding_norm=True,
        head="tied" if has_head else "none",
        head_bias=has_head,
        head_mlp=activation if has_head else None,
    )


def table(config: ModelConfig) -> Table:
    head = {
        "cls.predictions.transform.dense.{p}": "before_head.proj.{p}",
        **norm("cls.predictions.transform.LayerNorm", "before_head.norm"),
        "cls.predictions.bias": "lm_head.bias",
        "cls.predictions.decoder.bias": "lm_head.bias",  # one of the two, or both
    }
    return {**body("embeddings.position_embeddings.weight"), **(head if config.head != "none" else {})}


def body(positions: str) -> Table:
    """The tensors of BERT's stack; ``positions`` is the table that is taken as it is."""
    layer = "encoder.layer.{i}"
    return {
        "embeddings.word_embeddings.weight": "embedding.token_table.weight",
        positions: "embedding.position_table.weight",
        "embeddings.token_type_embeddings.weight": "embedding.segment_table.weight",
        **norm("embeddings.LayerNorm", "embedding.norm"),
        f"{layer}.attention.self.query.{{p}}": "blocks.{i}.attn.q_proj.{p}",
        f"{layer}.attention.self.key.{{p}}": "blocks.{i}.attn.k_proj.{p}",
        f"{layer}.attention.self.value.{{p}}": "blocks.{i}.attn.v_proj.{p}",
        f"{layer}.attention.output.dense.{{p}}": "blocks.{i}.attn.out_proj.{p}",
        **norm(f"{layer}.attention.output.LayerNorm", "blocks.{i}.ln_1"),
        f"{layer}.intermediate.dense.{{p}}": "blocks.{i}.mlp.up_proj.{p}",
        f"{layer}.output.dense.{{p}}": "blocks.{i}.mlp.down_proj.{p}",
        **norm(f"{layer}.output.LayerNorm", "blocks.{i}.ln_2"),
    }


def norm(theirs: str, ours: str) -> Table:
    """A norm's weight and bias, which files of 2018 call gamma and beta."""
    return {
        f"{theirs}.{{p}}": f"{ours}.{{p}}",
        f"{theirs}.gamma": f"{ours}.weight",
        f"{theirs}.beta": f"{ours}.bias",
    }
