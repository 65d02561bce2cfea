"""Pieces of a vocabulary as text: no Ġ, ## or ▁.

A vocabulary writes its pieces in one of three notations: "bytes" (a letter for each byte, GPT-2's), "wordpiece" (##
inside a word, BERT's), or "spaces" (▁ for a space, SentencePiece's).
"""

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .byte_letters import byte_letters

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def notation_of(own: "Tokenizer") -> str:
    """How the pieces of a tokenizer stand for text."""
    told = json.loads(own.to_str())
    decoder = told.get("decoder") or {}
    types = {part["type"] for part in decoder.get("decoders", [decoder]) if part}
    if "ByteLevel" in types:
        return "bytes"
    return "wordpiece" if "WordPiece" in {*types, told["model"]["type"]} else "spaces"


def notation_seen(pieces: Sequence[str]) -> str | None:
    """How these pieces stand for text, by their look; None for what may be text already."""
    if any(piece.startswith(("Ġ", "Ċ")) for piece in pieces):
        return "bytes"
    if any(piece.startswith("▁") for piece in pieces):
        return "spaces"
    return "wordpiece" if any(re.match(r"##\w", piece) for piece in pieces) else None


def piece_bytes(piece: str, notation: str | None) -> bytes:
    """What a piece adds to a text. One that starts a word brings the space in front of it."""
    if notation == "bytes":
        letters = byte_letters()
        return b"".join(bytes([letters[c]]) if c in letters else c.encode() for c in piece)
    if notation == "wordpiece":
        return (piece[2:] if piece.startswith("##") else f" {piece}").encode()
    if notation == "spaces":
        match = re.fullmatch(r"<0x([0-9A-Fa-f]{2})>", piece)
        return bytes([int(match[1], 16)]) if match else piece.replace("▁", " ").encode()
    return piece.encode("utf-8", "surrogatepass")


def label_of(raw: bytes) -> str:
    """Bytes as text for a label; those that are no whole character are written ``\\xE2\\x9C``."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02X}" for b in raw)


def is_partial(raw: bytes) -> bool:
    """Whether bytes are only a part of a character."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False
