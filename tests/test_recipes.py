"""The recipes: every notebook runs from top to bottom, in a folder of its own, and every cell fits one screen."""

import ast
import json
from pathlib import Path

import pytest

RECIPES = sorted((Path(__file__).resolve().parents[1] / "docs" / "recipes").glob("*.ipynb"))
LINES = 30  # of a screen


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def run(code: str, names: dict) -> object:
    """Run a cell as a notebook does: the value of the last expression is what it shows."""
    body = ast.parse(code).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
    return eval(compile(last, "<cell>", "eval"), names) if last else None


def test_there_are_six_recipes():
    assert [path.stem[0] for path in RECIPES] == list("123456")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_and_shows_what_it_says(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {"__name__": "__main__"}
    shown = []
    for cell in cells(path):
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= LINES and max(map(len, source.splitlines())) <= 120
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
            shown.append(run(source, names))
    figures = [value for value in shown if hasattr(value, "savefig")]
    assert figures and all(figure._repr_png_().startswith(b"\x89PNG") for figure in figures[:1])
