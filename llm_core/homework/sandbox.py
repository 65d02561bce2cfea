"""Check a student's file: its code runs in a process of its own, with limits, and is judged in this one.

    report = check_file(Path("my_llm_implementation.py"))

What can go wrong with a stranger's code becomes a sentence in the report: it loops, exits, crashes the interpreter,
takes all memory, prints without end, deletes files, is no Python at all. A block that ends the process fails alone:
the others are asked of a fresh one.

The process that runs the file (``apart.py``, ``inside``) answers questions with tensors. It holds no reference and no
verdict, so nothing in its memory gives points: what it says is compared here. Time (by the clock, seen from outside),
memory, output and the size of files are limited; the file is a copy in a temporary folder, which is home and working
folder and goes away at the end; the environment is empty but for what Python needs; Python refuses to write elsewhere,
to read the checker, to start programs and to use the network (``guard.py``), and Linux refuses it too (``kernel.py``),
for root as well. There the process is also the first of a namespace of its own: it sees no other process and ends with
whatever it has started. ``bwrap`` would give the same namespaces, but it starts a program, and would have to start
Python with torch anew for each file, where a fork is there at once (``process.py``).

Where the system refuses nothing (outside Linux, in a container without seccomp and Landlock), code that gets round
Python (ctypes) gets round the guard, and a file may be read that is not the checker's; macOS does not enforce the limit
of memory, Windows has none.
"""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .apart import Apart, OutOfTime, Problem
from .inside.limits import Limits
from .leftovers import own_folder
from .reading import EMPTY, Handin, encoded, read
from .report import BLOCKS, FAILED, NOT_STARTED, BlockResult, Report, in_order, read_block
from .schema import printable

Progress = Callable[[str], None]


def check_file(path: Path, limits: Limits | None = None, progress: Progress | None = None) -> Report:
    """All eleven points of a file. ``progress`` is called with a block's name when its check starts.

    Raises:
        OSError: if the file cannot be read.
    """
    try:
        handin = read(path)
    except ValueError as error:
        return refused(path.name, str(error))
    return check_handin(handin, path.name, limits, progress)


def check_handin(handin: Handin, name: str, limits: Limits | None = None, progress: Progress | None = None) -> Report:
    """The same for what has been read."""
    began, limits = time.monotonic(), limits or Limits()
    with own_folder("homework") as folder:
        copy = folder / "my_llm_implementation.py"
        for helper, content in handin.helpers.items():
            place = copy.parent / helper
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        copy.write_bytes(encoded(handin.code))
        results, problem = _checked(copy, handin, limits, began + limits.seconds, progress)
    seconds = round(time.monotonic() - began, 1)
    missing = nothing_checked() if problem else _out_of_time(limits)
    blocks = {block.name: block for block in missing} | results
    return Report(printable(name), in_order(blocks.values()), seconds, problem)


def refused(name: str, why: str) -> Report:
    """Of what is not even run."""
    return Report(printable(name), nothing_checked(NOT_STARTED if why == EMPTY else FAILED), problem=why)


def _checked(
    copy: Path, handin: Handin, limits: Limits, deadline: float, progress: Progress | None
) -> tuple[dict[str, BlockResult], str | None]:
    """The blocks that are known, and what is wrong with the file as a whole."""
    results: dict[str, BlockResult] = {}

    def keep(told: dict) -> None:
        results[told["name"]] = read_block(_placed(told, handin))

    with ExitStack() as ending:
        with imports():
            answers = ending.enter_context(Apart(copy, limits, deadline, handin.is_notebook))  # loads torch while we do
            from .checks import Student, judge
            from .outline import Outline

        try:
            answers.load()
            outline = Outline.of(handin.code, handin.broken)
            judge(Student(handin.source, outline, answers), list(BLOCKS), keep, progress)
        except Problem as error:
            return {}, printable(handin.told(error.sentence))
        except OutOfTime:
            pass
    return results, None


@contextmanager
def imports() -> Iterator[None]:
    """The first time: the garbage collector, which would find nothing, rests meanwhile, and does not look at what was
    imported again. That saves a sixth of the time, and the judging from pauses."""
    if f"{__package__}.checks" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _placed(told: dict, handin: Handin) -> dict:
    """A block's result with its lines as they stand in a notebook."""
    line = told["line"]
    if line:
        cell, number = handin.place(line["number"])
        line = {**line, "number": number, "cell": cell}
    faults = [{**fault, "sentence": handin.told(fault["sentence"])} for fault in told["faults"]]
    return {**told, "sentence": handin.told(told["sentence"])[:2000], "line": line, "faults": faults}


def nothing_checked(status: str = FAILED) -> list[BlockResult]:
    told = "Not checked: the file could not be run." if status == FAILED else "Not written yet."
    return [BlockResult(name, status, 0, told) for name in BLOCKS]


def _out_of_time(limits: Limits) -> list[BlockResult]:
    told = f"Not checked: the {limits.seconds:g} seconds for a file were used up."
    return [BlockResult(name, FAILED, 0, told) for name in BLOCKS]
