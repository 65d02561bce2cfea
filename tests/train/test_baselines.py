"""What simple methods cost in bits per byte: the same bytes for all, recounted here by other means."""

import gzip
import json
import lzma
import math
import random
import shutil
import subprocess
from collections import Counter

import numpy as np
import pytest

from llm_core.paths import ASSETS
from llm_core.text.articles import read_articles
from llm_core.text.tokenizer import load_tokenizer
from llm_core.train import baselines
from llm_core.train.baselines import Baseline, baselines_table, ending, load_baselines, main, text_chunks
from llm_core.train.data import TokenStore
from llm_core.train.ngrams import NGramModel

HELD_OUT = 9  # of our articles


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def articles():
    return list(read_articles(str(ASSETS / "sample_articles.jsonl")))


@pytest.fixture(scope="module")
def files(articles, tmp_path_factory):
    """Training and held-out articles as JSON lines."""
    folder = tmp_path_factory.mktemp("articles")
    for name, part in {"train": articles[HELD_OUT:], "validation": articles[:HELD_OUT]}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(vars(a)) + "\n" for a in part))
    return [str(folder / "train.jsonl"), str(folder / "validation.jsonl")]


@pytest.fixture(scope="module")
def measured(files, tmp_path_factory):
    """What the command leaves in a run's folder, by name and tokens."""
    out = tmp_path_factory.mktemp("run")
    main(["--data", files[0], "--validation", files[1], "--tokens", "2000", "99999999", "--out", str(out)])
    return {(b.name, b.tokens): b.bits_per_byte for b in load_baselines(out)}


