"""The options of ``python -m llm_core.train``, and where those come from that are not given: a preset, a model to start
from, or the run that decays.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from ..model.architectures import EncoderDecoder
from ..model.checkpoints import load_model, tokenizer_name
from ..text.tokenizer import BYTES, OURS
from .config import TrainConfig
from .loop import ARCHITECTURES, architecture_of
from .presets import PRESETS, preset
from .run_state import SETTINGS_FILE, read_settings

HELP = {
    "steps": "updates in all",
    "schedule": "of the learning rate: cosine falls throughout; wsd stays level, and can be extended until it decays",
    "cycles": "with cosine: how often the rate warms up and falls",
    "decay_steps": "with wsd: the last steps, in which the rate falls",
    "batch_size": "sequences per update, over all processes",
    "micro_batch_size": "sequences at a time in one process; gradients are accumulated over the rest",
    "learning_rate": "the highest, after the warm-up",
    "final_lr_fraction": "share of it that the schedule ends with",
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
    "eval_every": "updates between two evaluations on the held-out articles",
    "eval_batches": "micro-batches in each evaluation",
    "save_every": "updates between two saves of the state",
    "snapshots": "steps at which the model is kept, for a timeline",
    "optimizer": "adamw, or muon for the matrices of the blocks",
}


OF_THE_RUN = (  # what the loss depends on; how often is looked or saved, and on what machine, may change on the way
    *("model", "encoder_layers", "data", "validation", "held_out", "text_column", "title_column", "tokenizer"),
    *("init_from", "steps", "schedule", "cycles", "decay_steps", "seed", "batch_size"),
    *("optimizer", "learning_rate", "final_lr_fraction", "warmup_steps", "weight_decay", "beta1", "beta2", "grad_clip"),
)
OF_THE_END = ("steps", "decay_steps", "final_lr_fraction")  # of these, what a wsd run depends on when it decays
OF_THE_RATE = ("schedule", "cycles", "learning_rate", "warmup_steps", *OF_THE_END)  # what a copy that decays has anew
DEFAULTS = {  # of runs that were begun before there was a choice
    **{option.name: option.default for option in fields(TrainConfig)},
    **{"text_column": "text", "title_column": "title", "tokenizer": OURS, "init_from": None},
}
SIZES = {"n_layer": 6, "n_head": 8, "n_embd": 256, "block_size": 256}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """What is given counts, then what the run that decays says, then the model to start from, then the preset."""
    first = _parser(needs_data=False).parse_known_args(arguments)[0]
    parser = _parser(needs_data=not first.decay_now)
    if first.preset:
        parser.set_defaults(**preset(first.preset, first.schedule))
    if first.init_from:
        begun = (first.out / SETTINGS_FILE).exists()  # then the model may be gone by now
        names = ("model", "tokenizer", "encoder_layers")
        parser.set_defaults(**(like_run(first.out, *names) if begun else like_model(first.init_from)))
    if first.decay_now:
        parser.set_defaults(**like_run(first.out, *OF_THE_RUN), dropout=read_settings(first.out).get("resid_pdrop", 0))
    return parser.parse_args(arguments)


def _parser(needs_data: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m llm_core.train",
        description="Train a Transformer on articles, or any text. The same command again resumes a run that was "
        "stopped.",
    )
    parser.add_argument("--preset", choices=PRESETS, help="architecture, sizes and recipe of a model that ships")
    parser.add_argument("--model", choices=ARCHITECTURES, default="decoder", help="which architecture (decoder)")
    parser.add_argument("--init-from", metavar="NAME", help="start from the weights of a shipped model or a folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run")
    parser.add_argument(
        "--decay-now",
        action="store_true",
        help="copy the run in --out, let the copy's learning rate decay over --decay-steps, and make it a model",
    )
    _add_data(parser.add_argument_group("data"), needs_data)
    sizes = parser.add_argument_group("size")
    for name, default in SIZES.items():
        sizes.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help="(%(default)s)")
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
    return parser


def _add_data(group: argparse._ArgumentGroup, needed: bool) -> None:
    group.add_argument(
        "--data",
        nargs="+",
        required=needed,
        help="Hub id, folder or files (JSON, CSV, Parquet, plain text), or the packed RUN/tokens/train of another run",
    )
    group.add_argument("--validation", nargs="+", help="held-out articles; default: a share of --data, by title")
    group.add_argument("--held-out", type=float, default=0.005, help="that share (%(default)s)")
    group.add_argument("--text-column", default="text", help="what the text is called in the data (%(default)s)")
    group.add_argument("--title-column", default="title", help="and its title, where it has one (%(default)s)")
    group.add_argument("--tokenizer", default=OURS, help=f"{OURS}, {BYTES}, or a .tiktoken rank file (%(default)s)")


def like_model(name: str) -> dict:
    """The options that describe a model."""
    model = load_model(name)
    stacks = [model.encoder, model.decoder] if isinstance(model, EncoderDecoder) else [model]
    sizes = {size: getattr(stacks[-1].config, size) for size in SIZES}
    layers = {"encoder_layers": stacks[0].config.n_layer} if len(stacks) > 1 else {}
    return {"model": architecture_of(model), "tokenizer": tokenizer_name(name), **sizes, **layers}


def like_run(folder: Path, *names: str) -> dict:
    """The options that a run was begun with."""
    settings = read_settings(folder, *SIZES, "model", "data", "steps", "learning_rate")
    return {name: settings[name] for name in (*names, *SIZES) if name in settings}
