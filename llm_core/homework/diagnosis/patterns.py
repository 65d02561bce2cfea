"""A student's attention with the weights of the trained model: who looks at whom, beside what is right."""

from functools import cache

import torch
from torch import Tensor, nn

from .shown import plain

TEXT = "How to keep a cat warm in winter"


@cache
def _right() -> tuple[list[str], list[nn.Module], list[Tensor], list[Tensor]]:
    """Tokens; each layer's weights, input (1, T, C) and pattern (1, H, T, T)."""
    from ...model.checkpoints import MODELS, load_model
    from ...model.recording import record
    from ...text.tokenizer import load_tokenizer

    model, tokenizer = load_model(MODELS / "decoder"), load_tokenizer()
    ids = tokenizer.encode(TEXT)
    with torch.no_grad(), record(model) as trace:
        model(torch.tensor([ids]))
    inputs = [trace[f"blocks.{i}.ln_1"] for i in range(len(model.blocks))]
    found = [trace[f"blocks.{i}.attn.pattern"] for i in range(len(model.blocks))]
    return [tokenizer.decode([i]) for i in ids], [block.attn for block in model.blocks], inputs, found


def patterns(student) -> dict | None:
    """The layer and head where the student's pattern differs most, as a report has it; None where it is the same.

    ``student`` answers (``Answers`` or ``Apart``).
    """
    try:
        tokens, layers, inputs, right = _right()
    except (ImportError, OSError):  # an autograder has no trained model
        return None
    most, told = 1e-3, None
    given = [_weights(layer) for layer in layers]
    for i, (expected, found) in enumerate(zip(right, student.patterns(layers[0].n_head, given, inputs))):
        if not isinstance(found, Tensor) or found.dim() != 4 or found.shape[2:] != expected.shape[2:]:
            return None
        for h in range(min(expected.shape[1], found.shape[1])):
            distance = (found[0, h] - expected[0, h]).abs().nan_to_num(1.0).mean().item()
            if distance > most:
                most = distance
                pair = {"expected": plain(expected[0, h]), "found": plain(found[0, h])}
                told = {"tokens": tokens, "layer": i, "head": h, **pair}
    return told


def _weights(layer: nn.Module) -> dict[str, Tensor]:
    """By the names of the homework."""
    ours = {"q": layer.q_proj, "k": layer.k_proj, "v": layer.v_proj, "c_proj": layer.out_proj}
    return {f"{name}.{key}": x for name, linear in ours.items() for key, x in linear.state_dict().items()}
