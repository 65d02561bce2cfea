"""A recorded forward pass as one compact binary string that the browser draws everything from.

    "HSP1" | header length, uint32 | header, JSON padded with spaces to 4 bytes | arrays, each padded to 4 bytes

Numbers are little-endian. The header lists each array's name, dtype, shape and offset. Probabilities travel
as "unit16": of the fractions u / 65535 the nearest to p that is written as p is, with 2, 3 and 4 decimals: so many
are the tensor's, and no more are shown. It is off by at most 1.6e-5.
"""

import json
import struct
from dataclasses import dataclass, field

import numpy as np

from .attentions import Attention
from .inputs import MAX_TOKENS

MAGIC = b"HSP1"
TOP = 20  # next-token candidates kept per place
MAX_CELLS = 4_000_000  # attention cells of all heads that travel with a text, 8 MB; beyond, layers come by themselves
MOST_CELLS = 20_000_000  # in a page that stands alone, which can ask for nothing
THUMBNAIL = 64  # cells of a side of the small picture of a head whose layer has not come


@dataclass(frozen=True)
class ModelFacts:
    """What the page says about the model."""

    name: str
    n_layer: int
    n_head: int
    n_embd: int
    vocab_size: int
    block_size: int
    num_parameters: int
    family: dict = field(default_factory=dict)  # what is otherwise than in GPT-2, see family.py

    @property
    def shown(self) -> dict:
        """All of it, what is otherwise than in GPT-2 beside the rest."""
        own = {name: value for name, value in vars(self).items() if name != "family"}
        return {**own, **self.family, "token_limit": self.token_limit}

    @property
    def token_limit(self) -> int:
        """Tokens that are shown: bounded by the model's window, and by what a browser redraws at once."""
        return min(self.block_size, MAX_TOKENS)


def pack(header: dict, arrays: dict[str, tuple[str, np.ndarray]]) -> bytes:
    """Header and named (dtype, array) pairs -> bytes. dtypes: unit16, float32, uint8/16/32, int32."""
    body, listed = b"", []
    for name, (dtype, array) in arrays.items():
        raw = _encoded(dtype, array)
        listed.append({"name": name, "dtype": dtype, "shape": list(array.shape), "offset": len(body)})
        body += raw + bytes(-len(raw) % 4)
    text = json.dumps({**header, "arrays": listed}, ensure_ascii=True).encode()
    text += b" " * (-len(text) % 4)
    return MAGIC + struct.pack("<I", len(text)) + text + body


