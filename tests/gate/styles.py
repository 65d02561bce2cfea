"""The rules of the style sheets: layers, roots, tokens, breakpoints.

* Rules stand in a layer that ``base/tokens.css`` orders. Only what must win against Gradio's own styles stands in
  none, in ``base/gradio.css``, and so do blocks of nothing but variables.
* A class that is named outside a view's root is global, and only one sheet styles it.
* Sizes of text, spaces and radii are the tokens of ``base/tokens.css``; what is larger than the largest space is a
  layout's, and 1px is a line's.
* ``@media`` knows two widths, since it takes no variables.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "explorer" / "web"
WIDTHS = {"720px", "1100px"}
SPACED = re.compile(r"^(font-size|font|(row-|column-)?gap|(padding|margin)(-[a-z-]+)?|border(-[a-z-]+)?-radius)$")
LENGTH = re.compile(r"(?<![\w.#-])(\d*\.?\d+)(px|rem)")
LINE, LARGEST = 1, 24  # px
UNLAYERED = {"base/gradio.css"}


@dataclass
class Block:
    """A rule: what stands before its brace, its declarations, and the rules in it."""

    prelude: str
    line: int = 0
    declarations: list[tuple[str, str]] = field(default_factory=list)
    blocks: list["Block"] = field(default_factory=list)


def parse(text: str) -> Block:
    """The sheet as one block without a prelude; declarations and blocks as they stand, comments left out."""
    text = re.sub(r"/\*.*?\*/", lambda match: "\n" * match[0].count("\n"), text, flags=re.DOTALL)
    top = Block("")
    stack = [top]
    line = 1
    for part in re.finditer(r"((?:\"[^\"]*\"|[^{};\"])*)([{};]|$)", text):
        words, sign = " ".join(part[1].split()), part[2]
        start = line + (len(part[1]) - len(part[1].lstrip()) and part[1][: -len(part[1].lstrip())].count("\n"))
        line += part[0].count("\n")
        if sign == "{":
            stack[-1].blocks.append(block := Block(words, start))
            stack.append(block)
            continue
        if words and not words.startswith("@"):
            name, _, value = words.partition(":")
            stack[-1].declarations.append((name.strip(), value.strip()))
        if sign == "}":
            stack.pop()
    return top


def walk(block: Block, above: tuple[Block, ...] = ()) -> Iterator[tuple[Block, tuple[Block, ...]]]:
    for inner in block.blocks:
        yield inner, above
        yield from walk(inner, (*above, inner))


def global_classes(sheet: Block) -> set[str]:
    """The classes in selectors that stand in no other rule, and do not name a view."""
    found: set[str] = set()
    for block, above in walk(sheet):
        if all(outer.prelude.startswith("@") for outer in above):
            for selector in block.prelude.split(","):
                if not selector.startswith("@") and "[data-view" not in selector:
                    found.update(re.findall(r"\.(hs-[\w-]+)", selector))
    return found


def complaints(name: str, sheet: Block) -> Iterator[str]:
    """What a sheet does against the rules, each as "file:line: what"."""
    for block, above in walk(sheet):
        if block.prelude.startswith("@media"):
            for width in re.findall(r"width:\s*([\w.]+)", block.prelude):
                if width not in WIDTHS:
                    yield f"{name}:{block.line}: {width} is no breakpoint ({', '.join(sorted(WIDTHS))})"
        is_layered = any(outer.prelude.startswith("@layer") for outer in (*above, block))
        is_variables = all(key.startswith("--") or key == "color-scheme" for key, _ in block.declarations)
        if not is_layered and not is_variables and name not in UNLAYERED and not above:
            yield f"{name}:{block.line}: {block.prelude} stands in no layer"
        for key, value in block.declarations:
            if SPACED.match(key) and (bad := literals(key, value)):
                yield f"{name}:{block.line}: {key}: {value}: {', '.join(bad)} is no token"


def literals(key: str, value: str) -> list[str]:
    """The lengths that should be tokens."""
    largest = LARGEST if key.startswith("margin") else float("inf")
    return [number + unit for number, unit in LENGTH.findall(value) if LINE < float(number) <= largest]


def all_complaints(folder: Path = WEB) -> Iterator[str]:
    owners = defaultdict(list)
    for path in sorted(folder.rglob("*.css")):
        name = path.relative_to(folder).as_posix()
        sheet = parse(path.read_text(encoding="utf-8"))
        yield from complaints(name, sheet)
        for word in global_classes(sheet):
            owners[word].append(name)
    for word, names in sorted(owners.items()):
        if len(names) > 1:
            yield f".{word} is styled in {' and '.join(names)}: nest it under the view's root"


if __name__ == "__main__":
    found = list(all_complaints())
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
