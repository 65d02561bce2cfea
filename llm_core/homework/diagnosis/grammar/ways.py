"""The deviations of each block, with their words, and the block that has some of them."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace

from ...inside.standins import stand_ins
from . import attention, blocks, masks, sampling


@dataclass(frozen=True)
class Way:
    """``sentence`` tells what the student's code does; ``known`` is a known mistake that says the same."""

    stage: str
    value: str
    sentence: str
    idea: str
    known: str | None = None

    @property
    def pick(self) -> str:
        return f"{self.stage}={self.value}"


_ROOMS = {
    "embedding": (blocks.EMBEDDING, blocks.embedding),
    "attention": (attention.WAYS, attention.attention),
    "block": (blocks.BLOCK, blocks.block),
    "transformer": (blocks.TRANSFORMER, blocks.transformer),
    "encoder mask": (masks.ENCODER, masks.masks),
    "decoder mask": (masks.DECODER, masks.masks),
    "generate": (sampling.SAMPLING, sampling.generate),
    "prefix generate": (sampling.PREFIX, sampling.prefix_generate),
    "encoder-decoder": (sampling.JOINED, sampling.encoder_decoder),
}


@cache
def ways_of(block: str) -> tuple[Way, ...]:
    """In the order of the computation."""
    found = []
    for stage, (idea, values) in _ROOMS[block][0].items():
        for value, told in values.items():
            sentence, known = told if isinstance(told, tuple) else (told, None)
            found.append(Way(stage, value, sentence, idea, known))
    return tuple(found)


def with_picks(block: str, picks: Collection[str]) -> SimpleNamespace:
    """The block with these deviations, among stand-ins."""
    names = stand_ins()
    _ROOMS[block][1](names, dict(pick.split("=", 1) for pick in picks))
    return names
