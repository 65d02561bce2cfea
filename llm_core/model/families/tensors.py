"""From the names and shapes of another library's checkpoint to ours: tables, and the one function that reads them.

A table says for each tensor of the file what it is in our model:

    "h.{i}.ln_1.{p}": "blocks.{i}.ln_1.{p}"          the same tensor; {i} is a layer, {p} weight or bias
    "h.{i}.mlp.c_fc.weight": turned("blocks.{i}…")   transposed
    "h.{i}.attn.c_attn.weight": Cut((…, …, …), …)    several of ours in one of theirs

What the table does not have is on the family's list of tensors to ignore, or an error: nothing is lost unnoticed.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ...hub import CheckpointError


@dataclass(frozen=True, slots=True)
class Cut:
    """One tensor of theirs, and how to get ours from it."""

    names: tuple[str, ...]
    cut: Callable[[Tensor], Sequence[Tensor]]


Table = Mapping[str, str | Cut]


def same(name: str) -> Cut:
    return Cut((name,), lambda x: (x,))


def turned(name: str) -> Cut:
    """A matrix that is stored as (in, out)."""
    return Cut((name,), lambda x: (x.mT,))


def from_row(name: str, first: int) -> Cut:
    """A table whose first rows nothing looks up."""
    return Cut((name,), lambda x: (x[first:],))


QKV = tuple(f"blocks.{{i}}.attn.{part}_proj.{{p}}" for part in "qkv")


@dataclass(frozen=True, slots=True)
class Step:
    """A tensor of the file, and the names that its parts have in our model."""

    theirs: str
    ours: tuple[str, ...]
    cut: Callable[[Tensor], Sequence[Tensor]]


def plan(names: Iterable[str], table: Table, ignored: Iterable[str], prefixes: Iterable[str] = ()) -> list[Step]:
    """What to do with every tensor of a file. ``prefixes`` may stand before a name, or not.

    Raises ``CheckpointError`` naming the first tensor that is neither in the table nor ignored.
    """
    rules = [(_matcher(pattern), rule if isinstance(rule, Cut) else same(rule)) for pattern, rule in table.items()]
    useless = [_matcher(pattern) for pattern in ignored]
    steps: dict[tuple[str, ...], Step] = {}
    for name in sorted(names):
        bare = _without(name, prefixes)
        found = next(_found(bare, rules), None)
        if found is not None:
            steps.setdefault(found[0], Step(name, *found))  # a shared matrix may be in the file twice
        elif not any(matcher.fullmatch(bare) for matcher in useless):
            raise CheckpointError(f"a model of this family has no tensor {name}")
    return list(steps.values())


def _found(bare: str, rules: list[tuple[re.Pattern, Cut]]) -> Iterator[tuple[tuple[str, ...], Callable]]:
    for matcher, rule in rules:
        if match := matcher.fullmatch(bare):
            yield tuple(name.format(**match.groupdict()) for name in rule.names), rule.cut


def _without(name: str, prefixes: Iterable[str]) -> str:
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)


def _matcher(pattern: str) -> re.Pattern:
    """{i} stands for a number, {p} for weight or bias, * for anything."""
    kinds = {"{i}": r"(?P<i>\d+)", "{p}": "(?P<p>weight|bias)", "*": ".*"}
    parts = re.split(r"(\{i\}|\{p\}|\*)", pattern)
    return re.compile("".join(kinds.get(part, re.escape(part)) for part in parts))
