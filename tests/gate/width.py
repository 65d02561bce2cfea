"""No line of a module or a style sheet is longer than 120 characters: no formatter breaks a string."""

import sys
from collections.abc import Iterator
from pathlib import Path

WEB = Path(__file__).resolve().parents[2] / "explorer" / "web"
LONGEST = 120


def long_lines(folder: Path = WEB) -> Iterator[str]:
    """Each as "file:line: length"."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".mjs", ".css") and "vendor" not in path.parts:
            for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
                if len(line) > LONGEST:
                    yield f"{path.relative_to(folder)}:{number}: {len(line)} characters"


if __name__ == "__main__":
    found = list(long_lines())
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
