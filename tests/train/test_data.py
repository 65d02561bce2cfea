"""Articles in, batches out: what the store holds, and what each batch holds."""

import random
import weakref

import numpy as np
import pytest
import torch

from llm_core.model.padding import pad
from llm_core.paths import ASSETS
from llm_core.text.articles import Article, read_articles
from llm_core.text.tokenizer import load_tokenizer
from llm_core.train.data import IGNORE, Batch, MaskedBatches, PackedBatches, PairBatches, TokenStore


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def samples():
    return list(read_articles(str(ASSETS / "sample_articles.jsonl")))


@pytest.fixture(scope="module")
def store(samples, tokenizer, tmp_path_factory):
    return TokenStore.build(samples, tokenizer, tmp_path_factory.mktemp("tokens") / "store")


# --- the store ---


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


def test_store_is_the_tokens_of_the_articles(samples, store, tokenizer):
    position = 0
    for article, (begin, text, end) in zip(samples, store.bounds.tolist()):
        title_ids, text_ids = tokenizer.encode(article.title + "\n"), tokenizer.encode(article.text)
        assert store.tokens[begin:end].tolist() == [tokenizer.start, *title_ids, *text_ids, tokenizer.end]
        assert (begin, text) == (position, position + 1 + len(title_ids))
        position = end
    assert len(store) == position and len(store.bounds) == len(samples)
    assert store.has_titles
    assert store.num_bytes == sum(len(f"{a.title}\n{a.text}".encode()) for a in samples)


def test_a_text_without_a_title_has_no_line_for_it(tokenizer, tmp_path):
    store = TokenStore.build([Article("", "", "a text")], tokenizer, tmp_path / "store")
    assert store.tokens.tolist() == [tokenizer.start, *tokenizer.encode("a text"), tokenizer.end]
    assert (store.bounds.tolist(), store.num_bytes, store.has_titles) == ([[0, 1, len(store)]], 6, False)


def test_store_is_the_same_for_every_chunk(samples, store, tokenizer, tmp_path):
    other = TokenStore.build(iter(samples), tokenizer, tmp_path / "store", chunk=5)
    for name in ("tokens.u16", "bounds.npy", "info.json"):
        assert (other.folder / name).read_bytes() == (store.folder / name).read_bytes()


def test_one_enormous_article_among_empty_ones(tokenizer, tmp_path):
    enormous = Article("How to Write", "", "a word, " * 60_000)
    store = TokenStore.build([Article("a", "", ""), enormous, Article("", "", "")], tokenizer, tmp_path / "store")
    lengths = np.diff(store.bounds[:, [0, 2]], axis=1)[:, 0].tolist()
    assert lengths == [4, 2 + len(tokenizer.encode("How to Write\n")) + len(tokenizer.encode(enormous.text)), 2]
    assert tokenizer.decode(store.tokens[store.bounds[1, 1] : store.bounds[1, 2] - 1]) == enormous.text


def test_no_article_at_all(tokenizer, tmp_path):
    with pytest.raises(ValueError, match="no article with a text in the data"):
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


DAMAGE = {
    "tokens.u16": (b"", b"12", None),
    "bounds.npy": (b"", b"foreign", None),
    "info.json": (b"", b"[]", b'{"num_bytes": "many"}', None),
}


@pytest.mark.parametrize(("name", "content"), [(name, x) for name, contents in DAMAGE.items() for x in contents])
def test_a_store_that_is_cut_foreign_or_missing_is_one_sentence(name, content, samples, tokenizer, tmp_path):
    folder = TokenStore.build(samples[:3], tokenizer, tmp_path / "store").folder
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(ValueError) as caught:
        TokenStore(folder)
    assert str(caught.value).startswith(f"{folder} holds no whole token store (")
    assert str(caught.value).endswith("): delete it, and the run it belongs to makes it anew")
    assert "\n" not in str(caught.value)


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
        read = batch.decoder_ids[row][batch.targets[row] != IGNORE].tolist()
        targets = [id for id in batch.targets[row].tolist() if id != IGNORE]
        assert read == [tokenizer.start, *body][:150] and targets == [*body, tokenizer.end][:150]
        assert len(read) == len(targets)
        seen.add(title)
    assert seen == set(by_title)  # one epoch: each article once


def test_pairs_are_padded_on_the_right(store, tokenizer):
    batch = PairBatches(store, T=1000, tokenizer=tokenizer, seed=3).batch(1, 7)
    is_read = batch.targets != IGNORE
    for ids, mask, filler in (
        (batch.ids, batch.attention_mask, tokenizer.pad),
        (batch.decoder_ids, is_read, tokenizer.pad),
    ):
        lengths = mask.sum(1)
        assert ids.shape == mask.shape and len(set(lengths.tolist())) > 1
        assert torch.equal(mask, torch.arange(ids.shape[1]) < lengths[:, None])
        assert (ids[~mask] == filler).all() and (ids[mask] != filler).all()
    assert (batch.decoder_ids[:, 0] == tokenizer.start).all()
    assert batch.num_tokens == batch.attention_mask.sum() + is_read.sum()
    assert (batch.ids.shape, batch.decoder_ids.shape) == ((7, 32), (7, 1000))  # whatever is in them


def test_long_titles_and_articles_are_cut(tokenizer, tmp_path):
    article = Article("How to " + "very " * 50, "", "word " * 90)
    store = TokenStore.build([article], tokenizer, tmp_path / "store")
    batch = PairBatches(store, 20, tokenizer, title_length=9).batch(0, 1)
    assert batch.ids.tolist() == [tokenizer.encode(article.title)[:9]]
    assert batch.decoder_ids.tolist() == [[tokenizer.start, *tokenizer.encode(article.text)[:19]]]
    assert batch.targets.tolist() == [tokenizer.encode(article.text)[:20]]


def test_an_article_without_a_title_still_has_a_row(tokenizer, tmp_path):
    store = TokenStore.build([Article("", "", "text")], tokenizer, tmp_path / "store")
    batch = PairBatches(store, 20, tokenizer, title_length=2).batch(0, 1)
    assert batch.ids.tolist() == [[tokenizer.start, tokenizer.pad]]


# --- small parts ---


def test_pad_on_both_sides():
    ids, mask = pad([[1, 2, 3], [], [4]], filler=9)
    assert ids.tolist() == [[1, 2, 3], [9, 9, 9], [4, 9, 9]] and mask.sum(1).tolist() == [3, 0, 1]
    ids, mask = pad([[1, 2, 3], [], [4]], filler=9, side="left")
    assert ids.tolist() == [[1, 2, 3], [9, 9, 9], [9, 9, 4]] and mask.tolist()[2] == [False, False, True]


def test_num_tokens_leaves_padding_out():
    ids = torch.zeros(3, 5, dtype=torch.long)
    mask = torch.arange(5) < torch.tensor([[5], [2], [1]])
    targets = ids[:, :4].masked_fill(torch.arange(4) >= torch.tensor([[4], [3], [0]]), IGNORE)
    assert Batch(ids, ids).num_tokens == 15
    assert Batch(ids, ids, mask).num_tokens == 8
    assert Batch(ids, targets, mask, ids[:, :4]).num_tokens == 8 + 7


def test_to_moves_what_is_there():
    batch = Batch(torch.ones(2, 3), torch.zeros(2, 3), attention_mask=torch.ones(2, 3)).to("meta")
    assert batch.ids.is_meta and batch.targets.is_meta and batch.attention_mask.is_meta and batch.decoder_ids is None
