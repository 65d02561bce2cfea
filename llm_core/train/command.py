"""Train a model on articles or any text: ``python -m llm_core.train --preset decoder --data articles.jsonl --out run``.

Run the same command again to resume; with ``--decay-now``, to make a model of a copy of it. Several GPUs, or machines
that share the folder ``--out``: ``torchrun --nproc-per-node 4 -m llm_core.train …``. At the end the folder holds
``model/`` (weights, config, card), ``history.jsonl``, ``loss.png`` and the state to resume from.
"""

import argparse
import os
import sys
from contextlib import AbstractContextManager, ExitStack
from dataclasses import fields, replace
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from ..heap import keep_freed_memory
from ..model.architectures import EncoderDecoder
from ..model.checkpoints import load_model, save_model
from ..model.config import ModelConfig
from ..text.tokenizer import SPECIAL_TOKENS, Tokenizer, load_tokenizer
from .annealing import decayed_copy
from .config import TrainConfig
from .corpus import make_tokens, open_tokens
from .devices import can_compile, default_device, describe_device, has_fast_bf16, require_present
from .distributed import join_workers
from .loop import Trainer, batches_for, build_model
from .loss_plot import plot_history
from .model_card import write_card
from .options import DEFAULTS, OF_THE_END, OF_THE_RATE, OF_THE_RUN, SIZES, like_model, like_run, parse_arguments
from .run_state import SETTINGS_FILE, STATE_FILE, read_progress, read_settings, write_settings


def train_config(args: argparse.Namespace) -> TrainConfig:
    """The arguments, with what the machine can do filled in where nothing was said."""
    given = {option.name: getattr(args, option.name) for option in fields(TrainConfig)}
    require_present(device := given["device"] or default_device())
    if given["bf16"] is None:
        given["bf16"] = has_fast_bf16(device)
    if given["compile"] is None:
        given["compile"] = can_compile() and args.steps >= 300  # in a shorter run it takes longer than it saves
    return TrainConfig(**{**given, "device": device})


def model_config(args: argparse.Namespace, tokenizer: Tokenizer) -> ModelConfig:
    """The sizes; of a model to start from, all the rest of its config too."""
    like = {}
    if args.init_from and (args.out / SETTINGS_FILE).exists():
        like = read_settings(args.out)  # the model may be gone by now
    elif args.init_from:
        model = load_model(args.init_from)
        like = (model.decoder if isinstance(model, EncoderDecoder) else model).config.to_dict()
    return ModelConfig(
        **{field.name: like[field.name] for field in fields(ModelConfig) if field.name in like}
        | {"vocab_size": tokenizer.n_vocab}
        | {name: getattr(args, name) for name in SIZES}
        | dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), args.dropout)
    )


MOST_TOKENS = 2**16  # ids that fit into 16 bits


def open_tokenizer(name: str) -> Tokenizer:
    """One that text can be packed with; ``ValueError`` for those that have no marks between articles."""
    tokenizer = load_tokenizer(name)
    marks = dict(zip(SPECIAL_TOKENS, (tokenizer.end, tokenizer.pad, tokenizer.mask, tokenizer.start)))
    if missing := [mark for mark, id in marks.items() if id is None]:
        raise ValueError(f"the tokenizer {name} has no {missing[0]}: make one with python -m llm_core.tokenizer")
    if tokenizer.n_vocab > MOST_TOKENS:
        raise ValueError(
            f"the tokenizer {name} has {tokenizer.n_vocab:,} tokens: at most {MOST_TOKENS:,} can be packed"
        )
    return tokenizer


def new_model(args: argparse.Namespace, sizes: ModelConfig) -> torch.nn.Module:
    """With first weights drawn by the seed, or those of the model to start from."""
    torch.manual_seed(args.seed)
    model = build_model(args.model, sizes, args.encoder_layers)
    if args.init_from and not (args.out / STATE_FILE).exists():
        for name, value in like_model(args.init_from).items():
            if getattr(args, name) != value:
                raise ValueError(f"{name}={getattr(args, name)}: {args.init_from}, to start from, has {value}")
        model.load_state_dict(load_model(args.init_from).state_dict())
    return model


def check_same_run(folder: Path, settings: dict) -> None:
    """A folder belongs to one run: to resume it with other settings is a ``ValueError`` that names the first.

    How a ``wsd`` run ends may change until it begins to.
    """
    before = {**DEFAULTS, **read_settings(folder, "model", "data", "steps")}
    free: tuple[str, ...] = ()
    if before["schedule"] == settings.get("schedule") == "wsd":
        check_still_level(folder, before, settings)
        free = OF_THE_END
    for name, value in settings.items():
        if name not in free and before.get(name, value) != value:
            raise ValueError(
                f"{folder} holds a run with {name}={before[name]!r}, not {value!r}: "
                "resume it with the same settings, or give another --out"
            )


