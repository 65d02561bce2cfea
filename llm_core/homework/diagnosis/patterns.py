"""A student's attention with the weights of the trained model: who looks at whom, beside what is right."""

from functools import cache
from types import ModuleType, SimpleNamespace

import torch
from torch import Tensor, nn

from ...model.checkpoints import MODELS, load_model
from ...model.recording import record
from ...text.tokenizer import load_tokenizer
from .shown import plain
from .watching import Steps

TEXT = "How to keep a cat warm in winter"


@cache
def _right() -> tuple[list[str], list[nn.Module], list[Tensor], list[Tensor]]:
    """Tokens; each layer's weights, input (1, T, C) and pattern (1, H, T, T)."""
    model, tokenizer = load_model(MODELS / "decoder"), load_tokenizer()
    ids = tokenizer.encode(TEXT)
    with torch.no_grad(), record(model) as trace:
        model(torch.tensor([ids]))
    inputs = [trace[f"blocks.{i}.ln_1"] for i in range(len(model.blocks))]
    found = [trace[f"blocks.{i}.attn.pattern"] for i in range(len(model.blocks))]
    return [tokenizer.decode([i]) for i in ids], [block.attn for block in model.blocks], inputs, found


def patterns(student: ModuleType) -> dict | None:
    """The layer and head where the student's pattern differs most, as a report has it; None where it is the same."""
    tokens, layers, inputs, right = _right()
    most, told = 1e-3, None
    for i, (layer, x, expected) in enumerate(zip(layers, inputs, right)):
        found = _pattern(student, layer, x)
        if found is None:
            return None
        for h in range(min(expected.shape[1], found.shape[1])):
            distance = (found[0, h] - expected[0, h]).abs().nan_to_num(1.0).mean().item()
            if distance > most:
                most = distance
                pair = {"expected": plain(expected[0, h]), "found": plain(found[0, h])}
                told = {"tokens": tokens, "layer": i, "head": h, **pair}
    return told


def _pattern(student: ModuleType, layer: nn.Module, x: Tensor) -> Tensor | None:
    """(1, H, T, T): the last tensor of that kind that the student's attention makes."""
    H, (T, C) = layer.n_head, x.shape[1:]
    sizes = SimpleNamespace(n_embd=C, n_head=H, attn_pdrop=0.0, resid_pdrop=0.0, embd_pdrop=0.0, block_size=T)
    sizes.vocab_size, sizes.n_layer = 1, 1
    attention = student.GenericSelfAttention(sizes).eval()
    ours = {"q": layer.q_proj, "k": layer.k_proj, "v": layer.v_proj, "c_proj": layer.out_proj}
    for name, linear in ours.items():
        getattr(attention, name).load_state_dict(linear.state_dict())
    with torch.no_grad(), Steps() as steps:
        attention(x.clone(), torch.ones(T, T).tril()[None, None])
    square = [step.tensor for step in steps.steps if step.tensor.is_floating_point() and step.tensor.dim() == 4]
    return next((x for x in reversed(square) if x.shape[0] == 1 and x.shape[2:] == (T, T)), None)
