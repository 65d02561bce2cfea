"""One run of a block, every operation noted: where a fault shows first, in the tensors and in the student's lines.

A fault's *marks* are the tensors that appear in our blocks with the fault switched on, and not in the right ones. The
first of them that the student's run has too is the place to show, and the line that made it.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property

import torch
from torch import Tensor, nn

from . import probes
from .probes import LENGTHS, C, P, T
from .solution import Names, solution
from .watching import Step, Steps


@dataclass
class Walk:
    """What happened: all steps, and the landmarks, tensors that every way of writing the block passes."""

    steps: list[Step]
    landmarks: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def _by_shape(self) -> dict[torch.Size, tuple[list[Step], Tensor]]:
        """All steps of one shape stacked, so that one look compares with all of them."""
        groups: dict[torch.Size, list[Step]] = {}
        for step in self.steps:
            groups.setdefault(step.tensor.squeeze().shape, []).append(step)
        return {shape: (steps, torch.stack([_flat(step.tensor) for step in steps])) for shape, steps in groups.items()}

    def steps_with(self, tensor: Tensor) -> list[Step]:
        """Those that gave the same numbers in the same shape, dimensions of size 1 aside."""
        steps, stacked = self._by_shape.get(tensor.squeeze().shape, ([], None))
        return [steps[int(i)] for i in _close(stacked, _flat(tensor)).all(1).nonzero()] if steps else []


@dataclass(frozen=True)
class Place:
    """Where a student's run parts from the right one."""

    name: str
    expected: Tensor
    found: Tensor
    line: int | None


def walk(block: str, names: Names, file: str | None = None) -> Walk:
    """Dropout is on, and visible as a factor (see ``Steps``). An error ends the walk early."""
    seen: dict[str, Tensor] = {}
    run, steps = _RUNS[block](names, seen), Steps(file)
    with suppress(Exception):  # the probe has it, and tells
        next(run)
        torch.manual_seed(1)
        with steps:
            for name, tensor in run:
                seen[name] = tensor.detach().clone()
    return Walk(steps.steps, _LANDMARKS.get(block, lambda _, seen: seen)(steps.steps, seen))


def marks(block: str, faults: frozenset[str]) -> list[tuple[Tensor, Tensor]]:
    """(the wrong tensor, the right one in its place), in order."""
    right, wrong = _walked(block, frozenset()), _walked(block, faults)
    missed = [step.tensor for step in right.steps if not wrong.steps_with(step.tensor)]
    marks = [step.tensor for step in wrong.steps if not right.steps_with(step.tensor)]
    return [(mark, _counterpart(mark, missed)) for mark in marks if missed]


def place_of(block: str, faults: frozenset[str], student: Walk, shown: str) -> Place | None:
    """The first mark of the faults in the student's walk, under the name ``shown`` if that has as many dimensions."""
    for mark, right in marks(block, faults):
        step = next((step for step in student.steps_with(mark) if step.line), None)
        if step:
            fits = "(" not in shown or shown.count(",") + 1 == mark.dim()
            return Place(shown if fits else "a tensor on the way", right, step.tensor, step.line)
    return None


def first_landmark(block: str, student: Walk) -> Place | None:
    """The first landmark that differs from the right one."""
    for name, right in _walked(block, frozenset()).landmarks.items():
        found = student.landmarks.get(name)
        if found is not None and not same(found, right):
            return Place(name, right, found, line_of(found, student))
    return None


def line_of(tensor: Tensor, student: Walk) -> int | None:
    return next((step.line for step in student.steps_with(tensor) if step.line), None)


def same(a: Tensor, b: Tensor) -> bool:
    """Equal numbers and equal shapes, dimensions of size 1 aside."""
    return a.squeeze().shape == b.squeeze().shape and bool(_close(_flat(a), _flat(b)).all())


def _flat(x: Tensor) -> Tensor:
    return x.double().flatten().nan_to_num(nan=1e30, posinf=2e30, neginf=-1e30)


def _close(a: Tensor, b: Tensor) -> Tensor:
    return torch.isclose(a, b, rtol=1e-4, atol=2e-5)


def _counterpart(mark: Tensor, missed: list[Tensor]) -> Tensor:
    """The first of the same shape, best with the same cells hidden: scores are there with the mask and without."""
    alike = [right for right in missed if right.squeeze().shape == mark.squeeze().shape] or missed[:1]
    hidden = mark.isfinite().flatten()
    return next((right for right in alike if torch.equal(right.isfinite().flatten(), hidden)), alike[0])


@cache
def _walked(block: str, faults: frozenset[str]) -> Walk:
    return walk(block, solution(faults))


# --- how each block is run: first all is built, then come landmarks ----------------------------------------------

Run = Iterator[tuple[str, Tensor] | None]


