"""What looking costs: a forward with everything recorded beside a plain one, and beside TransformerLens.

    python -m tests.benchmarks.bench_recording

One text of 64 tokens, 6 layers, 8 heads, width 256, vocabulary 8,192. The two of a pair take turns, so that a
busy moment of the machine meets both; printed are medians and their ratio. The second pair needs
pip install "transformer-lens<4" (4.0 removed HookedTransformer)
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig
from llm_core.model.recording import record

SHAPE = ModelConfig(vocab_size=8192, block_size=256, n_layer=6, n_head=8, n_embd=256)
T = 64
Call = Callable[[], object]


def transformer_lens_model():
    from transformer_lens import HookedTransformer, HookedTransformerConfig

    config = HookedTransformerConfig(
        n_layers=SHAPE.n_layer,
        n_heads=SHAPE.n_head,
        d_model=SHAPE.n_embd,
        d_head=SHAPE.head_width,
        d_mlp=4 * SHAPE.n_embd,
        d_vocab=SHAPE.vocab_size,
        n_ctx=SHAPE.block_size,
        act_fn="gelu_new",
        normalization_type="LN",
        device="cpu",
    )
    return HookedTransformer(config).eval()


def seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Median seconds of each call; in every round each is called once, the first round does not count."""
    times = [{name: seconds(call) for name, call in calls.items()} for _ in range(rounds + 1)]
    return {name: median(each[name] for each in times[1:]) for name in calls}


def compare(title: str, bar: str, slow: Call, fast: Call, rounds: int) -> None:
    times = interleaved({"slow": slow, "fast": fast}, rounds)
    ratio = times["slow"] / times["fast"]
    print(f"{title:28}{times['slow'] * 1e3:8.2f} ms /{times['fast'] * 1e3:7.2f} ms = {ratio:.2f}   ({bar})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a forward with everything recorded.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model, ids = Decoder(SHAPE).eval(), torch.randint(SHAPE.vocab_size, (1, T))

    def plain() -> None:
        model(ids)

    def recorded() -> None:
        with record(model):
            model(ids)

    with torch.inference_mode():
        compare("recorded / plain", "at most 1.25", recorded, plain, args.rounds)
        try:
            peer = transformer_lens_model()
        except ImportError:
            print("run_with_cache / recorded: pip install 'transformer-lens<4'")
            return
        compare("run_with_cache / recorded", "at least 1.5", lambda: peer.run_with_cache(ids), recorded, args.rounds)


if __name__ == "__main__":
    main()
