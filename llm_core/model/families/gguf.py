"""A .gguf file of the Llama type, read with the `gguf` package where that is installed, its numbers made float32.

llama.cpp stores q and k for interleaved pairs, (0, 1), (2, 3), …; ours and transformers turn (i, i + D/2).
"""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ...hub import CheckpointError

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "output": "lm_head",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class GGUFTensors(Mapping):
    """The tensors of a file under the names that transformers gives them, dequantised when they are asked for."""

    def __init__(self, tensors: list, heads: dict[str, int]):
        self.tensors = {_their_name(tensor.name): tensor for tensor in tensors}
        self.heads = heads  # by "attn_q" and "attn_k"
        self.shapes = {name: tuple(int(n) for n in reversed(t.shape)) for name, t in self.tensors.items()}

    def __getitem__(self, name: str) -> Tensor:
        from gguf.quants import dequantize

        tensor = self.tensors[name]
        x = torch.tensor(dequantize(tensor.data, tensor.tensor_type)).reshape(self.shapes[name])
        for part, heads in self.heads.items():
            if f".{part}." in tensor.name:
                x = x.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)  # (H, D/2, 2, C) -> (H D, C)
        return x

    def __iter__(self):
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


def read_gguf(path: Path) -> tuple[dict, GGUFTensors]:
    """A description like a config.json, and the tensors. ``CheckpointError`` for what is no Llama, or no GGUF."""
    try:
        from gguf import GGUFReader
    except ImportError:
        raise CheckpointError(f"{path}: to open a .gguf file, install the package gguf (pip install gguf)") from None
    try:
        reader = GGUFReader(str(path))
        told = {name: field.contents() for name, field in reader.fields.items()}
    except Exception as error:  # the package raises bare ones
        raise CheckpointError(f"{path} cannot be read as a GGUF file: {error}") from None
    if told.get("general.architecture") != "llama":
        raise CheckpointError(f"{path}: a GGUF of the type {told.get('general.architecture')!r}; only llama is read")
    tensors = [tensor for tensor in reader.tensors if not tensor.name.startswith("rope_freqs")]
    description = _described(told, tied=all(tensor.name != "output.weight" for tensor in tensors))
    heads = {"attn_q": description["num_attention_heads"], "attn_k": description["num_key_value_heads"]}
    return description, GGUFTensors(tensors, heads)


def _described(told: dict, tied: bool) -> dict:
    own = {name.removeprefix("llama."): value for name, value in told.items() if name.startswith("llama.")}
    heads = int(own["attention.head_count"])
    return {
        "model_type": "llama",
        "vocab_size": len(told["tokenizer.ggml.tokens"]),
        "max_position_embeddings": int(own["context_length"]),
        "num_hidden_layers": int(own["block_count"]),
        "num_attention_heads": heads,
        "num_key_value_heads": int(own.get("attention.head_count_kv", heads)),
        "hidden_size": int(own["embedding_length"]),
        "intermediate_size": int(own["feed_forward_length"]),
        "rms_norm_eps": float(own["attention.layer_norm_rms_epsilon"]),
        "rope_theta": float(own.get("rope.freq_base", 10000.0)),
        "tie_word_embeddings": tied,
    }


def _their_name(name: str) -> str:
    """blk.3.attn_q.weight -> model.layers.3.self_attn.q_proj.weight"""
    parts = name.split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{NAMES.get(parts[2], parts[2])}.{parts[3]}"
    return ".".join([NAMES.get(parts[0], parts[0]), *parts[1:]])
