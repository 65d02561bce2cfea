"""Kneser-Ney against numbers worked out by hand, and against the formula written as a loop over Counters."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from llm_core.paths import ASSETS
from llm_core.text.articles import read_articles
from llm_core.text.tokenizer import load_tokenizer
from llm_core.train.data import TokenStore
from llm_core.train.ngrams import DISCOUNT, NGramModel


def seen(count: int, V: int, seed: int) -> np.ndarray:
    """Tokens with habits: mostly the same few follow each other."""
    random = np.random.default_rng(seed)
    steps = random.geometric(0.4, count) * random.choice([1, 3], count)
    return (steps.cumsum() % V).astype(np.uint16)


class Loop:
    """The definition, one n-gram at a time."""

    def __init__(self, tokens, order, V):
        self.order, self.V, tokens = order, V, list(map(int, tokens))
        grams = {n: [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)] for n in range(1, order + 2)}
        self.counts = {order: Counter(grams[order])}
        for n in range(1, order):
            before = defaultdict(set)
            for first, *rest in grams[n + 1]:
                before[tuple(rest)].add(first)
            self.counts[n] = Counter({gram: len(tokens) for gram, tokens in before.items()})
        self.discounts = {n: self.estimate(Counter(counts.values())) for n, counts in self.counts.items()}

    def estimate(self, of):
        if not all(of[i] for i in (1, 2, 3, 4)):
            return [0, DISCOUNT, DISCOUNT, DISCOUNT]
        Y = of[1] / (of[1] + 2 * of[2])
        raw = [i - (i + 1) * Y * of[i + 1] / of[i] for i in (1, 2, 3)]
        return [0, *(min(max(x, 0), i) for i, x in enumerate(raw, 1))]

    def p(self, context, token, n=None):
        n = min(self.order, len(context) + 1) if n is None else n
        if n == 0:
            return 1 / self.V
        context = tuple(context[len(context) - (n - 1) :])
        shorter = self.p(context[1:], token, n - 1)
        following = {gram[-1]: count for gram, count in self.counts[n].items() if gram[:-1] == context}
        total = sum(following.values())
        if not total:
            return shorter
        d = self.discounts[n]
        left = sum(d[min(count, 3)] for count in following.values()) / total
        count = following.get(token, 0)
        return (count - d[min(count, 3)]) / total + left * shorter


def test_a_bigram_model_by_hand():
    model = NGramModel(np.array([0, 1, 0, 1, 1]), order=2, V=3)
    # Before 0 stands one token, before 1 stand two: p(0) = (1 - 0.75)/3 + (2 · 0.75/3)/3 and so on.
    unigram = [0.25, 7 / 12, 1 / 6]
    after_0 = [0.375 * 0.25, 1.25 / 2 + 0.375 * 7 / 12, 0.375 / 6]
    after_1 = [0.125 + 0.75 * 0.25, 0.125 + 0.75 * 7 / 12, 0.75 / 6]
    for context, wanted in ((2, unigram), (0, after_0), (1, after_1)):  # 2 was never seen
        for token in range(3):
            p = model.probabilities([context, token])
            assert np.allclose(p, [unigram[context], wanted[token]], rtol=1e-7)
    assert math.isclose(model.bits([1, 0]), -math.log2(7 / 12) - math.log2(after_1[0]), rel_tol=1e-7)


def test_a_unigram_model_counts_tokens():
    model = NGramModel(np.array([4, 4, 4, 1]), order=1, V=5)
    left = 2 * DISCOUNT / 4 / 5  # per token of the vocabulary
    wanted = [left, 0.25 / 4 + left, left, left, 2.25 / 4 + left]
    assert np.allclose(model.probabilities(np.arange(5)), wanted, rtol=1e-7)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_loop(order):
    V, train, held_out = 17, seen(900, 17, seed=1), seen(120, 17, seed=2)
    loop, model = Loop(train, order, V), NGramModel(train, order, V)
    assert [table.discounts.tolist() for table in model.tables] == [
        pytest.approx(loop.discounts[n]) for n in range(1, order + 1)
    ]
    text = held_out.tolist()
    wanted = [loop.p(text[max(0, i - order + 1) : i], token) for i, token in enumerate(text)]
    assert np.allclose(model.probabilities(held_out), wanted, rtol=1e-6)
    assert math.isclose(model.bits(held_out), -sum(map(math.log2, wanted)), rel_tol=1e-6)


def test_three_discounts_are_estimated_where_enough_was_seen():
    tables = NGramModel(seen(900, 17, seed=1), 3, 17).tables
    assert any(len(set(table.discounts.tolist())) == 4 for table in tables)


def every_token_after(context: list[int], V: int, model: NGramModel) -> np.ndarray:
    """p(w | context) for each w < V; the context is as long as the order allows."""
    text = np.array([[*context, token] for token in range(V)]).ravel()
    return model.probabilities(text)[len(context) :: len(context) + 1]


@pytest.mark.parametrize("order", [2, 3, 5])
def test_every_distribution_sums_to_one(order):
    train = seen(900, 17, seed=3)
    model, random = NGramModel(train, order, 17), np.random.default_rng(0)
    contexts = [train[i : i + order - 1].tolist() for i in (0, 1, 400, len(train) - order + 1)]
    contexts += random.integers(17, size=(20, order - 1)).tolist()  # mostly unseen
    for context in contexts:
        p = every_token_after(context, 17, model)
        assert (p > 0).all() and math.isclose(p.sum(), 1, abs_tol=1e-6)


def test_distributions_over_our_whole_vocabulary_sum_to_one(tmp_path):
    tokenizer = load_tokenizer()
    store = TokenStore.build(read_articles(str(ASSETS / "sample_articles.jsonl")), tokenizer, tmp_path / "tokens")
    V, model = tokenizer.n_vocab, NGramModel(store.tokens, 5, tokenizer.n_vocab)
    for place in (0, 700, 5000):
        p = every_token_after(store.tokens[place : place + 4].tolist(), V, model)
        assert len(p) == V and math.isclose(p.sum(), 1, abs_tol=1e-6)


def test_counts_are_those_of_the_stream():
    tokens = seen(2000, 17, seed=4)
    model = NGramModel(tokens, 4, 17)
    for n, table in enumerate(model.tables, 1):
        grams = Counter(tuple(tokens[i : i + n].tolist()) for i in range(len(tokens) - n + 1))
        assert len(table.keys) == len(grams) and (np.diff(table.keys) > 0).all()
    assert sorted(model.tables[-1].counts) == sorted(grams.values())


@pytest.mark.parametrize(("tokens", "order"), [([], 1), ([1, 2], 3), ([1, 2], 0)])
def test_too_few_tokens_are_an_error(tokens, order):
    with pytest.raises(ValueError, match=f"{len(tokens)} tokens are too few for an order of {order}"):
        NGramModel(np.array(tokens, dtype=np.uint16), order, 5)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_the_shortest_stream(order):
    model = NGramModel(np.arange(order, dtype=np.uint16), order, 7)
    assert math.isclose(every_token_after([6] * (order - 1), 7, model).sum(), 1, abs_tol=1e-6)
