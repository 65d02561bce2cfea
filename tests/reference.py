"""docs/REFERENCE.md: every public name of llm_core with its docstring, members and an example; the pictures of figures.

    python -m tests.reference     writes it anew, from the docstrings and from reference_examples.md beside this file

Every example runs (tests/test_reference.py), behind the lines that the file of examples begins with.
"""

import inspect
import os
import re
import tempfile
import textwrap
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE, PICTURES = ROOT / "docs" / "REFERENCE.md", ROOT / "docs" / "figures"
PACKAGES = ("llm_core", "llm_core.analysis", "llm_core.figures", "llm_core.live")
EXAMPLE = re.compile(r"## (\S+) (\S+)\n\n```python\n(.*?)```", re.DOTALL)
WRITTEN = Path(__file__).with_name("reference_examples.md").read_text(encoding="utf-8")
AXIS = r"(?:[A-Z](?:[+-]\d)?|n|\d+|\*|…|\.\.\.)"  # a letter of the legend, a number, or whatever there is
SHAPE = re.compile(rf"\({AXIS}(?:, {AXIS})*,?\)")
FIELD = re.compile(r"^    (\w+): ([^#\n]+?)(?:  # (.*))?$", re.MULTILINE)
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


def fields_of(found: type) -> list[tuple[str, str, str]]:
    """Of a dataclass: each field's name, its type and default, and what its comment says."""
    names = {one.name for one in fields(found)} if is_dataclass(found) else {}
    return [one for one in FIELD.findall(inspect.getsource(found)) if one[0] in names] if names else []


def methods_of(found: type) -> dict[str, Callable]:
    """What can be called or read, by its name; the functions behind properties and class methods."""
    ours = [vars(base) for base in reversed(found.__mro__) if base.__module__.startswith("llm_core")]
    own = {name: member for members in ours for name, member in members.items() if name[0] != "_"}
    plain = {name: getattr(member, "fget", None) or getattr(member, "__func__", member) for name, member in own.items()}
    return {name: function for name, function in plain.items() if inspect.isfunction(function)}


def lacking(package: str, name: str) -> list[str]:
    """What the page does not say of a public name and its members: a sentence, or the shape of a tensor."""
    found = getattr(import_module(package), name)
    said = found.__dict__.get("__doc__") if isinstance(found, type) else found.__doc__
    if not said or said.startswith(f"{name}("):  # a dataclass without a docstring gets its own signature as one
        return [f"{package}.{name}: a sentence"]
    if not isinstance(found, type):
        return _lacking(f"{package}.{name}", found)
    methods = methods_of(found).items()
    lacks = [what for own, method in methods for what in _lacking(f"{package}.{name}.{own}", method)]
    tensors = [(own, comment) for own, kind, comment in fields_of(found) if "Tensor" in kind]
    return lacks + [f"{package}.{name}.{own}: a shape" for own, comment in tensors if not SHAPE.search(comment + said)]


def _lacking(name: str, function: Callable) -> list[str]:
    said = inspect.getdoc(function) or ""
    if len(said.partition("\n")[0]) < 15:
        return [f"{name}: a sentence"]
    has_tensors = any("Tensor" in str(kind) for kind in inspect.get_annotations(function).values())
    return [f"{name}: a shape"] if has_tensors and not SHAPE.search(said) else []


def entry(package: str, name: str) -> str:
    """A name with its signature, docstring, members and example."""
    found = getattr(import_module(package), name)
    picture = f"\n![{name}](figures/{name}.svg)\n" if package == "llm_core.figures" else ""
    said = inspect.cleandoc(found.__doc__)
    example = f"```python\n{EXAMPLES[package, name]}```"
    return f"### `{name}`\n\n`{name}{_signature(found)}`\n\n{said}\n\n{_members(found)}{example}\n{picture}"


def _members(found: object) -> str:
    """The fields and methods of a class, each a line of a list, with what is said of it."""
    if not isinstance(found, type):
        return ""
    lines = [f"* `{own}`: `{kind}`{f', {said}' if said else ''}" for own, kind, said in fields_of(found)]
    for name, method in methods_of(found).items():
        call = "" if isinstance(inspect.getattr_static(found, name), property) else _signature(method)
        lines.append(f"* `.{name}{call}`: {textwrap.indent(inspect.getdoc(method) or '', '  ').strip()}")
    return "\n".join(lines) + "\n\n" if lines else ""


def _signature(found: object) -> str:
    parameters = [p.replace(annotation=p.empty) for p in inspect.signature(found).parameters.values()]
    shown = [p.replace(default=p.default.name) if isinstance(p.default, Path) else p for p in parameters]
    return f"({', '.join(str(p) for p in shown if p.name not in ('self', 'cls'))})"


def document() -> str:
    """The whole of docs/REFERENCE.md."""
    parts = [
        "# The library\n",
        "Every public name with its fields and methods, and an example that a test runs.\n"
        "`python -m tests.reference` writes this page from the docstrings. All examples need these lines first:\n",
        f"```python\n{PRELUDE}```\n",
    ]
    for package in PACKAGES:
        module = import_module(package)
        parts += [f"## {package}\n", inspect.cleandoc(module.__doc__).splitlines()[0] + "\n"]
        parts += [entry(package, name) for name in module.__all__]
    return "\n".join(parts)


def write_picture(names: dict, name: str, folder: Path) -> Path:
    """The figure of an example that has run, as the page shows it."""
    path = folder / f"{name}.svg"
    names["figure"].savefig(path, metadata={"Date": None})
    return path


def main() -> None:
    names = prelude()
    PICTURES.mkdir(exist_ok=True)
    for package, name in EXAMPLES:
        if package == "llm_core.figures":
            write_picture(run(package, name, names), name, PICTURES)
    REFERENCE.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)
        main()
