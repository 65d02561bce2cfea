"""The browser half as one script: each module a function, so that a page needs neither files nor ``data:`` addresses.

Under a Content-Security-Policy such as that of VS Code's notebooks a script may stand in the page, but is loaded from
nowhere. Modules do not import themselves through others, and export no variable that changes: what one gives is whole
once it has run.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

IMPORT = re.compile(r'^import\s+(\{[^}"]*\}|\*\s+as\s+\w+)\s+from\s+"(\.\.?/[\w/.]+\.mjs)";', re.MULTILINE)
DECLARED = re.compile(r"^export (?=(?:async function|function|class|const)\s+(\w+))", re.MULTILINE)
LISTED = re.compile(r"^export \{([^}]*)\};", re.MULTILINE)
OTHER = re.compile(r"^(?:import|export)\b.*|\bimport\(.*", re.MULTILINE)  # what the three above leave is not understood


def bundle(entry: str, folder: Path) -> str:
    """An expression: what ``entry``, a module under ``folder``, exports. ``ValueError`` for a line that is not read."""
    parts = "".join(f"m[{name!r}] = (() => {{\n{source}\n}})();\n" for name, source in modules(entry, folder).items())
    return f'(() => {{\n"use strict";\nconst m = {{}};\n{parts}return m[{entry!r}];\n}})()'


def modules(entry: str, folder: Path) -> dict[str, str]:
    """The bodies of functions that give what ``entry`` and all that it imports export, by path; the imported first."""
    found: dict[str, str] = {}

    def visit(name: str) -> None:
        source = (folder / name).read_text(encoding="utf-8")
        for match in IMPORT.finditer(source):
            if (path := _path(name, match[2])) not in found:
                visit(path)
        found[name] = as_function(source, name)

    visit(entry)
    return found


def as_function(source: str, name: str) -> str:
    """A module's source as the body of a function that returns its exports."""
    exports = [*DECLARED.findall(source), *_listed(source)]
    source = IMPORT.sub(lambda match: f"const {_taken(match[1])} = m[{_path(name, match[2])!r}];", source)
    source = LISTED.sub("", DECLARED.sub("", source))
    code = re.sub(r"/\*.*?\*/|//[^\n]*", "", source, flags=re.DOTALL)
    if unread := OTHER.search(code):
        raise ValueError(f"{name}: {unread[0]!r} cannot be bundled")
    return f"{source}\nreturn {{ {', '.join(exports)} }};"


def _taken(clause: str) -> str:
    """``{ a, b as c }`` -> ``{ a, b: c }``, ``* as a`` -> ``a``"""
    return re.sub(r"^\*\s+as\s+", "", clause) if clause.startswith("*") else re.sub(r"\s+as\s+", ": ", clause)


def _listed(source: str) -> Iterator[str]:
    for match in LISTED.finditer(source):
        for one in filter(None, (part.strip() for part in match[1].split(","))):
            inner, _, outer = one.partition(" as ")
            yield f"{outer}: {inner}" if outer else inner


def _path(importer: str, address: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), address))
