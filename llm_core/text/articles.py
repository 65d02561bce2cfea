"""Articles, or any other text, from a Hub id or from files, one after the other: memory does not grow with the corpus.

A damaged row is skipped and counted; what looks like a mistake of a whole file is a ``ValueError``. Which articles are
held out is decided by a hash of the title, or of the text where there is none: the same on every machine.
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

LOOK_AHEAD = 100  # rows in which every column must have been seen, and lines in which a quote in CSV must end
PIECE, LONGEST_LINE = 4_000, 100_000  # characters of plain text from which an empty line, or any, ends an article


@dataclass(frozen=True)
class Article:
    title: str  # empty in a text that has none
    headline: str
    text: str


@dataclass(frozen=True)
class Columns:
    """What the fields of an article are called in the data. Text is needed; titles are where any row has one."""

    text: str = "text"
    title: str = "title"


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

    def add(self, other: "ReadReport") -> None:
        self.kept += other.kept
        self.skipped += other.skipped
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count

    def __str__(self) -> str:
        skipped = [f"{count:,} skipped ({reason})" for reason, count in self.reasons.items()]
        repeated = [f"{self.repeated:,} kept whose title came before"] if self.repeated else []
        return ", ".join([f"{self.kept + self.skipped:,} rows read", *skipped, *repeated])


def read_articles(
    sources: list[str] | str,
    report: ReadReport | None = None,
    split: str = "train",
    columns: Columns = Columns(),
) -> Iterator[Article]:
    """Articles of a Hub id, or of files, folders and patterns (``*``) of files, in order.

    Files are JSON lines (.jsonl), JSON, CSV, plain text (.txt) or Parquet; all but the last also packed (.gz, .xz,
    .bz2). Streams: some hundred rows are in memory at a time. A damaged row is skipped and counted in ``report``; a
    missing column, a file of which little or nothing can be used, or one that is missing or breaks off, is one
    ``ValueError``.
    """
    report, titles = report if report is not None else ReadReport(), set()  # their hashes: 60 bytes each
    for source in [sources] if isinstance(sources, (str, Path)) else sources:
        for name, rows in _tables(str(source), split):
            fields = columns if _suffix(name) != ".txt" else Columns()
            for article in _of_one_table(rows, name, report, fields):
                if article.title:
                    report.repeated += (title_hash := hash(article.title.lower())) in titles
                    titles.add(title_hash)
                yield article


def _of_one_table(rows: Iterable, name: str, report: ReadReport, columns: Columns) -> Iterator[Article]:
    rows, found = _checked(rows, name, columns)
    title = columns.title if columns.title in found else None
    here = ReadReport()
    try:
        for row in rows:
            if reason := _fault(row, title, columns.text):
                here.skip(reason)
            else:
                here.kept += 1
                yield _article(row, title, columns.text)
            if here.skipped == LOOK_AHEAD and not here.kept:
                break
    finally:
        report.add(here)
    _require_sense(name, here)


def _article(row: dict, *names: str | None) -> Article:
    title, text = (join_surrogates(row[name]).strip() if name else "" for name in names)
    return Article(title, join_surrogates(row.get("headline") or ""), text)


def _require_sense(name: str, report: ReadReport) -> None:
    """``ValueError`` for a file of which nothing can be used, or of which at least 100 rows, and most, cannot."""
    if report.skipped > report.kept and (not report.kept or report.skipped >= LOOK_AHEAD):
        hint = "; JSON must be one object a line, or one array of them" if "not JSON" in report.reasons else ""
        raise ValueError(f"{name} is hardly usable: {report}{hint}")


def _tables(source: str, split: str) -> Iterator[tuple[str, Iterable]]:
    """Each file that ``source`` stands for, or the data set, with its rows."""
    path = Path(source).expanduser()
    files = _files(path)
    if path.is_dir() and not files:
        raise ValueError(f"no {', '.join(READERS)} file in {path}")
    if not files and (_reader(path) or not re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", source)):
        raise ValueError(f"no file {source}, and it is not a Hub id either (those look like owner/name)")
    for file in files:
        yield str(file), _file_rows(file)
    if not files:
        yield source, _hub_rows(source, split)


def _files(path: Path) -> list[Path]:
    """The file itself, those that a pattern stands for, or the readable ones of a folder: plain text only if there is
    nothing else, as beside data it is a licence or a note."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _reader(file))
        return [file for file in files if _suffix(file) != ".txt"] or files
    return [path] if path.exists() else sorted(map(Path, glob.glob(str(path), recursive=True)))


def _checked(rows: Iterable, source: str, columns: Columns) -> tuple[Iterator[Any], set[str]]:
    """The rows and their columns, as far as rows at the start have them; the text must be among them."""
    rows = _until_damage(rows, source)
    head = list(islice(rows, LOOK_AHEAD))
    found = {name: None for row in head if isinstance(row, dict) for name in row}
    if found and columns.text not in found:
        names = ", ".join(map(str, found))
        raise ValueError(f"{source} has no column {columns.text!r} for the text (--text-column); found are {names}")
    return chain(head, rows), set(found)


