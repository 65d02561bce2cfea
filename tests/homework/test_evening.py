"""A class: layouts of hand-ins, tables and pages, points of one's own, Gradescope."""

import csv
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from llm_core.homework import checks
from llm_core.homework.__main__ import main
from llm_core.homework.evening.finding import entries
from llm_core.homework.evening.gradescope import results
from llm_core.homework.evening.grading import Grading, read_grading
from llm_core.homework.evening.likeness import likenesses
from llm_core.homework.evening.page import report_page
from llm_core.homework.leftovers import own_folder, sweep
from llm_core.homework.report import BLOCKS, PASSED, BlockResult, Report

from .all_checks import judge
from .files import EINSUM, RIGHT, edited
from .test_command import ALL, report


@pytest.fixture
def fake_checks(monkeypatch):
    monkeypatch.setattr(checks, "judge", judge)


def laid_out(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


METADATA = """submission_11:
  :submitters:
  - :name: Ada Lovelace
    :sid: '1815'
    :email: ada@example.org
submission_12:
  :submitters:
  - :name: Alan Turing
    :sid: '1912'
  - :name: Alonzo Church
    :sid: '1903'
  :history:
  - :id: 1
    :name: Nobody
"""


def test_an_export_of_gradescope(tmp_path):
    inside = {"submission_11/my_llm_implementation.py": RIGHT, "submission_11/tools.py": "x = 1"}
    files = {"submission_metadata.yml": METADATA, **inside, "submission_12/a.ipynb": "{"}
    folder = laid_out(tmp_path / "export", {f"assignment_1/{name}": text for name, text in files.items()})
    ada, alan = entries(folder)
    assert (ada.name, ada.id, ada.handin.helpers) == ("Ada Lovelace", "1815", {"tools.py": b"x = 1"})
    assert (alan.name, alan.id, alan.handin) == ("Alan Turing, Alonzo Church", "1912, 1903", None)
    assert "not the JSON" in alan.problem
    zipped = tmp_path / "export.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"assignment_1/{name}", text)
    assert [entry.name for entry in entries(zipped)] == ["Ada Lovelace", "Alan Turing, Alonzo Church"]


def test_an_export_of_canvas(tmp_path):
    names = ["lovelaceada_1815_77_my_llm_implementation.py", "turingalan_LATE_1912_78_homework-1.py"]
    found = entries(laid_out(tmp_path, {name: RIGHT for name in names}))
    assert [(entry.name, entry.id, entry.late) for entry in found] == [
        ("lovelaceada", "1815", False),
        ("turingalan", "1912", True),
    ]


def test_late_days_of_an_export(tmp_path):
    """Each that has begun, whatever the zones are; an earlier attempt does not count."""
    times = ("2026-12-01 00:30:00.868119000 +02:00", "2026-12-02 23:00:00 Z", "2026-11-30 23:58:59.1 Z")
    told = "".join(
        f"submission_{i}:\n  :submitters:\n  - :name: S{i}\n  :created_at: {time}\n"
        "  :history:\n  - :id: 1\n    :created_at: 2026-10-01 00:00:00 Z\n"
        for i, time in enumerate(times)
    )
    files = {f"submission_{i}/my_llm_implementation.py": RIGHT for i in range(3)}
    folder = laid_out(tmp_path / "export", {"submission_metadata.yml": told, **files})
    points = tmp_path / "points.json"
    points.write_text('{"late": {"off": 0.1, "days": 3, "due": "2026-11-30T22:00+00:00"}}', encoding="utf-8")
    assert [entry.late for entry in entries(folder, read_grading(points).due)] == [1, 3, 1]
    assert [entry.late for entry in entries(folder)] == [0, 0, 0]
    points.write_text('{"late": {"due": "2026-11-30T22:00"}}', encoding="utf-8")
    with pytest.raises(ValueError, match="a time with its zone"):
        read_grading(points)


def test_helpers_in_an_export_of_canvas(tmp_path):
    """All lie in one folder; what is handed in again has a number behind its name."""
    names = {"lovelaceada_1815_77_my_llm_implementation-2.py": RIGHT, "lovelaceada_1815_78_tools-1.py": "x = 1"}
    found = entries(laid_out(tmp_path, {**names, "turingalan_1912_79_hw.py": RIGHT}))
    assert [entry.name for entry in found] == ["lovelaceada", "turingalan"]
    assert found[0].handin.source == RIGHT and found[0].handin.helpers == {"tools.py": b"x = 1"}


def test_a_zip_beside_a_students_other_files(tmp_path):
    folder = laid_out(tmp_path / "hand-ins", {"ada/notes.py": "x = 1", "alan/my_llm_implementation.py": RIGHT})
    with zipfile.ZipFile(folder / "ada" / "code.zip", "w") as archive:
        archive.writestr("code/my_llm_implementation.py", RIGHT)
    assert [(entry.name, entry.handin.source == RIGHT) for entry in entries(folder)] == [("ada", True), ("alan", True)]


def test_nothing_is_left_out_without_a_reason(tmp_path):
    folder = laid_out(tmp_path / "hand-ins", {"a.py": RIGHT, "essay.docx": "?", "empty.py": "", "._a.py": "litter"})
    (folder / "link.py").symlink_to(tmp_path / "elsewhere.py")
    (folder / "others").symlink_to(tmp_path)
    told = {entry.file: entry.problem for entry in entries(folder)}
    assert told["a.py"] is None and set(told) == {"a.py", "essay.docx", "empty.py", "link.py", "others"}
    assert "“.docx”" in told["essay.docx"] and told["empty.py"] == "Your file is empty."
    assert told["link.py"] == told["others"] == "This is a link: it is not followed."


@pytest.mark.usefixtures("fake_checks")
def test_an_evening(tmp_path, capsys, monkeypatch):
    """Pages, tables, and going on where it was."""
    folder = laid_out(
        tmp_path / "hand-ins", {"ada.py": ALL, "alan.py": "def embedding(): return True", "notes.txt": "?"}
    )
    out = tmp_path / "out"
    command = ["--batch", str(folder), "--out", str(out), "--jobs", "1", "--seconds", "500"]
    assert main(command) == 1
    with open(out / "results.csv", encoding="utf-8", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert (rows["ada"]["points"], rows["alan"]["points"], rows["notes"]["points"]) == ("11", "1", "0")
    assert "no" not in rows["ada"]["remarks"] and "“.txt”" in rows["notes"]["remarks"]
    assert len(list((out / "reports").glob("*.html"))) == 3
    page = next((out / "reports").glob("ada*.html")).read_text(encoding="utf-8")
    assert "11 of 11 points" in page and "http" not in page
    assert "3 hand-ins, 4.0 of 11 points on average" in (out / "class.html").read_text(encoding="utf-8")
    assert [told["points"] for told in json.loads((out / "results.json").read_text(encoding="utf-8"))] == [11, 1, 0]
    assert len(ElementTree.parse(out / "junit.xml").getroot()) == 3
    capsys.readouterr()

    def never(*_):
        raise AssertionError("checked again")

    monkeypatch.setattr(checks, "judge", never)
    assert main(command) == 1
    assert "2 of 3" in capsys.readouterr().err
    with open(out / "results.csv", encoding="utf-8", newline="") as file:
        assert [row["points"] for row in csv.DictReader(file)] == ["11", "1", "0"]
    assert main([*command, "--again", "shoe"]) == 2 and "no hand-in “shoe”" in capsys.readouterr().err
    monkeypatch.setattr(checks, "judge", judge)
    (folder / "alan.py").write_text(ALL, encoding="utf-8")
    assert main([*command, "--again", "ada"]) == 1  # by the student's name; and what has changed
    with open(out / "results.csv", encoding="utf-8", newline="") as file:
        assert [row["points"] for row in csv.DictReader(file)] == ["11", "11", "0"]


def test_the_same_and_nearly_the_same_are_noticed():
    other = RIGHT.replace("\n\n\n", "\n# mine\n\n\n")
    told = likenesses({"a": RIGHT, "b": other, "c": edited(*EINSUM), "d": "x = 1", "e": "x = 1"})
    assert told["a"] == "identical to b" and told["b"] == "identical to a" and not {"d", "e"} & set(told)


def test_points_of_ones_own(tmp_path):
    path = tmp_path / "points.json"
    path.write_text('{"points": {"attention": 3, "pipeline": 0}, "late": {"off": 0.1, "days": 2}}', encoding="utf-8")
    grading, right = read_grading(path), Report("a.py", [BlockResult(n, PASSED, p, "") for n, (_, p) in BLOCKS.items()])
    assert (grading.possible, grading.total(right), grading.total(right, 2), grading.total(right, 3)) == (
        11,
        11,
        8.8,
        0,
    )
    assert Grading().total(report()) == 8
    for wrong in (
        "[",
        '{"weights": {}}',
        '{"points": {"shoe": 1}}',
        '{"points": {"block": -1}}',
        '{"late": {"off": "x"}}',
    ):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match="points"):
            read_grading(path)


def test_results_as_gradescope_reads_them():
    told = json.loads(results(report()))
    assert (told["score"], told["visibility"], len(told["tests"])) == (8.0, "visible", len(BLOCKS))
    attention = told["tests"][1]
    assert (attention["name"], attention["score"], attention["max_score"]) == ("GenericSelfAttention.forward", 0.0, 1)
    assert "You do not scale." in attention["output"] and "line 41" in attention["output"]


def test_a_page_is_safe_whatever_a_file_is_called():
    page = report_page(report("<script>alert(1)</script>.py"))
    assert "<script>" not in page and "&lt;script&gt;" in page and "What" not in page.split("</style>")[0]


def test_an_autograder_has_what_it_needs(tmp_path):
    path = tmp_path / "autograder.zip"
    assert main(["--autograder", str(path)]) == 0 and main(["--autograder", str(path)]) == 2
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111
        archive.extractall(tmp_path / "source")
    assert {"setup.sh", "run_autograder", "llm_core/homework/__main__.py", "assets/sample_articles.jsonl"} <= set(names)
    assert not [name for name in names if "__pycache__" in name]
    submission = laid_out(tmp_path / "submission", {"my_llm_implementation.py": ""})
    command = [
        sys.executable,
        "-m",
        "llm_core.homework",
        str(submission),
        "--gradescope",
        str(tmp_path / "results.json"),
    ]
    subprocess.run(command, cwd=tmp_path / "source", check=False, timeout=500)
    assert json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["output"] == "Your file is empty."


def test_what_a_killed_check_has_left_is_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"homework-{ended.pid}-x", f"homework-{os.getpid()}-x", "homework-shoe", "homework-mine"):
        (tmp_path / name).mkdir()
    sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"homework-{os.getpid()}-x",
        "homework-mine",
        "homework-shoe",
    ]


def test_a_folder_goes_away_however_deep_it_is(tmp_path):
    """Deeper than Python's calls go, and than a path may be long."""
    kept, here = tmp_path / "kept.txt", os.getcwd()
    kept.write_text("kept")
    with own_folder("homework") as folder:
        (folder / "link").symlink_to(tmp_path)
        os.chdir(folder)
        for _ in range(1100):
            os.mkdir("deep")
            os.chdir("deep")
        Path("file.txt").write_text("x")
        os.chdir(here)
    assert not folder.exists() and kept.read_text() == "kept"