def check_still_level(folder: Path, before: dict, settings: dict) -> None:
    """``ValueError`` for another end of a ``wsd`` run if the steps it has taken would have been others with that."""
    if all(before[name] == settings[name] for name in OF_THE_END) or not (folder / STATE_FILE).exists():
        return
    step, old, new = read_progress(folder).step, *(s["steps"] - s["decay_steps"] for s in (before, settings))
    if step > old:
        raise ValueError(
            f"{folder} began to decay at step {old} and is at step {step}: it can no longer be extended; "
            f"--init-from {folder / 'model'} starts another run from the model it makes"
        )
    if step > new:
        raise ValueError(f"{folder} is at step {step}, but should decay from step {new} on: give more --steps")


def decayed(args: argparse.Namespace) -> argparse.Namespace:
    """The arguments of the run that ``--decay-now`` makes of the one in ``args.out``."""
    if "WORLD_SIZE" in os.environ:
        raise ValueError("--decay-now begins in one process; the folder it makes can be resumed by several")
    settings = {name: getattr(args, name) for name in (*OF_THE_RUN, *SIZES) if name not in OF_THE_RATE}
    check_same_run(args.out, settings)
    folder = decayed_copy(args.out, args.decay_steps, args.final_lr_fraction)
    return argparse.Namespace(**{**vars(args), **like_run(folder, *OF_THE_RUN), "out": folder, "decay_now": False})


def keep_others_out(folder: Path) -> AbstractContextManager:
    """While it lasts no other run may begin there: ``ValueError``, as for a folder that cannot be written.

    A killed process loses its lock by itself.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock").acquire(timeout=0)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise ValueError(f"cannot write into {folder} ({error.strerror}): give another --out") from None
    except Timeout:
        raise ValueError(
            f"another process is training in {folder}: wait until it ends, or give another --out"
        ) from None


def run(args: argparse.Namespace) -> bool:
    """Start or resume what the arguments describe; False if Ctrl-C stopped it before the last step."""
    keep_freed_memory()
    args = decayed(args) if args.decay_now else args
    tokenizer, config = open_tokenizer(args.tokenizer), train_config(args)
    sizes = model_config(args, tokenizer)
    settings = {**{name: getattr(args, name) for name in OF_THE_RUN}, **sizes.to_dict()}
    with ExitStack() as until_the_end:
        with join_workers(config.device) as (worker, device):
            if worker.leads:
                until_the_end.enter_context(keep_others_out(args.out))
                prepare(args, tokenizer, settings)
            worker.wait_for_others()
            model, stores = new_model(args, sizes), open_tokens(args.out)
            train, held_out = (batches_for(model, store, args.block_size, tokenizer, config.seed) for store in stores)
            trainer = Trainer(model, replace(config, device=device), train, held_out, args.out, worker, args.tokenizer)
            if worker.leads:
                write_settings(args.out, settings | {"num_tokens": [len(store) for store in stores]})
            trainer.run()
        if worker.leads:
            finish(trainer, args)
    return trainer.step == config.steps or not worker.leads  # torchrun kills the leader if another one fails before it


def prepare(args: argparse.Namespace, tokenizer: Tokenizer, settings: dict) -> None:
    """Make the tokens that are missing; ``ValueError`` if the run in the folder is another, or had others."""
    is_new = not (args.out / SETTINGS_FILE).exists()
    if not is_new:
        check_same_run(args.out, settings)
    make_tokens(args, tokenizer, anew=is_new)
    num_tokens = [len(store) for store in open_tokens(args.out)]
    before = num_tokens if is_new else read_settings(args.out).get("num_tokens", num_tokens)
    if before != num_tokens:
        raise ValueError(
            f"{args.out} was trained on {before[0]:,} tokens and judged on {before[1]:,}, and the data now makes "
            f"{num_tokens[0]:,} and {num_tokens[1]:,}: give it the same data, or another --out"
        )


def finish(trainer: Trainer, args: argparse.Namespace) -> None:
    """For a run that reached its end, write the model with its card; plot the history of any."""
    config = trainer.config
    if trainer.step < config.steps:
        print(f"stopped and saved at step {trainer.step} of {config.steps}; the same command resumes it", flush=True)
    else:
        save_model(trainer.model, args.out / "model", dtype=torch.float16, tokenizer=args.tokenizer)
        trained_on = describe_device(config.device, config.bf16, config.compile, trainer.worker.world_size)
        losses = write_card(args.out, trained_on, config.device)
        print(f"held-out loss {losses.loss:.4f} nats per target; the model is in {args.out / 'model'}")
        if config.schedule == "wsd" and not config.decay_steps:
            print("its learning rate has not decayed: more --steps extend the run, --decay-now lets a copy of it decay")
    plot_history(trainer.history.read(), args.out / "loss.png")


def main(arguments: list[str] | None = None) -> None:
    try:
        finished = run(parse_arguments(arguments))
    except KeyboardInterrupt:
        print("interrupted; the same command continues from the last save", file=sys.stderr)
        finished = False
    except (ValueError, OSError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    sys.exit(0 if finished else 130)  # 130 is a shell's number for Ctrl-C