@pytest.fixture(scope="module")
def stores(articles, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokens")
    parts = {"train": articles[HELD_OUT:], "validation": articles[:HELD_OUT]}
    return [TokenStore.build(part, tokenizer, folder / name) for name, part in parts.items()]


def held_out_text(articles) -> bytes:
    return "".join(f"{a.title}\n{a.text}" for a in articles[:HELD_OUT]).encode()


def test_the_text_is_every_byte_that_the_store_counts(articles, stores, tokenizer, monkeypatch):
    for chunk in (7, 2**20):
        monkeypatch.setattr(baselines, "CHUNK", chunk)
        text = b"".join(text_chunks(stores[1].tokens, tokenizer))
        assert text == held_out_text(articles) and len(text) == stores[1].num_bytes


@pytest.mark.parametrize("chunk", [7, 1000, 2**20])
def test_the_ending_is_the_last_bytes(chunk, stores, tokenizer, monkeypatch):
    whole = b"".join(text_chunks(stores[0].tokens, tokenizer))
    monkeypatch.setattr(baselines, "CHUNK", chunk)
    for most in (0, 1, 3000, len(whole), 10**9):
        text, seen = ending(stores[0].tokens, tokenizer, most)
        assert text == whole[len(whole) - min(most, len(whole)) :]
        assert b"".join(text_chunks(stores[0].tokens[len(stores[0]) - seen :], tokenizer)).endswith(text)


def test_unigram_is_counted_by_hand(stores, measured, tokenizer):
    train, held_out = (store.tokens.tolist() for store in stores)
    counts, V = Counter(train), tokenizer.n_vocab
    one, two, three, four = (sum(count == i for count in counts.values()) for i in (1, 2, 3, 4))
    Y = one / (one + 2 * two)
    d = {0: 0, 1: 1 - 2 * Y * two / one, 2: 2 - 3 * Y * three / two, 3: 3 - 4 * Y * four / three}
    left = sum(d[min(count, 3)] for count in counts.values()) / len(train)
    bits = -sum(math.log2((counts[t] - d[min(counts[t], 3)]) / len(train) + left / V) for t in held_out)
    assert math.isclose(measured["unigram", len(train)], bits / stores[1].num_bytes, rel_tol=1e-6)


def test_ngrams_are_fitted_on_the_first_tokens(stores, measured, tokenizer):
    train, held_out = stores
    for num_tokens in (2000, len(train)):
        for order, name in ((2, "bigram"), (5, "5-gram, Kneser-Ney")):
            p = NGramModel(np.array(train.tokens[:num_tokens]), order, tokenizer.n_vocab).probabilities(held_out.tokens)
            assert len(p) == len(held_out)  # the marks are paid for too
            assert math.isclose(measured[name, num_tokens], -np.log2(p).sum() / held_out.num_bytes, rel_tol=1e-6)
    assert measured["bigram", len(train)] < measured["unigram", len(train)] < measured["unigram", 2000]


@pytest.mark.skipif(not (shutil.which("xz") and shutil.which("gzip")), reason="needs the programs xz and gzip")
def test_packers_are_as_small_as_the_programs(articles, measured):
    text = held_out_text(articles)
    for program in ("gzip -9", "xz -9e"):
        size = len(subprocess.run([*program.split(), "-c"], input=text, capture_output=True, check=True).stdout)
        assert abs(measured[program, 0] * len(text) / 8 - size) <= 16  # heads differ by some bytes


def test_packers_keep_the_text(articles, measured):
    text = held_out_text(articles)
    for name, module, options in (("gzip -9", gzip, {"compresslevel": 9}), ("xz -9e", lzma, {"preset": 9 | 1 << 31})):
        packed = module.compress(text, **options)
        assert module.decompress(packed) == text and measured[name, 0] == 8 * len(packed) / len(text)


def test_priming_helps_as_far_as_the_window_reaches(articles, stores, measured, tokenizer, monkeypatch):
    text = held_out_text(articles)
    primed = {tokens: value for (name, tokens), value in measured.items() if name == "xz -9e, primed"}
    assert list(primed) == [len(stores[0])] and primed[len(stores[0])] < 0.9 * measured["xz -9e", 0]
    before = "".join(f"{a.title}\n{a.text}" for a in articles[HELD_OUT:]).encode()
    sizes = [len(lzma.compress(part, preset=9 | 1 << 31)) for part in (before, before + text)]
    assert primed[len(stores[0])] == 8 * (sizes[1] - sizes[0]) / len(text)
    monkeypatch.setattr(baselines, "XZ_WINDOW", 10)  # no room at all: it starts from nothing
    alone = {b.name: b for b in baselines.packer_baselines(*stores, 10**9, tokenizer)}["xz -9e, primed"]
    assert alone.tokens == 0 and alone.bits_per_byte < measured["xz -9e", 0]


def test_random_bytes_cannot_be_packed(tokenizer, tmp_path):
    from llm_core.text.articles import Article

    letters = random.Random(0).choices("abcdefghijklmnop", k=20_000)  # four bits each
    store = TokenStore.build([Article("t", "", "".join(letters))], tokenizer, tmp_path / "tokens")
    for baseline in baselines.packer_baselines(store, store, 0, tokenizer):
        assert 4 <= baseline.bits_per_byte < 4.7


def test_a_run_s_own_tokens_give_the_same(stores, measured, capsys):
    main(["--data", str(stores[0].folder), "--validation", str(stores[1].folder)])
    table = capsys.readouterr().out.splitlines()
    for name in ("unigram", "bigram", "5-gram, Kneser-Ney", "xz -9e, primed"):
        value = measured[name, len(stores[0])]
        assert f"| {name} | {len(stores[0]):,} | {value:.4f} |" in table
    assert len(table) == 2 + 6


def test_the_table_has_the_best_last():
    rows = [Baseline(name="b", tokens=1234567, bits_per_byte=1.5), Baseline(name="a", tokens=0, bits_per_byte=2.0)]
    assert baselines_table(rows).splitlines()[2:] == ["| a | none | 2.0000 |", "| b | 1,234,567 | 1.5000 |"]


def test_what_was_not_measured_is_no_baseline(tmp_path):
    assert load_baselines(tmp_path) == []


def test_missing_articles_are_one_sentence(files, tmp_path):
    with pytest.raises(SystemExit) as end:
        main(["--data", str(tmp_path / "none.jsonl"), "--validation", files[1]])
    assert str(end.value.code).startswith(f"error: no file {tmp_path / 'none.jsonl'}")