def _embedding(names: Names, _seen: dict) -> Run:
    layer, tokens = probes.randomised(names.Embedding(probes.config())).train(), probes.ids(probes.B, T, 31)
    yield None
    yield "embedding (B, T, C)", layer(tokens)


def _attention(names: Names, seen: dict) -> Run:
    layer = probes.randomised(names.GenericSelfAttention(probes.config())).train()
    _listen(layer, {"q": "queries (B, T, C)", "k": "keys (B, T, C)", "v": "values (B, T, C)"}, seen)
    layer.c_proj.register_forward_pre_hook(
        lambda _, given: seen.setdefault("heads merged (B, T, C)", given[0].detach().clone())
    )
    x, mask = probes.numbers(probes.B, T, C), probes.mask()
    yield None
    yield "output (B, T, C)", layer(x, mask)


def _block(names: Names, seen: dict) -> Run:
    layer = probes.randomised(names.TransformerBlock(probes.config())).train()
    _listen(layer, {"ln_1": "ln_1 (B, T, C)", "attn": "attention (B, T, C)", "ln_2": "ln_2 (B, T, C)"}, seen)
    x, mask = probes.numbers(probes.B, T, C), probes.mask()
    yield None
    yield "output (B, T, C)", layer(x, mask)


def _transformer(names: Names, seen: dict) -> Run:
    model = probes.whole(names)
    _listen(model.transformer, {"embedding": "embedding (B, T, C)"}, seen)
    for i, layer in enumerate(model.transformer["h"]):
        _listen(nn.ModuleDict({"layer": layer}), {"layer": f"after block {i} (B, T, C)"}, seen)
    tokens, targets = probes.padded(probes.ids(probes.B, T, 31)), probes.padded(probes.ids(probes.B, T, 31, seed=2))
    cache = probes.numbers(probes.B, P, C)
    yield None
    yield "hidden states (B, T, C)", model(tokens.clone(), return_hidden=True)
    logits, loss = model(tokens.clone(), targets.clone())
    yield "logits (B, T, V)", logits
    yield "loss", loss
    logits, loss = model(tokens.clone(), targets.clone(), hidden_cache=cache.clone())
    yield "logits with a cache (B, P+T, V)", logits
    yield "loss with a cache", loss


def _mask_of(name: str) -> Callable[[Names, dict], Run]:
    def run(names: Names, _seen: dict) -> Run:
        model = probes.with_a_mask(getattr(names, name))
        yield None
        yield "mask (B, 1, T, T)", model.get_attention_mask(LENGTHS.clone())

    return run


def _generation(names: Names, _seen: dict) -> Run:
    model, prompt = probes.Fixed(5).eval(), probes.PROMPT.repeat(9, 1)
    yield None
    yield "tokens written", names.generate(model, prompt, 2, 0.5)


def _encoder_decoder(names: Names, seen: dict) -> Run:
    model, (prefix, targets) = probes.pair(names), probes.title_and_text()
    _listen(model, {"encoder": "encoder's hidden states (B, P, C)"}, seen)
    yield None
    logits, loss = model(prefix.clone(), targets.clone())
    yield "logits (B, P+T, V+1)", logits
    yield "loss", loss


def _prefix_generation(names: Names, _seen: dict) -> Run:
    model, prefix = probes.FixedPair().eval(), probes.PREFIX.repeat(9, 1)
    yield None
    yield "tokens written", names.prefix_generate(model, prefix, 3, 0.5)


def _listen(model: nn.Module, titles: dict[str, str], seen: dict) -> None:
    for name, title in titles.items():

        def note(_module, _given, out, title=title) -> None:
            if isinstance(out, Tensor):
                seen.setdefault(title, out.detach().clone())

        getattr(model, name, model[name] if isinstance(model, nn.ModuleDict) else None).register_forward_hook(note)


def _with_pattern(steps: list[Step], seen: dict[str, Tensor]) -> dict[str, Tensor]:
    """Attention's landmarks in order; scores and pattern are what the softmax was given, and made."""
    found = [step for step in steps if step.operation == "softmax" and step.given is not None]
    if found:
        seen = {
            **seen,
            "what goes into the softmax (B, H, T, T)": found[0].given,
            "pattern (B, H, T, T)": found[0].tensor,
        }
    order = ["queries", "keys", "values", "what goes", "pattern", "heads merged", "output"]
    return dict(
        sorted(seen.items(), key=lambda item: next(i for i, word in enumerate(order) if item[0].startswith(word)))
    )


_RUNS: dict[str, Callable[[Names, dict], Run]] = {
    "embedding": _embedding,
    "attention": _attention,
    "block": _block,
    "transformer": _transformer,
    "encoder mask": _mask_of("Encoder"),
    "decoder mask": _mask_of("Decoder"),
    "generate": _generation,
    "encoder-decoder": _encoder_decoder,
    "prefix generate": _prefix_generation,
}

_LANDMARKS = {"attention": _with_pattern}
