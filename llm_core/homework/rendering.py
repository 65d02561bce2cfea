"""A report for people (a terminal), for machines that build (JUnit XML) and for a table of a whole class (CSV)."""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from typing import TextIO
from xml.etree import ElementTree

from .report import BLOCKS, FAILED, NOT_STARTED, PASSED, POSSIBLE, BlockResult, Difference, Report

SIGNS = {PASSED: "✓", FAILED: "✗", NOT_STARTED: "–"}
Paint = Callable[[str, str], str]
COLOURS = {PASSED: "32", FAILED: "31", NOT_STARTED: "33", "bold": "1", "dim": "2"}
ROWS, COLUMNS, CELL = 5, 5, 9  # of each of two tensors beside each other; characters


def wants_colours(stream: TextIO) -> bool:
    """A terminal that nobody has asked to stay plain (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def to_text(report: Report, colours: bool = False, width: int | None = None) -> str:
    """One line for each block; below it, for what fails, what is wrong and where."""
    width = width or min(shutil.get_terminal_size().columns, 100)

    def paint(what: str, kind: str) -> str:
        return f"\033[{COLOURS[kind]}m{what}\033[0m" if colours else what

    total = paint(f"{report.points} of {POSSIBLE} points", "bold")
    lines = [f"{report.file}: {total} ({report.seconds:.0f} s)", ""]
    if report.problem:
        return "\n".join([lines[0], *_wrapped(report.problem, width, paint)])
    for block in report.blocks:
        sign = paint(f"{SIGNS[block.status]} {block.title:32}", block.status)
        told = f"{block.points}/{block.possible}"
        lines.append(f"{sign} {told}" + ("  not started" if block.status == NOT_STARTED else ""))
        if block.status == FAILED:
            lines += [*_details(block, width, paint), ""]
    return "\n".join(lines).rstrip()


def _details(block: BlockResult, width: int, paint: Paint) -> list[str]:
    lines = _wrapped(block.sentence, width, paint)
    for fault in block.faults:
        lines += _wrapped(f"What it does: {fault.effect}", width, paint, "dim")
        lines += _wrapped(f"Instead: {fault.idea}", width, paint, "dim")
        if fault.lesson:
            step = f", step {fault.lesson.step}" if fault.lesson.step else ""
            lines += _wrapped(
                f"See for yourself: lesson “{fault.lesson.lesson}”{step}, on the page Learn", width, paint
            )
    if block.line:
        lines += ["", f"    {block.line.place}:  {paint(block.line.text.strip(), 'bold')}"]
    if block.difference:
        lines += ["", *_tables(block.difference, width, paint)]
    return lines


def _wrapped(sentence: str, width: int, paint: Paint, kind: str | None = None) -> list[str]:
    lines = textwrap.wrap(sentence, width, initial_indent="    ", subsequent_indent="    ")
    return [paint(line, kind) if kind else line for line in lines]


def _tables(difference: Difference, width: int, paint: Paint) -> list[str]:
    """Both tensors beside each other from just before the first cell that differs; ``*`` marks those that do."""
    first = next(((r, c) for r, row in enumerate(difference.differs) for c, is_so in enumerate(row) if is_so), (0, 0))
    top, left = max(0, first[0] - 1), max(0, first[1] - 1)
    fitting = max(1, min(COLUMNS, (width - 12) // 2 // CELL))
    rows, columns = range(top, len(difference.rows))[:ROWS], range(left, len(difference.columns))[:fitting]
    names = "".join(f"{difference.columns[c]:>{CELL - 1}.{CELL - 1}} " for c in columns)
    lines = _wrapped(f"{difference.tensor}, shape {tuple(difference.shape)}: {difference.where}", width, paint)
    lines += [f"{'':10}{'  expected':{len(names)}}  yours", f"{'':10}{names}{names}".rstrip()]
    for r in rows:
        expected, found = (
            "".join(_cell(table[r][c], difference.differs[r][c], paint) for c in columns)
            for table in (difference.expected, difference.found)
        )
        lines.append(f"{difference.rows[r]:>9.9} {expected}{found}".rstrip())
    return lines


def _cell(value: float | None, differs: bool, paint: Paint) -> str:
    told = f"{'nan/inf' if value is None else f'{value:.3g}':>{CELL - 1}}"
    return paint(f"{told}*", FAILED) if differs else f"{told} "


def to_junit(report: Report) -> str:
    """JUnit XML of one file."""
    suite = to_junit_suite(report)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=False)


def to_junit_suite(report: Report) -> ElementTree.Element:
    """One test case for each block; the time is that of the whole file."""
    failures = sum(block.status == FAILED for block in report.blocks)
    skipped = sum(block.status == NOT_STARTED for block in report.blocks)
    counts = {"tests": len(report.blocks), "failures": failures, "skipped": skipped, "errors": 0}
    told = {name: str(count) for name, count in counts.items()}
    suite = ElementTree.Element("testsuite", {"name": report.file, "time": f"{report.seconds:.1f}", **told})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("points", report.points), ("possible", POSSIBLE)):
        ElementTree.SubElement(properties, "property", {"name": name, "value": str(value)})
    for block in report.blocks:
        case = ElementTree.SubElement(suite, "testcase", {"classname": report.file, "name": block.title})
        if block.status == FAILED:
            failure = ElementTree.SubElement(case, "failure", {"message": report.problem or block.sentence})
            failure.text = "\n".join(_details(block, 100, lambda what, kind: what))
        elif block.status == NOT_STARTED:
            ElementTree.SubElement(case, "skipped", {"message": "not started"})
    return suite


HEADER = ["file", "points", "possible", *BLOCKS, "seconds", "remarks"]


def to_row(report: Report) -> list[str]:
    """One line of a table, as ``HEADER`` says: points of each block (empty: not started), and what is wrong."""
    marks = ["" if block.status == NOT_STARTED else str(block.points) for block in report.blocks]
    failed = [block for block in report.blocks if block.status == FAILED]
    told = [f"{block.title}: {'; '.join(f.title for f in block.faults) or block.sentence}" for block in failed]
    remarks = report.problem or " | ".join(told)
    row = [report.file, str(report.points), str(POSSIBLE), *marks, f"{report.seconds:.1f}", remarks]
    return [harmless(cell) for cell in row]


FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is computed


def harmless(cell: str) -> str:
    """A spreadsheet would compute a cell that starts like a formula; a file's name is chosen by a student."""
    return f"'{cell}" if cell[:1] in FORMULA else cell


def use_what_the_terminal_can(stream: TextIO) -> None:
    """Signs that its encoding lacks become question marks instead of an error."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")


def print_report(report: Report) -> None:
    use_what_the_terminal_can(sys.stdout)
    print(to_text(report, wants_colours(sys.stdout)))
