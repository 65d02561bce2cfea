"""Parameters and FLOPs by formula, against torch's own counters."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, record
from llm_core.analysis.costs import flops, parameters
from llm_core.model.checkpoints import num_parameters

from ..common import DECODER, ENCODER, build

ARCHITECTURES = ("encoder", "decoder", "prefix", "cross")
T, S = 7, 5


def counted(model, *inputs: torch.Tensor) -> int:
    """FLOPs as torch counts them while attention runs step by step; the fused kernel of a CPU is not counted."""
    with torch.inference_mode(), record(model), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops()


def ids(count: int) -> torch.Tensor:
    return torch.arange(count)[None] % 29  # (1, count)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_flops_are_those_that_torch_counts(architecture):
    model = build(architecture)
    pair = architecture in ("prefix", "cross")
    by_part = flops(model, T, S if pair else 0)
    assert sum(by_part.values()) == counted(model, *([ids(S)] if pair else []), ids(T))
    assert set(by_part) == {"projections", "attention", "MLP", "vocabulary"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_flops_of_the_shape_that_ships(architecture):
    sizes = ModelConfig(vocab_size=8192, block_size=256, n_layer=6, n_head=8, n_embd=256)
    model = {
        "encoder": lambda: Encoder(sizes),
        "decoder": lambda: Decoder(sizes),
        "prefix": lambda: EncoderDecoder(sizes, sizes, "prefix"),
        "cross": lambda: EncoderDecoder(sizes, sizes, "cross"),
    }[architecture]()
    pair = architecture in ("prefix", "cross")
    assert sum(flops(model, 40, 9).values()) == counted(model, *([ids(9)] if pair else []), ids(40))
    assert sum(parameters(model).values()) == num_parameters(model)


def test_a_mask_saves_nothing():
    assert flops(build("encoder").train(False), T)["attention"] == 2 * 2 * 2 * T * T * 24  # L=2, C=24
    assert flops(build("decoder"), T)["attention"] == 3 * 2 * 2 * T * T * 24  # L=3


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_are_those_of_the_weights(architecture, bias):
    encoder, decoder = (ModelConfig(**{**sizes.to_dict(), "bias": bias}) for sizes in (ENCODER, DECODER))
    model = {
        "encoder": lambda: Encoder(encoder),
        "decoder": lambda: Decoder(decoder),
        "prefix": lambda: EncoderDecoder(encoder, decoder, "prefix"),
        "cross": lambda: EncoderDecoder(encoder, decoder, "cross"),
    }[architecture]()
    by_part = parameters(model)

    def counted(part: str) -> int:
        return sum(p.numel() for name, p in model.named_parameters() if part in name)

    assert sum(by_part.values()) == num_parameters(model)
    assert by_part["embedding"] + by_part["positions"] == counted("_table")
    assert by_part["MLP"] == counted(".mlp.")
    assert by_part["attention"] == counted(".attn.")
    assert by_part["cross-attention"] == counted(".cross_attn.")
    assert by_part["norms"] == counted("ln_")
