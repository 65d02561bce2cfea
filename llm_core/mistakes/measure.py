"""Would the loss alone have shown it? Trains a tiny decoder with each mistake in force, and notes its losses.

    python -m llm_core.measure_mistakes --data articles.jsonl --validation held-out.jsonl --out assets/mistakes.json

Every run starts from the same weights and sees the same batches; the right code is also run with other seeds, as
a difference that a seed makes too shows nothing. Each model is judged on held-out text by the code it was trained
with, which is what its author would see (``loss``), and in the end also by the right code with the same weights
(``honest_loss``): a model that read the answer off the future is found out there.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import torch

from ..model.architectures import Decoder
from ..model.checkpoints import write_files
from ..model.config import ModelConfig
from ..text.articles import read_articles
from ..text.tokenizer import load_tokenizer
from ..train.config import TrainConfig
from ..train.data import PackedBatches, TokenStore
from ..train.distributed import Worker
from ..train.loop import Trainer, evaluate
from .known import MEASURED, MISTAKES, Mistake, broken

WHAT = (
    "Held-out losses, in nats per token, of tiny decoders trained from scratch by measure_mistakes.py with each "
    "mistake of mistakes.py in force: one seed, so the same first weights and the same batches. 'loss' is judged by "
    "the code that trained the model, after each of 'steps'; 'honest_loss' by the right code with the last weights. "
    "'right' is the right code, 'right_other_seeds' its last loss with other seeds."
)
POINTS = 8  # how often a run looks at held-out text
EVAL_BATCHES = 64
OTHER_SEEDS = 2


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m llm_core.measure_mistakes", description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, help="files with title, headline, text")
    parser.add_argument("--validation", nargs="+", required=True, help="held-out articles")
    parser.add_argument("--out", type=Path, default=MEASURED, help="where to write (%(default)s)")
    parser.add_argument("--steps", type=int, default=1200, help="updates in each run (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, data order and dropout (%(default)s)")
    return parser.parse_args(arguments)


def tiny_config(vocab_size: int) -> ModelConfig:
    return ModelConfig(vocab_size=vocab_size, block_size=64, n_layer=2, n_head=4, n_embd=64)  # D=16, dropout 0.1


def train_config(steps: int, seed: int) -> TrainConfig:
    return TrainConfig(
        steps=steps,
        batch_size=8,
        micro_batch_size=8,
        warmup_steps=steps // 12,
        learning_rate=4e-3,
        seed=seed,
        eval_every=-(-steps // POINTS),
        eval_batches=EVAL_BATCHES,
        save_every=steps,
        log_every=steps,
    )


def train(mistake: Mistake | None, stores: list[TokenStore], config: TrainConfig, sizes: ModelConfig) -> dict:
    """One run: held-out losses on the way and in the end, and that of the right code with the final weights."""
    torch.manual_seed(config.seed)
    right = Decoder(sizes)
    model = right if mistake is None else broken(right, mistake)
    T = sizes.block_size
    batches, held_out = PackedBatches(stores[0], T, config.seed), PackedBatches(stores[1], T, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(model, config, batches, held_out, Path(folder), Worker())
        trainer.run()
        points = [entry for entry in trainer.history.read() if "held_out_loss" in entry]
    if trainer.step < config.steps:
        raise KeyboardInterrupt
    honest, _ = evaluate(right, held_out, config.eval_batches, config.micro_batch_size)
    return {
        "steps": [point["step"] for point in points],
        "loss": [round(point["held_out_loss"], 4) for point in points],
        "honest_loss": round(honest, 4),
    }


def measure(args: argparse.Namespace, stores: list[TokenStore], sizes: ModelConfig) -> dict:
    """Everything that the file holds."""
    config = train_config(args.steps, args.seed)
    right = train(None, stores, config, sizes)
    seeds = range(args.seed + 1, args.seed + 1 + OTHER_SEEDS)
    others = [train(None, stores, train_config(args.steps, seed), sizes)["loss"][-1] for seed in seeds]
    runs = {}
    for mistake in MISTAKES:
        runs[mistake.name] = train(mistake, stores, config, sizes)
        print(f"{mistake.name}: {runs[mistake.name]['loss'][-1]} (right code: {right['loss'][-1]})", flush=True)
    return {
        "what": WHAT,
        "data": [Path(source).name for source in args.data],
        "validation": [Path(source).name for source in args.validation],
        "model": sizes.to_dict(),
        "num_parameters": sum(parameter.numel() for parameter in Decoder(sizes).parameters()),
        "num_tokens": args.steps * config.batch_size * sizes.block_size,
        "held_out_tokens": EVAL_BATCHES * config.micro_batch_size * sizes.block_size,
        "learning_rate": config.learning_rate,
        "seed": args.seed,
        "right": right,
        "right_other_seeds": others,
        "mistakes": runs,
    }


def main(arguments: list[str] | None = None) -> None:
    args, tokenizer = parse_arguments(arguments), load_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        sources = {"train": args.data, "validation": args.validation}
        try:
            stores = [
                TokenStore.build(read_articles(files), tokenizer, Path(folder, name)) for name, files in sources.items()
            ]
        except ValueError as error:
            sys.exit(f"error: {error}")
        measured = measure(args, stores, tiny_config(tokenizer.n_vocab))
    write_files(args.out.parent, {args.out.name: f"{json.dumps(measured, indent=1)}\n".encode()})
