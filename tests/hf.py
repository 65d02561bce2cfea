"""Hugging Face's GPT-2 as the judge of ours: the same weights under our names."""

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig


def random_gpt2(vocab_size: int, block_size: int, n_layer: int, n_head: int, n_embd: int, seed: int = 0):
    """An untrained ``GPT2LMHeadModel`` in eval mode with every bias and norm off its initial value.

    Fresh weights have zero biases and unit norms, and would hide a forgotten one.
    """
    torch.manual_seed(seed)
    config = GPT2Config(
        vocab_size=vocab_size,
        n_positions=block_size,
        n_layer=n_layer,
        n_head=n_head,
        n_embd=n_embd,
        bos_token_id=None,
        eos_token_id=None,
        attn_implementation="eager",
    )
    gpt2 = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for parameter in gpt2.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return gpt2


def decoder_from_gpt2(gpt2: GPT2LMHeadModel) -> Decoder:
    """Our Decoder with copies of the weights of ``gpt2``, in its train or eval mode."""
    c = gpt2.config
    config = ModelConfig(
        vocab_size=c.vocab_size,
        block_size=c.n_positions,
        n_layer=c.n_layer,
        n_head=c.n_head,
        n_embd=c.n_embd,
        attn_pdrop=c.attn_pdrop,
        resid_pdrop=c.resid_pdrop,
        embd_pdrop=c.embd_pdrop,
    )
    decoder = Decoder(config)
    decoder.load_state_dict(under_our_names(gpt2, lambda parameter: parameter.detach()))
    return decoder.train(gpt2.training)


def under_our_names(gpt2: GPT2LMHeadModel, read: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """``read`` of every parameter (its value, its gradient, ...), shaped and named as in our Decoder."""
    tensors = {
        "embedding.token_table.weight": read(gpt2.transformer.wte.weight),
        "embedding.position_table.weight": read(gpt2.transformer.wpe.weight),
        "lm_head.weight": read(gpt2.lm_head.weight),
        **_weight_and_bias("ln_f", gpt2.transformer.ln_f, read),
    }
    for i, block in enumerate(gpt2.transformer.h):
        tensors |= {f"blocks.{i}.{name}": tensor for name, tensor in _block(block, read).items()}
    return tensors


def _block(block, read: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    weights = read(block.attn.c_attn.weight).chunk(3, dim=1)  # Conv1D keeps (in, out): q, k and v side by side
    biases = read(block.attn.c_attn.bias).chunk(3)
    tensors = {}
    for name, weight, bias in zip("qkv", weights, biases):
        tensors |= {f"attn.{name}_proj.weight": weight.T, f"attn.{name}_proj.bias": bias}
    return {
        **tensors,
        **_weight_and_bias("ln_1", block.ln_1, read),
        **_weight_and_bias("attn.out_proj", block.attn.c_proj, read, transposed=True),
        **_weight_and_bias("ln_2", block.ln_2, read),
        **_weight_and_bias("mlp.up_proj", block.mlp.c_fc, read, transposed=True),
        **_weight_and_bias("mlp.down_proj", block.mlp.c_proj, read, transposed=True),
    }


def _weight_and_bias(name: str, module, read: Callable[[Tensor], Tensor], transposed: bool = False) -> dict:
    weight = read(module.weight)
    return {f"{name}.weight": weight.T if transposed else weight, f"{name}.bias": read(module.bias)}
