"""The Llama type: Llama 2 and 3 (Touvron et al. 2023), Mistral, Qwen 2, 2.5 and 3, SmolLM2.

They differ in biases on q, k and v (Qwen 2), a norm on them (Qwen 3), and windows (Mistral, Qwen).
"""

from ..architectures import Decoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import Table

MODEL_TYPES = ("llama", "mistral", "qwen2", "qwen3")
PREFIXES = ("model.",)
IGNORED = ("*rotary_emb.inv_freq", "lm_head.weight", "score.weight")  # a tied head is the token table once more


def build(read: Settings, names: set[str]) -> Decoder:
    kind = read.get("model_type")
    bias = read.flag("attention_bias", False)
    window, layers = _windows(read, kind)
    config = ModelConfig(
        vocab_size=read.whole("vocab_size"),
        block_size=read.whole("max_position_embeddings", 2048),
        n_layer=read.whole("num_hidden_layers"),
        n_head=read.whole("num_attention_heads"),
        n_embd=read.whole("hidden_size"),
        attn_pdrop=read.get("attention_dropout", 0.0),
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        bias=False,
        qkv_bias=bias or kind == "qwen2",  # no field of its config says so
        out_bias=bias and kind != "qwen2",
        mlp_bias=read.flag("mlp_bias", False),
        norm="rms",
        norm_eps=read.get("rms_norm_eps", 1e-6),
        **read.rope(),
        n_kv_head=read.whole("num_key_value_heads", None),
        head_dim=read.whole("head_dim", None),
        qk_norm=kind == "qwen3",
        window=window,
        window_layers=layers,
        mlp=_gated(read),
        mlp_width=read.whole("intermediate_size"),
        head="tied" if read.flag("tie_word_embeddings", False) else "own",
    )
    return Decoder(config)


def _gated(read: Settings) -> str:
    return {"silu": "swiglu", "gelu": "geglu", "gelu_tanh": "geglu_tanh"}[read.activation("hidden_act", "silu")]


def _windows(read: Settings, kind: str) -> tuple[int | None, tuple[int, ...] | None]:
    """The window, and the layers that have it; None for all of them."""
    if kind == "mistral":
        return read.whole("sliding_window", None), None
    if not kind.startswith("qwen") or not read.flag("use_sliding_window", False):
        return None, None
    n_layer = read.whole("num_hidden_layers")
    full = read.whole("max_window_layers", n_layer)
    default = ["full_attention" if layer < full else "sliding_attention" for layer in range(n_layer)]
    kinds = read.get("layer_types", default)
    near = tuple(layer for layer, name in enumerate(kinds) if name == "sliding_attention")
    return (read.whole("sliding_window", 4096), near) if near else (None, None)


def table(config: ModelConfig) -> Table:
    own = {"lm_head.weight": "lm_head.weight"} if config.head == "own" else {}
    return own | {
        "embed_tokens.weight": "embedding.token_table.weight",
        "layers.{i}.input_layernorm.weight": "blocks.{i}.ln_1.weight",
        "layers.{i}.self_attn.q_proj.{p}": "blocks.{i}.attn.q_proj.{p}",
        "layers.{i}.self_attn.k_proj.{p}": "blocks.{i}.attn.k_proj.{p}",
        "layers.{i}.self_attn.v_proj.{p}": "blocks.{i}.attn.v_proj.{p}",
        "layers.{i}.self_attn.o_proj.{p}": "blocks.{i}.attn.out_proj.{p}",
        "layers.{i}.self_attn.q_norm.weight": "blocks.{i}.attn.q_norm.weight",
        "layers.{i}.self_attn.k_norm.weight": "blocks.{i}.attn.k_norm.weight",
        "layers.{i}.post_attention_layernorm.weight": "blocks.{i}.ln_2.weight",
        "layers.{i}.mlp.gate_proj.{p}": "blocks.{i}.mlp.gate_proj.{p}",
        "layers.{i}.mlp.up_proj.{p}": "blocks.{i}.mlp.up_proj.{p}",
        "layers.{i}.mlp.down_proj.{p}": "blocks.{i}.mlp.down_proj.{p}",
        "norm.weight": "ln_f.weight",
    }
