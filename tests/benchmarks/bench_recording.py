"""What looking costs: a forward with everything recorded beside a plain one, and beside TransformerLens.

    python -m tests.benchmarks.bench_recording

One text of 64 tokens, 6 layers, 8 heads, width 256, vocabulary 8,192. The three take turns, so that a busy
moment of the machine meets them all; printed are medians and their ratios. For the second ratio:
pip install "transformer-lens<4" (4.0 removed HookedTransformer)
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

from llm_core.architectures import Decoder
from llm_core.config import ModelConfig
from llm_core.recording import record

SHAPE = ModelConfig(vocab_size=8192, block_size=256, n_layer=6, n_head=8, n_embd=256)
T = 64


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


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each call; in every round each is called once, the first round does not count."""
    times = [{name: seconds(call) for name, call in calls.items()} for _ in range(rounds + 1)]
    return {name: median(each[name] for each in times[1:]) for name in calls}


def contestants(ids: torch.Tensor) -> dict[str, Callable[[], object]]:
    model = Decoder(SHAPE).eval()

    def recorded() -> None:
        with record(model):
            model(ids)

    calls = {"plain": lambda: model(ids), "recorded": recorded}
    try:
        peer = transformer_lens_model()
    except ImportError:
        print("only our own forwards are compared; for the other ratio: pip install 'transformer-lens<4'")
        return calls
    return {**calls, "run_with_cache": lambda: peer.run_with_cache(ids)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time a forward with everything recorded.")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    with torch.inference_mode():
        took = interleaved(contestants(torch.randint(SHAPE.vocab_size, (1, T))), args.rounds)
    for name, each in took.items():
        print(f"{name:16}{each * 1e3:8.2f} ms")
    print(f"recorded / plain           {took['recorded'] / took['plain']:.2f}   (at most 1.25)")
    if "run_with_cache" in took:
        print(f"run_with_cache / recorded  {took['run_with_cache'] / took['recorded']:.2f}   (at least 1.5)")


if __name__ == "__main__":
    main()
