"""Check a class: every hand-in in its turn, what is known on disk before the next begins, and what is left to do.

In ``out`` lie a page and a report of each (``reports``), ``class.html``, ``results.csv``, ``results.json`` and
``junit.xml``. A hand-in that is there already and has not changed is not checked again.
"""

import csv
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from xml.etree import ElementTree

from ..inside.limits import Limits
from ..rendering import HEADER, harmless, to_junit_suite, to_row
from ..report import BLOCKS, FAILED, BlockResult, Report, from_json, to_json
from ..sandbox import check_handin
from ..schema import printable
from .finding import Entry, entries
from .grading import Grading
from .likeness import likenesses
from .page import class_page, report_page

COLUMNS = ["name", "id", "late", *HEADER, "graded", "like"]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    place: Path
    csv: Path | None = None
    out: Path | None = None
    jobs: int = 1
    limits: Limits = field(default_factory=Limits)
    grading: Grading = field(default_factory=Grading)
    again: str | None = None  # the file of one that is checked again all the same


def check_class(plan: Plan, say: Say) -> list[tuple[Entry, Report]]:
    """
    Raises:
        OSError, ValueError: the folder is none, or nothing can be written.
    """
    found = entries(plan.place, plan.grading.due)
    if plan.again and not any(_is_again(plan, entry) for entry in found):
        raise ValueError(f"there is no submission “{plan.again}” in {plan.place}: name its file or its student")
    like = likenesses({entry.file: entry.handin.source for entry in found if entry.handin})
    if plan.out:
        (plan.out / "reports").mkdir(parents=True, exist_ok=True)
    table, began, done = _Table(plan, like), time.monotonic(), []
    fresh = 0
    for entry, report, is_new in _reports(found, plan):
        fresh += is_new
        done.append((entry, report))
        table.add(entry, report)
        if plan.out:
            _keep(plan, entry, report)
        pace = (time.monotonic() - began) / max(1, fresh)
        say(f"{len(done)} of {len(found)}: {report.file}: {report.points} of {_POSSIBLE}{_left(pace, found, done)}")
    done.sort(key=lambda pair: pair[0].file)
    table.finish(done)
    if plan.out:
        _summaries(plan, done)
    return done


_POSSIBLE = sum(points for _, points in BLOCKS.values())


def _left(pace: float, found: list, done: list) -> str:
    minutes = pace * (len(found) - len(done)) / 60
    return f" (about {minutes:.0f} min left)" if minutes >= 1 else ""


def _reports(found: list[Entry], plan: Plan) -> Iterator[tuple[Entry, Report, bool]]:
    """As they are known; whether they were checked now."""
    waiting: list[Entry] = []
    for entry in found:
        known = _known(plan, entry)
        if entry.handin is None:
            yield entry, _unchecked(entry, entry.problem or "There is nothing to check."), False
        elif known:
            yield entry, known, False
        else:
            waiting.append(entry)
    if plan.jobs == 1:
        for entry in waiting:
            yield entry, checked(entry, plan.limits), True
    else:
        yield from ((entry, report, True) for entry, report in _at_once(waiting, plan))


def _at_once(waiting: list[Entry], plan: Plan) -> Iterator[tuple[Entry, Report]]:
    """In several processes; those of a process that breaks are checked alone."""
    left = {entry.file: entry for entry in waiting}
    with _pool(plan.jobs) as pool:
        futures = {pool.submit(checked, entry, plan.limits): entry for entry in waiting}
        for future in as_completed(futures):
            try:
                report = future.result()
            except BrokenProcessPool:
                break
            yield left.pop(futures[future].file), report
    for entry in left.values():
        with _pool(1) as pool:
            try:
                yield entry, pool.submit(checked, entry, plan.limits).result()
            except BrokenProcessPool:
                yield entry, _unchecked(entry, "This file could not be checked: the process that judges it broke.")


def _pool(jobs: int) -> Executor:
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))


