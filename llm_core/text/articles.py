"""How-to articles from a Hub id or from files, read one after the other: memory does not grow with the corpus.

Which articles are held out is decided by a hash of the title, the same on every machine.
"""

import csv
import glob
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from .surrogates import join_surrogates

FIELDS = ("title", "headline", "text")
LOOK_AHEAD = 100  # rows in which every column must have been seen


@dataclass(frozen=True)
class Article:
    title: str
    headline: str
    text: str


@dataclass
class ReadReport:
    """What became of the rows: kept, or skipped because a field was missing, empty or no text.

    ``repeated`` of those that were kept have a title that came before.
    """

    kept: int = 0
    repeated: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        self.skipped += 1
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def __str__(self) -> str:
        skipped = [f"{count:,} skipped ({reason})" for reason, count in self.reasons.items()]
        repeated = [f"{self.repeated:,} kept whose title came before"] if self.repeated else []
        return ", ".join([f"{self.kept + self.skipped:,} rows read", *skipped, *repeated])


def read_articles(
    sources: list[str] | str, report: ReadReport | None = None, split: str = "train"
) -> Iterator[Article]:
    """Articles of a Hub id, or of files, folders and patterns (``*``) of files, in order.

    Files are JSON lines (.jsonl), JSON, CSV or Parquet; the text ones also packed (.gz, .xz, .bz2). Streams:
    some hundred rows are in memory at a time. A damaged row is skipped and counted in ``report``; a missing
    column, or a file that is missing or breaks off, is one ``ValueError``.
    """
    report, titles = report if report is not None else ReadReport(), set()  # their hashes: 60 bytes each
    for source in [sources] if isinstance(sources, (str, Path)) else sources:
        for row in _rows(str(source), report, split):
            if reason := _fault(row):
                report.skip(reason)
                continue
            report.kept += 1
            title, headline, text = (join_surrogates(row.get(name) or "") for name in FIELDS)
            report.repeated += (title_hash := hash(title.strip().lower())) in titles
            titles.add(title_hash)
            yield Article(title.strip(), headline, text.strip())


def _rows(source: str, report: ReadReport, split: str) -> Iterator[Any]:
    path = Path(source).expanduser()
    files = _files(path)
    if path.is_dir() and not files:
        raise ValueError(f"no {', '.join(READERS)} file in {path}")
    if not files and (_reader(path) or not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", source)):
        raise ValueError(f"no file {source}, and no Hub id either (those look like owner/name)")
    for file in files:
        yield from _checked(_file_rows(file, report), str(file))
    if not files:
        yield from _checked(_hub_rows(source, split), source)


def _files(path: Path) -> list[Path]:
    """The file itself, the readable files of a folder, or those that a pattern stands for."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if _reader(file))
    return [path] if path.exists() else sorted(map(Path, glob.glob(str(path), recursive=True)))


def _checked(rows: Iterable, source: str) -> Iterator[object]:
    """The rows, once their columns are known to be the right ones: some row at the start has each of them."""
    rows = _until_damage(rows, source)
    head = list(islice(rows, LOOK_AHEAD))
    found = {name: None for row in head if isinstance(row, dict) for name in row}
    missing = [name for name in FIELDS if name not in found]
    if found and missing:
        names = ", ".join(map(str, found))
        raise ValueError(f"{source} has no column {missing[0]!r}; needed are {', '.join(FIELDS)}, found are {names}")
    yield from head
    yield from rows


def _until_damage(rows: Iterable, source: str) -> Iterator[object]:
    count = 0
    try:
        for row in rows:
            yield row
            count += 1
    except Exception as error:  # of gzip, lzma, json, csv, Arrow and, for a Hub id, of the network
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{source} cannot be read beyond row {count} ({reason})") from None


def _file_rows(path: Path, report: ReadReport) -> Iterator[object]:
    reader = _reader(path)
    if reader is None:
        raise ValueError(f"{path}: the name must end in one of {', '.join(READERS)}, packed with .gz or .xz or not")
    return reader(path, report)


def _json_rows(path: Path, report: ReadReport) -> Iterator[object]:
    """Line by line, so that a damaged line costs one article; a .json file may be one array instead."""
    with _open(path, "rb") as file:
        first = next(file, b"")
        if ".json" in path.suffixes and first.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
            yield from json.loads(first + file.read())
            return
        for line in chain([first], file):
            try:
                if line.strip():
                    yield json.loads(line)
            except (ValueError, RecursionError):
                report.skip("not JSON")


def _csv_rows(path: Path, report: ReadReport) -> Iterator[dict]:
    """With Python's own reader: pandas drops damaged rows uncounted, and takes the title "None" for a gap."""
    csv.field_size_limit(10_000_000)  # characters in one field; the module's own limit cuts long articles
    with _open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        records = _csv_records(file, report)
        header = next(records, [])
        for record in records:
            if len(record) != len(header):
                report.skip("wrong number of columns")
            elif re.search("[\udc80-\udcff]", "".join(record)):
                report.skip("not UTF-8")
            else:
                yield dict(zip(header, record))


def _csv_records(file: Iterable[str], report: ReadReport) -> Iterator[list[str]]:
    records = csv.reader(line.replace("\0", "") for line in file)
    while True:
        try:
            yield from filter(None, records)  # without the empty lines
            return
        except csv.Error:
            report.skip("not CSV")


def _parquet_rows(path: Path, report: ReadReport) -> Iterator[dict]:
    from datasets import IterableDataset

    yield from IterableDataset.from_parquet(glob.escape(str(path)))


def _hub_rows(name: str, split: str) -> Iterable[dict]:
    from datasets import load_dataset

    try:
        return load_dataset(name, split=split, streaming=True)
    except Exception as error:  # the Hub's, the network's and the builder's own kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(
            f"no file {name}, and the Hub's data set of that name could not be opened ({reason})"
        ) from None


READERS = {".jsonl": _json_rows, ".json": _json_rows, ".csv": _csv_rows, ".parquet": _parquet_rows}
PACKED = (".gz", ".xz", ".bz2")


def _open(path: Path, mode: str, **options: str) -> AbstractContextManager[IO]:
    from fsspec import open as unpack

    return unpack(str(path), mode, compression="infer", **options)


def _reader(path: Path) -> Callable | None:
    suffix = path.suffix if path.suffix not in PACKED else path.with_suffix("").suffix
    return READERS.get(suffix)


def _fault(row: object) -> str | None:
    if not isinstance(row, dict):
        return "not an object"
    for name in ("title", "text"):
        value = row.get(name)
        if not isinstance(value, str):
            return f"{name} is not text"
        if not value.strip():
            return f"{name} is empty"
    if not isinstance(row.get("headline"), (str, type(None))):
        return "headline is not text"
    return None


def is_held_out(title: str, fraction: float) -> bool:
    """True for about ``fraction`` of all titles, the same ones on every machine and in every order."""
    digest = hashlib.sha256(title.strip().lower().encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64
