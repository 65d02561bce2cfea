"""Gradescope's autograder: the ``results.json`` that it reads, and the zip that it is given.

The zip has ``setup.sh``, ``run_autograder`` and the checker's own source; see
https://gradescope-autograders.readthedocs.io for where they lie and what is run.
"""

import json
import zipfile
from pathlib import Path

from ...paths import ASSETS, ROOT
from ..report import BLOCKS, FAILED, PASSED, Report
from .grading import Grading

SETUP = """#!/usr/bin/env bash
set -e
apt-get update && apt-get install -y python3 python3-pip
python3 -m pip install --break-system-packages torch numpy || python3 -m pip install torch numpy
"""
RUN = """#!/usr/bin/env bash
cd /autograder/source
POINTS=""
if [ -f points.json ]; then POINTS="--points points.json"; fi
python3 -m llm_core.homework /autograder/submission --gradescope /autograder/results/results.json $POINTS
exit 0
"""
NEEDED = ["llm_core/*.py", "llm_core/homework/**/*", "llm_core/model/*.py"]


def results(report: Report, grading: Grading | None = None) -> str:
    """As Gradescope reads it: a test for each block, visible to the student."""
    grading = grading or Grading()
    tests = []
    for block in report.blocks:
        if not grading.points[block.name]:
            continue
        where = f"\n\n{block.line.place}:  {block.line.text.strip()}" if block.line else ""
        ideas = "".join(f"\n\nInstead: {fault.idea}" for fault in block.faults)
        told = block.sentence + where + ideas if block.status == FAILED else block.sentence
        tests.append(
            {
                "name": BLOCKS[block.name][0],
                "score": grading.of_block(report, block.name),
                "max_score": grading.points[block.name],
                "status": "passed" if block.status == PASSED else "failed",
                "output": told,
                "visibility": "visible",
            }
        )
    whole = {
        "score": grading.total(report),
        "execution_time": report.seconds,
        "output": report.problem or f"{grading.total(report):g} of {grading.possible:g} points",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1, allow_nan=False)


def write_autograder(path: Path, points: Path | None = None) -> None:
    """
    Raises:
        FileExistsError: if there is something of this name already; it stays as it is.
        OSError: if it cannot be written.
    """
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (("setup.sh", SETUP), ("run_autograder", RUN)):
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o755 << 16
            archive.writestr(info, text)
        if points:
            archive.write(points, "points.json")
        for file in _files():
            archive.write(file, file.relative_to(ROOT).as_posix())


def _files() -> list[Path]:
    found = [file for pattern in NEEDED for file in ROOT.glob(pattern) if file.is_file()]
    found = [file for file in found if "__pycache__" not in file.parts]
    return sorted({*found, ASSETS / "sample_articles.jsonl"})
