"""nanoGPT's ckpt.pt: GPT-2 with `torch.nn`'s linear layers. Read as plain tensors, never unpickled otherwise."""

from pathlib import Path

import torch
from torch import Tensor

from ...hub import CheckpointError
from ..architectures import Decoder
from ..config import ModelConfig
from .settings import Settings
from .tensors import QKV, Cut, Table

MODEL_TYPES = ("nanogpt",)
PREFIXES = ("_orig_mod.transformer.", "transformer.", "_orig_mod.")
IGNORED = ("h.{i}.attn.bias", "lm_head.weight")


def read_checkpoint(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """A description like a config.json, and the tensors. ``CheckpointError`` for anything but tensors and words."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        sizes, tensors = dict(checkpoint["model_args"]), dict(checkpoint["model"])
    except Exception as error:  # pickle's, zipfile's, torch's own kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"{path} cannot be read as nanoGPT's checkpoint ({reason:.200})") from None
    return {**sizes, "model_type": "nanogpt"}, tensors


def build(read: Settings, names: set[str]) -> Decoder:
    dropout = read.get("dropout", 0.0)
    config = ModelConfig(
        vocab_size=read.whole("vocab_size", 50304),
        block_size=read.whole("block_size"),
        n_layer=read.whole("n_layer"),
        n_head=read.whole("n_head"),
        n_embd=read.whole("n_embd"),
        attn_pdrop=dropout,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        bias=read.flag("bias", True),
        mlp="gelu",
    )
    return Decoder(config)


def table(config: ModelConfig) -> Table:
    return {
        "wte.weight": "embedding.token_table.weight",
        "wpe.weight": "embedding.position_table.weight",
        "h.{i}.ln_1.{p}": "blocks.{i}.ln_1.{p}",
        "h.{i}.ln_2.{p}": "blocks.{i}.ln_2.{p}",
        "h.{i}.attn.c_attn.{p}": Cut(QKV, lambda x: x.chunk(3)),
        "h.{i}.attn.c_proj.{p}": "blocks.{i}.attn.out_proj.{p}",
        "h.{i}.mlp.c_fc.{p}": "blocks.{i}.mlp.up_proj.{p}",
        "h.{i}.mlp.c_proj.{p}": "blocks.{i}.mlp.down_proj.{p}",
        "ln_f.{p}": "ln_f.{p}",
    }
