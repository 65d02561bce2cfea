"""Train a model on how-to articles: ``python -m llm_core.train --preset decoder --data articles.jsonl --out run``.

Run the same command again to resume. Several GPUs, or machines that share the folder ``--out``:
``torchrun --nproc-per-node 4 -m llm_core.train …``. At the end the folder holds ``model/`` (weights, config, card),
``history.jsonl``, ``loss.png`` and the state to resume from.
"""

import argparse
import ctypes
import json
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import fields, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from ..model.checkpoints import save_model, write_files
from ..model.config import ModelConfig
from ..text.articles import Article, ReadReport, is_held_out, read_articles
from ..text.tokenizer import Tokenizer, load_tokenizer
from .config import TrainConfig
from .data import TokenStore
from .distributed import join_workers
from .loop import ARCHITECTURES, Trainer, batches_for, build_model
from .loss_plot import plot_history
from .model_card import describe_device, write_card
from .presets import PRESETS

HELP = {
    "steps": "updates in all",
    "cycles": "how often in them the rate warms up and falls",
    "batch_size": "sequences per update, over all processes",
    "micro_batch_size": "sequences at a time in one process; the rest is accumulated",
    "learning_rate": "the highest, after the warm-up",
    "final_lr_fraction": "share of it that the cosine ends with",
    "warmup_steps": "updates until it is reached",
    "weight_decay": "on matrices only",
    "beta1": "AdamW's, for the mean of the gradients",
    "beta2": "AdamW's, for the mean of their squares",
    "grad_clip": "largest norm of the gradients",
    "seed": "of weights, data order and dropout",
    "device": "default: a GPU if there is one",
    "bf16": "autocast to bfloat16; default: where the processor is faster with it",
    "compile": "torch.compile; default: in a long run, where there is a C++ compiler",
    "log_every": "updates between two lines of history.jsonl",
    "eval_every": "updates between two looks at the held-out articles",
    "eval_batches": "micro-batches in such a look",
    "save_every": "updates between two saves of the state",
    "snapshots": "steps at which the model is kept, for a timeline",
    "optimizer": "adamw, or muon for the matrices of the blocks",
}