@dataclass(frozen=True)
class Damaged:
    """Stands for a row that could not be read."""

    reason: str


class WholeFile(Exception):
    """A mistake that damages more than a row."""


def _until_damage(rows: Iterable, source: str) -> Iterator[object]:
    count = 0
    try:
        for row in rows:
            yield row
            count += 1
    except WholeFile as error:
        raise ValueError(f"{source}: {error}") from None
    except Exception as error:  # of gzip, lzma, json, csv, Arrow and, for a Hub id, of the network
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{source} cannot be read beyond row {count} ({reason})") from None


def _file_rows(path: Path) -> Iterator[object]:
    reader = _reader(path)
    if reader is None:
        raise ValueError(f"{path}: the name must end in one of {', '.join(READERS)}, packed with .gz or .xz or not")
    return reader(path)


def _json_rows(path: Path) -> Iterator[object]:
    """Line by line, so that a damaged line costs one article; or one array of them all."""
    with _open(path, "rb") as file:
        first, lines = next(file, b""), file
        if first.lstrip(b"\xef\xbb\xbf \t").startswith(b"["):
            whole = first + file.read()
            if ".json" in path.suffixes or _is_array(whole):
                yield from json.loads(whole)
                return
            first, *lines = whole.splitlines()
        for line in chain([first], lines):
            try:
                if line.strip():
                    yield json.loads(line)
            except (ValueError, RecursionError):
                yield Damaged("not JSON")


def _is_array(whole: bytes) -> bool:
    """True for JSON with more in it than a line that is no article."""
    try:
        return any(isinstance(row, dict) for row in json.loads(whole))
    except (ValueError, RecursionError):
        return False


def _text_rows(path: Path) -> Iterator[object]:
    """Plain text in pieces of some thousand characters, cut at empty lines, so that a share can be held out."""
    with _open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline=None) as file:
        lines, size = [], 0
        for line in iter(lambda: file.readline(LONGEST_LINE), ""):
            lines.append(line)
            size += len(line)
            if size >= LONGEST_LINE or (size >= PIECE and not line.strip()):
                yield from _piece("".join(lines))
                lines, size = [], 0
        yield from _piece("".join(lines))


def _piece(text: str) -> Iterator[object]:
    if re.search("[\udc80-\udcff]", text):
        yield Damaged("not UTF-8")
    elif text.strip():
        yield {"text": text}


def _csv_rows(path: Path) -> Iterator[object]:
    """With Python's own reader: pandas drops damaged rows uncounted, and takes the title "None" for a gap."""
    csv.field_size_limit(10_000_000)  # characters in one field; the module's own limit cuts long articles
    with _open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        records = _csv_records(file)
        header = next(records, [])
        if isinstance(header, Damaged):
            raise WholeFile("its first line, with the names of the columns, is not CSV")
        for record in records:
            if isinstance(record, Damaged):
                yield record
            elif len(record) != len(header):
                yield Damaged("wrong number of columns")
            elif re.search("[\udc80-\udcff]", "".join(record)):
                yield Damaged("not UTF-8")
            else:
                yield dict(zip(header, record))


def _csv_records(file: Iterable[str]) -> Iterator[list[str] | Damaged]:
    records = csv.reader((line.replace("\0", "") for line in file), strict=True)
    while True:
        before = records.line_num
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error) or records.line_num > before + LOOK_AHEAD:
                raise WholeFile(
                    f"a quote that opens after line {before} is not closed where a field ends: all that follows would "
                    "be lost in it"
                ) from None
            yield Damaged("not CSV")
        else:
            if record:  # an empty line is none
                yield record


def _parquet_rows(path: Path) -> Iterator[dict]:
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


READERS = {
    ".jsonl": _json_rows,
    ".json": _json_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
    ".txt": _text_rows,
}
PACKED = (".gz", ".xz", ".bz2")


def _open(path: Path, mode: str, **options: str | None) -> AbstractContextManager[IO]:
    from fsspec import open as unpack

    return unpack(str(path), mode, compression="infer", **options)


def _reader(path: Path) -> Callable | None:
    return READERS.get(_suffix(path))


def _suffix(path: str | Path) -> str:
    path = Path(path)
    return path.suffix if path.suffix not in PACKED else path.with_suffix("").suffix


def _fault(row: object, *needed: str | None) -> str | None:
    if isinstance(row, Damaged):
        return row.reason
    if not isinstance(row, dict):
        return "not an object"
    for name in filter(None, needed):
        value = row.get(name)
        if not isinstance(value, str):
            return f"{name} is not text"
        if not value.strip():
            return f"{name} is empty"
    if not isinstance(row.get("headline"), (str, type(None))):
        return "headline is not text"
    return None


def is_held_out(title: str, fraction: float) -> bool:
    """True for about ``fraction`` of all titles, or texts that have none: the same on every machine, in every order."""
    digest = hashlib.sha256(title.strip().lower().encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64
