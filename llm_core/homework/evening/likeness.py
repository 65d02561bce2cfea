"""Which hand-ins are the same, or nearly so, once comments and spaces are left out."""

import io
import tokenize
from functools import cache

from ..skeleton import SKELETON

LONG = 7  # words that follow each other
ALIKE = 0.92  # of all such sequences
LEAST = 60  # sequences of one's own, below which nothing is said


def likenesses(sources: dict[str, str]) -> dict[str, str]:
    """For each hand-in that is like another: a clause that names it."""
    sequences = {name: _sequences(source) - _given() for name, source in sources.items()}
    found: dict[str, str] = {}
    names = sorted(sources)
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            share = _share(sequences[one], sequences[other])
            if share >= ALIKE:
                how = "identical to" if share == 1 else f"{share:.0%} the same as"
                found.setdefault(one, f"{how} {other}")
                found.setdefault(other, f"{how} {one}")
    return found


def _share(one: frozenset, other: frozenset) -> float:
    fewer, more = sorted((len(one), len(other)))
    if fewer < LEAST or fewer < ALIKE * more:
        return 0.0
    return len(one & other) / len(one | other)


@cache
def _given() -> frozenset:
    """What everybody has from the course."""
    return _sequences(SKELETON.read_text(encoding="utf-8"))


def _sequences(source: str) -> frozenset:
    words = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER):
                words.append(token.string)
    except (tokenize.TokenError, SyntaxError, ValueError):
        pass
    return frozenset(hash(tuple(words[i : i + LONG])) for i in range(len(words) - LONG + 1))
