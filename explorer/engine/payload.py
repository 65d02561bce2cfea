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

MAGIC = b"HSP1"
TOP = 20  # next-token candidates kept per place
MAX_TOKENS = 256
MAX_CELLS = 4_000_000  # attention cells of all heads: 8 MB


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
        return min(self.block_size, MAX_TOKENS, int((MAX_CELLS / (self.n_layer * self.n_head)) ** 0.5))


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
) -> bytes:
    """One recorded forward of a decoder, batch of one.

    ``tokens`` describe the T tokens that ran, ``pieces(id)`` writes any token of the vocabulary, ``total`` is
    how many tokens the whole text has, or what was read of it has if it ``was_cut``; ``roles`` are those of the
    model's heads, (L, H) lists. Arrays: pattern (L, H, T, T),
    and the next-token distribution of every place: the TOP likeliest (T, TOP) as next_ids and next_probs, the
    true next token's actual_probs and actual_ranks (T-1,), rank 1 being the likeliest. ``more`` of both: header
    and arrays.
    """
    pattern = np.stack([trace.attention(layer)[0].numpy() for layer in range(facts.n_layer)])  # (L, H, T, T)
    probs = trace["logits"][0].softmax(-1)  # (T, V)
    found = next_arrays(probs, [token["id"] for token in tokens])
    header = {
        "model": facts.shown,
        "text": text,
        "tokens": tokens,
        "total": total,
        "was_cut": was_cut,
        "mask": "causal",
        "roles": roles,
        "pieces": {int(id): pieces(int(id)) for id in np.unique(found["next_ids"][1])},
        "names": {"pattern": "blocks.{layer}.attn.pattern", "next_probs": "softmax(logits)"},
    }
    return pack({**header, **more[0]}, {"pattern": ("unit16", pattern), **found, **more[1]})


def next_arrays(probs, ids: list[int]) -> dict[str, tuple[str, np.ndarray]]:
    """Of probs (T, V), what is expected behind every place, and what comes there: the ``ids`` of the T tokens."""
    best = probs.topk(min(TOP, probs.shape[1]), dim=-1)  # (T, TOP)
    actual = probs.new_tensor(ids[1:]).long()[:, None]  # (T-1, 1)
    actual_probs = probs[:-1].gather(1, actual)  # (T-1, 1)
    actual_ranks = (probs[:-1] > actual_probs).sum(1) + 1  # (T-1,)
    return {
        "next_ids": ("uint32", best.indices.numpy()),
        "next_probs": ("float32", best.values.numpy()),
        "actual_probs": ("float32", actual_probs[:, 0].numpy()),
        "actual_ranks": ("uint32", actual_ranks.numpy()),
    }
