"""The letters that byte-level BPE writes for bytes, so that its vocabulary can be a file of text."""

from functools import cache


@cache
def byte_letters() -> dict[str, int]:
    """The printable letter for each byte (GPT-2's table) -> the byte."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