OF_THE_RUN = (  # what the loss depends on; how often is looked or saved, and on what machine, may change on the way
    *("model", "encoder_layers", "data", "validation", "held_out", "steps", "cycles", "seed", "batch_size"),
    *("optimizer", "learning_rate", "final_lr_fraction", "warmup_steps", "weight_decay", "beta1", "beta2", "grad_clip"),
)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llm_core.train",
        description="Train a Transformer on how-to articles. The same command again resumes a run that was stopped.",
    )
    parser.add_argument("--preset", choices=PRESETS, help="architecture, sizes and recipe of a model that ships")
    parser.add_argument("--model", choices=ARCHITECTURES, default="decoder", help="which architecture (decoder)")
    parser.add_argument("--data", nargs="+", required=True, help="Hub id, folder or files with title, headline, text")
    parser.add_argument("--validation", nargs="+", help="held-out articles; default: a share of --data, by title")
    parser.add_argument("--held-out", type=float, default=0.005, help="that share (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    sizes = parser.add_argument_group("size")
    for name, default in {"--n-layer": 6, "--n-head": 8, "--n-embd": 256, "--block-size": 256}.items():
        sizes.add_argument(name, type=int, default=default, help="(%(default)s)")
    sizes.add_argument("--encoder-layers", type=int, help="of an encoder-decoder (as many as --n-layer)")
    sizes.add_argument("--dropout", type=float, default=0.0, help="0 is right below one epoch of data (%(default)s)")
    training = parser.add_argument_group("training")
    for option in fields(TrainConfig):
        flag, text = f"--{option.name.replace('_', '-')}", HELP[option.name]
        if option.type is bool:
            training.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
        elif option.name == "device":
            training.add_argument(flag, help=text)
        else:
            training.add_argument(flag, type=option.type, default=option.default, help=f"{text} (%(default)s)")
    if preset := parser.parse_known_args(arguments)[0].preset:
        parser.set_defaults(**PRESETS[preset])  # what is given beside it still counts
    return parser.parse_args(arguments)


def train_config(args: argparse.Namespace) -> TrainConfig:
    """The arguments, with what the machine can do filled in where nothing was said."""
    given = {option.name: getattr(args, option.name) for option in fields(TrainConfig)}
    device = given["device"] or ("cuda" if torch.cuda.is_available() else "cpu")
    if given["bf16"] is None:
        given["bf16"] = has_fast_bf16(device)
    if given["compile"] is None:
        given["compile"] = can_compile() and args.steps >= 300  # in a shorter run it takes longer than it saves
    return TrainConfig(**{**given, "device": device})


def has_fast_bf16(device: str) -> bool:
    """True if bf16 matrix products are faster than float32 there."""
    return torch.cuda.is_bf16_supported() if device.startswith("cuda") else torch.cpu._is_avx512_bf16_supported()


def can_compile() -> bool:
    """True if there is what ``torch.compile`` needs: a C++ compiler, and Python's headers."""
    has_headers = Path(sysconfig.get_path("include"), "Python.h").exists()
    return sys.platform != "win32" and has_headers and any(map(shutil.which, ("g++", "clang++")))


def keep_freed_memory() -> None:
    """Let glibc keep what it frees: else it gets the large tensors of every step from the system anew, page by page."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        most_mappings, trim_threshold = -4, -1  # M_MMAP_MAX and M_TRIM_THRESHOLD of malloc.h
        libc.mallopt(most_mappings, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def model_config(args: argparse.Namespace, tokenizer: Tokenizer) -> ModelConfig:
    return ModelConfig(
        vocab_size=tokenizer.n_vocab,
        block_size=args.block_size,
        n_layer=args.n_layer,
        n_head=args.n_head,
        n_embd=args.n_embd,
        **dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), args.dropout),
    )


def build_tokens(args: argparse.Namespace, tokenizer: Tokenizer) -> None:
    """Tokenise the training and the held-out articles into the run's folder."""
    for part in ("train", "validation"):
        report, folder = ReadReport(), args.out / "tokens" / part
        if folder.is_symlink():
            folder.unlink()  # what it points to may belong to another run
        try:
            store = TokenStore.build(_articles(args, part, report), tokenizer, folder)
        except ValueError as error:
            hint = "; give --validation, or a larger --held-out" if part == "validation" and report.kept else ""
            raise ValueError(f"{part} articles: {error}{hint}") from None
        read = f" ({report})" if part == "train" or args.validation else ""  # the same rows are read for both
        print(f"{part}: {len(store.bounds):,} articles, {len(store):,} tokens{read}")


def _articles(args: argparse.Namespace, part: str, report: ReadReport) -> Iterator[Article]:
    if args.validation:
        yield from read_articles(args.data if part == "train" else args.validation, report)
        return
    for article in read_articles(args.data, report):
        if is_held_out(article.title, args.held_out) == (part == "validation"):
            yield article


def check_same_run(path: Path, settings: dict) -> None:
    """A folder belongs to one run: to resume it with other settings is a ``ValueError`` that names the first."""
    before = json.loads(path.read_text())
    for name, value in settings.items():
        if before.get(name, value) != value:
            raise ValueError(
                f"{path.parent} holds a run with {name}={before[name]!r}, not {value!r}: "
                "resume it with the same settings, or give another --out"
            )


def keep_others_out(folder: Path) -> AbstractContextManager:
    """While it lasts no other run may begin there: ``ValueError``. A killed process loses its lock by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return FileLock(folder / ".lock").acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another process trains in {folder}: wait for its end, or give another --out") from None


def run(args: argparse.Namespace) -> bool:
    """Start or resume what the arguments describe; False if Ctrl-C stopped it before the last step."""
    keep_freed_memory()
    tokenizer, config = load_tokenizer(), train_config(args)
    sizes = model_config(args, tokenizer)
    of_the_run = {name: getattr(args, name) for name in OF_THE_RUN}
    settings, record = {**of_the_run, **sizes.to_dict()}, args.out / "run.json"
    with ExitStack() as until_the_end:
        with join_workers(config.device) as (worker, device):
            if worker.leads:
                until_the_end.enter_context(keep_others_out(args.out))
                if record.exists():
                    check_same_run(record, settings)
                else:
                    build_tokens(args, tokenizer)
            worker.wait_for_others()
            torch.manual_seed(config.seed)
            model = build_model(args.model, sizes, args.encoder_layers)
            stores = [TokenStore(args.out / "tokens" / part) for part in ("train", "validation")]
            train, held_out = (batches_for(model, store, args.block_size, tokenizer, config.seed) for store in stores)
            trainer = Trainer(model, replace(config, device=device), train, held_out, args.out, worker)
            if worker.leads:
                write_files(args.out, {record.name: json.dumps(settings, indent=2).encode()})
            trainer.run()
        if worker.leads:
            finish(trainer, args)
    return trainer.step == config.steps or not worker.leads  # torchrun kills the leader if another one fails before it


def finish(trainer: Trainer, args: argparse.Namespace) -> None:
    """For a run that reached its end, write the model with its card; plot the history of any."""
    if trainer.step < trainer.config.steps:
        print(
            f"stopped and saved at step {trainer.step} of {trainer.config.steps}; the same command resumes it",
            flush=True,
        )
    else:
        config = trainer.config
        save_model(trainer.model, args.out / "model", dtype=torch.float16)
        trained_on = describe_device(config.device, config.bf16, config.compile, trainer.worker.world_size)
        losses = write_card(args.out, trained_on, config.device)
        print(f"held-out loss {losses.loss:.4f} nats per target; the model is in {args.out / 'model'}")
    plot_history(trainer.history.read(), args.out / "loss.png")


def main(arguments: list[str] | None = None) -> None:
    try:
        finished = run(parse_arguments(arguments))
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from the last save", file=sys.stderr)
        finished = False
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    sys.exit(0 if finished else 130)  # 130 is a shell's number for Ctrl-C
