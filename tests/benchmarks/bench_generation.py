"""How fast text is written: our ``generate`` beside Hugging Face's, the same weights, in tokens per second.

    python -m tests.benchmarks.bench_generation

64 new tokens after a prompt of 16; 6 layers, 8 heads, width 256, vocabulary 8,192, window 256, no batch, both
with their key/value cache. The greedy tokens of the two are compared first. They take turns, so that a busy
moment of the machine meets both; printed are medians and their ratio.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from llm_core.generation.sampling import generate
from llm_core.model.architectures import Decoder
from tests.benchmarks.bench_recording import interleaved
from tests.hf import decoder_from_gpt2, random_gpt2

PROMPT, NEW = 16, 64
SETTINGS = {
    "greedy": ({"temperature": 0}, {"do_sample": False}),
    "sampling": ({"temperature": 0.8, "top_k": 50}, {"do_sample": True, "temperature": 0.8, "top_k": 50}),
}


def contestants(decoder: Decoder, gpt2, ids: Tensor, setting: str) -> dict[str, Callable[[], Tensor]]:
    """One call each that writes NEW tokens behind ids (1, T)."""
    our_options, their_options = SETTINGS[setting]
    length = {"max_new_tokens": NEW, "min_new_tokens": NEW, "attention_mask": torch.ones_like(ids), "pad_token_id": 0}
    return {
        "ours": lambda: generate(decoder, ids, NEW, **our_options),
        "theirs": lambda: gpt2.generate(ids, **length, **their_options),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the writing of 64 tokens.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    gpt2 = random_gpt2(vocab_size=8192, block_size=256, n_layer=6, n_head=8, n_embd=256)
    gpt2.set_attn_implementation("sdpa")  # their default, and faster than "eager"
    decoder, ids = decoder_from_gpt2(gpt2), torch.randint(8192, (1, PROMPT))
    calls = contestants(decoder, gpt2, ids, "greedy")
    if not torch.equal(calls["ours"](), calls["theirs"]()):
        raise SystemExit("the greedy tokens differ: this would compare two different models")
    print(f"{NEW} tokens with {args.threads} threads, tokens/s")
    for setting in SETTINGS:
        took = interleaved(contestants(decoder, gpt2, ids, setting), args.rounds)
        ours, theirs = NEW / took["ours"], NEW / took["theirs"]
        print(f"{setting:10}ours {ours:7.1f}   Hugging Face {theirs:7.1f}   ratio {ours / theirs:.2f}   (at least 2.5)")


if __name__ == "__main__":
    main()
