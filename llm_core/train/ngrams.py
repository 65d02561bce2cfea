"""The n-gram model that neural ones are measured against: counts, and interpolated modified Kneser-Ney smoothing.

    p(w | c) = (count(c w) - d) / count(c ·) + left(c) · p(w | c without its first token)

``d``, one of three discounts for the counts 1, 2 and more, is taken from everything seen after c; what is left over
goes to the shorter context, and at the end to all tokens alike, so every distribution sums to 1. In the shorter
contexts a count is the number of different tokens seen before "c w", not how often it was seen. Chen & Goodman 1998,
"An Empirical Study of Smoothing Techniques for Language Modeling", section 3.
"""

from dataclasses import dataclass

import numpy as np

DISCOUNT = 0.75  # where too little was seen to estimate the three


@dataclass(frozen=True, slots=True)
class Table:
    """The n-grams of one length that were seen, sorted; the row of an n-gram is its number.

    ``keys`` (rows,) is the number of the n-gram's first n-1 tokens times V, plus its last token.
    """

    keys: np.ndarray  # int64
    counts: np.ndarray  # int32
    discounts: np.ndarray  # (4,), for the counts 0, 1, 2 and more
    totals: np.ndarray  # (contexts,), the sum of what follows a context
    left_over: np.ndarray  # (contexts,), the share that discounting took away from it

    def find(self, contexts: np.ndarray, tokens: np.ndarray, V: int) -> np.ndarray:
        """Numbers of the n-grams; -1 where one was never seen, or its context is -1."""
        wanted = contexts * V + tokens
        rows = np.searchsorted(self.keys, wanted).clip(max=len(self.keys) - 1)
        return np.where((contexts >= 0) & (self.keys[rows] == wanted), rows, -1)

    def probability(self, contexts: np.ndarray, rows: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """Of n-grams by context and row, from what the shorter context gives; -1 is what was never seen."""
        counts = self.counts[rows] * (rows >= 0)
        kept = counts - self.discounts[counts.clip(max=3)]
        mixed = kept / self.totals[contexts].clip(min=1) + self.left_over[contexts] * shorter
        return np.where((contexts >= 0) & (self.totals[contexts] > 0), mixed, shorter)


class NGramModel:
    """Fitted on a stream of tokens; ``order`` 1 is a unigram model, 2 a bigram model."""

    def __init__(self, tokens: np.ndarray, order: int, V: int):
        """Count ``tokens`` (N,), ids below V. While it counts it needs up to 60 bytes a token."""
        if order < 1 or len(tokens) < order:
            raise ValueError(f"{len(tokens)} tokens are too few for an order of {order}, which must be at least 1")
        self.order, self.V = order, V
        self.tables = [_smoothed(*known, V) for known in zip(*_count(tokens, order, V))]

    def probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """p of each of ``tokens`` (N,) after those before it, as far as the order reaches: (N,), float64."""
        tokens = np.asarray(tokens, dtype=np.int64)
        p = np.full(len(tokens), 1 / self.V)
        contexts: np.ndarray = np.zeros(
            len(tokens), dtype=np.int64
        )  # the number of the n-1 tokens before; -1: never seen
        for table in self.tables:
            rows = table.find(contexts, tokens, self.V)
            p = table.probability(contexts, rows, p)
            contexts = np.concatenate([[-1], rows[:-1]])
        return p

    def bits(self, tokens: np.ndarray) -> float:
        """What it costs to tell ``tokens``, in bits."""
        return float(-np.log2(self.probabilities(tokens)).sum())


def _count(tokens: np.ndarray, order: int, V: int) -> tuple[list[np.ndarray], list[np.ndarray], list[int]]:
    """Keys and counts of the n-grams of each length, 1 first, and how many contexts stand before them."""
    all_keys: list[np.ndarray] = []
    all_counts: list[np.ndarray] = []
    num_contexts = [1]  # before every token is the empty context
    numbers = np.zeros(len(tokens) + 1, dtype=np.int32)
    for n in range(1, order + 1):
        shorter = numbers  # of the (n-1)-grams by the place where they start; the n-gram there ends in the next one
        numbers, keys, places, counts = _number(shorter[:-1], tokens[n - 1 :], V)
        if n > 1:
            all_counts[-1] = np.bincount(shorter[1:][places], minlength=num_contexts[-1]).astype(np.int32)
        all_keys.append(keys)
        all_counts.append(counts)
        num_contexts.append(len(keys))
    return all_keys, all_counts, num_contexts[:-1]


def _number(contexts: np.ndarray, tokens: np.ndarray, V: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number the pairs (context, token): of each place its number; the sorted keys, a place of each, its count."""
    keys = contexts.astype(np.int64) * V
    keys += tokens
    order = keys.argsort()
    keys = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    counts = np.diff(starts, append=len(keys)).astype(np.int32)
    numbers = np.empty(len(keys), dtype=np.int32)
    numbers[order] = np.repeat(np.arange(len(starts), dtype=np.int32), counts)
    return numbers, keys[starts], order[starts], counts


def _smoothed(keys: np.ndarray, counts: np.ndarray, num_contexts: int, V: int) -> Table:
    contexts = (keys // V).astype(np.int32)
    discounts = _discounts(counts)
    totals = np.bincount(contexts, counts, minlength=num_contexts)
    taken = np.bincount(contexts, discounts[counts.clip(max=3)], minlength=num_contexts)
    return Table(keys, counts, discounts, totals.astype(np.int32), (taken / totals.clip(min=1)).astype(np.float32))


def _discounts(counts: np.ndarray) -> np.ndarray:
    """For the counts 0, 1, 2 and more, from how many n-grams have which count (Chen & Goodman 1998, equation 26)."""
    one, two, three, four = np.bincount(counts.clip(max=5), minlength=6)[1:5].tolist()
    if not all((one, two, three, four)):
        return np.array([0, DISCOUNT, DISCOUNT, DISCOUNT])
    share = one / (one + 2 * two)
    found = np.array([0, 1 - 2 * share * two / one, 2 - 3 * share * three / two, 3 - 4 * share * four / three])
    return found.clip([0, 0, 0, 0], [0, 1, 2, 3])
