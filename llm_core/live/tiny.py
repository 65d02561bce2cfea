"""Choices -> a tiny model that trains, and from it a checkpoint that every page can open.

What was chosen wrongly is wrong in the computation alone, by the machinery of ``llm_core.mistakes``; the parameters
are those of a model like any other.
"""

import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from ..mistakes import known as mistakes
from ..model.attention import MultiHeadAttention
from ..model.blocks import Embedding
from ..model.checkpoints import Model, save_model
from .choices import Choices
from .tasks import TOKENIZER

SPREAD = 2  # times GPT-2's 0.02, which is meant for a width of 768: narrow models learn faster from larger weights


def new_model(choices: Choices) -> Model:
    """A model whose weights depend on the seed alone. Without positions, their table is zero and stays so."""
    torch.manual_seed(choices.seed)
    model = choices.build()
    for parameter in model.parameters():
        if parameter.dim() >= 2:
            parameter.data.mul_(SPREAD)
    for module in model.modules():
        if isinstance(module, Embedding) and not choices.positions:
            module.position_table.weight.requires_grad_(False).zero_()
    return model


def as_chosen(model: Model, choices: Choices) -> nn.Module:
    """What computes with the parameters of ``model``: itself, or a copy with the mistakes that were chosen."""
    names = [] if choices.scale else ["no-scale"]
    names += ["third-dropout"] if choices.dropout == "wrong" else []
    if not names:
        return model
    chosen = [mistakes.NAMED[name] for name in names]  # all in one function
    edits = tuple(edit for mistake in chosen for edit in mistake.edits)
    return mistakes.broken(model, replace(chosen[0], name=" and ".join(names), edits=edits))


def save(model: Model, choices: Choices, folder: str | Path, card: str) -> None:
    """Write a checkpoint that computes what the model in training does in eval mode.

    Scores that were not divided by √D are those of queries √D times as long, divided. Raises ``CheckpointError`` if the
    disk refuses.
    """
    if not choices.scale:
        model = unscaled(model, choices)
    save_model(model, folder, card=card, tokenizer=TOKENIZER.name)


@torch.no_grad()
def unscaled(model: Model, choices: Choices) -> Model:
    """A copy whose queries are √D times as long."""
    copy = choices.build()
    copy.load_state_dict(model.state_dict())
    for module in copy.modules():
        if isinstance(module, MultiHeadAttention):
            for parameter in module.q_proj.parameters():
                parameter.mul_(math.sqrt(choices.n_embd // choices.n_head))
    return copy.eval()