def unpack(payload: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    """The reverse, as the browser does it; for tests and notebooks."""
    if payload[:4] != MAGIC:
        raise ValueError("not a Headscope payload: it does not start with HSP1")
    start = 8 + struct.unpack("<I", payload[4:8])[0]
    header = json.loads(payload[8:start])
    arrays = {}
    for entry in header["arrays"]:
        kind = np.dtype("<u2" if entry["dtype"] == "unit16" else entry["dtype"]).newbyteorder("<")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        array = np.frombuffer(payload, kind, count, start + entry["offset"]).reshape(entry["shape"])
        arrays[entry["name"]] = array / 65535 if entry["dtype"] == "unit16" else array
    return header, arrays


def _encoded(dtype: str, array: np.ndarray) -> bytes:
    if dtype == "unit16":
        return _units(array).astype("<u2").tobytes()
    return array.astype(np.dtype(dtype).newbyteorder("<")).tobytes()


UNITS = 65535
PER_ONE = 20_000  # wherever 2, 3 or 4 decimals are rounded up, p is a multiple of 1/20,000
_EDGES = np.ceil(np.arange(PER_ONE + 2) * (UNITS / PER_ONE) - 1e-9).astype(np.int32)
_EDGES[-1] = UNITS + 1


def _units(p: np.ndarray) -> np.ndarray:
    """The nearest u for which u / 65535 lies between the same two multiples of 1/20,000 as p."""
    between = (p.astype(np.float64) * PER_ONE).astype(np.int32).clip(0, PER_ONE)
    units = np.rint(p * np.float32(UNITS)).astype(np.int32)
    return np.clip(units, _EDGES[between], _EDGES[between + 1] - 1, out=units)


def trace_payload(
    facts: ModelFacts,
    text: str,
    tokens: list[dict],
    pieces,
    total: int,
    trace,
    roles: list[dict],
    was_cut: bool = False,
    more: tuple[dict, dict] = ({}, {}),
    attention: Attention | None = None,
    found: dict | None = None,
    cells: int = MAX_CELLS,
) -> bytes:
    """One recorded forward, batch of one.

    ``tokens`` describe the T tokens that ran, ``pieces(id)`` writes any token of the vocabulary, ``total`` is
    how many tokens the whole text has, or what was read of it has if it ``was_cut``; ``roles`` are those of the
    heads, (L, H) lists. ``attention`` says whose is drawn, a decoder's if it is not given. Arrays: pattern
    (L, H, T, S), or as ``pattern_arrays`` says; and ``found``, what is predicted, that of ``next_arrays`` if it is not
    given. ``more`` of both: header and arrays. With more than ``cells`` of attention, layers come by themselves.
    """
    attention = attention or Attention("decoder", "", tokens, tokens, facts.n_layer, total)
    if found is None:
        found = next_arrays(trace["logits"][0].softmax(-1), [token["id"] for token in tokens])  # of (T, V)
    pattern = attention.stacked(trace, "pattern")  # (L, H, T, S)
    header = {
        "model": facts.shown,
        "text": text,
        "tokens": tokens,
        "total": total,
        "was_cut": was_cut,
        "mask": "causal" if attention.is_causal else "none",
        "roles": roles,
        "pieces": {int(id): pieces(int(id)) for id in np.unique(found["next_ids"][1])} if found else {},
        "names": {"pattern": attention.point("pattern"), "next_probs": "softmax(logits)"},
        **({"keys": attention.keys} if attention.is_cross else {}),
        **({"pattern_shape": pattern.shape} if pattern.size > cells else {}),
    }
    return pack({**header, **more[0]}, {**pattern_arrays(pattern, cells), **found, **more[1]})


def pattern_arrays(pattern: np.ndarray, cells: int = MAX_CELLS) -> dict[str, tuple[str, np.ndarray]]:
    """The pattern (L, H, T, S) as it travels: whole, or of a large model as small pictures, thumbnails (L, H, n, m),
    the largest weight of each part of a head; a question then asks for one layer after the other."""
    if pattern.size <= cells:
        return {"pattern": ("unit16", pattern)}
    starts = [np.arange(min(side, THUMBNAIL)) * side // min(side, THUMBNAIL) for side in pattern.shape[2:]]
    small = np.maximum.reduceat(np.maximum.reduceat(pattern, starts[0], axis=2), starts[1], axis=3)
    return {"thumbnails": ("unit16", small)}


def next_arrays(probs, ids: list[int], is_own: bool = False, prefix: int = 0) -> dict[str, tuple[str, np.ndarray]]:
    """Of probs (T, V), what is expected behind every place, and what comes there: the ``ids`` of the T tokens.

    The TOP likeliest (T, TOP) as next_ids and next_probs, and of what comes there actual_probs and actual_ranks
    (T-1,), rank 1 being the likeliest. With ``is_own`` what is expected is the place's own token, and these are (T,).
    ``prefix`` places in front, of which nothing is predicted, have zeros.
    """
    best = probs.topk(min(TOP, probs.shape[1]), dim=-1)  # (T, TOP)
    actual = probs.new_tensor(ids if is_own else ids[1:]).long()[:, None]  # (T, 1) or (T-1, 1)
    asked = probs[: len(actual)]
    actual_probs = asked.gather(1, actual)
    actual_ranks = (asked > actual_probs).sum(1) + 1
    arrays = {
        "next_ids": ("uint32", best.indices.numpy()),
        "next_probs": ("float32", best.values.numpy()),
        "actual_probs": ("float32", actual_probs[:, 0].numpy()),
        "actual_ranks": ("uint32", actual_ranks.numpy()),
    }
    return {name: (kind, behind(prefix, array)) for name, (kind, array) in arrays.items()}


def behind(prefix: int, array: np.ndarray) -> np.ndarray:
    """With rows of zeros in front."""
    return np.pad(array, [(prefix, 0)] + [(0, 0)] * (array.ndim - 1)) if prefix else array
