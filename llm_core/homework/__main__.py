"""Check a homework file: which blocks are right, and what is wrong with the others.

    python -m llm_core.homework --new my_llm_implementation.py          a file to fill in
    python -m llm_core.homework my_llm_implementation.py                check it; a notebook or a zip as well
    python -m llm_core.homework homework.ipynb --html report.html       and write a page
    python -m llm_core.homework my_llm_implementation.py --json > report.json     for the page “Check your code”
    python -m llm_core.homework --batch hand-ins --out results          a whole class: pages, tables, a summary
    python -m llm_core.homework --batch export.zip --csv results.csv    the table alone
    python -m llm_core.homework --autograder autograder.zip             for Gradescope

The exit code is 0 for all points, 1 if points are missing, 2 if the command itself is wrong.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .inside.limits import Limits
from .leftovers import sweep
from .rendering import print_report, to_junit, use_what_the_terminal_can
from .report import BLOCKS, Report, to_json
from .sandbox import check_file, refused
from .skeleton import write_skeleton

if TYPE_CHECKING:
    from .evening.grading import Grading


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    first, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m llm_core.homework",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "file", nargs="?", type=Path, help="the homework to check: .py, .ipynb, .zip, or a folder with it"
    )
    what.add_argument("--new", type=Path, metavar="FILE", help="write a file to fill in (never over another one)")
    what.add_argument(
        "--batch", type=Path, metavar="FOLDER", help="check a class: a folder or zip, into --csv or --out"
    )
    what.add_argument("--autograder", type=Path, metavar="ZIP", help="write the zip that Gradescope wants")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of text")
    for name, told in (("junit", "JUnit XML"), ("html", "a page"), ("gradescope", "Gradescope's results.json")):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"also write the report as {told}")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the table of a --batch")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="pages and tables of a --batch; continues where it stopped"
    )
    parser.add_argument("--again", metavar="FILE", help="of a --batch with --out: check this one again")
    parser.add_argument("--points", type=Path, metavar="FILE", help="a course's own points and late days, as JSON")
    parser.add_argument("--jobs", type=int, metavar="N", help="files at the same time (default: one for two cores)")
    parser.add_argument(
        "--seconds", type=float, default=Limits().seconds, help="at most, for one file (default: %(default)g)"
    )
    args = parser.parse_args(arguments)
    for wrong, told in _misfits(args):
        if wrong:
            parser.error(told)
    return args


def _misfits(args: argparse.Namespace) -> list[tuple[bool, str]]:
    """Options that do not go together, each with its sentence."""
    for_one = any((args.json, args.junit, args.html, args.gradescope))
    return [
        (
            (args.batch is None) != (args.csv is None and args.out is None),
            "--batch goes with --csv FILE or --out FOLDER",
        ),
        (args.jobs is not None and (args.batch is None or args.jobs < 1), "--jobs is for --batch, and at least 1"),
        (args.again is not None and args.out is None, "--again goes with --batch and --out"),
        (args.file is None and for_one, "--json, --junit, --html and --gradescope are for one file"),
        (args.seconds <= 0, "--seconds should be more than 0"),
    ]


def main(arguments: list[str] | None = None) -> int:
    args = parse_arguments(arguments)
    use_what_the_terminal_can(sys.stderr)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for matrices this small, threads only wait for each other
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that folders are taken away
    try:
        if args.new:
            write_skeleton(args.new)
            print(f"{args.new} is ready: fill in what says NotImplementedError, and check it whenever you like.")
            return 0
        if args.autograder:
            from .evening.gradescope import write_autograder
            from .evening.grading import read_grading

            read_grading(args.points)
            write_autograder(args.autograder, args.points)
            print(f"{args.autograder} is ready for Gradescope.")
            return 0
        sweep()
        limits = Limits(seconds=args.seconds)
        return _batch(args, limits) if args.batch else _one(args, limits)
    except (OSError, ValueError) as error:
        print(f"error: {_reason(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130


def _reason(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)


def _one(args: argparse.Namespace, limits: Limits) -> int:
    """What only a class or a page needs is imported behind the check: the student's process imports torch meanwhile."""
    from .evening.grading import read_grading

    show, grading = _progress(), read_grading(args.points)
    report = _of_folder(args.file, limits, show) if args.file.is_dir() else check_file(args.file, limits, show)
    show(None)
    if args.json:
        print(to_json(report))
    elif not args.gradescope:
        print_report(report)
    _write(args, report, grading)
    return 0 if report.is_complete else 1


def _write(args: argparse.Namespace, report: Report, grading: "Grading") -> None:
    """What the report is asked for as well."""
    from .evening.gradescope import results
    from .evening.page import report_page

    for path, text in (
        (args.junit, lambda: to_junit(report)),
        (args.html, lambda: report_page(report, grading)),
        (args.gradescope, lambda: results(report, grading)),
    ):
        if path:
            path.write_text(text(), encoding="utf-8")


def _of_folder(folder: Path, limits: Limits, show: Callable) -> Report:
    """One student's: what was handed in lies in it."""
    from .reading import chosen
    from .sandbox import check_handin

    members = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix.lower() in (".py", ".ipynb", ".zip")
    }
    try:
        return check_handin(chosen(members), folder.name, limits, show)
    except ValueError as error:
        return refused(folder.name, str(error))


def _progress() -> Callable[[str | None], None]:
    """Tells on the error output which block is being checked; on a terminal in one line, which None takes away."""
    names, on_terminal = list(BLOCKS), sys.stderr.isatty()

    def show(name: str | None) -> None:
        told = f"checking {names.index(name) + 1} of {len(names)}: {BLOCKS[name][0]} …" if name else ""
        if on_terminal:
            print(f"\r\033[K{told}", end="", file=sys.stderr, flush=True)
        elif told:
            print(told, file=sys.stderr, flush=True)

    return show


def _batch(args: argparse.Namespace, limits: Limits) -> int:
    from .evening.batch import Plan, check_class
    from .evening.grading import read_grading

    jobs = args.jobs or max(1, (os.cpu_count() or 1) // 2)
    plan = Plan(args.batch, args.csv, args.out, jobs, limits, read_grading(args.points), args.again)
    done = check_class(plan, lambda told: print(told, file=sys.stderr, flush=True))
    print(f"{args.out or args.csv}: {len(done)} hand-ins")
    return 0 if all(report.is_complete for _, report in done) else 1


if __name__ == "__main__":
    sys.exit(main())
