"""GPT-2 (Radford et al. 2019), and what was made of it: DistilGPT2, one's own fine-tuned one."""

from ..architectures import Decoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import QKV, Cut, Table, turned

MODEL_TYPES = ("gpt2",)
PREFIXES = ("transformer.",)
IGNORED = ("h.{i}.attn.bias", "h.{i}.attn.masked_bias", "lm_head.weight", "score.weight")


def build(read: Settings, names: set[str]) -> Decoder:
    read.refuse("add_cross_attention", False)
    config = ModelConfig(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("n_positions", read.whole("n_ctx", 1024)),
        n_layer=read.whole("n_layer"),
        n_head=read.whole("n_head"),
        n_embd=read.whole("n_embd"),
        attn_pdrop=read.get("attn_pdrop", 0.1),
        resid_pdrop=read.get("resid_pdrop", 0.1),
        embd_pdrop=read.get("embd_pdrop", 0.1),
        norm_eps=read.get("layer_norm_epsilon", 1e-5),
        mlp=read.activation("activation_function", "gelu_new"),
        mlp_width=read.whole("n_inner", None),
        attn_scale=None if read.flag("scale_attn_weights", True) else 1.0,
        scale_by_layer=read.flag("scale_attn_by_inverse_layer_idx", False),
    )
    return Decoder(config)


def table(config: ModelConfig) -> Table:
    return {
        "wte.weight": "embedding.token_table.weight",
        "wpe.weight": "embedding.position_table.weight",
        "h.{i}.ln_1.{p}": "blocks.{i}.ln_1.{p}",
        "h.{i}.ln_2.{p}": "blocks.{i}.ln_2.{p}",
        "h.{i}.attn.c_attn.{p}": Cut(QKV, lambda x: x.mT.chunk(3) if x.ndim == 2 else x.chunk(3)),
        "h.{i}.attn.c_proj.weight": turned("blocks.{i}.attn.out_proj.weight"),
        "h.{i}.attn.c_proj.bias": "blocks.{i}.attn.out_proj.bias",
        "h.{i}.mlp.c_fc.weight": turned("blocks.{i}.mlp.up_proj.weight"),
        "h.{i}.mlp.c_fc.bias": "blocks.{i}.mlp.up_proj.bias",
        "h.{i}.mlp.c_proj.weight": turned("blocks.{i}.mlp.down_proj.weight"),
        "h.{i}.mlp.c_proj.bias": "blocks.{i}.mlp.down_proj.bias",
        "ln_f.{p}": "ln_f.{p}",
    }