def checked(entry: Entry, limits: Limits) -> Report:
    """Whatever happens is a report."""
    try:
        return replace(check_handin(entry.handin, entry.file, limits), file=printable(entry.file))
    except Exception as error:
        return _unchecked(entry, f"This file could not be checked: {error}.")


def _unchecked(entry: Entry, why: str) -> Report:
    why = printable(why)[:2000]
    return Report(printable(entry.file), [BlockResult(name, FAILED, 0, why) for name in BLOCKS], problem=why)


# --- what is written ---------------------------------------------------------------------------------------------


class _Table:
    """The CSV: a row as soon as it is known, and all in order at the end."""

    def __init__(self, plan: Plan, like: dict[str, str]):
        self._plan, self._like = plan, like
        self._paths = [path for path in (plan.csv, plan.out and plan.out / "results.csv") if path]
        for path in self._paths:
            _write_rows(path, "w", [COLUMNS])

    def add(self, entry: Entry, report: Report) -> None:
        for path in self._paths:
            _write_rows(path, "a", [self._row(entry, report)])

    def finish(self, done: list[tuple[Entry, Report]]) -> None:
        for path in self._paths:
            _write_rows(path, "w", [COLUMNS, *(self._row(*pair) for pair in done)])

    def _row(self, entry: Entry, report: Report) -> list[str]:
        graded = f"{self._plan.grading.total(report, entry.late):g}"
        who = [harmless(printable(entry.name)), harmless(printable(entry.id)), str(entry.late or "")]
        return [*who, *to_row(report), graded, harmless(self._like.get(entry.file, ""))]


def _write_rows(path: Path, mode: str, rows: list[list[str]]) -> None:
    with open(path, mode, encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
        file.flush()
        os.fsync(file.fileno())  # what is known stays, whatever comes


def _slug(entry: Entry) -> str:
    plain = re.sub(r"[^\w.-]+", "_", entry.file).strip("_.")[:80]
    return f"{plain}-{hashlib.sha256(entry.file.encode()).hexdigest()[:8]}"


def _seal(entry: Entry) -> str:
    """Of what was handed in."""
    told = [entry.handin.source, *(f"{name}{content!r}" for name, content in sorted(entry.handin.helpers.items()))]
    return hashlib.sha256("\0".join(told).encode("utf-8", "replace")).hexdigest()


def _keep(plan: Plan, entry: Entry, report: Report) -> None:
    place = plan.out / "reports" / _slug(entry)
    page = report_page(report, plan.grading, entry.late)
    place.with_name(place.name + ".html").write_text(page, encoding="utf-8")
    if entry.handin:
        told = {"seal": _seal(entry), **json.loads(to_json(report))}
        place.with_name(place.name + ".json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def _known(plan: Plan, entry: Entry) -> Report | None:
    """Of an evening before, if it was whole and the hand-in is still the same."""
    if plan.out is None or entry.handin is None or _is_again(plan, entry):
        return None
    try:
        text = (plan.out / "reports" / f"{_slug(entry)}.json").read_text(encoding="utf-8")
        return from_json(text) if json.loads(text).get("seal") == _seal(entry) else None
    except (OSError, ValueError, AttributeError):
        return None


def _is_again(plan: Plan, entry: Entry) -> bool:
    """Whether it is the one to check again, by its path (or that of its folder), its student's name or id."""
    return plan.again is not None and plan.again.rstrip("/") in (entry.file.rstrip("/"), entry.name, entry.id)


def _summaries(plan: Plan, done: list[tuple[Entry, Report]]) -> None:
    people = [(entry.name or entry.file, report, entry.late) for entry, report in done]
    (plan.out / "class.html").write_text(class_page(people, plan.grading), encoding="utf-8")
    told = [json.loads(to_json(report)) | {"name": entry.name, "id": entry.id} for entry, report in done]
    (plan.out / "results.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
    suites = ElementTree.Element("testsuites")
    suites.extend(to_junit_suite(report) for _, report in done)
    text = ElementTree.tostring(suites, encoding="unicode")
    (plan.out / "junit.xml").write_text(text, encoding="utf-8")
