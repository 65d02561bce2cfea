"""The code beside a picture: the source of the function that ran, read with ``inspect``, its marked lines found by
their text, so that a line which no longer exists is an error and never a wrong mark."""

import builtins
import inspect
import io
import keyword
import textwrap
import token
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """Source lines as coloured pieces, and which of them are marked."""

    title: str  # "llm_core/model/attention.py · split_heads"
    first: int  # number of the first line in its file
    lines: tuple[tuple[tuple[str, str], ...], ...]  # (kind, text) pieces of each line
    marked: tuple[int, ...]  # indices into ``lines``
    tone: str = ""  # "right" or "wrong" where two stand side by side


def code_of(function: Callable, *marked: str, tone: str = "") -> Code:
    """The source of ``function``; each of ``marked`` is part of exactly one of its lines.

    Raises ``ValueError`` if it is part of none, or of several.
    """
    lines, first = inspect.getsourcelines(function)
    module, name = function.__module__.replace(".", "/"), function.__qualname__
    return code_from("".join(lines), f"{module}.py · {name}", *marked, first=first, tone=tone)


def code_from(source: str, title: str, *marked: str, first: int = 1, tone: str = "") -> Code:
    """The same for source text that did not come from a file."""
    lines = textwrap.dedent(source).rstrip().split("\n")
    places = sorted({_only(lines, part, title) for part in marked})
    return Code(title, first, _pieces(lines), tuple(places), tone)


def _only(lines: list[str], part: str, title: str) -> int:
    found = [i for i, line in enumerate(lines) if part in line]
    if len(found) != 1:
        raise ValueError(f"{title} has {len(found)} lines with {part!r}: a step marks exactly one")
    return found[0]


def _pieces(lines: list[str]) -> tuple[tuple[tuple[str, str], ...], ...]:
    """Every line cut into (kind, text), kinds: "name", "keyword", "builtin", "number", "string", "comment", ""."""
    rows: list[list[tuple[str, str]]] = [[] for _ in lines]
    ends = [0] * len(lines)
    for item in _whole_strings(tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline)):
        if item.type in (token.NEWLINE, tokenize.NL, token.INDENT, token.DEDENT, token.ENDMARKER):
            continue
        for row in range(item.start[0] - 1, item.end[0]):
            start = item.start[1] if row == item.start[0] - 1 else 0
            end = item.end[1] if row == item.end[0] - 1 else len(lines[row])
            if start > ends[row]:
                rows[row].append(("", lines[row][ends[row] : start]))
            rows[row].append((_kind(item), lines[row][start:end]))
            ends[row] = end
    return tuple(map(tuple, rows))


def _whole_strings(items: Iterable[tokenize.TokenInfo]) -> Iterator[tokenize.TokenInfo]:
    """From Python 3.12 on, an f-string comes in parts; here each is one string, as before."""
    begun: list[tokenize.TokenInfo] = []
    for item in items:
        name = token.tok_name[item.type]
        if name.endswith("STRING_START"):
            begun.append(item)
        elif name.endswith("STRING_END"):
            start = begun.pop()
            if not begun:
                yield start._replace(type=token.STRING, end=item.end)
        elif not begun:
            yield item


def _kind(item: tokenize.TokenInfo) -> str:
    if item.type == token.NAME:
        if keyword.iskeyword(item.string):
            return "keyword"
        return "builtin" if hasattr(builtins, item.string) else "name"
    return {token.NUMBER: "number", token.STRING: "string", tokenize.COMMENT: "comment"}.get(item.type, "")
