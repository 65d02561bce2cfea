"""The gate: all that can be said of the code without running it. ``python -m tests.gate`` exits with 1 if any fails."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import node, styles, width

ROOT = Path(__file__).resolve().parents[2]


def checks() -> Iterator[tuple[str, list[str]]]:
    """Each check by name: a command that is silent about what is well, and fails otherwise."""
    python = [sys.executable, "-m"]
    yield "ruff", [*python, "ruff", "check", "--quiet", "."]
    yield "ruff format", [*python, "ruff", "format", "--quiet", "--check", "."]
    for stub in (ROOT / "explorer").rglob("*.pyi"):
        stub.unlink()  # Gradio writes them when the app starts, and mypy would read them in place of the modules
    yield "mypy", [*python, "mypy", "--no-error-summary"]
    yield "biome", [str(node.tool(ROOT, "biome")), "check", "--max-diagnostics=50", "--error-on-warnings"]
    yield "tsc", [str(node.tool(ROOT, "tsc")), "--pretty", "false"]
    yield "styles", [*python, styles.__name__]
    yield "width", [*python, width.__name__]


def main() -> int:
    """Run all, print the seconds of each, and count those that fail."""
    failed = 0
    for name, command in checks():
        start = time.perf_counter()
        code = subprocess.run(command, cwd=ROOT).returncode
        print(f"{name:12} {'ok' if code == 0 else 'FAILED':6} {time.perf_counter() - start:5.1f} s", flush=True)
        failed += code != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
