"""Which recipe learns most from the same tokens: ours beside nanoGPT's own train.py.

    git clone https://github.com/karpathy/nanoGPT
    python -m tests.benchmarks.bench_recipe --nanogpt nanoGPT --tokens runs/decoder/tokens --steps 500

The decoder that ships (6 layers, 8 heads, width 256, vocabulary 8,192, windows of 256 tokens) is trained on
``tokens/train`` with each recipe from the same seed, for the same number of steps of the same batch; nanoGPT runs as
it is, in a process of its own, on the same tokens. All are measured on the same windows of ``tokens/validation``, in
float32. Printed is a Markdown table with losses at equal tokens, and the time that each took.
"""

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from llm_core.heap import keep_freed_memory
from llm_core.train.config import TrainConfig
from llm_core.train.data import PackedBatches, TokenStore
from llm_core.train.devices import can_compile, has_fast_bf16
from llm_core.train.distributed import Worker
from llm_core.train.loop import Trainer, build_model
from llm_core.train.presets import RECIPE
from tests.benchmarks.bench_training import SIZES, T, load_module

RECIPES = {
    "AdamW, rate 1e-3": {"optimizer": "adamw", "learning_rate": 1e-3},
    "AdamW, rate 2e-3": {"optimizer": "adamw", "learning_rate": 2e-3},
    "AdamW, rate 4e-3": {"optimizer": "adamw", "learning_rate": 4e-3},
    "Muon, rate 2e-3": {"learning_rate": 2e-3},
    "Muon, rate 4e-3": {"learning_rate": 4e-3},
    "Muon, rate 8e-3": {"learning_rate": 8e-3},
    "Muon, rate 4e-3, to 0.1 of it": {"final_lr_fraction": 0.1},
    "Muon, rate 4e-3, batch 32, half as many steps": {"batch_size": 32},
    "Muon, rate 4e-3, dropout 0.1": {"dropout": 0.1},
}


def ours(changes: dict, args: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """Held-out loss and seconds of one of RECIPES."""
    known = {name: RECIPE[name] for name in ("optimizer", "learning_rate", "final_lr_fraction", "warmup_steps")}
    changes = {**known, **changes}
    dropout = dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), changes.pop("dropout", 0.0))
    B = changes.setdefault("batch_size", RECIPE["batch_size"])
    config = TrainConfig(
        **{**changes, "warmup_steps": min(changes["warmup_steps"], args.steps // 5)},
        steps=args.steps * RECIPE["batch_size"] // B,
        micro_batch_size=RECIPE["micro_batch_size"],
        bf16=args.bf16,
        compile=args.compile,
        device=args.device,
        eval_every=10**6,
        save_every=10**6,
    )
    torch.manual_seed(0)
    train, held_out = (PackedBatches(TokenStore(args.tokens / part), T) for part in ("train", "validation"))
    trainer = Trainer(build_model("decoder", replace(SIZES, **dropout)), config, train, held_out, folder, Worker())
    started = time.perf_counter()
    trainer.run()
    seconds = time.perf_counter() - started
    return held_out_loss(lambda ids: trainer.model.eval()(ids), held_out, args.device), seconds


def nanogpt(args: argparse.Namespace, folder: Path) -> tuple[float, float]:
    """The same of nanoGPT's train.py with the settings of its small character model, but our sizes."""
    data = folder / "data" / "wikihow"
    data.mkdir(parents=True)
    for part, name in (("train", "train.bin"), ("validation", "val.bin")):
        (data / name).symlink_to((args.tokens / part / "tokens.u16").resolve())
    (data / "meta.pkl").write_bytes(b"\x80\x04}\x94\x8c\nvocab_size\x94M\x00 s.")  # {"vocab_size": 8192}
    (folder / "model.py").symlink_to((args.nanogpt / "model.py").resolve())
    (folder / "configurator.py").symlink_to((args.nanogpt / "configurator.py").resolve())
    (folder / "train.py").symlink_to((args.nanogpt / "train.py").resolve())
    settings = {
        "dataset": "wikihow", "out_dir": "out", "device": args.device, "compile": args.compile, "bias": True,
        "dtype": "bfloat16" if args.bf16 else "float32", "n_layer": SIZES.n_layer, "n_head": SIZES.n_head,
        "n_embd": SIZES.n_embd, "block_size": T, "dropout": 0.0, "batch_size": RECIPE["batch_size"],
        "gradient_accumulation_steps": 1, "max_iters": args.steps, "lr_decay_iters": args.steps,
        "learning_rate": 1e-3, "min_lr": 1e-4, "beta2": 0.99, "warmup_iters": min(100, args.steps // 5),
        "eval_interval": args.steps, "eval_iters": 4, "log_interval": 50, "always_save_checkpoint": True,
    }  # fmt: skip
    words = [f"--{name}={value}" for name, value in settings.items()]
    code = "import sys; sys.path.insert(0, '.'); exec(open('train.py').read())"
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *words], cwd=folder, check=True, stdout=sys.stderr)
    seconds = time.perf_counter() - started
    module = load_module(args.nanogpt / "model.py")
    saved = torch.load(folder / "out" / "ckpt.pt", map_location=args.device, weights_only=False)  # ours: just written
    model = module.GPT(module.GPTConfig(**saved["model_args"])).to(args.device).eval()
    model.load_state_dict({name.removeprefix("_orig_mod."): x for name, x in saved["model"].items()})
    held_out = PackedBatches(TokenStore(args.tokens / "validation"), T)
    return held_out_loss(lambda ids: model(ids, ids)[0], held_out, args.device), seconds


@torch.no_grad()
def held_out_loss(logits, batches: PackedBatches, device: str, windows: int = 512) -> float:
    """Nats per token over the first held-out windows."""
    total, B = 0.0, 16
    for i in range(windows // B):
        batch = batches.batch(i, B).to(device)
        total += float(torch.nn.functional.cross_entropy(logits(batch.ids).flatten(0, 1), batch.targets.flatten()))
    return total / (windows // B)


def parse_arguments() -> argparse.Namespace:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser = argparse.ArgumentParser(description="Compare recipes at equal tokens.")
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--tokens", type=Path, required=True, help="tokens/ of a training run")
    parser.add_argument("--steps", type=int, default=500, help="of 16 windows of 256 tokens")
    parser.add_argument("--only", nargs="+", help="recipes whose names contain one of these; nanoGPT always runs")
    parser.add_argument("--device", default=device)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=can_compile())
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=has_fast_bf16(device))
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    keep_freed_memory()
    tokens = args.steps * RECIPE["batch_size"] * T
    print(f"| Recipe, {tokens:,} tokens | Held-out loss | Seconds |\n|---|---|---|", flush=True)
    with TemporaryDirectory() as name:
        runs = {"nanoGPT's train.py": lambda: nanogpt(args, Path(name, "nanogpt"))}
        for i, (recipe, changes) in enumerate(RECIPES.items()):
            if not args.only or any(part in recipe for part in args.only):
                runs[recipe] = lambda i=i, changes=changes: ours(changes, args, Path(name, str(i)))
        for recipe, run in runs.items():
            loss, seconds = run()
            print(f"| {recipe} | {loss:.4f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
