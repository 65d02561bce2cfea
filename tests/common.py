"""What several tests need: models whose weights hide nothing, a count of the operations a call dispatches, and
a loop of its own for what is asynchronous."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from llm_core.model.architectures import Decoder, Encoder, EncoderDecoder
from llm_core.model.config import ModelConfig

# B, T, S, H, D, C, V all differ wherever these are used with B=2, T=7, S=5.
ENCODER = ModelConfig(vocab_size=31, block_size=13, n_layer=2, n_head=3, n_embd=24)  # D=8
DECODER = ModelConfig(vocab_size=29, block_size=11, n_layer=3, n_head=4, n_embd=24)  # D=6


def randomised(model: nn.Module, seed: int = 0, std: float = 0.2) -> nn.Module:
    """``model`` in eval mode, every parameter moved: zero biases and unit norms would hide a forgotten one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(std * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def build(architecture: str) -> Encoder | Decoder | EncoderDecoder:
    """A tiny randomised model: "encoder", "decoder", "prefix" or "cross"."""
    if architecture == "encoder":
        return randomised(Encoder(ENCODER))
    if architecture == "decoder":
        return randomised(Decoder(DECODER))
    return randomised(EncoderDecoder(ENCODER, DECODER, architecture))


class _Operations(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def operations(function: Callable[[], object]) -> list[str]:
    """The names of the kernels that ``function`` dispatches, in order."""
    with _Operations() as seen:
        function()
    return seen.names


def count_matrix_products(function: Callable[[], object]) -> int:
    """How many matrix products ``function`` dispatches; the fused attention kernel counts as one."""
    products = ("mm", "bmm", "addmm", "baddbmm", "matmul", "linear", "einsum", "mv", "dot")
    return sum(name in products or "scaled_dot_product" in name for name in operations(function))


def run_async(function: Callable, *arguments: Any) -> Any:
    """``anyio.run`` in a thread of its own: in that of the tests Playwright's loop may be running."""
    with ThreadPoolExecutor(1) as alone:
        return alone.submit(anyio.run, function, *arguments).result()
