"""How many ways there are to do each thing, and how long the code is, beside the bounds: ``python -m tests.bars``.

Exits with 1 where a figure is over its bound. ``tests.benchmarks.bench_load`` measures what the first visit loads.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .gate import node, styles, width

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "explorer" / "web"
MOST_FILES = 20  # side by side in a folder
MOST_LINES = 21_600  # of the browser half

# What is done in one place only: how its code is known, in files of which kind.
ONCE = {
    "modules that ask the server": ("explorer/web/**/*.mjs", r"(?<![.\w])fetch\(\s*new URL|\bsendBeacon\("),
    "routes that compute": ("explorer/**/*.py", r"\bRoute\([^\n]*\bmethods="),
    "matrices on a canvas": ("explorer/web/**/*.mjs", r"\bnew ImageData\b"),
    "line charts": ("explorer/web/**/*.mjs", r"\bhs-curve-line\b"),
    "diverging palettes": ("explorer/web/**/*.mjs", r"\bfunction diverging\b"),
    "tables by hand": ("explorer/web/**/*.mjs", r"""\bmake\(\s*["']table["']"""),
    "address codecs": ("explorer/web/**/*.mjs", r"\bexport function writeAddress\b|history\.pushState\b"),
}  # fmt: skip
NEVER = {"fields set by Object.assign(this, …)": ("explorer/web/**/*.mjs", r"\bObject\.assign\(\s*this,")}
PER_FUNCTION = "noExcessiveLinesPerFunction"


def places(files: str, pattern: str) -> list[str]:
    """The files in which the code stands."""
    paths = [path for path in sorted(ROOT.glob(files)) if "vendor" not in path.parts]
    return [path.relative_to(ROOT).as_posix() for path in paths if re.search(pattern, path.read_text(encoding="utf-8"))]


def crowded(kind: str) -> dict[str, int]:
    """Folders in which more files of a kind stand side by side than one can take in at a glance."""
    folders = {path.parent for name in ("llm_core", "explorer", "tests") for path in (ROOT / name).rglob(kind)}
    counts = {folder: sum(path.name != "__init__.py" for path in folder.glob(kind)) for folder in folders}
    return {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > MOST_FILES}


def shared_classes() -> list[str]:
    return [sentence for sentence in styles.all_complaints() if " is styled in " in sentence]


def long_functions() -> tuple[int, int]:
    """How many functions of the browser half are over the bound, and the bound."""
    rule = json.loads((ROOT / "biome.json").read_text())["linter"]["rules"]["complexity"][PER_FUNCTION]
    command = [str(node.tool(ROOT, "biome")), "lint", f"--only=complexity/{PER_FUNCTION}", "--reporter=json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return json.loads(done.stdout)["summary"]["errors"], rule["options"]["maxLines"]


def lines(kind: str) -> int:
    paths = [path for path in WEB.rglob(kind) if "vendor" not in path.parts]
    return sum(path.read_text(encoding="utf-8").count("\n") for path in paths)


def bars() -> Iterator[tuple[str, int, int]]:
    """Each figure: its name, how much it is, and how much it may be."""
    for most, codes in enumerate((NEVER, ONCE)):
        yield from ((name, len(places(*code)), most) for name, code in codes.items())
    yield f"lines over {width.LONGEST} characters", len(list(width.long_lines())), 0
    count, most = long_functions()
    yield f"functions over {most} lines", count, 0
    yield "class names styled in several files", len(shared_classes()), 0
    yield f"folders of over {MOST_FILES} files", sum(len(crowded(kind)) for kind in ("*.py", "*.mjs", "*.css")), 0
    modules, sheets = lines("*.mjs"), lines("*.css")
    yield f"lines of the browser half ({modules:,} of modules, {sheets:,} of CSS)", modules + sheets, MOST_LINES


def main() -> int:
    found = list(bars())
    for name, figure, most in found:
        print(f"{figure:7,}  at most {most:6,}  {name}{'' if figure <= most else '  OVER'}")
    return int(any(figure > most for _, figure, most in found))


if __name__ == "__main__":
    sys.exit(main())
