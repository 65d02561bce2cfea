"""The nine exercises, cut out of the homework's skeleton: nothing of it is written twice.

exercises()    in the order of the file
pieces()       the file itself: texts, and where an exercise's definition stands, its id
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from textwrap import dedent, indent

from llm_core.homework.report import BLOCKS
from llm_core.homework.skeleton import SKELETON

from .bodies import BODIES
from .ideas import idea_of

BLANK = "____"
BLANKS = re.compile("«(.*?)»")
NOT_WRITTEN = "raise NotImplementedError"
LESSONS = {  # block -> the lesson that it ends
    "embedding": "vectors",
    "attention": "attention",
    "block": "block",
    "transformer": "training-step",
    "encoder mask": "masks",
    "decoder mask": "masks",
    "generate": "writing",
    "encoder-decoder": "encoder-decoder",
    "prefix generate": "encoder-decoder",
}


@dataclass(frozen=True, slots=True)
class Exercise:
    """``start`` is the definition with blanks. Hints: the skeleton's own, the idea in words, half of the blanks."""

    id: str
    block: str  # as a report calls it
    points: int
    title: str
    lesson: str
    start: str
    hints: tuple[str, str, str]
    solution: str


@cache
def exercises() -> tuple[Exercise, ...]:
    definitions = {part: text for part, text in _cut() if part}
    return tuple(_exercise(block, definitions[_definition_of(block)]) for block in LESSONS)


def pieces() -> list[dict]:
    """[{"id": of an exercise or "", "text"}]: joined, they are the skeleton."""
    ids = {_definition_of(block): _id(block) for block in LESSONS}
    return [{"id": ids.get(part, ""), "text": text} for part, text in _cut()]


def _id(block: str) -> str:
    return block.replace(" ", "-")


def _definition_of(block: str) -> str:
    """ "Encoder.get_attention_mask" is written in the definition Encoder."""
    return BLOCKS[block][0].split(".")[0]


def _exercise(block: str, definition: str) -> Exercise:
    names = [name for name in BODIES if name.split(".")[0] == _definition_of(block)]
    plain, hint = _without_hints(definition)
    marked = plain
    for name in names:
        marked = _written(marked, name.split(".")[-1], BODIES[name])
    return Exercise(
        id=_id(block),
        block=block,
        points=BLOCKS[block][1],
        title=BLOCKS[block][0],
        lesson=LESSONS[block],
        start=_filled(marked, lambda _: False),
        hints=(hint, idea_of(block), _filled(marked, lambda i: i % 2 == 0)),
        solution=_filled(marked, lambda _: True),
    )


def _filled(marked: str, is_shown: Callable[[int], bool]) -> str:
    """The blanks numbered from 0: those that are shown, and the others empty."""
    number = iter(range(len(marked)))
    return BLANKS.sub(lambda found: found[1] if is_shown(next(number)) else BLANK, marked)


def _written(definition: str, function: str, body: str) -> str:
    """``body`` in the place of the first blank behind ``def function``."""
    start = definition.index(f"def {function}(")
    at = definition.index(NOT_WRITTEN, start)
    margin = definition[definition.rindex("\n", 0, at) + 1 : at]
    lines = indent(dedent(body).strip("\n"), margin).lstrip()
    return definition[:at] + lines.rstrip() + definition[at + len(NOT_WRITTEN) :]


def _without_hints(definition: str) -> tuple[str, str]:
    """The definition, and what its docstrings say from "Hint" on."""
    hints = re.compile(r"\n\n *Hints?\b.*?(?=\n *\"\"\")", re.DOTALL)
    told = [dedent(found.group(0)).strip() for found in hints.finditer(definition)]
    return hints.sub("", definition), "\n\n".join(told)


@cache
def _cut() -> tuple[tuple[str, str], ...]:
    """The skeleton in pieces: (name of a definition that is an exercise or "", its text)."""
    source = SKELETON.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    wanted = {_definition_of(block) for block in LESSONS}
    found, after = [], 0
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name not in wanted:
            continue
        first = min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1
        found += [("", "".join(lines[after:first])), (node.name, "".join(lines[first : node.end_lineno]))]
        after = node.end_lineno or first
    return (*found, ("", "".join(lines[after:])))
