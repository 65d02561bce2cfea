"""Timelines of narrow models, recorded as those that ship are: every "step" is a model with other random weights."""

import json
from functools import cache
from pathlib import Path

import torch
from torch import nn

from llm_core import ModelConfig, load_model, load_tokenizer, save_model
from llm_core.analysis.roles import ARTICLES
from llm_core.text.articles import read_articles
from llm_core.timeline.command import write_timeline
from llm_core.train.data import TokenStore
from llm_core.train.loop import build_model

STEPS = [0, 1, 64, 1000]
FEW = [0, 1000]  # of all models but the decoder
TOKENS_A_STEP = 96
L, H, C = 2, 3, 24  # D = 8
WINDOW = 32
MODELS = ["encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross"]


def make_run(folder: Path, architecture: str) -> Path:
    """A folder as training leaves it, with its snapshots."""
    tokenizer = load_tokenizer()
    config = ModelConfig(vocab_size=tokenizer.n_vocab, block_size=WINDOW, n_layer=L, n_head=H, n_embd=C)
    for step in STEPS if architecture == "decoder" else FEW:
        torch.manual_seed(step)
        model = build_model(architecture, config)
        sharpen(model)
        save_model(model, folder / "snapshots" / f"{step:06d}", dtype=torch.float16)
    articles = list(read_articles(str(ARTICLES)))[:12]
    TokenStore.build(articles, tokenizer, folder / "tokens" / "validation")
    (folder / "run.json").write_text(json.dumps({"steps": STEPS[-1], "cycles": 2, "block_size": WINDOW, "seed": 0}))
    lines = [{"step": s, "tokens": s * TOKENS_A_STEP, "loss": 9 - 0.4 * s**0.25} for s in range(1, STEPS[-1] + 1, 9)]
    lines.append({"step": STEPS[-1], "tokens": STEPS[-1] * TOKENS_A_STEP, "loss": 6.5})
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def sharpen(model: nn.Module) -> None:
    """As freshly initialised, all rows would be even, and a mistake in the order of heads would not be seen."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.mul_(6 if "token" in name else 12)


def make_timelines(folder: Path) -> Path:
    """``folder``/timeline with one recording for each architecture, and the runs beside it."""
    for name in MODELS:
        write_timeline(make_run(folder / "runs" / name, name), folder / "timeline", name)
    return folder / "timeline"


@cache
def snapshot(run: Path, step: int) -> nn.Module:
    return load_model(run / "snapshots" / f"{step:06d}").eval()
