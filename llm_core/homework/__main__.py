"""Check a homework file: which blocks are right, and what is wrong with the others.

    python -m llm_core.homework --new my_llm_implementation.py          a file to fill in
    python -m llm_core.homework my_llm_implementation.py                check it
    python -m llm_core.homework my_llm_implementation.py --json > report.json     for the page “Check your code”
    python -m llm_core.homework --batch hand-ins --csv results.csv      a whole class

The exit code is 0 for all points, 1 if points are missing, 2 if the command itself is wrong.
"""

import argparse
import csv
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .limits import Limits
from .rendering import HEADER, print_report, to_junit, to_row, use_what_the_terminal_can
from .report import BLOCKS, FAILED, POSSIBLE, BlockResult, Report, to_json
from .sandbox import check_file
from .schema import printable
from .skeleton import write_skeleton


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    first, _, rest = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m llm_core.homework",
        description=first,
        epilog=rest,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("file", nargs="?", type=Path, help="the homework to check")
    what.add_argument("--new", type=Path, metavar="FILE", help="write a file to fill in (never over another one)")
    what.add_argument("--batch", type=Path, metavar="FOLDER", help="check every .py file in a folder, into --csv")
    parser.add_argument("--json", action="store_true", help="print the report as JSON instead of text")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write the report as JUnit XML")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="the table of a --batch")
    parser.add_argument("--jobs", type=int, metavar="N", help="files at the same time (default: one for two cores)")
    parser.add_argument(
        "--seconds", type=float, default=Limits().seconds, help="at most, for one file (default: %(default)g)"
    )
    args = parser.parse_args(arguments)
    if (args.batch is None) != (args.csv is None):
        parser.error("--batch FOLDER and --csv FILE go together")
    if args.jobs is not None and (args.batch is None or args.jobs < 1):
        parser.error("--jobs is for --batch, and at least 1")
    if args.file is None and (args.json or args.junit):
        parser.error("--json and --junit are for one file")
    if args.seconds <= 0:
        parser.error("--seconds should be more than 0")
    return args


def main(arguments: list[str] | None = None) -> int:
    args = parse_arguments(arguments)
    use_what_the_terminal_can(sys.stderr)
    try:
        if args.new:
            write_skeleton(args.new)
            print(f"{args.new} is ready: fill in what says NotImplementedError, and check it whenever you like.")
            return 0
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
    show = _progress()
    report = check_file(args.file, limits, show)
    show(None)
    if args.json:
        print(to_json(report))
    else:
        print_report(report)
    if args.junit:
        args.junit.write_text(to_junit(report), encoding="utf-8")
    return 0 if report.is_complete else 1


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
    if not args.batch.is_dir():
        raise NotADirectoryError(20, "there is no such folder", str(args.batch))
    files = sorted(path for path in args.batch.rglob("*.py") if path.is_file() and not _is_hidden(path, args.batch))
    if not files:
        raise ValueError(f"{args.batch} has no .py file")
    jobs = args.jobs or max(1, (os.cpu_count() or 1) // 2)
    complete = True
    with open(args.csv, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(HEADER)
        for i, report in enumerate(_reports(files, args.batch, limits, jobs)):
            table.writerow(to_row(report))
            file.flush()  # what is known stays, whatever comes
            complete &= report.is_complete
            print(f"{i + 1} of {len(files)}: {report.file}: {report.points} of {POSSIBLE}", file=sys.stderr)
    print(f"{args.csv}: {len(files)} files")
    return 0 if complete else 1


def _is_hidden(path: Path, folder: Path) -> bool:
    """What a Mac or an editor leaves beside the files of people."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _reports(files: list[Path], folder: Path, limits: Limits, jobs: int) -> Iterator[Report]:
    """In the order of the files; one that cannot even be read is a report too."""

    def check(path: Path) -> Report:
        name = printable(path.relative_to(folder).as_posix())
        try:
            found = check_file(path, limits)
        except Exception as error:
            told = f"This file could not be checked: {_reason(error)}."
            return Report(name, [BlockResult(block, FAILED, 0, told) for block in BLOCKS], problem=told)
        return Report(name, found.blocks, found.seconds, found.problem)

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(check, files)
    finally:
        pool.shutdown(cancel_futures=True)


if __name__ == "__main__":
    sys.exit(main())
