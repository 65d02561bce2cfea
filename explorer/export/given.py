"""Whatever ``show`` is handed, as named stacks of patterns: a table of kinds, each with what reads it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .layers import EMPTY, Choice, Pattern, pattern_of

# stacks, by the fields of an output of transformers; an output has the first alone or some of the others
FIELDS = {
    "attentions": "",
    "encoder_attentions": "encoder",
    "decoder_attentions": "decoder",
    "cross_attentions": "cross",
}
RECORDED = re.compile(r"(?:(encoder|decoder)\.)?blocks\.(\d+)\.(cross_)?attn\.pattern")
JOINED = "joined[{layer}]"  # the rows of the steps of generate, under each other


@dataclass(frozen=True)
class Given:
    """Patterns by stack, and what is known beside them: ids and logits (T, V) by "", "encoder" or "decoder"."""

    patterns: dict[str, Pattern]
    ids: dict[str, list[int]] = field(default_factory=dict)
    logits: dict[str, Any] = field(default_factory=dict)


def given_of(attention: Any, choice: Choice) -> Given:
    """The first of KINDS that fits. Raises ``ValueError`` for what holds no attention."""
    read = next(read for fits, read in KINDS if fits(attention))
    return read(attention, choice)


def _of_trace(trace: Any, choice: Choice) -> Given:
    """A ``Trace`` of ``record``."""
    layers: dict[str, dict[int, Any]] = {}
    for name, tensor in trace.items():
        if match := RECORDED.fullmatch(name):
            stack, layer, crosses = match.groups()
            layers.setdefault("cross" if crosses else stack or "", {})[int(layer)] = tensor
    if not layers:
        raise ValueError("this trace holds no attention pattern: record without names, or with '*attn.pattern'")
    patterns = {}
    for stack, found in layers.items():
        name = f"{_part(stack)}blocks.{{layer}}.{'cross_attn' if stack == 'cross' else 'attn'}.pattern"
        patterns[stack] = pattern_of(list(found.values()), choice, name, list(found))
    row = choice.batch or 0
    sides = ("", "encoder", "decoder")
    known = {side: trace[f"{_part(side)}embedding.ids"] for side in sides if f"{_part(side)}embedding.ids" in trace}
    logits = {side: trace[f"{_part(side)}logits"][row] for side in sides if f"{_part(side)}logits" in trace}
    return Given(patterns, {side: ids[row].tolist() for side, ids in known.items()}, logits)


def _part(stack: str) -> str:
    """What stands before the names of a stack; cross-attention is the decoder's."""
    return {"": "", "cross": "decoder."}.get(stack, f"{stack}.")


def _of_output(output: Any, choice: Choice) -> Given:
    """What a model of transformers, or its ``generate``, gives."""
    found = {name: value for name in FIELDS if (value := _field(output, name)) is not None}
    if not found:
        raise ValueError(
            "this output holds no attentions: call the model with output_attentions=True, and generate with "
            "return_dict_in_generate=True, too"
        )
    if not any(map(len, found.values())):
        raise ValueError(EMPTY)
    beams, ids = _field(output, "beam_indices"), _field(output, "sequences")
    patterns = {
        FIELDS[name]: joined(value, choice, f"output.{name}", None if beams is None else beams.tolist())
        if _is_steps(value)
        else pattern_of(value, _of_text(choice, value, ids), f"output.{name}")
        for name, value in found.items()
        if len(value)
    }
    row, side = choice.batch or 0, "decoder" if "decoder" in patterns else ""
    logits = _field(output, "logits")
    known = {side: ids[row].tolist()} if ids is not None else {}
    is_by_token = getattr(logits, "ndim", 0) == 3  # generate gives a tuple, a classifier (B, labels)
    return Given(patterns, known, {side: logits[row]} if is_by_token else {})


def _of_text(choice: Choice, layers: Any, written: Any) -> Choice:
    """Several sequences may have been written for one text: the encoder has one row for all of them."""
    if written is None or choice.batch is None or layers[0] is None:
        return choice
    return replace(choice, batch=choice.batch * len(layers[0]) // len(written))


def _field(output: Any, name: str) -> Any:
    return output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)


def _is_steps(attention: Any) -> bool:
    """Whether it is what ``generate`` gives: for each step, for each layer, a tensor."""
    return isinstance(attention, (list, tuple)) and bool(attention) and isinstance(attention[0], (list, tuple))


def joined(steps: Any, choice: Choice, name: str = "attentions", beams: list[list[int]] | None = None) -> Pattern:
    """The steps of ``generate`` as one pattern: the rows that each computed, under each other.

    ``beams`` says which row of the batch a sequence was in at each step.
    """
    if beams is not None:
        if choice.batch is None and len(beams) > 1:
            raise ValueError(f"{len(beams)} sequences were written: say which to show; batch=0 is the first")
        path = [row for row in beams[choice.batch or 0] if row >= 0]
        steps = steps[: len(path)]
    parts: list[Pattern] = []
    for i, step in enumerate(steps):
        at = choice if beams is None else replace(choice, batch=path[i])
        part = pattern_of(step, at, name)
        is_anew = i > 0 and part.array.shape[2] > 1  # without a cache every step computes all rows
        parts = [part] if is_anew else [*parts, part]
    return replace(parts[0], array=_under_each_other([part.array for part in parts], "cross" in name), name=JOINED)


def _under_each_other(parts: list[np.ndarray], is_cross: bool) -> np.ndarray:
    """(L, H, T, S) of rows (L, H, t, s): each sees the encoder's S tokens, or the T tokens up to itself."""
    T = sum(part.shape[2] for part in parts)
    whole = np.zeros((*parts[0].shape[:2], T, max(part.shape[3] for part in parts) if is_cross else T), np.float32)
    row = 0
    for part in parts:
        end = row + part.shape[2]
        keys = part if is_cross else part[..., :end]  # a cache of fixed length has more, still empty
        first = 0 if is_cross else end - keys.shape[3]  # one of a window has the last ones only
        whole[:, :, row:end, first : first + keys.shape[3]] = keys
        row = end
    return whole


def _of_steps(steps: Any, choice: Choice) -> Given:
    return Given({"": joined(steps, choice)})


def _of_patterns(patterns: Any, choice: Choice) -> Given:
    """Tensors or arrays alone."""
    is_many = isinstance(patterns, (list, tuple))
    if not is_many and not hasattr(patterns, "shape"):
        raise ValueError(
            f"{type(patterns).__name__} holds no attention: give a model and a text, a trace of record, an output of "
            "transformers, or patterns (H, T, S) for each layer"
        )
    pattern = pattern_of(patterns, choice, "attention")
    T, S = pattern.array.shape[2:]
    return Given({"" if T == S else "cross": pattern})


def _is_trace(attention: Any) -> bool:
    return hasattr(attention, "attention") and isinstance(attention, Mapping)


def _is_output(attention: Any) -> bool:
    return isinstance(attention, Mapping) or any(hasattr(attention, name) for name in FIELDS)


KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Choice], Given]], ...] = (
    (_is_trace, _of_trace),
    (_is_output, _of_output),
    (_is_steps, _of_steps),
    (lambda _: True, _of_patterns),
)
