"""What a check of homework takes: one right file, and a class of a hundred with two at a time.

    python -m tests.benchmarks.bench_homework [--files 100] [--jobs 2] [--rounds 3]

The commands as a student and a teacher run them, on the held-out files (``tests/homework/held_out``): of a class eight
are right, the others have a fault or two. The bars, on two quiet cores: 6 s for one file, 6 minutes for a hundred.
Read the figures beside the machine's load, which is printed.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from tests.homework.files import RIGHT
from tests.homework.held_out.faults import STYLES, files, right


def seconds(*arguments: str | Path) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "llm_core.homework", *map(str, arguments)], capture_output=True)
    return time.perf_counter() - start


def write_class(folder: Path, count: int) -> None:
    """A file each, from all styles in turn, and again where there are not enough: no two are the same."""
    wrong = zip(*([file.text for file in files(style)] for style in STYLES))
    texts = [*map(right, STYLES), *(text for one_of_each in wrong for text in one_of_each)]
    for number, text in enumerate(islice(cycle(texts), count)):
        (folder / f"student{number:03}.py").write_text(f"{text}\n# {number}\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3, help="of one file: the quickest counts")
    args = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory() as place:
        one, folder = Path(place, "my_llm_implementation.py"), Path(place, "class")
        one.write_text(RIGHT, encoding="utf-8")
        print(f"one right file   {min(seconds(one) for _ in range(args.rounds)):5.1f} s   (at most 6)", flush=True)
        folder.mkdir()
        write_class(folder, args.files)
        took = seconds("--batch", folder, "--csv", Path(place, "results.csv"), "--jobs", args.jobs)
    print(
        f"{args.files} files, {args.jobs} at a time   {took / 60:5.1f} min   {took / args.files:.1f} s each   "
        f"(a hundred: at most 6 min, 3.6 s each)"
    )


if __name__ == "__main__":
    main()
