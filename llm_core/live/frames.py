"""What a run sends to another process: frames, each with its length in front.

    length of the rest, uint32 | "HSP1" | header length, uint32 | header, JSON padded with spaces to 4 bytes | arrays

Little-endian; the layout behind the length is that of every payload that the browser reads. Arrays are fractions 0..1
as "unit16": round(x * 65535) in 16 bits, an error of at most 8e-6.
"""

import json
import struct

import numpy as np


def frame(header: dict, arrays: dict[str, np.ndarray] | None = None) -> bytes:
    """Header and named arrays of fractions -> bytes. Raises ``ValueError`` if the header holds a NaN."""
    body, listed = b"", []
    for name, array in (arrays or {}).items():
        listed.append({"name": name, "dtype": "unit16", "shape": list(array.shape), "offset": len(body)})
        raw = np.rint(array * np.float32(65535)).astype("<u2").tobytes()
        body += raw + bytes(-len(raw) % 4)
    text = json.dumps({**header, "arrays": listed}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    payload = b"HSP1" + struct.pack("<I", len(text)) + text + body
    return struct.pack("<I", len(payload)) + payload
