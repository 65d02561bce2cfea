"""What an edit of a decoder does to its loss on sentences that it was never trained on, with a confidence interval.

The sample articles were written for this project and are in no training set: the first half gives the means for
mean ablation, the second half the sentences. A sentence is read where it stands, behind its title and the ones
before it: on its own, behind nothing, it would be a text as the model never saw one. A change is paired: each
sentence is compared with itself, so what makes sentences hard or easy drops out.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from statistics import NormalDist, fmean, stdev
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from ..model.architectures import Decoder
from ..model.masks import is_token
from ..model.recording import intervene, record
from ..paths import ASSETS
from ..text.articles import Article, read_articles
from ..text.tokenizer import Tokenizer
from .surgery import Edit, interventions
from .tables import table

ARTICLES = ASSETS / "sample_articles.jsonl"
NUM_SENTENCES, SHORTEST = 100, 6  # sentences, and the words that one has at least
MEAN_TOKENS = 64  # of each article that the means are taken over
BATCH = 6  # articles that run at once: enough to be fast, few enough to let others have their turn
CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """A change of the loss in nats per token, above 0 where the edit does harm; mean over the sentences."""

    mean: float
    low: float  # the interval within which the mean over all such sentences lies, with a confidence of 95 %
    high: float
    before: float  # mean loss of the sentences without the edit
    n: int  # sentences


@dataclass(frozen=True, slots=True)
class Batch:
    """Beginnings of articles, and the clean residual stream in front of every layer and behind the last."""

    ids: Tensor  # (B, T), padded on the right
    is_token: Tensor  # (B, T)
    sentence: Tensor  # (B, T), which of the batch's n sentences a token belongs to, -1 for none
    streams: tuple[Tensor, ...]  # L+1 of (B, T, C)
    losses: Tensor  # (n,), nats per token

    def __len__(self) -> int:
        return len(self.losses)


def held_out_texts() -> list[list[tuple[str, bool]]]:
    """The same hundred sentences always: the first ones of each article of the second half, with what stands between
    them. A text is a list of pieces, each with whether it is one of the sentences."""
    articles = _articles()[1]
    share, left = divmod(NUM_SENTENCES, len(articles))
    return [_beginning(article, share + (i < left)) for i, article in enumerate(articles)]


@torch.no_grad()
def mean_activations(model: Decoder, tokenizer: Tokenizer) -> dict[str, Tensor]:
    """What comes out on the average token of the first half of the sample articles, cut to ``MEAN_TOKENS`` each:
    ``blocks.{i}.attn.z`` (H, D) and ``blocks.{i}.mlp.out`` (C,)."""
    _check(model)
    T, device = min(MEAN_TOKENS, model.config.block_size), model.device
    sums: dict[str, Tensor] = {}
    count = 0
    for article in _articles()[0]:
        ids = [*tokenizer.prefix, *tokenizer.encode(f"{article.title}\n{article.text}")][:T]
        with record(model, ["blocks.*.attn.z", "blocks.*.mlp.out"]) as trace:
            model.hidden(torch.tensor([ids], device=device))
        for name, x in trace.items():
            sums[name] = sums.get(name, 0) + x[0].float().sum(-2)  # (H, T, D) -> (H, D), (T, C) -> (C,)
        count += len(ids)
    return {name: total / count for name, total in sums.items()}


def held_out_batches(model: Decoder, tokenizer: Tokenizer, texts: Sequence[str] | None = None) -> Iterator[Batch]:
    """The sentences as ``edited_losses`` wants them, the shortest texts first, cut to the model's window; a batch is
    made when it is asked for. Of ``texts`` each is one sentence, with nothing before it; without, they are the hundred.
    Raises ``ValueError`` for a model that predicts no next token."""
    _check(model)
    pieces = held_out_texts() if texts is None else [[(text, True)] for text in texts]
    rows = [_encoded(tokenizer, text)[: model.config.block_size] for text in pieces]
    rows = sorted((row for row in rows if any(sentence >= 0 for _, sentence in row[1:])), key=len)
    for start in range(0, len(rows), BATCH):
        yield _batch(model, rows[start : start + BATCH])


def text_batch(model: Decoder, ids: Sequence[int]) -> Batch:
    """One text as ``edited_losses`` wants it: its loss is the mean over all tokens but the first.

    Raises ``ValueError`` for fewer than two tokens, and for a model that predicts no next token.
    """
    _check(model)
    if len(ids) < 2:
        raise ValueError("A loss needs a next token to predict: give a text of two or more tokens")
    return _batch(model, [[(id, 0) for id in ids]])


@torch.no_grad()
def edited_losses(
    model: Decoder, batch: Batch, edits: Iterable[Edit], means: Mapping[str, Tensor] | None = None
) -> Tensor:
    """The loss of each sentence with the edits, (B,), nats per token. What lies in front of the first layer that is
    edited is as it was, and is not computed again."""
    edits = tuple(edits)
    first = min((edit.layer or 0 for edit in edits), default=model.config.n_layer)
    with intervene(model, interventions(model, edits, means, batch.is_token)):
        return _losses(model, batch.streams[first], first, batch.ids, batch.sentence)


def paired_effect(before: Sequence[float], after: Sequence[float]) -> Effect:
    """Losses of the same sentences without and with an edit -> mean change and its 95 % Student t interval.

    Raises ``ValueError`` for fewer than two sentences, and for lists of different lengths.
    """
    n = len(before)
    if n < 2 or n != len(after):
        raise ValueError(f"{n} and {len(after)} losses: a paired effect needs the same two or more sentences twice")
    changes = [b - a for a, b in zip(before, after)]
    mean, half = fmean(changes), t_quantile(n - 1) * stdev(changes) / math.sqrt(n)
    return Effect(mean=mean, low=mean - half, high=mean + half, before=fmean(before), n=n)


def t_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Student's t with that many degrees of freedom: within ±t lies ``confidence`` of it.

    Abramowitz and Stegun 1964, 26.7.5, four terms: right to 0.001 from 5 degrees on.
    """
    z, v = NormalDist().inv_cdf((1 + confidence) / 2), freedom
    terms = (
        z,
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * v**4),
    )
    return sum(terms)


