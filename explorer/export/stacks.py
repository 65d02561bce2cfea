"""Patterns with the tokens of their queries and keys, padding left out: what is drawn of what ``show`` is handed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..engine.payload import MAX_CELLS
from .given import JOINED, Given
from .layers import Pattern
from .tokens import described, row_of

SIDES = {  # who looks at whom, by stack
    "": ("", ""),
    "encoder": ("encoder", "encoder"),
    "decoder": ("decoder", "decoder"),
    "cross": ("decoder", "encoder"),
}


@dataclass(frozen=True)
class Said:
    """What the caller says of the places."""

    tokens: Any = None
    decoder_tokens: Any = None
    mask: Any = None
    batch: int | None = None


@dataclass(frozen=True)
class Stack:
    """One kind of attention as it is drawn."""

    pattern: Pattern
    queries: list[dict]
    keys: list[dict] | None  # None: the queries
    ids: list[int] | None = None  # of the queries
    logits: Any = None  # (T, V) behind them

    @property
    def is_causal(self) -> bool:
        return self.keys is None and not np.triu(self.pattern.array, 1).any()


def stacks_of(found: Given, said: Said, tokenizer: Any) -> dict[str, Stack]:
    """Raises ``ValueError`` for weights that are none, or too many, and for tokens that do not fit."""
    ends = {name: _ends(name, pattern, found) for name, pattern in found.patterns.items()}
    counts: dict[str, int] = {}  # places by side
    for name, pattern in found.patterns.items():
        counts |= dict(zip(ends[name], pattern.array.shape[2:]))
    values = _values(counts, found, said)
    kept = {side: list(range(count)) for side, count in counts.items()}
    if said.mask is not None:
        first = _first(counts)
        kept[first] = _unmasked(row_of(said.mask, said.batch, "mask"), counts[first])
    named = {side: _kept(described(values.get(side), count, tokenizer), kept[side]) for side, count in counts.items()}
    stacks = {}
    for name, (query, key) in ends.items():
        pattern = _checked(found.patterns[name].of(kept[query], kept[key]))
        stacks[name] = Stack(pattern, named[query], None if query == key else named[key])
        if query == key and _are_ids(values.get(query)) and len(found.logits.get(query, ())) == counts[query]:
            ids = _kept([int(id) for id in values[query] or ()], kept[query])
            stacks[name] = replace(stacks[name], ids=ids, logits=found.logits[query][kept[query]])
    return stacks


def _ends(name: str, pattern: Pattern, found: Given) -> tuple[str, str]:
    """The sides of queries and keys."""
    T, S = pattern.array.shape[2:]
    if name != "cross" and T != S:  # a step of a decoder with a cache
        return SIDES["cross"] if len(found.patterns) == 1 else (name, f"{name} so far")
    query, key = SIDES[name]
    return ("" if name == "cross" and "" in found.patterns else query), key


def _first(counts: Mapping[str, int]) -> str:
    """The side that ``tokens`` and ``mask`` are of: the encoder's, where there are two."""
    return next(side for side in ("", "encoder", "decoder") if side in counts)


def _values(counts: Mapping[str, int], found: Given, said: Said) -> dict[str, list | None]:
    """Tokens or ids by side: what is known, and what the caller says instead."""
    values = {side: _known(side, count, found) for side, count in counts.items()}
    first = _first(counts)
    if said.tokens is not None:
        tokens = row_of(said.tokens, said.batch, "tokens")
        is_of_queries = (
            len(found.patterns) == 1 and said.decoder_tokens is None and len(tokens) == counts.get("decoder")
        )
        values["decoder" if is_of_queries and counts[first] != len(tokens) else first] = tokens
    if said.decoder_tokens is not None:
        if "decoder" not in counts:
            raise ValueError("decoder_tokens= is for a decoder with an encoder before it: here, give tokens=")
        values["decoder"] = row_of(said.decoder_tokens, said.batch, "decoder_tokens")
    if any(pattern.name.startswith(JOINED) for pattern in found.patterns.values()):
        for side in ("", "decoder"):  # the last token that was written looked at nothing
            if len(known := values.get(side) or []) == counts.get(side, 0) + 1:
                values[side] = known[:-1]
    return values


def _known(side: str, count: int, found: Given) -> list[int] | None:
    ids = found.ids.get(side)
    if side == "decoder" and len(found.ids.get("encoder", ())) + len(ids or ()) == count:
        ids = [*found.ids.get("encoder", ()), *(ids or ())]  # a decoder that reads what the encoder made as a prefix
    return ids[:count] if ids is not None and len(ids) >= count else None


def _unmasked(mask: list, count: int) -> list[int]:
    """The places that are no padding. What was written behind a prompt is none."""
    if len(mask) > count or not all(value in (0, 1) for value in mask):
        raise ValueError(f"mask= must have a 0 or 1 for each of {count} positions, not {len(mask)} numbers")
    kept = [place for place in range(count) if place >= len(mask) or mask[place]]
    if not kept:
        raise ValueError("mask= leaves no position: 1 is a token, 0 is padding")
    return kept


def _kept(values: list, places: list[int]) -> list:
    return [values[place] for place in places]


def _are_ids(values: list | None) -> bool:
    return values is not None and not any(isinstance(value, str) for value in values)


def _checked(pattern: Pattern) -> Pattern:
    array = pattern.array
    if array.size > MAX_CELLS:
        raise ValueError(_too_large(*array.shape))
    if np.isnan(array).any():
        layer, head, query, _ = (int(i) for i in np.argwhere(np.isnan(array))[0])
        raise ValueError(
            f"the row of query {query} in layer {pattern.layers[layer]}, head {pattern.heads[head]} is not a number "
            "(NaN), as where a query sees no key at all, such as padding; mask= leaves padding out"
        )
    if array.min() < 0 or array.max() > 1 + 1e-4:
        raise ValueError("attention weights must be from 0 to 1: give the patterns after the softmax, without dropout")
    return replace(pattern, array=np.minimum(array, 1))


def _too_large(L: int, H: int, T: int, S: int) -> str:
    most, heads = int((MAX_CELLS / (L * H)) ** 0.5), MAX_CELLS // (T * S)
    out = f", or choose at most {heads} heads with layers= and heads=, such as layers=[0, 1]" if heads else ""
    return f"{max(T, S)} tokens are too many to draw in {L * H} heads: give at most {most}{out}"
