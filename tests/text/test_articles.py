"""Articles from files and from the Hub: what is read, what is skipped, what is held out."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from llm_core.paths import ASSETS
from llm_core.text.articles import LOOK_AHEAD, PIECE, Article, Columns, ReadReport, is_held_out, read_articles

ROWS = [
    {"title": "How to Bake Bread", "headline": "Mix.\nKnead.", "text": "1. Mix.\nFlour, water, salt."},
    {"title": 'How to Say "Größe", in German', "headline": "", "text": "It is easy:\r\n\r\n– say it 👍"},
    {"title": "None", "headline": None, "text": "42"},
]
ARTICLES = [Article(row["title"], row["headline"] or "", row["text"]) for row in ROWS]


@pytest.fixture(scope="module")
def samples():
    return list(read_articles(str(ASSETS / "sample_articles.jsonl")))


def json_lines(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def as_csv(rows):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def as_parquet(rows):
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file)
    return file.getvalue()


def read(source, **options):
    """The articles and the report of reading them."""
    report = ReadReport()
    articles = list(read_articles(source if isinstance(source, list) else str(source), report, **options))
    assert report.kept == len(articles) and report.skipped == sum(report.reasons.values())
    return articles, report


def message_of(source, **options):
    """The sentence that reading fails with: one line."""
    with pytest.raises(ValueError) as caught:
        read(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- formats ---

FILES = {
    "a.jsonl": json_lines(ROWS),
    "a.jsonl.gz": gzip.compress(json_lines(ROWS)),
    "a.jsonl.xz": lzma.compress(json_lines(ROWS)),
    "a.jsonl.bz2": bz2.compress(json_lines(ROWS)),
    "lines.json": json_lines(ROWS),
    "array.json": json.dumps(ROWS).encode(),
    "indented.json": json.dumps(ROWS, indent=2).encode(),
    "array.json.gz": gzip.compress(b"\xef\xbb\xbf" + json.dumps(ROWS).encode()),
    "bom.jsonl": b"\xef\xbb\xbf" + json_lines(ROWS),
    "windows.jsonl": json_lines(ROWS).replace(b"\n", b"\r\n"),
    "blank lines.jsonl": b"\n" + json_lines(ROWS).replace(b"\n", b"\n\n  \n"),
    "no last line end.jsonl": json_lines(ROWS).rstrip(b"\n"),
    "escapes.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
    "a.csv": as_csv(ROWS),
    "a.csv.gz": gzip.compress(as_csv(ROWS)),
    "a.csv.xz": lzma.compress(as_csv(ROWS)),
    "bom.csv": b"\xef\xbb\xbf" + as_csv(ROWS),
    "other order.csv": as_csv([{"id": "7", **dict(reversed(row.items()))} for row in ROWS]),
    "array.jsonl": json.dumps(ROWS).encode(),
    "indented array.jsonl": json.dumps(ROWS, indent=2).encode(),
    "array of bare rows.jsonl.gz": gzip.compress(
        b"\xef\xbb\xbf[\n" + b",\n".join(json_lines(ROWS).splitlines()) + b"\n]"
    ),
    "a.parquet": as_parquet(ROWS),
    "more columns.parquet": as_parquet([{"id": 7, **row} for row in ROWS]),
    "a [1] *.parquet": as_parquet(ROWS),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_articles(name, tmp_path):
    (tmp_path / name).write_bytes(FILES[name])
    assert read(tmp_path / name) == (ARTICLES, ReadReport(kept=3))


def test_a_folder_is_read_in_order_of_name(tmp_path):
    for name, row in zip(("2.csv", "1.jsonl", "3.parquet"), (ROWS[1], ROWS[0], ROWS[2])):
        writer = {"csv": as_csv, "jsonl": json_lines, "parquet": as_parquet}[name[2:]]
        (tmp_path / name).write_bytes(writer([row]))
    (tmp_path / "notes.md").write_text("not an article")
    assert read(tmp_path)[0] == ARTICLES
    assert read(tmp_path / "*.jsonl")[0] == ARTICLES[:1]
    assert read(tmp_path / "[23].*")[0] == ARTICLES[1:]
    assert read([str(tmp_path / "3.parquet"), str(tmp_path)])[0] == [ARTICLES[2], *ARTICLES]


def test_home_is_expanded(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_bytes(json_lines(ROWS))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read("~/a.jsonl")[0] == read("~/*.jsonl")[0] == ARTICLES


def test_sample_articles_are_all_good(samples):
    assert len(samples) >= 40 and len({article.title for article in samples}) == len(samples)
    assert all(article.headline and article.title.startswith("How to ") for article in samples)


def test_local_files_ask_no_server(tmp_path, monkeypatch):
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("asked a server"))
    monkeypatch.setattr("socket.socket.connect", lambda *_, **__: pytest.fail("asked a server"))
    for name in ("a.jsonl.gz", "a.csv", "a.parquet"):
        (tmp_path / name).write_bytes(FILES[name])
        assert read(tmp_path / name)[0] == ARTICLES


# --- the Hub ---


def test_hub_id_streams_the_split(monkeypatch):
    asked = []

    def load_dataset(name, **options):
        asked.append((name, options))
        return datasets.IterableDataset.from_generator(lambda: iter(ROWS))

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert read("somebody/wiki-how", split="test")[0] == ARTICLES
    assert asked == [("somebody/wiki-how", {"split": "test", "streaming": True})]


def test_hub_that_cannot_be_reached(monkeypatch):
    def unreachable(name, **_options):
        raise ConnectionError("no route to host\nand many more lines")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    assert message_of("somebody/wikihow") == (
        "no file somebody/wikihow, and the Hub's data set of that name could not be opened "
        "(ConnectionError: no route to host)"
    )


def test_hub_that_breaks_off(monkeypatch):
    def rows(name, **_options):
        yield from ROWS * 50
        raise TimeoutError("the connection was lost")

    monkeypatch.setattr(datasets, "load_dataset", rows)
    articles = read_articles("somebody/wikihow")
    assert [next(articles) for _ in range(150)] == ARTICLES * 50
    with pytest.raises(ValueError, match=r"somebody/wikihow cannot be read beyond row 150 \(TimeoutError: the connect"):
        next(articles)


def test_hub_columns_are_checked(monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: [{"article": "x", "summary": "y"}])
    assert "somebody/news has no column 'text'" in message_of("somebody/news")


def test_what_is_no_file_and_no_hub_id(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("asked the Hub"))
    for source in (
        tmp_path / "none.jsonl",
        "none/a.csv",
        "wikihow",
        "~/none/x",
        "./a/b",
        str(tmp_path / "*.jsonl"),
    ):
        assert message_of(source) == f"no file {source}, and it is not a Hub id either (those look like owner/name)"
    assert message_of(tmp_path) == f"no .jsonl, .json, .csv, .parquet, .txt file in {tmp_path}"
    (tmp_path / "a.md").write_text("x")
    assert "a.md: the name must end in one of .jsonl, .json, .csv, .parquet, .txt" in message_of(tmp_path / "a.md")


# --- damage ---

GOOD = {"title": "How to", "headline": "h", "text": "t"}
DAMAGED_LINES = {
    b'{"title": "How to", "headl': "not JSON",
    b'{"title": "\xff\xfe", "headline": "h", "text": "t"}': "not JSON",
    b"\x00\x00\x00": "not JSON",
    b"[" * 100_000: "not JSON",
    b"[1, 2]": "not an object",
    b"null": "not an object",
    b'"text"': "not an object",
    json.dumps({**GOOD, "title": None}).encode(): "title is not text",
    json.dumps({**GOOD, "text": 7}).encode(): "text is not text",
    json.dumps({**GOOD, "headline": ["h"]}).encode(): "headline is not text",
    json.dumps({**GOOD, "title": " \u3000\n"}).encode(): "title is empty",
    json.dumps({**GOOD, "text": ""}).encode(): "text is empty",
    b'{"title": "How to"}': "text is not text",
    b"{}": "title is not text",
}


@pytest.mark.parametrize("line", DAMAGED_LINES, ids=lambda line: line[:30])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_damaged_json_line_is_skipped_and_counted(line, place, tmp_path):
    lines = json_lines(ROWS).splitlines()
    lines.insert(place, line)
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    reason = DAMAGED_LINES[line]
    assert read(tmp_path / "a.jsonl") == (ARTICLES, ReadReport(kept=3, skipped=1, reasons={reason: 1}))


def test_reasons_are_counted(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*DAMAGED_LINES, *json_lines(ROWS).splitlines(), *DAMAGED_LINES]))
    articles, report = read(tmp_path / "a.jsonl")
    assert articles == ARTICLES and report.skipped == 2 * len(DAMAGED_LINES)
    assert report.reasons["not JSON"] == 8 and report.reasons["title is empty"] == 2


def test_a_row_without_headline_is_an_article(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(json_lines([*ROWS, {"title": "t", "text": "x"}]))
    assert read(tmp_path / "a.jsonl")[0][-1] == Article("t", "", "x")


def test_half_surrogates_in_json_become_replacements(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(rb'{"title": "a\ud83d", "headline": "\ud83d\ude00", "text": "\ude00b"}')
    assert read(tmp_path / "a.jsonl")[0] == [Article("a\ufffd", "😀", "\ufffdb")]


DAMAGED_RECORDS = {
    b"too,many,columns,here": "wrong number of columns",
    b"too,few": "wrong number of columns",
    b"a,\xff\xfe,c": "not UTF-8",
    b",h,t": "title is empty",
    b"t,h,  ": "text is empty",
}


@pytest.mark.parametrize("record", DAMAGED_RECORDS)
def test_a_damaged_csv_record_is_skipped_and_counted(record, tmp_path):
    header, *others = as_csv(ROWS).split(b"\r\n", 1)
    (tmp_path / "a.csv").write_bytes(b"\r\n".join([header, record, *others]))
    reason = DAMAGED_RECORDS[record]
    assert read(tmp_path / "a.csv") == (ARTICLES, ReadReport(kept=3, skipped=1, reasons={reason: 1}))


def test_an_open_quote_in_csv_does_not_lose_the_file(tmp_path):
    good = as_csv(ROWS[:1] * 5).split(b"\r\n", 1)[1].replace(b"\r\n", b"\n")
    (tmp_path / "a.csv").write_bytes(b'title,headline,text\nHow to,"open,t\n' + good)
    articles, report = read(tmp_path / "a.csv")
    assert articles == ARTICLES[:1] * 4 and report.skipped >= 1


@pytest.mark.parametrize(
    "rest", [b"", b"a,b,c\n" * 994, (b"x" * 9999 + b"\n") * 1100, b"a,b,c\n" * 200 + b'a,"b",c\n' * 9]
)
def test_a_quote_that_is_never_closed_stops_the_file(rest, tmp_path):
    """What follows would be lost in one field, however many rows it has: up to its end, or to the next quote."""
    (tmp_path / "a.csv").write_bytes(b"title,headline,text\n" + b"How to,h,t\n" * 5 + b'How to,h,"open\n' + rest)
    assert message_of(tmp_path / "a.csv") == (
        f"{tmp_path / 'a.csv'}: a quote that opens after line 6 is not closed where a field ends: all that follows "
        "would be lost in it"
    )


def test_nul_and_long_fields_in_csv(tmp_path):
    text = "word " * 100_000
    written = as_csv([{"title": "a@b", "headline": "", "text": text}])
    (tmp_path / "a.csv").write_bytes(written.replace(b"@", b"\0"))  # which Python 3.10 does not write
    assert read(tmp_path / "a.csv")[0] == [Article("ab", "", text.strip())]


@pytest.mark.parametrize("writer", [json_lines, as_csv, as_parquet])
def test_a_missing_column_is_one_error(writer, tmp_path):
    path = tmp_path / {json_lines: "a.jsonl", as_csv: "a.csv", as_parquet: "a.parquet"}[writer]
    path.write_bytes(writer([{"title": "t", "article": "x", "headline": "h"}] * 3))
    assert message_of(path) == (
        f"{path} has no column 'text' for the text (--text-column); found are title, article, headline"
    )
    columns = Columns(text="article")
    assert read(path, columns=columns)[0] == [Article("t", "h", "x")] * 3
    columns = Columns(text="article", title="headline")
    assert read(path, columns=columns)[0] == [Article("h", "h", "x")] * 3


def test_a_missing_column_is_found_before_the_whole_file_is_read(monkeypatch):
    seen = []
    rows = ({"title": "t", "headline": str(seen.append(i))} for i in range(10_000))
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    assert "somebody/wikihow has no column 'text'" in message_of("somebody/wikihow")
    assert len(seen) == LOOK_AHEAD


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz"])
def test_an_empty_file_has_no_articles(name, tmp_path):
    (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    assert read(tmp_path / name) == ([], ReadReport())


# --- what looks like a mistake of the whole file ---

WHOLE_FILES = {
    "indented.jsonl": (
        "\n".join(json.dumps(row, indent=2) for row in ROWS),
        "15 rows read, 15 skipped (not JSON); JSON ",
    ),
    "text.jsonl": (
        "Once upon a time,\n" * 1000,
        "100 rows read, 100 skipped (not JSON); JSON must be one object a line, ",
    ),
    "strings.jsonl": ('"text"\n' * 3, "3 rows read, 3 skipped (not an object)"),
    "numbers.jsonl": ('{"text": 1}\n' * 300, "100 rows read, 100 skipped (text is not text)"),
    "mostly.csv": ("text\na\n" + "a,b\n" * 120, "121 rows read, 120 skipped (wrong number of columns)"),
    "latin.csv": ("text\n" + "\xe9t\xe9\n" * 7, "7 rows read, 7 skipped (not UTF-8)"),
    "latin.txt": ("\xe9t\xe9\n" * 7, "1 rows read, 1 skipped (not UTF-8)"),
}


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_file_that_can_hardly_be_used_stops_with_the_reasons(name, tmp_path):
    text, told = WHOLE_FILES[name]
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    assert message_of(tmp_path / name).startswith(f"{tmp_path / name} is hardly usable: {told}")


def test_an_empty_line_of_columns_is_no_csv(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'"title"x,text\na,b\n')
    assert message_of(tmp_path / "a.csv").endswith("its first line, with the names of the columns, is not CSV")


# --- text without titles ---


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_text_alone_is_enough(name, tmp_path):
    rows = [{"text": row["text"]} for row in ROWS]
    (tmp_path / name).write_bytes({"a.jsonl": json_lines, "a.csv": as_csv, "a.parquet": as_parquet}[name](rows))
    assert read(tmp_path / name) == ([Article("", "", row["text"]) for row in ROWS], ReadReport(kept=3))


def test_plain_text_is_cut_at_empty_lines(tmp_path):
    pieces = [f"{i} " * 2500 + "\n\nshort\n\n" * (i % 3) for i in range(10)]
    (tmp_path / "a.txt").write_text("\n\n".join(pieces))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfa\r\nb"))
    articles, report = read([str(tmp_path / "a.txt"), str(tmp_path / "b.txt.gz")])
    assert articles.pop() == Article("", "", "a\nb")
    assert report == ReadReport(kept=len(articles) + 1) and len(articles) == 10
    assert all(article.title == "" and len(article.text) >= PIECE for article in articles)
    assert " ".join(a.text for a in articles).split() == " ".join(pieces).split()
    (tmp_path / "c.txt").write_text("word " * 100_000)
    assert [len(article.text) for article in read(tmp_path / "c.txt")[0]] == [99_999] * 5


def test_plain_text_beside_data_is_a_note(tmp_path):
    (tmp_path / "LICENSE.txt").write_text("All rights reserved")
    assert read(tmp_path)[0] == [Article("", "", "All rights reserved")]
    (tmp_path / "a.jsonl").write_bytes(json_lines(ROWS))
    assert read(tmp_path)[0] == ARTICLES


LONG = json_lines([{**GOOD, "text": f"{random.Random(i).random()}"} for i in range(2000)])
BROKEN_FILES = {
    "cut.jsonl.gz": gzip.compress(LONG)[:-5000],
    "cut.jsonl.xz": lzma.compress(LONG)[:-5000],
    "cut.csv.bz2": bz2.compress(as_csv(ROWS * 2000))[:-200],
    "no gzip.jsonl.gz": json_lines(ROWS),
    "array.json": json.dumps(ROWS).encode()[:-30],
    "cut.parquet": as_parquet(ROWS)[:-30],
    "text.parquet": b"not parquet",
    "empty.parquet": b"",
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_file_that_breaks_off_is_one_error(name, tmp_path):
    (tmp_path / name).write_bytes(BROKEN_FILES[name])
    assert message_of(tmp_path / name).startswith(f"{tmp_path / name} cannot be read beyond row ")


def test_articles_before_the_damage_are_given_out_first(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(LONG)[:-5000])
    articles = []
    with pytest.raises(ValueError, match="EOFError") as caught:
        for article in read_articles(str(tmp_path / "a.jsonl.gz")):
            articles.append(article)
    assert 100 < len(articles) < 2000
    assert f"beyond row {len(articles)} " in str(caught.value)


# --- streaming ---


def test_rows_are_read_lazily(monkeypatch):
    taken = []
    endless = (taken.append(i) or {**GOOD, "title": str(i)} for i in range(10**9))
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: endless)
    articles = read_articles("somebody/wikihow")
    assert taken == []
    assert [next(articles).title for _ in range(300)] == [str(i) for i in range(300)]
    assert len(taken) == 300


# --- what is held out ---


def test_held_out_titles_are_decided_by_the_title_alone():
    titles = [f"How to {i}" for i in range(4000)]
    held_out = {title for title in titles if is_held_out(title, 0.1)}
    shuffled = random.Random(0).sample(titles, len(titles))
    assert {title for title in shuffled if is_held_out(title, 0.1)} == held_out
    assert 0.08 < len(held_out) / len(titles) < 0.12
    assert held_out > {title for title in titles if is_held_out(title, 0.05)}
    assert all(is_held_out(f" {title.upper()}\n", 0.1) for title in held_out)
    assert not any(is_held_out(title, 0) for title in titles) and all(is_held_out(title, 1) for title in titles)


def test_held_out_titles_are_the_same_on_every_machine():
    assert [i for i in range(60) if is_held_out(f"How to {i}", 0.1)] == [13, 28, 37, 38, 40, 53]
