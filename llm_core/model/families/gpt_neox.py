"""GPT-NeoX (Black et al. 2022): the Pythia models. Parallel blocks, a quarter of each head turned, an own lm_head."""

from torch import Tensor

from ..architectures import Decoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import QKV, Cut, Table

MODEL_TYPES = ("gpt_neox",)
PREFIXES = ("gpt_neox.",)
IGNORED = (
    "layers.{i}.attention.bias",
    "layers.{i}.attention.masked_bias",
    "*rotary_emb.inv_freq",
    "embed_out.weight",  # the token table once more, where it is tied
    "lm_head.weight",
    "score.weight",
)


def build(read: Settings, names: set[str]) -> Decoder:
    fraction = read.get("rope_parameters", {}).get("partial_rotary_factor", read.get("rotary_pct", 0.25))
    bias = read.flag("attention_bias", True)
    config = ModelConfig(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("max_position_embeddings", 2048),
        n_layer=read.whole("num_hidden_layers"),
        n_head=read.whole("num_attention_heads"),
        n_embd=read.whole("hidden_size"),
        attn_pdrop=read.get("attention_dropout", 0.0),
        resid_pdrop=read.get("hidden_dropout", 0.0),
        embd_pdrop=read.get("hidden_dropout", 0.0),
        qkv_bias=bias,
        out_bias=bias,
        norm_eps=read.get("layer_norm_eps", 1e-5),
        parallel=read.flag("use_parallel_residual", True),
        **read.rope(old_theta="rotary_emb_base"),
        rope_fraction=fraction,
        mlp=read.activation("hidden_act", "gelu"),
        mlp_width=read.whole("intermediate_size", None),
        head="tied" if read.flag("tie_word_embeddings", False) else "own",
    )
    return Decoder(config)


def table(config: ModelConfig) -> Table:
    H = config.n_head

    def by_head(x: Tensor) -> list[Tensor]:
        """(H · 3 · D, ...) -> q, k and v, (H · D, ...) each: every head has its own three side by side."""
        return [part.flatten(0, 1) for part in x.unflatten(0, (H, 3, -1)).unbind(1)]

    own = {name: "lm_head.weight" for name in ("embed_out.weight", "lm_head.weight") if config.head == "own"}
    return own | {
        "embed_in.weight": "embedding.token_table.weight",
        "layers.{i}.input_layernorm.{p}": "blocks.{i}.ln_1.{p}",
        "layers.{i}.post_attention_layernorm.{p}": "blocks.{i}.ln_2.{p}",
        "layers.{i}.attention.query_key_value.{p}": Cut(QKV, by_head),
        "layers.{i}.attention.dense.{p}": "blocks.{i}.attn.out_proj.{p}",
        "layers.{i}.mlp.dense_h_to_4h.{p}": "blocks.{i}.mlp.up_proj.{p}",
        "layers.{i}.mlp.dense_4h_to_h.{p}": "blocks.{i}.mlp.down_proj.{p}",
        "final_layer_norm.{p}": "ln_f.{p}",
    }
