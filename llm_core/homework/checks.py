"""Judge a student's file: nine blocks of one point, the pipeline for two, and what is wrong in words.

    check("my_llm_implementation.py")    a report as a dict, ready for JSON; runs the file in this very process

``judge`` compares what a student's code answers, wherever it runs, with what is right: verdicts for all blocks first,
and then, for those that failed, the reason. A block that is not written yet is "not started" and takes nothing from
the others: each is tested among stand-ins.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from . import pipeline
from .apart import Ended
from .diagnosis.diagnose import Diagnosis, explain, verdict
from .diagnosis.faults import Fault
from .inside.answers import Answers
from .inside.loading import load
from .inside.observations import Stopped
from .inside.probes import PROBES, TESTED
from .inside.worker import import_sentence
from .outline import Outline
from .reading import decoded
from .report import BLOCKS

NOT_STARTED = "Not written yet."
NEEDS = [name for name in PROBES if name != "generate"]  # of the pipeline


@dataclass
class Student:
    """A file: its lines, what it defines, and who answers for it (``Answers`` here, or ``Apart``)."""

    source: str
    outline: Outline
    answers: object

    def line(self, number: int | None) -> dict | None:
        """As a report carries it."""
        lines = self.source.split("\n")  # a form feed ends no line
        text = lines[number - 1].strip() if number and 0 < number <= len(lines) else ""
        return {"number": number, "text": text[:200]} if text else None


def check(student: ModuleType | str | Path, only: Collection[str] = tuple(BLOCKS), reasons: bool = True) -> dict:
    """The report of a file or module, as the JSON has it; ``only`` names blocks, for a part of it."""
    start, problem = time.perf_counter(), None
    file = student.__file__ if isinstance(student, ModuleType) else str(student)
    source = ""
    blocks: list[dict] = []
    try:
        source = decoded(Path(file).read_bytes())
        module = student if isinstance(student, ModuleType) else load(student)
        asked = Student(source, Outline.of(source), Answers(module))
        judge(asked, [name for name in BLOCKS if name in only], blocks.append, reasons=reasons)
    except OSError as error:
        problem = f"The file cannot be read: {error.strerror or error}."
    except Exception as error:
        problem = import_sentence(error, str(Path(file).resolve()))
    if problem:
        blocks = [result(name, "not started") for name in BLOCKS if name in only]
    blocks = list({block["name"]: block for block in blocks}.values())
    return {
        "format": "headscope-homework",
        "version": 1,
        "file": Path(file or "module").name,
        "points": sum(block["points"] for block in blocks),
        "possible": sum(block["possible"] for block in blocks),
        "seconds": round(time.perf_counter() - start, 1),
        "problem": problem,
        "blocks": blocks,
    }


Progress = Callable[[str], None]


def judge(
    student: Student,
    names: list[str],
    tell: Callable[[dict], object],
    progress: Progress | None = None,
    reasons: bool = True,
) -> None:
    """Tells each block's result, and that of a failed one again once its reason is known, if anybody asks for it."""
    verdicts: dict[str, Diagnosis] = {}
    told: dict[str, dict] = {}
    for name in names:
        if progress:
            progress(name)
        if name == "pipeline":
            told[name] = _pipeline(student, told)
        else:
            told[name], verdicts[name] = _verdict(name, student)
        tell(told[name])
    for name, found in verdicts.items():
        if reasons and found and not found.passed:
            tell(_explained(name, student, found, told[name]))


def _verdict(name: str, student: Student) -> tuple[dict, Diagnosis | None]:
    if not student.outline.is_written(name):
        return _absent(name, student), None
    try:
        found = verdict(name, student.answers)
    except Ended as error:
        return _ended(name, student, error), None
    if found.passed:
        return result(name, "passed"), None
    return result(name, "failed", _plainly(found), line=student.line(found.line)), found


def _absent(name: str, student: Student) -> dict:
    slip = student.outline.slip(name)
    if slip:
        return result(name, "failed", slip.sentence, line=student.line(slip.line))
    return result(name, "not started", NOT_STARTED)


def _ended(name: str, student: Student, error: Ended) -> dict:
    return result(name, "failed", error.sentence, line=student.line(error.line))


def _explained(name: str, student: Student, found: Diagnosis, told: dict) -> dict:
    """The result again, with its reason. If finding that fails, it stays as it was told."""
    try:
        reason = explain(name, student.answers, found)
    except Ended:
        return told
    faults = [_told(fault) for fault in reason.faults]
    where = reason.line
    if where and reason.after:
        where = student.outline.gap(reason.after, where)
    line = next((line for fault in reason.faults if (line := student.outline.line_of(name, fault.name))), where)
    return {
        **told,
        "sentence": " ".join(fault.sentence for fault in reason.faults) or reason.sentence or told["sentence"],
        "faults": faults,
        "line": student.line(line) or told["line"] or student.line(student.outline.end_of(name)),
        "difference": reason.difference,
        "patterns": reason.patterns,
    }


def _plainly(found: Diagnosis) -> str:
    """What can be said before the reason is known."""
    if found.error is None:
        return f"No known mistake fits. First difference: {found.tensor}."
    only = " With one row it works: it fails only with more." if found.found.only else ""
    return _of_an_error(found.error) + only


def _of_an_error(error: Stopped) -> str:
    if error.is_misshapen:
        return f"{error.message[:1].upper()}{error.message[1:]}."
    if error.is_blank:
        return "It stops at a blank: what it calls there is not written yet (NotImplementedError)."
    if "modified by an inplace operation" in error.message or "in-place operation" in error.message:
        return "The backward pass fails: a tensor that it needs was changed in place (+=, or a method that ends in _)."
    if error.kind == "EOFError":
        return "It stops with input(), and nobody is there to answer: take it out."
    if error.kind == "BdbQuit":
        return "It stops in the debugger: take breakpoint() out."
    message = error.message.rstrip(".")
    return f"It stops with {error.kind}: {message}." if message else f"It stops with {error.kind}."


def _pipeline(student: Student, told: dict[str, dict]) -> dict:
    unwritten = [name for name in NEEDS if not student.outline.is_written(name)]
    if unwritten:
        waits = ", ".join(TESTED[name] for name in unwritten)
        return result(
            "pipeline", "not started", f"It needs every block but generate to be written: {waits} is missing."
        )
    try:
        wrong, line = pipeline.verdict(student.answers)
    except Ended as error:
        return _ended("pipeline", student, error)
    if not wrong:
        return result("pipeline", "passed")
    failed = [BLOCKS[name][0] for name in NEEDS if name in told and told[name]["status"] == "failed"]
    why = f" It fails because of {' and '.join(failed)}: see there." if failed else ""
    return result("pipeline", "failed", wrong + why, line=student.line(line))


def _told(fault: Fault) -> dict:
    lesson = fault.lesson and {"lesson": fault.lesson[0], "step": fault.lesson[1]}
    texts = {key: getattr(fault, key) for key in ("name", "title", "sentence", "effect", "idea")}
    return {**texts, "lesson": lesson}


def result(name: str, status: str, sentence: str = "", **more) -> dict:
    title, possible = BLOCKS[name]
    told = {"name": name, "title": title, "possible": possible, "points": possible if status == "passed" else 0}
    told |= {"status": status, "sentence": sentence}
    return {**told, "faults": [], "line": None, "difference": None, "patterns": None, **more}
