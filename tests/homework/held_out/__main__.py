"""How the checker does on files that it was not made for: points, reasons, wrong names, lines. See README.md here.

python -m tests.homework.held_out [STYLE ...] [--reasons | --points]
"""

import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import torch

from llm_core.homework.checks import check
from llm_core.homework.report import BLOCKS

from .faults import STYLES, File, files, right


@dataclass
class Score:
    """Of one file: what was lost beside what should be, and each fault's explanation and line."""

    file: File
    report: dict
    missing: list[str] = field(default_factory=list)  # faults without a true explanation
    wrong: list[str] = field(default_factory=list)  # explanations that are of no fault
    far: list[str] = field(default_factory=list)  # faults' blocks whose line is more than one off

    @property
    def has_right_points(self) -> bool:
        return lost(self.report) == self.file.lost


def lost(report: dict) -> frozenset[str]:
    return frozenset(block["name"] for block in report["blocks"] if block["status"] != "passed")


def checked(file: File, folder: Path, only: Collection[str] = tuple(BLOCKS), reasons: bool = True) -> Score:
    path = folder / "my_llm_implementation.py"
    path.write_text(file.text, encoding="utf-8")
    score = Score(file, check(path, only, reasons))
    blocks = {block["name"]: block for block in score.report["blocks"]}
    for name in {fault.block for fault in file.faults} if reasons else ():
        faults, block = [fault for fault in file.faults if fault.block == name], blocks[name]
        told = [fault["sentence"] for fault in block["faults"]]
        said = told or [block["sentence"]]
        score.missing += [fault.name for fault in faults if not any(map(fault.explained_by, said))]
        score.wrong += [one for one in told if not any(fault.explained_by(one) for fault in faults)]
        near = {line + by for fault in faults for line in file.lines[fault.name] for by in (-1, 0, 1)}
        score.far += [] if block["line"] and block["line"]["number"] in near else [f"{name}: {block['line']}"]
    return score


def main(styles: list[str], points: bool = True, reasons: bool = True) -> None:
    """``points`` asks for every block, ``reasons`` for those of the faulty ones."""
    torch.set_num_threads(1)  # for matrices this small, more only wait for each other
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for style in styles if points else []:
            path = Path(folder, "right.py")
            path.write_text(right(style), encoding="utf-8")
            print(f"{style}: {check(path)['points']} of 11", flush=True)
        scores = []
        for file in (file for style in styles for file in files(style)):
            blocks = BLOCKS if points else {fault.block for fault in file.faults}
            scores.append(score := checked(file, Path(folder), tuple(blocks), reasons))
            print(*_told(score, points), sep="\n", end="", flush=True)
    if points:
        print(f"points right in {sum(score.has_right_points for score in scores)} of {len(scores)} files")
    if reasons:
        _summary(scores)
    print(f"{(time.process_time() - began) / (len(scores) + len(styles)):.1f} s of computing a file")


def _told(score: Score, points: bool) -> list[str]:
    lines, is_wrong = [], points and not score.has_right_points
    if is_wrong:
        lines.append(f"{score.file.name}: lost {sorted(lost(score.report))} instead of {sorted(score.file.lost)}")
    lines += [f"{score.file.name}: not explained: {name}" for name in score.missing]
    lines += [f"{score.file.name}: wrong: {sentence}" for sentence in score.wrong]
    lines += [f"{score.file.name}: line: {told}" for told in score.far]
    if score.missing or is_wrong:
        wrong = [block for block in score.report["blocks"] if block["status"] != "passed"]
        lines += [f"    {block['name']}: {block['sentence']}" for block in wrong]
    return [*lines, ""] if lines else []


def _summary(scores: list[Score]) -> None:
    faults = sum(len(score.file.faults) for score in scores)
    blocks = sum(len({fault.block for fault in score.file.faults}) for score in scores)
    explained = faults - sum(len(score.missing) for score in scores)
    near = blocks - sum(len(score.far) for score in scores)
    print(f"{explained} of {faults} faults explained, {sum(len(score.wrong) for score in scores)} wrong names")
    print(f"lines within one in {near} of {blocks} blocks")


if __name__ == "__main__":
    main(
        [name for name in sys.argv[1:] if not name.startswith("--")] or list(STYLES),
        points="--reasons" not in sys.argv,
        reasons="--points" not in sys.argv,
    )
