"""The house: rooms, arrows that point down, no circles. ARCHITECTURE.md draws what is tested here."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from . import bars

ROOT = Path(__file__).resolve().parents[1]
WEB = ROOT / "explorer" / "web"

# Each room imports from those in front of it alone, and what stands beside those in one tuple never meets.
FLOORS = {
    "llm_core": [
        ("paths", "heap"),
        ("hub",),
        ("text",),
        ("model",),
        ("generation", "analysis"),
        ("figures", "train"),
        ("mistakes", "timeline"),
        ("live", "homework"),
    ],
    "explorer": [
        ("components", "engine", "proxy", "classroom", "port"),
        ("examples", "first_sight"),
        ("experiments",),
        ("lessons", "exercises", "live", "export"),
        ("questions",),
        ("guard",),
        ("pages", "ask", "static_files", "join"),
        ("first_html", "gallery"),
        ("server",),
    ],
}
SHARED_WEB_ROOMS = {"base", "state", "patterns", "color", "ui", "charts", "matrix", "shell"}

Arrows = dict[Path, set[Path]]


def modules(package: str) -> list[Path]:
    """Its files, but for what is given to students: that is no module of ours."""
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "given" not in path.parts]


def imported(path: Path) -> Iterator[str]:
    """Dotted names of everything that a file imports, at any depth of the code."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*start, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def python_arrows(package: str) -> Arrows:
    """File -> the files of its package that it imports; faces (``__init__.py``) only hand names on."""
    faces = {path for path in modules(package) if path.name == "__init__.py"}
    return {
        path: {file for name in imported(path) if (file := file_of(name)) and file not in faces} - {path}
        for path in modules(package)
        if path not in faces
    }


def web_arrows() -> Arrows:
    """File -> the files that it imports; types that a comment names are no arrows."""
    comment = re.compile(r"/\*.*?\*/", re.DOTALL)
    pattern = re.compile(r"""(?:from|import\(|import)\s*["'](\.[^"']+)["']""")
    return {
        path: {(path.parent / name).resolve() for name in pattern.findall(comment.sub("", path.read_text()))}
        for path in sorted(WEB.rglob("*.mjs"))
    }


def room_of(path: Path, root: Path) -> str:
    """The folder under ``root`` in which a file lies, or the file's own name where it lies in ``root``."""
    first = path.relative_to(root).parts[0]
    return first.removesuffix(".py")


def require_no_circle(arrows: Arrows) -> None:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        pytest.fail("a circle: " + " -> ".join(str(path.relative_to(ROOT)) for path in error.args[1]))


@pytest.mark.parametrize("package", FLOORS)
def test_no_python_file_imports_itself_through_others(package):
    require_no_circle(python_arrows(package))


def test_no_browser_module_imports_itself_through_others():
    require_no_circle(web_arrows())


@pytest.mark.parametrize("package", FLOORS)
def test_arrows_between_rooms_point_down(package):
    floor = {room: height for height, rooms in enumerate(FLOORS[package]) for room in rooms}
    entries = {path.stem for path in (ROOT / package).glob("*.py")} - set(floor)  # commands stand above all rooms
    up = [
        f"{path.relative_to(ROOT)} -> {file.relative_to(ROOT)}"
        for path, files in python_arrows(package).items()
        for file in files
        if file.is_relative_to(ROOT / package)
        and (here := room_of(path, ROOT / package)) not in entries
        and here != (there := room_of(file, ROOT / package))
        and floor[there] >= floor[here]
    ]
    assert not up


def test_the_core_knows_no_screen():
    screens = {"gradio", "explorer", "app"}
    assert not [path for path in modules("llm_core") for name in imported(path) if name.split(".")[0] in screens]


def test_a_browser_room_imports_only_from_shared_ones():
    beside = [
        f"{path.relative_to(WEB)} -> {file.relative_to(WEB)}"
        for path, files in web_arrows().items()
        if path.parent != WEB  # the entries stand above all rooms
        for file in files
        if room_of(path, WEB) != room_of(file, WEB) and room_of(file, WEB) not in {*SHARED_WEB_ROOMS, "vendor"}
    ]
    assert not beside


def test_every_import_of_a_browser_module_is_a_file():
    missing = [str(file) for files in web_arrows().values() for file in files if not file.is_file()]
    assert not missing


@pytest.mark.parametrize("kind", ["*.py", "*.mjs", "*.css"])
def test_a_folder_can_be_taken_in_at_a_glance(kind):
    assert not bars.crowded(kind)


@pytest.mark.parametrize("what", bars.ONCE)
def test_there_is_one_way_to_do_it(what):
    found = bars.places(*bars.ONCE[what])
    assert len(found) == 1, found


@pytest.mark.parametrize("what", bars.NEVER)
def test_nobody_does_it(what):
    assert not bars.places(*bars.NEVER[what])


@pytest.mark.parametrize("package", FLOORS)
def test_importing_a_package_loads_no_torch(package):
    code = f"import sys, {package}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
