"""Messages between two processes that do not trust each other: JSON, with tensors as plain bytes behind it.

    4 + 8 bytes     lengths of the JSON and of all tensors together (big endian)
    JSON            a tensor is {"tensor": [dtype, shape]}, in the order of the bytes

Nothing is unpickled; what is too long or does not fit is a ``ValueError``.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

KINDS = {
    str(kind).removeprefix("torch."): kind
    for kind in (torch.float64, torch.float32, torch.int64, torch.bool, torch.uint8)
}
LONGEST, MOST_BYTES = 8_000_000, 256_000_000
HEAD = struct.Struct(">IQ")


def pack(message: object) -> bytes:
    blobs: list[bytes] = []
    told = json.dumps(_without_tensors(message, blobs)).encode()
    return HEAD.pack(len(told), sum(map(len, blobs))) + told + b"".join(blobs)


def _without_tensors(value: object, blobs: list[bytes]) -> object:
    if isinstance(value, Tensor):
        plain = _plain(value)
        blobs.append(plain.numpy().tobytes())
        return {"tensor": [str(plain.dtype).removeprefix("torch."), list(plain.shape)]}
    if isinstance(value, dict):
        return {str(key): _without_tensors(part, blobs) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_without_tensors(part, blobs) for part in value]
    return value


def _plain(x: Tensor) -> Tensor:
    x = x.detach().resolve_conj().resolve_neg().cpu()
    if x.is_complex():
        x = x.real
    if str(x.dtype).removeprefix("torch.") not in KINDS:
        x = x.double() if x.is_floating_point() else x.long()
    return x.contiguous()


def unpack(told: bytes, blob: bytes) -> object:
    """Raises ``ValueError``."""
    rest = memoryview(blob)

    def read(value: object, depth: int = 0) -> object:
        nonlocal rest
        if depth > 20:
            raise ValueError("too deep")
        if isinstance(value, dict) and set(value) == {"tensor"}:
            tensor, rest = _read_tensor(value["tensor"], rest)
            return tensor
        if isinstance(value, dict):
            return {key: read(part, depth + 1) for key, part in value.items()}
        if isinstance(value, list):
            return [read(part, depth + 1) for part in value]
        return value

    try:
        message = read(json.loads(told))
    except (TypeError, KeyError, RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from None
    if len(rest):
        raise ValueError("bytes are left")
    return message


def _read_tensor(told: Any, rest: memoryview) -> tuple[Tensor, memoryview]:
    name, shape = told
    kind = KINDS[name]
    if not all(isinstance(n, int) and 0 <= n <= MOST_BYTES for n in shape) or len(shape) > 12:
        raise ValueError("no shape")
    count = 1
    for n in shape:
        count *= n
    size = count * torch.empty(0, dtype=kind).element_size()
    if size > len(rest):
        raise ValueError("bytes are missing")
    if not count:
        return torch.empty(shape, dtype=kind), rest
    return torch.frombuffer(bytearray(rest[:size]), dtype=kind).reshape(shape), rest[size:]


def send(write: Callable[[memoryview], int], message: object) -> None:
    left = memoryview(pack(message))
    while left:
        left = left[write(left[: 1 << 20]) :]


def receive(read: Callable[[int], bytes]) -> object:
    """The next message; None at the end.

    Raises:
        ValueError: what comes is no message.
    """
    head = _exactly(read, HEAD.size)
    if not head:
        return None
    told, blob = HEAD.unpack(head)
    if told > LONGEST or blob > MOST_BYTES:
        raise ValueError("too long")
    return unpack(_exactly(read, told), _exactly(read, blob))


def _exactly(read: Callable[[int], bytes], count: int) -> bytes:
    parts: list[bytes] = []
    left = count
    while left:
        part = read(min(left, 1 << 20))
        if not part:
            if parts:
                raise ValueError("ends in the middle")
            return b""
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
