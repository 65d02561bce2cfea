"""The command, from the arguments to the exit code, and the report that it writes, in all its forms."""

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from llm_core.homework import checks
from llm_core.homework.__main__ import main
from llm_core.homework.rendering import HEADER, to_junit, to_row, to_text
from llm_core.homework.report import (
    BLOCKS,
    LONGEST,
    BlockResult,
    Difference,
    Found,
    LessonStep,
    Line,
    Patterns,
    Report,
    from_json,
    to_json,
)

from .all_checks import judge
from .files import RIGHT

ALL = "".join(f"def {name.replace(' ', '_').replace('-', '_')}(): return True\n" for name in BLOCKS)


def failing() -> BlockResult:
    """As full as it can be; the cells that differ are in the middle, and one is not finite."""
    expected = [[10.0 * r + c for c in range(12)] for r in range(9)]
    found = [list(row) for row in expected]
    found[4][6], found[5][6], found[7][6] = -46.0, None, 0.0
    differs = [[found[r][c] != expected[r][c] for c in range(12)] for r in range(9)]
    rows, columns = [str(r) for r in range(9)], [f"c{c}" for c in range(12)]
    difference = Difference("scores", "the first", [2, 9, 12], [1, 4, 6], rows, columns, expected, found, differs)
    fault = Found(
        "no-scale", "No scale", "You do not scale.", "Saturates.", "Divide by √D.", LessonStep("attention", 5)
    )
    patterns = Patterns(["How", " to"], 3, 1, [[1.0, 0.0], [0.5, 0.5]], [[1.0, 0.0], [0.25, 0.75]])
    line = Line(41, "att = q @ k.transpose(-2, -1)")
    return BlockResult("attention", "failed", 0, "You do not scale.", [fault], line, difference, patterns)


def report(file: str = "homework.py") -> Report:
    blocks = [BlockResult(name, "passed", points, "") for name, (_, points) in BLOCKS.items()]
    blocks[1], blocks[9] = failing(), BlockResult("pipeline", "not started", 0, "Not written yet.")
    return Report(file, blocks, 21.3)


# --- the report --------------------------------------------------------------------------------------------------


def test_json_holds_everything():
    told = json.loads(to_json(report()))
    assert from_json(to_json(report())) == report()
    assert (told["points"], told["possible"], told["seconds"], told["problem"]) == (8, 11, 21.3, None)
    block = told["blocks"][1]
    assert block["title"] == "GenericSelfAttention.forward" and block["possible"] == 1
    assert block["faults"][0]["lesson"] == {"lesson": "attention", "step": 5}
    assert block["difference"]["found"][5][6] is None and block["difference"]["found"][4][6] == -46.0


def changed(*place, to) -> str:
    """The report's JSON with another value at one place."""
    told = inner = json.loads(to_json(report()))
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = to
    return json.dumps(told)


ATTENTION = "blocks", 1
STRANGE = [  # JSON, and a part of the one sentence about it
    ("<html><script>alert(1)</script></html>", "this is not JSON"),
    ("", "this is not JSON"),
    (b"\xff\xfe\x00", "this is not JSON"),
    ("[" * 100_000, "this is not JSON"),
    (" " * (LONGEST + 1), "at most 2,000,000 characters"),
    ("[]", "not a homework report"),
    ('{"format": "other"}', "not a homework report"),
    (changed("version", to=2), "another version"),
    (changed("file", to=["x"]), "the report's file should be a text, and is a list"),
    (changed("file", to="x" * 301), "the report's file has 301 characters, and may have 300"),
    (changed("seconds", to="1"), "the report's seconds should be a number, and is a text"),
    (changed("seconds", to=float("nan")), "finite"),
    (changed("seconds", to=10**400), "the report's seconds should be a number"),
    (changed("blocks", to={}), "the report's blocks should be a list, and is an object"),
    (changed("blocks", to=[{}] * 1000), "has 1,000 entries"),
    (changed("blocks", to=[]), "the report's blocks should be embedding, attention"),
    (changed("blocks", 0, to=None), "entry 1, should be an object, and is missing"),
    (changed("blocks", 0, "name", to="shoe"), "name should be one of embedding, attention"),
    (changed("blocks", 0, "status", to="ok"), "status should be one of passed, failed, not started"),
    (changed("blocks", 0, "points", to=True), "points should be a whole number, and is true or false"),
    (changed("blocks", 0, "points", to=2), "2 of 1 points"),
    (changed("blocks", 0, "points", to=0), "0 of 1 points do not match “passed”"),
    (changed(*ATTENTION, "line", "number", to=-1), "between 1 and"),
    (changed(*ATTENTION, "faults", to=[{}] * 5), "has 5 entries, and may have 4"),
    (changed(*ATTENTION, "faults", 0, "effect", to=5), "effect should be a text, and is a number"),
    (changed(*ATTENTION, "difference", "rows", to=["a"] * 17), "has 17 entries, and may have 16"),
    (changed(*ATTENTION, "difference", "expected", 0, to=[1.0]), "every table should have 9 rows and 12 columns"),
    (changed(*ATTENTION, "difference", "found", 0, 0, to="NaN"), "should be a number, and is a text"),
    (changed(*ATTENTION, "patterns", "tokens", to=["a"]), "every table should have 1 rows"),
]


@pytest.mark.parametrize("source, sentence", STRANGE, ids=range(len(STRANGE)))
def test_json_of_a_stranger_is_refused_in_one_sentence(source, sentence):
    with pytest.raises(ValueError) as caught:
        from_json(source)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_texts_of_a_stranger_cannot_steer_a_terminal():
    read = from_json(changed(*ATTENTION, "sentence", to="\x1b[2Jred\u202etab\there <b>"))
    assert read.blocks[1].sentence == " [2Jred tab here <b>"
    assert from_json(changed("unknown", to="dropped")) == report()


