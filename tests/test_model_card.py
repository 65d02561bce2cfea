"""The card states what was measured."""

import math
from functools import lru_cache

import pytest
import torch

from llm_core import load_tokenizer
from llm_core.config import ModelConfig
from llm_core.model_card import PROMPTS, HeldOutFacts, describe_device, model_card
from llm_core.training import ARCHITECTURES, build_model

FACTS = HeldOutFacts(
    loss=3.5,
    num_targets=12_345,
    bytes_per_token=4.0,
    data="a.jsonl, b.jsonl",
    tokens_seen=6_789_000,
    steps=420,
    seconds=5400.0,
    device="abacus",
)


@lru_cache
def card(architecture: str) -> str:
    torch.manual_seed(0)
    sizes = ModelConfig(vocab_size=load_tokenizer().n_vocab, block_size=64, n_layer=1, n_head=3, n_embd=24)
    return model_card(architecture, build_model(architecture, sizes).eval(), FACTS, load_tokenizer())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_card_states_the_facts(architecture):
    text = card(architecture)
    what = "masked token" if architecture == "encoder" else "token"
    for line in (
        f"# {architecture}",
        "license: cc-by-nc-sa-3.0",
        "| Tokens seen | 6,789,000 in 420 steps |",
        "| Trained on | abacus |",
        "| Wall time | 1.50 hours |",
        f"| Held-out loss | 3.5000 nats per {what} (12,345 places in articles never trained on) |",
    ):
        assert line in text.splitlines()
    assert "a.jsonl, b.jsonl |" in text


def test_measures_of_text_belong_to_the_decoder():
    text = card("decoder")
    assert f"| Bits per byte | {3.5 / math.log(2) / 4:.4f} |" in text
    assert f"| Perplexity | {math.exp(3.5):.2f} per token |" in text
    for other in ARCHITECTURES:
        assert ("Bits per byte" in card(other)) == (other == "decoder")


def test_samples_are_drawn_with_fixed_seeds():
    assert card("decoder") == card.__wrapped__("decoder")


def test_three_samples_each():
    for architecture in ("decoder", "encoder-decoder-prefix"):
        written = card(architecture)
        assert written.count("```text\n") == 3
        assert all(f"**{prompt}**" in written for prompt in PROMPTS)
    filled = [line for line in card("encoder").splitlines() if line.startswith("- ")]
    assert len(filled) == 3
    assert all(len(line.split(" → ")[1].split(", ")) >= 5 for line in filled)


def test_device_in_words():
    assert describe_device("cpu", False, False).endswith(" cores, float32")
    assert describe_device("cpu", True, True, 2).startswith("2 × CPU, ")
    assert describe_device("cpu", True, True, 2).endswith(", bf16 autocast, torch.compile")
