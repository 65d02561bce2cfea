"""What a timeline records of one snapshot: attention and predictions on a prompt, head roles, and a sample text."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..analysis.roles import Roles, head_roles
from ..generation.sampling import fill_masks, generate
from ..model.architectures import Encoder, EncoderDecoder, Stack
from ..model.checkpoints import Model
from ..model.recording import Trace, record
from ..text.tokenizer import Tokenizer
from .prompts import TITLE, Prompt

TOP = 12  # candidates kept at each place
SETTINGS: dict[str, Any] = {"seed": 1, "temperature": 0.8, "top_p": 0.95, "max_new_tokens": 48}
GAPS = "Wash your hands with{mask} and water. Let the cake{mask} for an hour. Cut the paper in{mask} with scissors."


@dataclass(frozen=True, kw_only=True, slots=True)
class Attention:
    """One kind of attention of a model: "encoder", "decoder" or "cross"."""

    name: str
    tensor: str  # its hook points; {layer} counts from 0
    n_layer: int
    n_head: int
    mask: str  # "causal" or "none"


def kinds_of_attention(model: Model) -> list[Attention]:
    """Those that this architecture has, in the order encoder, decoder, cross."""

    def kind(name: str, stack: Stack, tensor: str, mask: str = "none") -> Attention:
        return Attention(name=name, tensor=tensor, n_layer=stack.config.n_layer, n_head=stack.config.n_head, mask=mask)

    if isinstance(model, Encoder):
        return [kind("encoder", model, "blocks.{layer}.attn.pattern")]
    if not isinstance(model, EncoderDecoder):
        return [kind("decoder", model, "blocks.{layer}.attn.pattern", "causal")]
    kinds = [
        kind("encoder", model.encoder, "encoder.blocks.{layer}.attn.pattern"),
        kind("decoder", model.decoder, "decoder.blocks.{layer}.attn.pattern", "causal"),
    ]
    if model.conditioning == "cross":
        kinds.append(kind("cross", model.decoder, "decoder.blocks.{layer}.cross_attn.pattern"))
    return kinds


@torch.no_grad()
def record_prompt(model: Model, prompt: Prompt) -> dict[str, np.ndarray]:
    """What ``model`` computes on a prompt, as it is stored:

    attention.<kind>  (L, H, T, S) uint16, 65535 being 1; causal: (L, H, M(M+1)/2), where M counts a prefix too
    next.ids  (Q, 12) int32 and next.probs float32, of the full softmax at each of the Q places
    truth.probs  (Q,) float32 and truth.ranks int32, 1 being the likeliest; both 0 where the truth is not known
    """
    kinds = kinds_of_attention(model)
    inputs = [torch.tensor([ids]) for ids in (prompt.source, prompt.ids) if ids]
    with record(model, [kind.tensor.format(layer="*") for kind in kinds]) as trace:
        logits = model(*inputs)[0].float()  # (T, V)
    attention = {f"attention.{kind.name}": _pattern(trace, kind) for kind in kinds}
    return attention | _expected(logits[prompt.places].softmax(-1), prompt.truth)


def _pattern(trace: Trace, kind: Attention) -> np.ndarray:
    layers = [trace[kind.tensor.format(layer=i)][0].float().numpy() for i in range(kind.n_layer)]
    pattern = np.rint(np.stack(layers) * np.float32(65535)).astype(np.uint16)  # (L, H, T, S)
    if kind.mask != "causal":
        return pattern
    queries, keys = np.tril_indices(pattern.shape[-1])
    return pattern[..., queries, keys]


def _expected(probs: Tensor, truth: list[int | None]) -> dict[str, np.ndarray]:
    """``probs`` (Q, V)."""
    best = probs.topk(min(TOP, probs.shape[1]), dim=-1)
    known = torch.tensor([id is not None for id in truth])
    of_truth = probs.gather(1, torch.tensor([[id or 0] for id in truth]))  # (Q, 1)
    ranks = 1 + (probs > of_truth).sum(1)
    return {
        "next.ids": best.indices.int().numpy(),
        "next.probs": best.values.numpy(),
        "truth.probs": (of_truth[:, 0] * known).numpy(),
        "truth.ranks": (ranks * known).int().numpy(),
    }


def write_sample(model: Model, tokenizer: Tokenizer) -> str | list[dict]:
    """What the model writes under the title ``TITLE``, unedited; an encoder: the likeliest token of each gap."""
    if isinstance(model, Encoder):
        return _fill_gaps(model, tokenizer)
    if isinstance(model, EncoderDecoder):
        source = tokenizer.encode(TITLE)
        new = generate(model, [source], decoder_ids=[tokenizer.start], stop=tokenizer.end, **SETTINGS)[0]
    else:
        start = [tokenizer.start, *tokenizer.encode(f"{TITLE}\n")]
        new = generate(model, [start], stop=tokenizer.end, **SETTINGS)[0][len(start) :]
    return tokenizer.decode(new)


def _fill_gaps(model: Encoder, tokenizer: Tokenizer) -> list[dict]:
    first, *rest = (tokenizer.encode(part) for part in GAPS.split("{mask}"))
    ids = torch.tensor([*first, *(id for part in rest for id in (tokenizer.mask, *part))][: model.config.block_size])
    best = [(int(gap.best_ids[0]), gap.probabilities) for gap in fill_masks(model, ids, tokenizer.mask)]
    return [{"text": tokenizer.piece(id), "p": round(float(probs[id]), 6)} for id, probs in best]


def measure_roles(model: Model, tokenizer: Tokenizer) -> dict[str, Roles]:
    """By kind of attention; of cross-attention, which looks at another text, the roles say nothing."""
    names = [kind.name for kind in kinds_of_attention(model) if kind.name != "cross"]
    stack_of = (lambda name: name) if isinstance(model, EncoderDecoder) else (lambda name: "")
    return {name: head_roles(model, tokenizer, stack=stack_of(name)) for name in names}
