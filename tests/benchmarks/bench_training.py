"""How fast training goes: our loop beside nanoGPT's, in tokens per second.

    git clone https://github.com/karpathy/nanoGPT
    python -m tests.benchmarks.bench_training --nanogpt nanoGPT

6 layers, 8 heads, width 256, vocabulary 8,192, batches of 16 windows of 256 tokens, no dropout; the same
precision and the same compile setting for both, each with its own model, optimizer, clipping and batches. The
two take turns, so that a busy moment of the machine meets both; printed are medians and their ratio, and what share
of the device's speed (measured with a large matrix product) the model's own FLOPs are.
"""

import argparse
import importlib.util
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor

from llm_core.analysis.costs import flops
from llm_core.heap import keep_freed_memory
from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig
from llm_core.train.config import TrainConfig
from llm_core.train.data import PackedBatches, TokenStore
from llm_core.train.devices import can_compile, has_fast_bf16
from llm_core.train.distributed import Worker
from llm_core.train.loop import Trainer
from llm_core.train.schedule import learning_rate
from tests.benchmarks.bench_recording import interleaved

B, T = 16, 256
SIZES = ModelConfig(
    vocab_size=8192, block_size=T, n_layer=6, n_head=8, n_embd=256, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0
)


def write_tokens(folder: Path, size: int = 2**21) -> Path:
    """A corpus of random tokens, as a ``TokenStore`` and as the flat file that nanoGPT reads."""
    tokens = np.random.default_rng(0).integers(SIZES.vocab_size, size=size, dtype=np.uint16)
    tokens.tofile(folder / "tokens.u16")
    np.save(folder / "bounds.npy", np.array([(0, 1, size)]))
    (folder / "info.json").write_text(json.dumps({"num_bytes": 4 * size, "n_vocab": SIZES.vocab_size}))
    return folder / "tokens.u16"


def our_step(folder: Path, config: TrainConfig) -> Callable[[], None]:
    batches = PackedBatches(TokenStore(folder), T)
    return Trainer(Decoder(SIZES), config, batches, batches, folder / "run", Worker()).train_step


def their_step(checkout: Path, tokens: Path, config: TrainConfig) -> Callable[[], None]:
    """One turn of the loop in nanoGPT's train.py: the next batch is fetched while the device works."""
    module = load_module(checkout / "model.py")
    shape = {name: getattr(SIZES, name) for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd", "bias")}
    model = module.GPT(module.GPTConfig(**shape, dropout=0.0)).to(config.device)
    kind = torch.device(config.device).type
    betas = (config.beta1, config.beta2)
    optimizer = model.configure_optimizers(config.weight_decay, config.learning_rate, betas, kind)
    forward = torch.compile(model) if config.compile else model
    numbers, waiting = count(), [their_batch(tokens, config.device)]

    def step() -> None:
        rate = learning_rate(config, next(numbers))
        for group in optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(kind, torch.bfloat16, enabled=config.bf16):
            _, loss = forward(*waiting.pop())
        waiting.append(their_batch(tokens, config.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def load_module(path: Path):
    spec = importlib.util.spec_from_file_location("nanogpt_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def their_batch(tokens: Path, device: str) -> tuple[Tensor, Tensor]:
    """Windows at random places of a file that is mapped anew each time; pinned on their way to a GPU."""
    stream = np.memmap(tokens, np.uint16, "r")
    starts = torch.randint(len(stream) - T, (B,)).tolist()
    pair = [
        torch.stack([torch.from_numpy(stream[start + shift : start + shift + T].astype(np.int64)) for start in starts])
        for shift in (0, 1)
    ]
    if device.startswith("cuda"):
        return tuple(ids.pin_memory().to(device, non_blocking=True) for ids in pair)
    return tuple(pair)


def peak(device: str, bf16: bool) -> float:
    """FLOPs per second of a large matrix product."""
    n, dtype = (8192 if device.startswith("cuda") else 2048), (torch.bfloat16 if bf16 else torch.float32)
    x = torch.randn(n, n, device=device, dtype=dtype)
    took = interleaved({"product": several(lambda: x @ x, 5, device)}, 5)
    return 5 * 2 * n**3 / took["product"]


def several(step: Callable[[], None], number: int, device: str) -> Callable[[], None]:
    def run() -> None:
        for _ in range(number):
            step()
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return run


def parse_arguments() -> argparse.Namespace:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description="Time training steps beside nanoGPT's.")
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--device", default=device)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=can_compile())
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=has_fast_bf16(device))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=5, help="in each round")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    keep_freed_memory()
    config = TrainConfig(
        steps=10**6, batch_size=B, micro_batch_size=B, device=args.device, bf16=args.bf16, compile=args.compile
    )
    with TemporaryDirectory() as name:
        tokens = write_tokens(Path(name))
        steps = {"ours": our_step(Path(name), config), "nanoGPT": their_step(args.nanogpt, tokens, config)}
        calls = {who: several(step, args.steps, args.device) for who, step in steps.items()}
        took = interleaved(calls, args.rounds)
    rates = {who: args.steps * B * T / seconds for who, seconds in took.items()}
    per_token = 3 * sum(flops(Decoder(SIZES), T).values()) / T  # a backward is two forwards
    fastest = peak(args.device, args.bf16)
    precision, how = "bf16" if args.bf16 else "float32", "compiled" if args.compile else "not compiled"
    print(f"{args.device}, {torch.get_num_threads()} threads, {precision}, {how}")
    for who, rate in rates.items():
        print(f"{who:8}{rate:12,.0f} tokens/s, {rate * per_token / fastest:.0%} of {fastest / 1e9:,.0f} GFLOP/s")
    print(f"ours / nanoGPT  {rates['ours'] / rates['nanoGPT']:.2f}   (at least 1.1)")


if __name__ == "__main__":
    main()
