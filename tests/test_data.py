"""Articles in, batches out: what is read, what is skipped, what is held out, and what each batch holds."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import weakref

import datasets
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch

from llm_core.data import (
    IGNORE,
    LOOK_AHEAD,
    Article,
    Batch,
    MaskedBatches,
    PackedBatches,
    PairBatches,
    ReadReport,
    TokenStore,
    is_held_out,
    pad,
    read_articles,
)
from llm_core.tokenizer import ASSETS, load_tokenizer

ROWS = [
    {"title": "How to Bake Bread", "headline": "Mix.\nKnead.", "text": "1. Mix.\nFlour, water, salt."},
    {"title": 'How to Say "Größe", in German', "headline": "", "text": "It is easy:\r\n\r\n– say it 👍"},
    {"title": "None", "headline": None, "text": "42"},
]
ARTICLES = [Article(row["title"], row["headline"] or "", row["text"]) for row in ROWS]


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def samples():
    return list(read_articles(str(ASSETS / "sample_articles.jsonl")))


@pytest.fixture(scope="module")
def store(samples, tokenizer, tmp_path_factory):
    return TokenStore.build(samples, tokenizer, tmp_path_factory.mktemp("tokens") / "store")


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
    assert "somebody/news has no column 'title'" in message_of("somebody/news")


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
        assert message_of(source) == f"no file {source}, and no Hub id either (those look like owner/name)"
    assert message_of(tmp_path) == f"no .jsonl, .json, .csv, .parquet file in {tmp_path}"
    (tmp_path / "a.txt").write_text("x")
    assert "a.txt: the name must end in one of .jsonl, .json, .csv, .parquet" in message_of(tmp_path / "a.txt")


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
    (tmp_path / "b.csv").write_bytes(
        b"title,headline,text\n" + good + b'How to,h,"' + (b"x" * 9999 + b"\n") * 1100 + good
    )
    articles, report = read(tmp_path / "b.csv")
    assert articles[:5] == ARTICLES[:1] * 5 and report.reasons["not CSV"] == 1


def test_nul_and_long_fields_in_csv(tmp_path):
    text = "word " * 100_000
    (tmp_path / "a.csv").write_bytes(as_csv([{"title": "a\0b", "headline": "", "text": text}]))
    assert read(tmp_path / "a.csv")[0] == [Article("ab", "", text.strip())]


@pytest.mark.parametrize("writer", [json_lines, as_csv, as_parquet])
def test_a_missing_column_is_one_error(writer, tmp_path):
    path = tmp_path / {json_lines: "a.jsonl", as_csv: "a.csv", as_parquet: "a.parquet"}[writer]
    path.write_bytes(writer([{"title": "t", "article": "x", "headline": "h"}] * 3))
    assert message_of(path) == (
        f"{path} has no column 'text'; needed are title, headline, text, found are title, article, headline"
    )


def test_a_missing_column_is_found_before_the_whole_file_is_read(monkeypatch):
    seen = []
    rows = ({"title": "t", "text": str(seen.append(i))} for i in range(10_000))
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: rows)
    assert "somebody/wikihow has no column 'headline'" in message_of("somebody/wikihow")
    assert len(seen) == LOOK_AHEAD


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.jsonl.gz"])
def test_an_empty_file_has_no_articles(name, tmp_path):
    (tmp_path / name).write_bytes(gzip.compress(b"") if name.endswith("gz") else b"")
    assert read(tmp_path / name) == ([], ReadReport())


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


def test_no_more_articles_than_a_chunk_are_alive(tokenizer, tmp_path):
    alive = weakref.WeakSet()
    most = 0

    def articles():
        nonlocal most
        for i in range(100):
            article = Article(f"How to {i}", "", "text")
            alive.add(article)
            most = max(most, len(alive))
            yield article

    TokenStore.build(articles(), tokenizer, tmp_path / "store", chunk=7)
    assert 7 <= most <= 8


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


# --- the store ---


def test_store_is_the_tokens_of_the_articles(samples, store, tokenizer):
    position = 0
    for article, (begin, text, end) in zip(samples, store.bounds.tolist()):
        title_ids, text_ids = tokenizer.encode(article.title + "\n"), tokenizer.encode(article.text)
        assert store.tokens[begin:end].tolist() == [tokenizer.start, *title_ids, *text_ids, tokenizer.end]
        assert (begin, text) == (position, position + 1 + len(title_ids))
        position = end
    assert len(store) == position and len(store.bounds) == len(samples)
    assert store.num_bytes == sum(len(f"{a.title}\n{a.text}".encode()) for a in samples)


def test_store_is_the_same_for_every_chunk(samples, store, tokenizer, tmp_path):
    other = TokenStore.build(iter(samples), tokenizer, tmp_path / "store", chunk=5)
    for name in ("tokens.u16", "bounds.npy", "info.json"):
        assert (other.folder / name).read_bytes() == (store.folder / name).read_bytes()


def test_one_enormous_article_among_empty_ones(tokenizer, tmp_path):
    enormous = Article("How to Write", "", "a word, " * 60_000)
    store = TokenStore.build([Article("a", "", ""), enormous, Article("", "", "")], tokenizer, tmp_path / "store")
    lengths = np.diff(store.bounds[:, [0, 2]], axis=1)[:, 0].tolist()
    assert lengths == [4, 2 + len(tokenizer.encode("How to Write\n")) + len(tokenizer.encode(enormous.text)), 3]
    assert tokenizer.decode(store.tokens[store.bounds[1, 1] : store.bounds[1, 2] - 1]) == enormous.text


def test_no_article_at_all(tokenizer, tmp_path):
    with pytest.raises(ValueError, match="no article with a title and a text in the data"):
        TokenStore.build([], tokenizer, tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_a_store_that_breaks_off_leaves_the_old_one(samples, tokenizer, tmp_path):
    def broken():
        yield from samples[:3]
        raise ValueError("the file is damaged")

    before = TokenStore.build(samples[:5], tokenizer, tmp_path / "store")
    with pytest.raises(ValueError, match="the file is damaged"):
        TokenStore.build(broken(), tokenizer, tmp_path / "store", chunk=2)
    assert len(TokenStore(tmp_path / "store")) == len(before)
    assert len(TokenStore.build(samples[:9], tokenizer, tmp_path / "store").bounds) == 9


def test_a_folder_with_other_files_is_not_deleted(samples, tokenizer, tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.txt").write_text("precious")
    with pytest.raises(OSError):
        TokenStore.build(samples[:3], tokenizer, tmp_path / "store")
    assert (tmp_path / "store" / "thesis.txt").read_text() == "precious"


# --- packed windows, for the decoder ---

T, B = 13, 5


@pytest.fixture
def numbered(tmp_path):
    """A store whose tokens are their own positions: 0, 1, ... 499."""

    def make(count=500):
        np.arange(count, dtype=np.uint16).tofile(tmp_path / "tokens.u16")
        np.save(tmp_path / "bounds.npy", np.array([[0, 3, count]]))
        (tmp_path / "info.json").write_text('{"num_bytes": 1, "n_vocab": 8192}')
        return TokenStore(tmp_path)

    return make


def test_targets_are_the_next_tokens(store):
    batch = PackedBatches(store, T).batch(3, B)
    assert batch.ids.shape == batch.targets.shape == (B, T) and batch.ids.dtype == batch.targets.dtype == torch.int64
    assert torch.equal(batch.ids[:, 1:], batch.targets[:, :-1])
    stream = "".join(f"{id}," for id in store.tokens)
    for ids, targets in zip(batch.ids.tolist(), batch.targets.tolist()):
        assert "".join(f"{id}," for id in [*ids, targets[-1]]) in stream
    assert batch.num_tokens == B * T


def test_an_epoch_covers_every_window_once(numbered):
    batches = PackedBatches(numbered(), T, seed=1)
    count = batches.num_windows
    assert count == 37
    epochs = [[int(batches.batch(i, 1).ids[0, 0]) for i in range(e * count, (e + 1) * count)] for e in range(3)]
    for starts in epochs:
        offset = min(starts)
        assert 0 <= offset < T and sorted(starts) == [offset + T * i for i in range(count)]
    assert epochs[0] != sorted(epochs[0])
    assert len({min(starts) for starts in epochs}) > 1  # each epoch cuts elsewhere
    assert [start - min(epochs[0]) for start in epochs[0]] != [start - min(epochs[1]) for start in epochs[1]]


def test_rows_do_not_depend_on_the_batch_size(numbered):
    batches = PackedBatches(numbered(), T)
    together = torch.cat([batches.batch(i, 2).ids for i in range(30)])
    assert torch.equal(together, torch.cat([batches.batch(i, 20).ids for i in range(3)]))


@pytest.mark.parametrize("count", [T + 1, T + 2, 2 * T, 2 * T + 1, 3 * T + 5])
def test_small_stores_have_windows_that_fit(numbered, count):
    batches = PackedBatches(numbered(count), T)
    for i in range(20):
        batch = batches.batch(i, 1)
        start = int(batch.ids[0, 0])
        assert batch.ids.tolist() == [list(range(start, start + T))] and batch.targets[0, -1] == start + T < count


def test_a_store_below_one_window_is_an_error(numbered):
    with pytest.raises(ValueError, match=f"{T} tokens are too few for a window of {T} and the token after it"):
        PackedBatches(numbered(T), T)


def new_batches(kind, store, tokenizer, seed):
    if kind is PackedBatches:
        return PackedBatches(store, T, seed)
    return kind(store, T, tokenizer, seed)


@pytest.mark.parametrize("kind", [PackedBatches, MaskedBatches, PairBatches])
def test_a_batch_is_a_pure_function_of_seed_and_index(kind, store, tokenizer):
    def contents(batch):
        return [None if x is None else x.tolist() for x in vars(batch).values()]

    first = new_batches(kind, store, tokenizer, seed=0)
    wanted = [contents(first.batch(i, B)) for i in range(20)]
    again = new_batches(kind, store, tokenizer, seed=0)
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    assert [contents(again.batch(i, B)) for i in reversed(range(20))] == wanted[::-1]
    assert contents(new_batches(kind, store, tokenizer, seed=1).batch(0, B)) != wanted[0]
    assert len({str(batch) for batch in wanted}) == 20


# --- masked windows, for the encoder ---


def test_masks_follow_bert(store, tokenizer):
    windows = PackedBatches(store, 64, seed=2).batch(0, 600).ids
    batch = MaskedBatches(store, 64, tokenizer, seed=2).batch(0, 600)
    chosen = batch.targets != IGNORE
    assert torch.equal(batch.targets[chosen], windows[chosen])
    assert torch.equal(batch.ids[~chosen], windows[~chosen])
    shown, real = batch.ids[chosen], windows[chosen]
    shares = [chosen.float().mean(), *((shown == x).float().mean() for x in (tokenizer.mask, real))]
    assert torch.allclose(torch.stack(shares), torch.tensor([0.15, 0.8, 0.1]), atol=0.02)
    others = shown[(shown != tokenizer.mask) & (shown != real)]
    assert abs(len(others) / len(shown) - 0.1) < 0.02
    assert others.min() < 400 and others.max() > 7800 and len(others.unique()) > 0.9 * len(others)
    assert batch.num_tokens == 600 * 64


def test_every_masked_row_teaches_something(store, tokenizer):
    batch = MaskedBatches(store, 3, tokenizer).batch(0, 300)
    counts = (batch.targets != IGNORE).sum(1)
    assert counts.min() == 1 and counts.max() > 1


# --- pairs, for the encoder-decoders ---


def test_pairs_are_titles_and_articles(samples, store, tokenizer):
    by_title = {tuple(tokenizer.encode(article.title)): article for article in samples}
    batch = PairBatches(store, T=150, tokenizer=tokenizer).batch(0, len(samples))
    seen = set()
    for row in range(len(samples)):
        title = tuple(batch.ids[row][batch.attention_mask[row]].tolist())
        body = tokenizer.encode(by_title[title].text)
        read = batch.decoder_ids[row][batch.decoder_attention_mask[row]].tolist()
        targets = [id for id in batch.targets[row].tolist() if id != IGNORE]
        assert read == [tokenizer.start, *body][:150] and targets == [*body, tokenizer.end][:150]
        assert len(read) == len(targets)
        seen.add(title)
    assert seen == set(by_title)  # one epoch: each article once


def test_pairs_are_padded_on_the_right(store, tokenizer):
    batch = PairBatches(store, T=1000, tokenizer=tokenizer, seed=3).batch(1, 7)
    for ids, mask, filler in (
        (batch.ids, batch.attention_mask, tokenizer.pad),
        (batch.decoder_ids, batch.decoder_attention_mask, tokenizer.pad),
        (batch.targets, batch.decoder_attention_mask, IGNORE),
    ):
        lengths = mask.sum(1)
        assert ids.shape == mask.shape and len(set(lengths.tolist())) > 1 and lengths.max() == ids.shape[1]
        assert torch.equal(mask, torch.arange(ids.shape[1]) < lengths[:, None])
        assert (ids[~mask] == filler).all() and (ids[mask] != filler).all()
    assert (batch.decoder_ids[:, 0] == tokenizer.start).all()
    assert batch.num_tokens == batch.attention_mask.sum() + batch.decoder_attention_mask.sum()


def test_long_titles_and_articles_are_cut(tokenizer, tmp_path):
    article = Article("How to " + "very " * 50, "", "word " * 90)
    store = TokenStore.build([article], tokenizer, tmp_path / "store")
    batch = PairBatches(store, 20, tokenizer, title_length=9).batch(0, 1)
    assert batch.ids.tolist() == [tokenizer.encode(article.title)[:9]]
    assert batch.decoder_ids.tolist() == [[tokenizer.start, *tokenizer.encode(article.text)[:19]]]
    assert batch.targets.tolist() == [tokenizer.encode(article.text)[:20]]


def test_an_article_without_a_title_still_has_a_row(tokenizer, tmp_path):
    store = TokenStore.build([Article("", "", "text")], tokenizer, tmp_path / "store")
    assert PairBatches(store, 20, tokenizer).batch(0, 1).ids.tolist() == [[tokenizer.start]]


# --- small parts ---


def test_pad_on_both_sides():
    ids, mask = pad([[1, 2, 3], [], [4]], filler=9)
    assert ids.tolist() == [[1, 2, 3], [9, 9, 9], [4, 9, 9]] and mask.sum(1).tolist() == [3, 0, 1]
    ids, mask = pad([[1, 2, 3], [], [4]], filler=9, side="left")
    assert ids.tolist() == [[1, 2, 3], [9, 9, 9], [9, 9, 4]] and mask.tolist()[2] == [False, False, True]


def test_num_tokens_leaves_padding_out():
    ids = torch.zeros(3, 5, dtype=torch.long)
    mask = torch.arange(5) < torch.tensor([[5], [2], [1]])
    own = torch.arange(4) < torch.tensor([[4], [3], [0]])
    assert Batch(ids, ids).num_tokens == 15
    assert Batch(ids, ids, mask).num_tokens == 8
    assert Batch(ids, ids[:, :4], mask, ids[:, :4], own).num_tokens == 8 + 7


def test_to_moves_what_is_there():
    batch = Batch(torch.ones(2, 3), torch.zeros(2, 3), attention_mask=torch.ones(2, 3)).to("meta")
    assert batch.ids.is_meta and batch.targets.is_meta and batch.attention_mask.is_meta and batch.decoder_ids is None
