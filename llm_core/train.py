"""Train a model on how-to articles: ``python -m llm_core.train --model decoder --data articles.jsonl --out runs/decoder``.

Run the same command again to resume. Several GPUs, or machines: ``torchrun --nproc-per-node 4 -m llm_core.train …``.
The folder then holds `model/` (weights, config, card), `history.jsonl`, `loss.png` and the state to resume from.
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import torch
import torch.distributed as dist

from .checkpoints import save_model
from .config import ModelConfig
from .data import ReadReport, TokenStore, is_held_out, read_articles
from .model_card import held_out_facts, model_card, plot_history
from .tokenizer import Tokenizer, load_tokenizer
from .training import ARCHITECTURES, TrainConfig, Trainer, batches_for, build_model, join_workers


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llm_core.train",
        description="Train a Transformer on how-to articles. The same command again resumes a run that was stopped.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--model", choices=ARCHITECTURES, default="decoder", help="which architecture")
    parser.add_argument("--data", nargs="+", required=True, help="Hub id, folder or files with title, headline, text")
    parser.add_argument("--validation", nargs="+", help="held-out articles; default: a fixed share of --data by title")
    parser.add_argument("--held-out", type=float, default=0.005, help="that share, if --validation is not given")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    sizes = parser.add_argument_group("size")
    sizes.add_argument("--n-layer", type=int, default=6)
    sizes.add_argument("--n-head", type=int, default=8)
    sizes.add_argument("--n-embd", type=int, default=256)
    sizes.add_argument("--block-size", type=int, default=256)
    sizes.add_argument("--dropout", type=float, default=0.0, help="0 is right below one epoch of data")
    training = parser.add_argument_group("training")
    for option in fields(TrainConfig):
        name = f"--{option.name.replace('_', '-')}"
        if option.type is bool:
            text = "default: where the processor and the compiler have it"
            training.add_argument(name, action=argparse.BooleanOptionalAction, default=None, help=text)
        else:
            default = None if option.name == "device" else option.default
            training.add_argument(name, type=option.type, default=default, help=" ")
    return parser.parse_args(arguments)


def default_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def has_fast_bf16(device: str) -> bool:
    """True if bf16 matrix products are faster than float32 there."""
    return torch.cuda.is_bf16_supported() if device.startswith("cuda") else torch.cpu._is_avx512_bf16_supported()


def can_compile() -> bool:
    return sys.platform != "win32" and any(map(shutil.which, ("g++", "clang++")))


def train_config(args: argparse.Namespace) -> TrainConfig:
    """The arguments, with what the machine can do filled in where nothing was said."""
    given = {option.name: getattr(args, option.name) for option in fields(TrainConfig)}
    device = given["device"] or default_device()
    if given["bf16"] is None:
        given["bf16"] = has_fast_bf16(device)
    if given["compile"] is None:
        given["compile"] = can_compile() and args.steps >= 300  # below that, compiling takes longer than it saves
    return TrainConfig(**{**given, "device": device})


def prepare_tokens(args: argparse.Namespace, tokenizer: Tokenizer) -> tuple[TokenStore, TokenStore]:
    """The tokenised training and held-out articles; made once, then found again in the run's folder."""

    def chosen(sources: list[str], report: ReadReport, wanted: Callable[[str], bool]):
        return (article for article in read_articles(sources, report) if wanted(article.title))

    parts = {
        "train": (args.data, lambda title: bool(args.validation) or not is_held_out(title, args.held_out)),
        "validation": (
            args.validation or args.data,
            lambda title: bool(args.validation) or is_held_out(title, args.held_out),
        ),
    }
    stores = []
    for name, (sources, wanted) in parts.items():
        folder = args.out / "tokens" / name
        if not folder.exists():
            report = ReadReport()
            TokenStore.build(chosen(sources, report, wanted), tokenizer, folder)
            reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
            print(
                f"{name}: {report.kept} articles read, {report.skipped} rows skipped{f' ({reasons})' if reasons else ''}"
            )
        stores.append(TokenStore(folder))
    return tuple(stores)


def check_same_run(folder: Path, settings: dict) -> None:
    """A folder belongs to one run: resuming with other settings is a ``ValueError`` that names the first."""
    path = folder / "run.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings, indent=2))
        return
    before = json.loads(path.read_text())
    for name, value in settings.items():
        if before.get(name) != value:
            raise ValueError(
                f"{folder} holds a run with {name}={before.get(name)!r}, not {value!r}: "
                "use the same settings to resume it, or another --out"
            )


def run(args: argparse.Namespace) -> None:
    tokenizer = load_tokenizer()
    sizes = ModelConfig(
        vocab_size=tokenizer.n_vocab,
        block_size=args.block_size,
        n_layer=args.n_layer,
        n_head=args.n_head,
        n_embd=args.n_embd,
        **dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), args.dropout),
    )
    config = train_config(args)
    with join_workers(config.device) as (worker, device):
        config = replace(config, device=device)
        if worker.leads:
            check_same_run(
                args.out, {"model": args.model, **sizes.to_dict(), "steps": config.steps, "seed": config.seed}
            )
            prepare_tokens(args, tokenizer)
        if worker.world_size > 1:
            dist.barrier()
        torch.manual_seed(config.seed)
        model = build_model(args.model, sizes)
        train, held_out = (
            batches_for(model, store, args.block_size, tokenizer, config.seed)
            for store in prepare_tokens(args, tokenizer)
        )
        trainer = Trainer(model, config, train, held_out, args.out, worker)
        trainer.run()
        if worker.leads:
            finish(trainer, args, held_out.store, tokenizer)


def finish(trainer: Trainer, args: argparse.Namespace, held_out: TokenStore, tokenizer: Tokenizer) -> None:
    """Plot the history; for a run that reached its end, also write the model with its card."""
    plot_history(trainer.history.read(), args.out / "loss.png")
    if trainer.step < trainer.config.steps:
        print(f"stopped at step {trainer.step} of {trainer.config.steps}; the same command resumes it")
        return
    facts = held_out_facts(trainer, held_out, args.data)
    model = trainer.model.cpu().eval()
    save_model(model, args.out / "model", card=model_card(args.model, model, facts, tokenizer), dtype=torch.float16)
    print(f"held-out loss {facts.loss:.4f} nats per token; the model is in {args.out / 'model'}")


def main() -> None:
    try:
        run(parse_arguments())
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
