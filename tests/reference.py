"""docs/REFERENCE.md: every public name of llm_core with its docstring and an example, and the pictures of figures.

    python -m tests.reference     writes it anew, from the docstrings and from reference_examples.md beside this file

Every example runs (tests/test_reference.py), behind the lines that the file of examples begins with.
"""

import inspect
import os
import re
import tempfile
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, PICTURES = ROOT / "docs" / "REFERENCE.md", ROOT / "docs" / "figures"
PACKAGES = ("llm_core", "llm_core.analysis", "llm_core.figures", "llm_core.live")
EXAMPLE = re.compile(r"## (\S+) (\S+)\n\n```python\n(.*?)```", re.DOTALL)
WRITTEN = Path(__file__).with_name("reference_examples.md").read_text(encoding="utf-8")
EXAMPLES = {(package, name): code for package, name, code in EXAMPLE.findall(WRITTEN)}
PRELUDE = re.findall(r"```python\n(.*?)```", WRITTEN, re.DOTALL)[0]  # what all examples need first


def prelude() -> dict:
    """The names that every example finds."""
    names: dict = {}
    exec(PRELUDE, names)
    return names


def run(package: str, name: str, names: dict) -> dict:
    """``names``: those of ``prelude``. Returns them with the example's own."""
    own = dict(names)
    exec(EXAMPLES[package, name], own)
    return own


def entry(package: str, name: str) -> str:
    """A name with its signature, docstring and example."""
    found = getattr(import_module(package), name)
    picture = f"\n![{name}](figures/{name}.svg)\n" if package == "llm_core.figures" else ""
    said = inspect.cleandoc(found.__doc__)
    example = f"```python\n{EXAMPLES[package, name]}```"
    return f"### `{name}`\n\n`{name}{_signature(found)}`\n\n{said}\n\n{example}\n{picture}"


def _signature(found: object) -> str:
    parameters = [p.replace(annotation=p.empty) for p in inspect.signature(found).parameters.values()]
    shown = [p.replace(default=p.default.name) if isinstance(p.default, Path) else p for p in parameters]
    return f"({', '.join(str(p) for p in shown if p.name != 'self')})"


def document() -> str:
    """The whole of docs/REFERENCE.md."""
    parts = [
        "# The library\n",
        "Every public name with an example that a test runs. `python -m tests.reference` writes this page from the "
        "docstrings.\nAll examples need these lines first:\n",
        f"```python\n{PRELUDE}```\n",
    ]
    for package in PACKAGES:
        module = import_module(package)
        parts += [f"## {package}\n", inspect.cleandoc(module.__doc__).splitlines()[0] + "\n"]
        parts += [entry(package, name) for name in module.__all__]
    return "\n".join(parts)


def main() -> None:
    names = prelude()
    PICTURES.mkdir(exist_ok=True)
    for package, name in EXAMPLES:
        if package == "llm_core.figures":
            run(package, name, names)["figure"].savefig(PICTURES / f"{name}.svg", metadata={"Date": None})
    REFERENCE.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        main()