def test_text_shows_where_the_tensors_part():
    text = to_text(report(), width=100)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "homework.py: 8 of 11 points (21 s)" and "\033" not in text
    assert "✓ Embedding.forward 1/1" in lines and "✗ GenericSelfAttention.forward 0/1" in lines
    assert "– The whole pipeline 0/2 not started" in lines
    assert "You do not scale." in lines and "line 41: att = q @ k.transpose(-2, -1)" in lines
    assert "What it does: Saturates." in lines and "Instead: Divide by √D." in lines
    assert "c5 c6 c7 c8 c5 c6 c7 c8" in lines[lines.index("expected yours") + 1]  # one before the first that differs
    assert "4 45 46* 47 48 45 -46* 47 48" in lines and "5 55 56* 57 58 55 nan/inf* 57 58" in lines
    assert max(map(len, text.splitlines())) <= 100
    assert "\033[31m✗" in to_text(report(), colours=True)
    assert to_text(Report("a.py", report().blocks, 1.0, "It loops.")).splitlines()[1:] == ["    It loops."]


def test_junit_has_a_case_for_each_block():
    suite = ElementTree.fromstring(to_junit(report()))
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "10",
        "failures": "1",
        "skipped": "1",
    }
    assert [case.get("name") for case in suite.iter("testcase")] == [title for title, _ in BLOCKS.values()]
    assert [failure.get("message") for failure in suite.iter("failure")] == ["You do not scale."]
    assert "line 41" in next(suite.iter("failure")).text


def test_row_is_safe_in_a_spreadsheet():
    row = dict(zip(HEADER, to_row(report("=HYPERLINK(0).py"))))
    assert row["file"] == "'=HYPERLINK(0).py" and row["points"] == "8"
    for name in ("+1.py", "-1.py", "@x.py", "\t=1.py", "\r=1.py"):
        assert to_row(report(name))[0] == f"'{name}"
    assert (row["embedding"], row["attention"], row["pipeline"]) == ("1", "0", "")
    assert row["remarks"] == "GenericSelfAttention.forward: No scale"


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def fake_checks(monkeypatch):
    monkeypatch.setattr(checks, "judge", judge)


def written(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_right_file_has_all_points(tmp_path, capsys):
    """The real checks, in the real sandbox: what they load and write has to be allowed there."""
    path, junit = written(tmp_path / "right.py", RIGHT), tmp_path / "junit.xml"
    assert main([path, "--json", "--junit", str(junit), "--seconds", "500"]) == 0
    out, err = capsys.readouterr()
    found = from_json(out)
    assert found.points == 11 and found.file == "right.py" and found.problem is None
    assert "checking 2 of 10: GenericSelfAttention.forward …" in err.splitlines()
    assert ElementTree.parse(junit).getroot().get("failures") == "0"


def test_a_new_file_is_not_started_and_never_overwritten(tmp_path, capsys):
    path = tmp_path / "new.py"
    assert main(["--new", str(path)]) == 0
    before = path.read_bytes()
    assert main(["--new", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err and path.read_bytes() == before
    assert main(["--new", str(tmp_path / "nowhere" / "new.py")]) == 2
    assert main([str(path), "--json", "--seconds", "500"]) == 1
    found = from_json(capsys.readouterr().out)
    assert {block.status for block in found.blocks} == {"not started"} and found.problem is None


@pytest.mark.usefixtures("fake_checks")
def test_a_class_with_one_bad_file(tmp_path, capsys):
    folder, table = tmp_path / "hand-ins", tmp_path / "results.csv"
    (folder / "deeper").mkdir(parents=True)
    written(folder / "b.py", ALL)
    written(folder / "a.py", "import os; os._exit(0)")
    written(folder / "deeper" / "c.py", "def embedding(): return True")
    written(folder / "notes.txt", "not checked")
    written(folder / "._b.py", "what a Mac leaves")
    (folder / "d.py").symlink_to(tmp_path / "gone")
    assert main(["--batch", str(folder), "--csv", str(table), "--jobs", "1", "--seconds", "500"]) == 1
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    points = [("a.py", "0"), ("b.py", "11"), ("d.py", "0"), ("deeper/c.py", "1"), ("notes.txt", "0")]
    assert [(row["file"], row["points"]) for row in rows] == points
    assert "exit code 0" in rows[0]["remarks"] and rows[1]["remarks"] == "" and "a link" in rows[2]["remarks"]
    assert (rows[3]["embedding"], rows[3]["attention"]) == ("1", "")
    assert "of 5: b.py: 11 of 11" in capsys.readouterr().err


WRONG = {
    "": "one of the arguments file --new --batch --autograder is required",
    "nowhere.py": "nowhere.py: No such file or directory",
    "--batch .": "--batch goes with --csv FILE or --out FOLDER",
    "--batch nowhere --csv a.csv": "nowhere: there is no such folder",
    "--batch . --csv a.csv": "has no .py file",
    "--batch . --csv a.csv --jobs 0": "at least 1",
    "a.py --jobs 2": "--jobs is for --batch",
    "a.py --seconds 0": "--seconds should be more than 0",
    "--new a.py --json": "are for one file",
    "a.py --shoe": "unrecognized arguments: --shoe",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_command_is_one_sentence(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    try:
        code = main(arguments.split())
    except SystemExit as error:  # argparse's
        code = error.code
    assert code == 2 and WRONG[arguments] in capsys.readouterr().err
