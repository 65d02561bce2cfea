"""Attention as libraries hand it out, as one array (L, H, T, S): which axis is what is known, or asked for.

| what is given | what its axes are |
|---|---|
| for each layer (T, S) | a head |
| for each layer (X, T, S) | heads, or a batch whose heads were averaged: ``heads="all"`` or ``batch=`` says which |
| for each layer (B, H, T, S) | ``batch=`` says which row, unless there is one |
| one (T, S), (X, T, S) | one layer, as above |
| one (X, H, T, S) | layers, or a batch of one layer: ``layers="all"`` or ``batch=`` says which |
| one (L, B, H, T, S) | all layers |
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

Several = Sequence[int] | Literal["all"] | None
EMPTY = (
    "these attentions are empty: transformers computed them in a fused kernel (SDPA), which keeps none; load the model "
    'with attn_implementation="eager", or give show the model and the text'
)


@dataclass(frozen=True)
class Choice:
    """Which of the batch, of the layers and of the heads is shown; None: all, where that is plain."""

    batch: int | None = None
    layers: Several = None
    heads: Several = None


@dataclass(frozen=True)
class Pattern:
    """Attention of some layers and heads, and what these are called."""

    array: np.ndarray  # (L, H, T, S), float32
    layers: list[int]
    heads: list[int]
    name: str  # how one writes a layer's tensor in Python, with {layer} in it, so that [0, head, query, key] follows

    def of(self, queries: list[int] | None, keys: list[int] | None) -> "Pattern":
        """Without the other places; None keeps all."""
        T, S = self.array.shape[2:]
        array, name = self.array, self.name
        if queries is not None and queries != list(range(T)):
            array, name = array[:, :, queries], f"{name}[..., {_index(queries)}, :]"
        if keys is not None and keys != list(range(S)):
            array, name = array[..., keys], f"{name}[..., {_index(keys)}]"
        return replace(self, array=array, name=name)


def pattern_of(given: Any, choice: Choice, name: str, numbers: Sequence[int] | None = None) -> Pattern:
    """``given`` is a sequence of layers, or one array; ``name`` is how one writes it, or with {layer} in it, a layer.

    ``numbers`` are those of the layers, if they do not count from 0. ``ValueError`` as by the table.
    """
    each = name if "{layer}" in name else f"{name}[{{layer}}]"
    if isinstance(given, (list, tuple)):
        layers = list(given)
    elif (ndim := len(getattr(given, "shape", ()))) == 5 or (ndim == 4 and _is_of_layers(given, choice)):
        layers = list(given)
        choice = choice if ndim == 5 else replace(choice, heads=choice.heads or "all")
    else:
        layers, each = [given], name
    if not layers or any(layer is None for layer in layers):
        raise ValueError(EMPTY)
    numbers = list(range(len(layers)) if numbers is None else numbers)
    chosen = chosen_of(choice.layers, numbers, "layer")
    rows = [_one_row(layers[numbers.index(layer)], choice) for layer in chosen]
    shapes = {array.shape for array, _ in rows}
    if len(shapes) != 1:
        raise ValueError(f"every layer must have a pattern of one shape, not {sorted(shapes)}")
    array = np.stack([array for array, _ in rows])
    heads = chosen_of(choice.heads, list(range(array.shape[1])), "head")
    return Pattern(array[:, heads], chosen, heads, each + rows[0][1])


def _is_of_layers(given: Any, choice: Choice) -> bool:
    """Whether the first axis of (X, H, T, S) is layers."""
    shape = tuple(given.shape)
    if choice.batch is None and choice.layers is None and shape[0] > 1:
        raise ValueError(
            f'patterns of shape {shape} may be {shape[0]} layers, or a batch of {shape[0]}: say layers="all", or '
            "batch=0 for the first of the batch"
        )
    return choice.batch is None and shape[0] > 1


def _one_row(layer: Any, choice: Choice) -> tuple[np.ndarray, str]:
    """(H, T, S) of a layer, and the index that one writes behind it for (B, H, T, S) whose first row that is."""
    x = _array(layer)
    batch = choice.batch
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise ValueError(f"a layer's patterns have the shape (H, T, S) or (B, H, T, S), not {x.shape}")
    if x.ndim == 4:
        if batch is None and len(x) > 1:
            raise ValueError(f"one sequence is shown, and this is a batch of {len(x)}: say which; batch=0 is the first")
        row = _row(batch or 0, len(x))
        return x[row], f"[{row}:]" if row else ""
    if x.ndim == 2:
        return x[None], "[None, None]"  # (1, T, S)
    if batch is not None:
        row = _row(batch, len(x))
        return x[row][None], f"[None, {row}:]"  # (1, T, S)
    if choice.heads is None and len(x) > 1:
        raise ValueError(
            f"patterns of shape {x.shape} may be {len(x)} heads, or a batch of {len(x)} whose heads were averaged: say "
            'heads="all", or batch=0 for the first of the batch'
        )
    return x, "[None]"


def _row(batch: int, size: int) -> int:
    if not 0 <= batch < size:
        raise ValueError(f"batch={batch}: there are {size} in the batch, counted from 0")
    return batch


def chosen_of(several: Several, numbers: list[int], what: str) -> list[int]:
    """Those that are chosen of ``numbers``."""
    if several is None or (isinstance(several, str) and several == "all"):
        return numbers
    chosen = [several] if isinstance(several, int) else list(several)
    if not chosen or any(number not in numbers for number in chosen):
        count = len(numbers)
        those = "counted from 0" if numbers == list(range(count)) else f"numbers {', '.join(map(str, numbers))}"
        raise ValueError(f"{what}s={chosen}: there are {count} {what}s, {those}")
    return [int(number) for number in chosen]


def _array(tensor: Any) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().float().numpy()
    return np.asarray(tensor, dtype=np.float32)


def _index(places: list[int]) -> str:
    """As one writes it: a slice where that does."""
    first, last = places[0], places[-1] + 1
    return f"{first}:{last}" if places == list(range(first, last)) else str(places)
