"""What is installed is all that lies here, and each Python gets one version of everything."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from llm_core.paths import ROOT

CODE = ("explorer", "llm_core", "assets")
WRITTEN = ("__pycache__", ".pyi", ".pyc")  # by programs, as they run


def files(folder: Path) -> set[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in found if not any(word in path for word in WRITTEN)}


def test_an_installation_holds_every_file(tmp_path):
    command = [sys.executable, "setup.py", "-q", "build", "--build-base", str(tmp_path / "base"),
               "--build-lib", str(tmp_path / "lib"), "egg_info", "--egg-base", str(tmp_path)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assets = "llm_core/assets/"
    installed = {f.replace(assets, "assets/", 1) if f.startswith(assets) else f for f in files(tmp_path / "lib")}
    here = {f"{folder}/{file}" for folder in CODE for file in files(ROOT / folder)}
    assert installed == here
    code = "import llm_core.paths as p; print(p.MODELS.is_dir(), p.MODELS.is_relative_to(p.PACKAGE), p.RUNS)"
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'lib')!r}); {code}"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.split() == ["True", "True", str(tmp_path / "runs")]


def test_every_command_is_a_function():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    commands = re.findall(r'^(headscope[\w-]*) = "([\w.]+):(\w+)"$', text, re.MULTILINE)
    assert [name for name, *_ in commands] == ["headscope", "headscope-check", "headscope-train"]
    for _, module, function in commands:
        assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_each_python_gets_one_version_of_everything(python):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split("\n")
    wanted = [Requirement(line) for line in lines if line]
    here = {"python_version": python, "python_full_version": f"{python}.0"}
    counts = Counter(one.name for one in wanted if one.marker is None or one.marker.evaluate(here))
    assert counts == dict.fromkeys({one.name for one in wanted}, 1)
    assert all(str(one.specifier).startswith("==") for one in wanted)


def test_what_other_files_say_of_versions_is_what_is_pinned():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    pins = dict(line.split("==", 1) for line in lines if "==" in line)
    said = {
        "Dockerfile": r"torch==([\d.]+)",
        "README.md": r"build of PyTorch ([\d.]+) into",
        "docs/INSTALL.md": r"sdk_version: ([\d.]+)",
    }
    found = {name: re.findall(pattern, (ROOT / name).read_text(encoding="utf-8")) for name, pattern in said.items()}
    assert found == {"Dockerfile": [pins["torch"]], "README.md": [pins["torch"]], "docs/INSTALL.md": [pins["gradio"]]}


def test_the_cells_of_the_notebook_run(tmp_path):
    notebook = json.loads((ROOT / "docs" / "colab.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert cells[0].count("%pip install") == 1 and len(cells) == 5
    code = "\n".join(cells[1:]).replace("STEPS = 300", "STEPS = 20")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "my_llm_implementation.py").is_file()
    assert "0 of 11" in done.stdout and "loss " in done.stdout
