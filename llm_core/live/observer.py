"""What a tiny model does while it trains: how often it is right on fresh examples, what its heads do there, and
on one example that can be read: attention of every head, and its answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..analysis.copying import own_logits
from ..analysis.patterns import uniform
from ..analysis.roles import ROLES
from ..model.masks import causal_mask
from ..model.recording import Trace, record
from ..train.data import IGNORE, Batch
from .choices import Choices
from .tasks import PAD, TOKENIZER, collate

FRESH_EXAMPLES = 64


@dataclass(frozen=True, slots=True)
class AttentionKind:
    """One kind of attention that a model has."""

    name: str
    title: str
    stack: str  # as Trace.attention wants it
    cross: bool = False

    def patterns(self, trace: Trace, n_layer: int) -> Tensor:
        """(L, B, H, T, S)"""
        return torch.stack([trace.attention(layer, self.stack, self.cross) for layer in range(n_layer)])


ATTENTION_KINDS = {
    "decoder": (AttentionKind("decoder", "Attention", ""),),
    "encoder": (AttentionKind("encoder", "Attention", ""),),
    "encoder-decoder": (
        AttentionKind("encoder", "Attention in the encoder", "encoder"),
        AttentionKind("decoder", "Attention in the decoder", "decoder"),
        AttentionKind("cross", "From the decoder to the encoder", "decoder", cross=True),
    ),
}


@dataclass(frozen=True, slots=True)
class HeadRole:
    name: str
    title: str  # behind "becomes"
    sentence: str


PREVIOUS = HeadRole(
    "previous token",
    "a previous-token head",
    "Each token attends to the one right before it, and so learns what came before. An induction head in a later layer "
    "can build on that.",
)
INDUCTION = HeadRole(
    "induction",
    "an induction head",
    "A letter that occurs again attends to the letter that followed it the first time, and what the head itself writes "
    "raises the logit of just that letter above all others: it matches and copies.",
)
DUPLICATE = HeadRole(
    "duplicate token",
    "a duplicate-token head",
    "A letter that occurs again attends to its own first occurrence, so that a later layer knows where that is and "
    "what follows it.",
)
ANSWER = HeadRole(
    "answer",
    "a head that finds the answer",
    "Each position that needs an answer attends to the letter that is the answer.",
)
THRESHOLD = {role.name: role.threshold for role in ROLES}["induction"]  # of the badges on the other pages


@dataclass(frozen=True, slots=True)
class Fresh:
    """On examples that were not trained on."""

    loss: float  # nats per answer
    accuracy: float  # share of the answers that can be known, 0..1
    lifts: dict[
        HeadRole, tuple[AttentionKind, Tensor]
    ]  # (L, H): 0 as uniform attention would do, 1 where it does nothing else


@dataclass(frozen=True, slots=True)
class Look:
    """The example that can be read."""

    patterns: dict[str, Tensor]  # by kind, (L, H, T, S)
    ids: list[int]  # the answers, one per place of ``Observer.places``
    probabilities: list[float]


class Observer:
    """Looks at ``model`` in eval mode. What it does has no influence on the training."""

    def __init__(self, model: nn.Module, choices: Choices):
        self.model, self.choices, self.task = model, choices, choices.the_task
        self.kinds = ATTENTION_KINDS[choices.architecture]
        self.row = self.task.demo(choices.architecture)
        self.places = [place for place, target in enumerate(self.row.targets) if target != IGNORE]
        self.targets = [self.row.targets[place] for place in self.places]
        self._demo = collate([self.row])

    def fresh(self, step: int) -> Fresh:
        """Measured on examples that depend on (seed, step) alone."""
        batch = self.task.batch(self.choices.architecture, self.choices.seed, step, FRESH_EXAMPLES, fresh=True)
        trace = self._record(batch)
        logits, known = trace[self._logits], batch.targets != IGNORE  # (B, T, V), (B, T)
        right = logits.argmax(-1) == batch.targets
        loss = F.cross_entropy(logits[known], batch.targets[known])
        return Fresh(loss.item(), right[known].float().mean().item(), self._lifts(trace, batch))

    def look(self) -> Look:
        """The attention and the answers on the one example that is shown."""
        trace = self._record(self._demo)
        best = trace[self._logits][0, self.places].softmax(-1).max(-1)
        patterns = {kind.name: kind.patterns(trace, self.choices.n_layer)[:, 0] for kind in self.kinds}
        return Look(patterns, best.indices.tolist(), best.values.tolist())

    @property
    def _logits(self) -> str:
        return "decoder.logits" if self.choices.architecture == "encoder-decoder" else "logits"

    def _record(self, batch: Batch) -> Trace:
        with _eval(self.model), torch.no_grad(), record(self.model, ["*attn.pattern", "*attn.z", "*logits"]) as trace:
            self.model(**inputs(batch))
        return trace

    def _lifts(self, trace: Trace, batch: Batch) -> dict[HeadRole, tuple[AttentionKind, Tensor]]:
        own, answering = self.kinds[min(1, len(self.kinds) - 1)], self.kinds[-1]
        queries = batch.ids if batch.decoder_ids is None else batch.decoder_ids  # (B, T)
        keys = batch.ids if answering.cross else queries  # (B, S)
        lifts = {PREVIOUS: (own, self._lift(trace, own, previous(queries), queries, queries))}
        if self.task.finds and own.name == "decoder" and not answering.cross:
            lifts[DUPLICATE] = own, self._lift(trace, own, earlier(queries), queries, queries)
        if self.task.finds:
            role, meant = self._meant(queries, keys, batch.targets)
            lift = self._lift(trace, answering, meant, queries, keys)
            if role is INDUCTION:  # both halves: matching and copying
                lift = torch.minimum(lift, self._copying(trace, meant.any(-1), batch.targets))
            lifts[role] = answering, lift
        return lifts

    def _meant(self, queries: Tensor, keys: Tensor, targets: Tensor) -> tuple[HeadRole, Tensor]:
        """The role that solves the task, and the cells (B, T, S) in which a head that has it attends."""
        meant = answers(keys, targets)
        if self.task.by_content and self.choices.architecture == "decoder":
            return INDUCTION, meant & follows_the_same(queries)
        return ANSWER, meant

    def _lift(self, trace: Trace, kind: AttentionKind, meant: Tensor, queries: Tensor, keys: Tensor) -> Tensor:
        """(L, H): the attention of a query to the keys that are ``meant``, in the mean over the queries that have any,
        above that of uniform attention."""
        visible = (keys != PAD)[:, None, :].expand_as(meant)
        if kind.name == "decoder":
            visible = visible & causal_mask(meant.shape[1])[0]
        meant = (meant & visible & (queries != PAD)[:, :, None])[:, None]  # (B, 1, T, S)
        num_queries = meant.any(-1).sum()
        score = (kind.patterns(trace, self.choices.n_layer) * meant).sum((1, 3, 4)) / num_queries  # (L, H)
        chance = (uniform(visible)[:, None] * meant).sum() / num_queries
        return (score - chance) / (1 - chance)

    def _copying(self, trace: Trace, asked: Tensor, targets: Tensor) -> Tensor:
        """(L, H): how often a head's own logits put the target highest, at the places (B, T) that are ``asked``; 0 by
        chance, 1 always."""
        tokens = torch.arange(TOKENIZER.n_vocab)
        shares = []
        for layer in range(self.choices.n_layer):
            best = own_logits(self.model, layer, trace[f"blocks.{layer}.attn.z"], tokens).argmax(-1)  # (B, H, T)
            right = (best == targets[:, None]) & asked[:, None]
            shares.append(right.sum((0, 2)) / asked.sum())  # (H,)
        chance = 1 / len(tokens)
        return (torch.stack(shares) - chance) / (1 - chance)


def inputs(batch: Batch) -> dict[str, Tensor]:
    """What the model reads."""
    return {name: x for name, x in vars(batch).items() if x is not None and name != "targets"}


def previous(ids: Tensor) -> Tensor:
    """(B, T) -> (B, T, T), True where the key stands right before the query."""
    T = ids.shape[1]
    return torch.eye(T, dtype=torch.bool).roll(-1, 1).tril().expand(len(ids), T, T)


def earlier(ids: Tensor) -> Tensor:
    """(B, T) -> (B, T, T), True where the key is the query's own token, earlier."""
    T = ids.shape[1]
    return (ids[:, None, :] == ids[:, :, None]) & torch.ones(T, T, dtype=torch.bool).tril(-1)


def answers(keys: Tensor, targets: Tensor) -> Tensor:
    """(B, S), (B, T) -> (B, T, S), True where the key is the query's answer."""
    return keys[:, None, :] == targets[:, :, None]


def follows_the_same(ids: Tensor) -> Tensor:
    """(B, T) -> (B, T, T), True where the token before the key is the query's own."""
    before = F.pad(ids, (1, 0), value=PAD)[:, :-1]  # (B, T)
    return before[:, None, :] == ids[:, :, None]


def describe_tokens(ids: list[int]) -> list[dict]:
    return [{"id": id, "text": TOKENIZER.piece(id), "special": TOKENIZER.is_special(id)} for id in ids]


@contextmanager
def _eval(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