def single_edits(model: Decoder, how: str) -> list[Edit]:
    """Every head, then every MLP, switched off on its own: what a sweep goes through."""
    layers, heads = range(model.config.n_layer), range(model.config.n_head)
    return [Edit(what="head", layer=i, head=h, how=how) for i in layers for h in heads] + [
        Edit(what="mlp", layer=i, how=how) for i in layers
    ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """What switching each head and each MLP off does alone: changes of the loss, nats per token, above 0 for harm."""

    heads: Tensor  # (L, H)
    mlps: Tensor  # (L,)
    effects: dict[Edit, Effect]  # by what was switched off, with the intervals

    def table(self) -> Any:
        """A row for each, the most harmful first (``head`` is -1 for an MLP); a ``pandas.DataFrame`` with pandas."""
        ranked = sorted(self.effects.items(), key=lambda one: -one[1].mean)
        return table(
            {"layer": edit.layer, "what": edit.what, "head": -1 if edit.head is None else edit.head, **asdict(effect)}
            for edit, effect in ranked
        )


def sweep(model: Decoder, tokenizer: Tokenizer, texts: Sequence[str] | None = None, how: str = "zero") -> Sweep:
    """Switch off every head and every MLP on its own, ``how="zero"`` or ``"mean"``, and compare the loss of each text.

    ``texts``: your own, two or more; without, the hundred held-out sentences. Raises ``ValueError`` for fewer.
    """
    if isinstance(texts, str):
        raise ValueError("texts is one string: give a list of two or more texts")
    batches = list(held_out_batches(model, tokenizer, texts))
    if sum(map(len, batches)) < 2:
        raise ValueError("a sweep compares the losses of two or more texts of at least one token each")
    before = [loss for batch in batches for loss in batch.losses.tolist()]
    means = mean_activations(model, tokenizer) if how == "mean" else None

    def effect(edit: Edit) -> Effect:
        after = [loss for batch in batches for loss in edited_losses(model, batch, (edit,), means).tolist()]
        return paired_effect(before, after)

    effects = {edit: effect(edit) for edit in single_edits(model, how)}
    changes = torch.tensor([one.mean for one in effects.values()])
    L, H = model.config.n_layer, model.config.n_head
    return Sweep(heads=changes[: L * H].view(L, H), mlps=changes[L * H :], effects=effects)


@torch.no_grad()
def _batch(model: Decoder, rows: list[list[tuple[int, int]]]) -> Batch:
    device, counted = model.device, 0
    ids, sentences = [], []
    for row in rows:
        ids.append(torch.tensor([id for id, _ in row]))
        own = torch.tensor([sentence for _, sentence in row])
        sentences.append(own.where(own < 0, own + counted))
        counted = int(sentences[-1].max()) + 1
    lengths = torch.tensor([len(row) for row in rows], device=device)
    ids = pad_sequence(ids, batch_first=True).to(device)  # (B, T)
    sentence = pad_sequence(sentences, batch_first=True, padding_value=-1).to(device)  # (B, T)
    names = ["embedding.sum", *(f"blocks.{i}.resid_post" for i in range(model.config.n_layer))]
    with record(model, names) as trace:
        model.hidden(ids)  # the padding comes last, so nobody sees it
    streams = tuple(trace[name] for name in names)
    losses = _losses(model, streams[-1], model.config.n_layer, ids, sentence)
    return Batch(ids, is_token(lengths, ids.shape[1]), sentence, streams, losses)


def _losses(model: Decoder, x: Tensor, first: int, ids: Tensor, sentence: Tensor) -> Tensor:
    """The stream (B, T, C) in front of layer ``first`` -> mean loss of each sentence, (n,)."""
    for block in model.blocks[first:]:
        x = block(x, is_causal=True)
    of = sentence[:, 1:]  # (B, T-1): the sentence of the token that is to be predicted
    counts = of >= 0
    logits = model.lm_head(model.before_head(model.ln_f(x[:, :-1][counts])))  # (tokens, V)
    losses = F.cross_entropy(logits.float(), ids[:, 1:][counts], reduction="none")
    lengths = of[counts].bincount()  # (n,)
    return torch.zeros(len(lengths), device=x.device).index_add(0, of[counts], losses) / lengths


@lru_cache(maxsize=1)
def _articles() -> tuple[list[Article], list[Article]]:
    """The sample articles, in two halves."""
    articles = list(read_articles(str(ARTICLES)))
    half = len(articles) // 2
    return articles[:half], articles[half:]


def _beginning(article: Article, count: int) -> list[tuple[str, bool]]:
    """The article up to its ``count``-th sentence that has enough words: pieces, and whether each is one of those."""
    pieces = [(f"{article.title}\n", False)]
    for line in article.text.splitlines(keepends=True):
        mark = re.findall(r"^(?:(?:\d+\.|-)(?= ))?", line)[0]  # the number or the dash of a list
        pieces.append((mark, False))
        for sentence in re.split(r"(?<=[.!?])(?=\s)", line.removeprefix(mark)):
            pieces.append((sentence, len(sentence.split()) >= SHORTEST))
            count -= pieces[-1][1]
            if count == 0:
                return pieces
    return pieces


def _encoded(tokenizer: Tokenizer, text: list[tuple[str, bool]]) -> list[tuple[int, int]]:
    """Tokens, the first of which stands before every text, each with the number of its sentence or -1."""
    row, number = [(id, -1) for id in tokenizer.prefix], 0
    for piece, is_sentence in text:
        row += [(id, number if is_sentence else -1) for id in tokenizer.encode(piece)]
        number += is_sentence
    return row


def _check(model: Decoder) -> None:
    if not isinstance(model, Decoder) or model.conditioning:
        raise ValueError("effects are measured on the next token: give a Decoder that needs no encoder's states")
    if model.training:
        raise ValueError("effects are measured without dropout: call model.eval() first")
