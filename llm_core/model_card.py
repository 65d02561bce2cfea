"""The card beside a trained model: what it learned from, how long, how well, and what it writes, unedited."""

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from .architectures import Encoder, EncoderDecoder
from .checkpoints import num_parameters, write_files
from .data import MaskedBatches, PackedBatches, PairBatches, TokenStore
from .sampling import fill_masks, generate
from .tokenizer import Tokenizer

if TYPE_CHECKING:
    from .training import Trainer

PROMPTS = ("How to Make a Paper Boat", "How to Grow Tomatoes", "How to Study for an Exam")
MASKED = (
    "Wash your hands with{mask} and water.",
    "Cut the paper in{mask} with scissors.",
    "Let the cake{mask} for an hour.",
)
SAMPLING = {"temperature": 0.8, "top_p": 0.95}


@dataclass(frozen=True)
class HeldOutFacts:
    """What a run measured; ``loss`` is nats per target over all held-out windows."""

    loss: float
    num_targets: int
    bytes_per_token: float
    data: str
    tokens_seen: int
    steps: int
    seconds: float
    device: str

    @property
    def bits_per_byte(self) -> float:
        return self.loss / math.log(2) / self.bytes_per_token


def held_out_facts(trainer: "Trainer", sources: list[str]) -> HeldOutFacts:
    """Measure the model in float32 on the held-out articles, each window once, as far as they fill batches."""
    from .training import evaluate

    config, batches = trainer.config, trainer.held_out_batches
    store, num_windows = _extent(batches)
    B = min(8, num_windows)
    loss, num_targets = evaluate(trainer.model, batches, num_windows // B, B, config.device)
    return HeldOutFacts(
        loss=loss,
        num_targets=num_targets,
        bytes_per_token=store.num_bytes / len(store),
        data=", ".join(Path(source).name if Path(source).exists() else source for source in sources),
        tokens_seen=trainer.num_tokens,
        steps=trainer.step,
        seconds=trainer.seconds,
        device=describe_device(config.device, config.bf16, config.compile, trainer.worker.world_size),
    )


def _extent(batches: PackedBatches | MaskedBatches | PairBatches) -> tuple[TokenStore, int]:
    """The store behind the batches, and how many windows or articles an epoch has."""
    if isinstance(batches, PairBatches):
        return batches.store, len(batches.store.bounds)
    windows = batches.windows if isinstance(batches, MaskedBatches) else batches
    return windows.store, windows.num_windows


def describe_device(device: str, bf16: bool, compiled: bool, num_processes: int = 1) -> str:
    hardware = torch.cuda.get_device_name(device) if device.startswith("cuda") else f"CPU, {os.cpu_count()} cores"
    several = f"{num_processes} × " if num_processes > 1 else ""
    precision = "bf16 autocast" if bf16 else "float32"
    return f"{several}{hardware}, {precision}{', torch.compile' if compiled else ''}"


def model_card(name: str, model: nn.Module, facts: HeldOutFacts, tokenizer: Tokenizer) -> str:
    """The card as Markdown."""
    what = "masked token" if isinstance(model, Encoder) else "token"
    return f"""---
license: cc-by-nc-sa-3.0
---
# {name}

A small Transformer ({num_parameters(model) / 1e6:.1f} M parameters), trained by Headscope to be looked into, not to be
relied on.

| | |
|---|---|
| Data | how-to articles in the form of WikiHow (Koupaee & Wang 2018, arXiv:1810.09305): {facts.data} |
| Tokens seen | {facts.tokens_seen:,} in {facts.steps:,} steps |
| Trained on | {facts.device} |
| Wall time | {facts.seconds / 3600:.2f} hours |
| Held-out loss | {facts.loss:.4f} nats per {what} ({facts.num_targets:,} places in articles never trained on) |
{_text_measures(model, facts)}| Vocabulary | our byte-level BPE of {tokenizer.n_vocab:,} tokens |

## What it writes

Unedited. {_how_sampled(model)}

{_samples(model, tokenizer)}

## Licence and limits

The weights are shared under the terms of the text that they learned from. WikiHow's is CC BY-NC-SA 3.0 (non-commercial,
name wikiHow, share alike); it was changed here: cleaned, filtered and cut into tokens. The model is small and has seen
little text: what it says is often wrong, sometimes unsafe to follow, and never advice.
"""


def _text_measures(model: nn.Module, facts: HeldOutFacts) -> str:
    """Bits per byte and perplexity, which only mean something where every token of a text is predicted."""
    if isinstance(model, (Encoder, EncoderDecoder)):
        return ""
    return f"| Bits per byte | {facts.bits_per_byte:.4f} |\n| Perplexity | {math.exp(facts.loss):.2f} per token |\n"


def _how_sampled(model: nn.Module) -> str:
    if isinstance(model, Encoder):
        return "The five likeliest tokens for the masked place."
    return ", ".join(f"{name} {value}" for name, value in SAMPLING.items()) + ", seeds 1, 2, 3."


def _samples(model: nn.Module, tokenizer: Tokenizer) -> str:
    if isinstance(model, Encoder):
        return "\n".join(_filled(model, tokenizer, text) for text in MASKED)
    written = (_written(model, tokenizer, prompt, seed) for seed, prompt in enumerate(PROMPTS, 1))
    return "\n\n".join(f"**{prompt}**\n\n```text\n{text}\n```" for prompt, text in zip(PROMPTS, written))


def _written(model: nn.Module, tokenizer: Tokenizer, prompt: str, seed: int) -> str:
    """160 tokens after a title."""
    settings = {"max_new_tokens": 160, "seed": seed, "stop": tokenizer.end, **SAMPLING}
    if isinstance(model, EncoderDecoder):
        ids = generate(model, [tokenizer.encode(prompt)], decoder_ids=[tokenizer.start], **settings)[0]
    else:
        start = [tokenizer.start, *tokenizer.encode(f"{prompt}\n")]
        ids = generate(model, [start], **settings)[0][len(start) :]
    return tokenizer.decode([id for id in ids if not tokenizer.is_special(id)]).strip()


def _filled(model: Encoder, tokenizer: Tokenizer, text: str) -> str:
    before, after = text.split("{mask}")
    ids = torch.tensor([*tokenizer.encode(before), tokenizer.mask, *tokenizer.encode(after)])
    best = fill_masks(model, ids, tokenizer.mask)[0].best_ids[:5]
    return f"- {before} **[mask]**{after} → {', '.join(repr(tokenizer.piece(id)) for id in best.tolist())}"


def plot_history(history: list[dict], path: Path) -> None:
    """Training and held-out loss over tokens, as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for key, label in (("loss", "training"), ("held_out_loss", "held out")):
        entries = [entry for entry in history if key in entry]
        axes.plot(
            [e["tokens"] / 1e6 for e in entries],
            [e[key] for e in entries],
            label=label,
            marker="." if len(entries) < 40 else "",
        )
    axes.set(xlabel="tokens seen (millions)", ylabel="loss (nats per token)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(picture := io.BytesIO(), dpi=120)
    write_files(path.parent, {path.name: picture.getvalue()})
