"""Embedding, block and transformer in stages."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...inside.course import course
from ...inside.probes import PADDING
from ...inside.standins import Names

_PLACES = "Row t of position_embeddings is added to token t of every sequence; t runs from 0 to T-1."
_TOKEN = "vocab_embeddings(idx) is used as it is: no factor, no norm, no dropout."

EMBEDDING: dict[str, tuple[str, dict]] = {
    "places": (
        _PLACES,
        {
            "from one": ("Your positions start at 1.", "positions-from-one"),
            "reversed": "Your positions run backward, from T-1 down to 0.",
            "reversed from T": "Your positions run backward, from T down to 1.",
            "last": "You take the last T rows of the position table: positions count from its end.",
            "zero": ("Every token gets the same position.", "one-position"),
            "pairs": "Two neighbors share a position: yours are 0, 0, 1, 1, ... (halved).",
            "doubled": "Your positions go in steps of two: 0, 2, 4, ...",
            "token": "You look the position up by the token's id: the position table is given idx, not 0..T-1.",
            "batch": "Your positions are made from the batch's size, not from T.",
            "row": "Your positions count the rows of the batch: every token of row b gets position b.",
            "over batch": ("Your positions continue over the batch.", "positions-over-batch"),
            "last token": "Every token gets the position of the last one, T-1.",
        },
    ),
    "join": (
        "The two vectors are added: token + position.",
        {
            "token": ("The position is never added.", "no-positions"),
            "position": "The token's vector is missing: you return positions alone.",
            "product": "You multiply token and position; they are added.",
            "minus": "You subtract the position's vector from the token's; it is added.",
            "mean": "You average token and position: their sum is halved.",
            "twice": "You add the position twice.",
        },
    ),
    "token": (
        _TOKEN,
        {
            "√C": "You multiply the token's vector by √C, as the first Transformer did; GPT-2 does not.",
            "1/√C": "You divide the token's vector by √C.",
            "detached": "The token's vector is detached: no gradient reaches vocab_embeddings.",
            "positions": "You look the token up in the position table.",
        },
    ),
    "position": (
        _PLACES,
        {
            "detached": "The position's vector is detached: no gradient reaches position_embeddings.",
            "token table": "You look the position up in vocab_embeddings.",
        },
    ),
    "end": (
        _TOKEN,
        {
            "norm": "You norm what the embedding returns.",
            "dropout 0.1": "There is a dropout of 0.1 on the embedding: the homework has none there.",
            "dropout 0.5": "There is a dropout of 0.5 on the embedding: the homework has none there.",
            "detached": "The embedding is detached: no gradient reaches its tables.",
            "√C": "You multiply what the embedding returns by √C.",
            "tanh": "There is a tanh on what the embedding returns.",
        },
    ),
}


def embedding(names: Names, pick: dict[str, str]) -> None:
    given: Any = course()

    class Embedding(given.DummyEmbedding):
        def forward(self, idx: Tensor) -> Tensor:
            tables = self.vocab_embeddings, self.position_embeddings
            token = tables[pick.get("token") == "positions"](idx % (19 if pick.get("token") == "positions" else 10**9))
            places = _places(idx, self.block_size, pick.get("places"))
            position = tables[pick.get("position") != "token table"](places)
            token = _scaled(token, pick.get("token"))
            position = position.detach() if pick.get("position") == "detached" else position
            return _closed(_joined(token, position, pick.get("join")), self.training, pick.get("end"))

    names.Embedding = Embedding


def _places(idx: Tensor, size: int, how: str | None) -> Tensor:
    B, T = idx.shape
    t = torch.arange(T)
    made = {
        "from one": lambda: (t + 1) % size,
        "reversed": lambda: t.flip(0),
        "reversed from T": lambda: t.flip(0) + 1,
        "last": lambda: t + size - T,
        "zero": lambda: t * 0,
        "pairs": lambda: t // 2,
        "doubled": lambda: 2 * t % size,
        "token": lambda: idx % size,
        "batch": lambda: torch.arange(B),
        "row": lambda: torch.arange(B)[:, None].expand(B, T),
        "over batch": lambda: torch.arange(B * T).view(B, T) % size,
        "last token": lambda: t * 0 + T - 1,
    }
    return made[how]() if how else t


def _scaled(token: Tensor, how: str | None) -> Tensor:
    root = math.sqrt(token.shape[-1])
    made = {"√C": lambda: token * root, "1/√C": lambda: token / root, "detached": token.detach}
    return made[how]() if how in made else token


def _joined(token: Tensor, position: Tensor, how: str | None) -> Tensor:
    made = {
        "token": lambda: token,
        "position": lambda: 0 * token + position,
        "product": lambda: token * position,
        "minus": lambda: token - position,
        "mean": lambda: (token + position) / 2,
        "twice": lambda: token + 2 * position,
    }
    return made[how]() if how else token + position


def _closed(x: Tensor, training: bool, how: str | None) -> Tensor:
    made = {
        "norm": lambda: F.layer_norm(x, x.shape[-1:]),
        "dropout 0.1": lambda: F.dropout(x, 0.1, training),
        "dropout 0.5": lambda: F.dropout(x, 0.5, training),
        "detached": x.detach,
        "√C": lambda: x * math.sqrt(x.shape[-1]),
        "tanh": x.tanh,
    }
    return made[how]() if how else x


# --- the block ---------------------------------------------------------------------------------------------------

_BLOCK = "Norm first, then the layer, then add to the stream: x + attn(ln_1(x)), and then x + mlpf(ln_2(x))."

BLOCK: dict[str, tuple[str, dict]] = {
    "order": (
        _BLOCK,
        {
            "mlp first": "The MLP comes before attention; attention is first.",
            "parallel": ("Attention and MLP read the same input.", "parallel"),
            "post": ("You norm after the addition.", "post-norm"),
            "stream": ("Your stream itself is normed.", "stream-normalised"),
            "behind": "Your norms come after the layers, x + ln_1(attn(x)); they belong before them, attn(ln_1(x)).",
        },
    ),
    "norms": (
        _BLOCK,
        {
            "swapped": "ln_1 and ln_2 are swapped: ln_2 comes before attention, ln_1 before the MLP.",
            "first twice": ("ln_1 norms both times.", "one-norm-twice"),
            "second twice": "ln_2 norms both times; ln_1 is never used.",
            "no first": "Attention reads the stream without ln_1.",
            "no second": "The MLP reads the stream without ln_2.",
            "none": "Neither norm is used: attention and MLP read the stream as it is.",
            "no first, second first": "Attention reads the stream without a norm.",
        },
    ),
    "attended": (
        _BLOCK,
        {
            "alone": "Attention's result replaces the stream: it is not added to x, so the first residual is missing.",
            "to its norm": "Attention's result is added to ln_1(x), not to x.",
            "lost": "Attention's result is lost: the MLP's result is added to the block's input x.",
            "unused": "Attention is not used at all.",
            "half": "Only half of attention's result is added.",
            "minus": "Attention's result is subtracted from the stream.",
            "twice": "x is added twice to attention's result.",
            "detached": "Attention's result is detached: no gradient reaches its layers.",
            "dropout 0.1": "There is an extra dropout of 0.1 on attention's result.",
            "dropout 0.5": "There is an extra dropout of 0.5 on attention's result.",
            "repeated": "Attention runs twice in one block.",
            "normed": "ln_1 comes after attention, x + ln_1(attn(x)): it should come before, attn(ln_1(x)).",
        },
    ),
    "transformed": (
        _BLOCK,
        {
            "alone": "The MLP's result replaces the stream: it is not added, so the second residual is missing.",
            "to its norm": "The MLP's result is added to ln_2(x), not to x.",
            "unused": "The MLP is not used at all.",
            "half": "Only half of the MLP's result is added.",
            "minus": "The MLP's result is subtracted from the stream.",
            "twice": "x is added twice to the MLP's result.",
            "detached": "The MLP's result is detached: no gradient reaches its layers.",
            "dropout 0.1": "There is an extra dropout of 0.1 on the MLP's result.",
            "dropout 0.5": "There is an extra dropout of 0.5 on the MLP's result.",
            "of attention": "The MLP reads attention's result alone, not the stream.",
            "normed": "ln_2 comes after the MLP, x + ln_2(mlpf(x)): it should come before, mlpf(ln_2(x)).",
        },
    ),
    "mask": (
        "attention_mask is passed to self.attn unchanged.",
        {
            "ones": "Attention does not get the mask: it is given a mask of ones, where every token sees every token.",
            "inverted": "Attention gets the mask the wrong way round.",
            "transposed": "Attention gets the mask transposed.",
            "causal": "Attention gets a causal mask of your own in place of the given one.",
        },
    ),
    "end": (
        _BLOCK,
        {
            "norm": "You norm what the block returns.",
            "detached": "What the block returns is detached: no gradient gets past it.",
            "input": "The block's input is added once more at the end.",
        },
    ),
}


def block(names: Names, pick: dict[str, str]) -> None:
    given: Any = course()

    class TransformerBlock(given.DummyBlock):
        def __init__(self, config):
            super().__init__(config, names.GenericSelfAttention)

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            one, two = self._norms()
            mask = _passed_on(attention_mask, pick.get("mask"))
            attend = lambda y: self.attn(y, mask)  # noqa: E731
            order, first, second = pick.get("order"), pick.get("attended"), pick.get("transformed")
            if order == "behind":
                first = second = "normed"
            if order == "post":
                y = one(x + attend(x))
                out = two(y + self.mlpf(y))
            elif order == "stream":
                y = two(one(x) + attend(one(x)))
                out = y + self.mlpf(y)
            elif order == "parallel":
                out = x + attend(one(x)) + self.mlpf(two(x))
            elif order == "mlp first":
                out = _added(_added(x, two, self.mlpf, second), one, attend, first)
            else:
                y = _added(x, one, attend, first)
                other = attend(one(x)) if second == "of attention" else None
                out = x + self.mlpf(two(y)) if first == "lost" else _added(y, two, self.mlpf, second, other)
            ends = {"norm": lambda: F.layer_norm(out, out.shape[-1:]), "detached": out.detach, "input": lambda: out + x}
            return ends[pick["end"]]() if "end" in pick else out

        def _norms(self):
            def same(x):
                return x

            one, two = self.ln_1, self.ln_2
            made = {
                "swapped": (two, one),
                "first twice": (one, one),
                "second twice": (two, two),
                "no first": (same, two),
                "no second": (one, same),
                "none": (same, same),
                "no first, second first": (same, one),
            }
            return made.get(pick.get("norms", ""), (one, two))

    names.TransformerBlock = TransformerBlock


def _added(x: Tensor, norm, layer, how: str | None, given: Tensor | None = None) -> Tensor:
    if how == "normed":
        return x + norm(layer(x))
    normed = norm(x)
    out = layer(norm(given) if given is not None else normed)
    made = {
        "alone": lambda: out,
        "to its norm": lambda: normed + out,
        "unused": lambda: x,
        "half": lambda: x + out / 2,
        "minus": lambda: x - out,
        "twice": lambda: 2 * x + out,
        "detached": lambda: x + out.detach(),
        "dropout 0.1": lambda: x + F.dropout(out, 0.1, _is_training(norm)),
        "dropout 0.5": lambda: x + F.dropout(out, 0.5, _is_training(norm)),
        "repeated": lambda: x + out + layer(norm(x + out)),
    }
    return made[how]() if how in made else x + out


def _is_training(norm) -> bool:
    return getattr(norm, "training", False)


def _passed_on(mask: Tensor, how: str | None) -> Tensor:
    made = {
        "ones": lambda: torch.ones_like(mask),
        "inverted": lambda: 1 - mask,
        "transposed": lambda: mask.transpose(-2, -1),
        "causal": lambda: torch.ones_like(mask).tril(),
    }
    return made[how]() if how else mask


# --- the transformer ---------------------------------------------------------------------------------------------

_FINAL = "After the last block, and only there, ln_f norms the stream; lm_head reads what it returns."
_CACHE = "Concatenate along the token dimension, the hidden cache first, and count its P positions in the mask."
_LOSS = "Compare the logits of every position with the target given for it; the mean is over targets that are not -1."
_LAYERS = "Every block runs once, in order: each reads what the one before it returned."
_PADDED = "Only -1 in idx is padding: count what is not -1, and replace -1 by any real id."

TRANSFORMER: dict[str, tuple[str, dict]] = {
    "padding": (
        _PADDED,
        {
            "embedded": ("-1 reaches the embedding.", "padding-embedded"),
            "zero too": "The token 0 counts as padding in your code: only -1 does.",
            "not counted": ("Padding counts as tokens.", "mask-forgets-padding"),
            "one less": "You count one token fewer than each sequence has.",
            "one more": "You count one token more than each sequence has.",
        },
    ),
    "cache": (
        _CACHE,
        {
            "ignored": ("The cache is not used.", "cache-ignored"),
            "behind": ("The cache comes after the tokens.", "cache-behind"),
            "not in mask": ("The cache is not counted in the mask.", "cache-not-in-mask"),
            "normed": "The hidden cache goes through ln_f once more before it is joined to the tokens.",
            "detached": "The hidden cache is detached: no gradient reaches the encoder that made it.",
            "reversed": "The hidden cache is put before the tokens in reversed order.",
        },
    ),
    "layers": (
        _LAYERS,
        {
            "reversed": "Your blocks run in reversed order: the last block first.",
            "without last": "The last block does not run.",
            "without first": "The first block does not run.",
            "first": "The first block runs each time; the others never do.",
            "last": "The last block runs each time; the others never do.",
            "twice": "Every block runs twice.",
            "added": "Each block's result is added to what came in: the block already has its residuals.",
            "none": "No block runs.",
            "from embedding": "Each block reads the embedding, not what the block before it returned.",
            "detached": "What comes out of the blocks is detached: no gradient reaches them.",
            "mask of ones": "The blocks get a mask of ones, not the mask from get_attention_mask.",
        },
    ),
    "norm": (
        _FINAL,
        {
            "every block": ("ln_f is inside the loop.", "norm-in-every-block"),
            "none": ("ln_f is missing.", "no-final-norm"),
            "before": "ln_f comes before the blocks instead of after them.",
            "before too": "ln_f runs before the blocks too.",
            "twice": "ln_f is applied twice.",
            "not for logits": "lm_head reads the states before ln_f.",
            "hidden before": ("Hidden states are returned before ln_f.", "hidden-before-norm"),
        },
    ),
    "logits": (
        "lm_head's scores are returned as they are: the loss includes a softmax.",
        {
            "softmax": "You return softmax of the logits: the loss applies a softmax once more.",
            "log": "You return log_softmax of the logits.",
            "scaled": "You divide the logits by √C.",
            "transposed": "The embedding's weights are used instead of lm_head's.",
        },
    ),
    "targets": (
        _LOSS + " With a cache, logits[:, P-1:-1] are compared with the targets.",
        {
            "not shifted": ("With a cache the targets are not shifted.", "cache-targets-not-shifted"),
            "twice": ("Targets are shifted twice.", "targets-shifted-twice"),
            "early": "With a cache, targets are compared with the logits one position too early (P-2).",
            "first P": "With a cache, targets are compared with the logits of the first T positions.",
        },
    ),
    "loss": (
        _LOSS,
        {
            "padding": ("The loss runs over padding.", "loss-over-padding"),
            "sum": ("The loss is a sum.", "loss-summed"),
            "all": "Your sum of losses is divided by the number of all targets, padding included.",
            "zero ignored": "The loss ignores the token 0 as well as padding.",
            "rows": "You average within each sequence first, and then over the sequences: short ones count too much.",
            "batch": "Your sum of losses is divided by the number of sequences.",
            "smooth": "Your loss smooths its labels (label_smoothing=0.1).",
            "bits": "Your loss is in bits: divided by ln 2.",
            "negative": "Your loss has the wrong sign.",
            "probabilities": "The loss is given probabilities (a softmax) instead of logits.",
            "half": "Your loss is halved.",
            "detached": "Your loss is detached: it has no gradient.",
        },
    ),
    "mode": (
        _FINAL,
        {
            "dropout 0.1": "There is an extra dropout of 0.1 on the embedding.",
            "dropout 0.5": "There is an extra dropout of 0.5 on the embedding.",
            "embedding detached": "The embedding is detached: no gradient reaches its tables.",
            "no grad": "The states are computed without gradients (no_grad or detach).",
        },
    ),
}


def transformer(names: Names, pick: dict[str, str]) -> None:
    given: Any = course()

    class GenericTransformer(given.DummyTransformer):
        def __init__(self, config):
            super().__init__(config, names.TransformerBlock, names.Embedding)

        def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
            cache = None if pick.get("cache") == "ignored" else _kept(self, hidden_cache, pick.get("cache"))
            P = 0 if cache is None else cache.shape[1]
            states, normed = self._states(idx, cache, P)
            if return_hidden:
                return states if pick.get("norm") == "hidden before" else normed
            logits = _scores(self, states if pick.get("norm") == "not for logits" else normed, pick.get("logits"))
            return logits, None if targets is None else _loss(logits, targets.long(), P, pick)

        def _states(self, idx: Tensor, cache: Tensor | None, P: int) -> tuple[Tensor, Tensor]:
            """Before ln_f and behind it."""
            norm, how = self.transformer["ln_f"], pick.get("norm")
            x = self.transformer["embedding"](idx if pick.get("padding") == "embedded" else idx.clamp(min=0))
            x = _changed(x, self.training, pick.get("mode"))
            if cache is not None:
                x = torch.cat([x, cache] if pick.get("cache") == "behind" else [cache, x], dim=1)
            x = norm(x) if how in ("before", "before too") else x
            mask, first = self._mask(idx, P), x
            for layer in _ordered(list(self.transformer["h"]), pick.get("layers")):
                out = layer(first if pick.get("layers") == "from embedding" else x, mask)
                x = x + out if pick.get("layers") == "added" else out
                x = norm(x) if how == "every block" else x
            x = x.detach() if pick.get("layers") == "detached" or pick.get("mode") == "no grad" else x
            made = {"every block": lambda: x, "none": lambda: x, "before": lambda: x, "twice": lambda: norm(norm(x))}
            return x, made[how]() if how in made else norm(x)

        def _mask(self, idx: Tensor, P: int) -> Tensor:
            T = idx.shape[1]
            counted = {
                "zero too": lambda: (idx > 0).sum(1),
                "not counted": lambda: torch.full((len(idx),), T),
                "one less": lambda: (idx != PADDING).sum(1) - 1,
                "one more": lambda: (idx != PADDING).sum(1) + 1,
            }
            how = pick.get("padding")
            lengths = counted[how]() if how in counted else (idx != PADDING).sum(1)
            mask = self.get_attention_mask(lengths if pick.get("cache") == "not in mask" else lengths + P)
            missing = P + T - mask.shape[-1]
            mask = mask if pick.get("cache") == "not in mask" else F.pad(mask, (0, missing, 0, missing))
            return torch.ones_like(mask) if pick.get("layers") == "mask of ones" else mask

    names.GenericTransformer = GenericTransformer


def _kept(model, cache: Tensor | None, how: str | None) -> Tensor | None:
    if cache is None:
        return None
    made = {
        "normed": lambda: model.transformer["ln_f"](cache),
        "detached": cache.detach,
        "reversed": lambda: cache.flip(1),
    }
    return made[how]() if how in made else cache


def _changed(x: Tensor, training: bool, how: str | None) -> Tensor:
    made = {
        "dropout 0.1": lambda: F.dropout(x, 0.1, training),
        "dropout 0.5": lambda: F.dropout(x, 0.5, training),
        "embedding detached": x.detach,
    }
    return made[how]() if how in made else x


def _ordered(layers: list, how: str | None) -> list:
    made = {
        "reversed": layers[::-1],
        "without last": layers[:-1],
        "without first": layers[1:],
        "first": layers[:1] * len(layers),
        "last": layers[-1:] * len(layers),
        "twice": [layer for layer in layers for _ in range(2)],
        "none": [],
    }
    return made.get(how or "", layers)


def _scores(model, x: Tensor, how: str | None) -> Tensor:
    out = model.lm_head(x)
    made = {
        "softmax": lambda: out.softmax(-1),
        "log": lambda: out.log_softmax(-1),
        "scaled": lambda: out / math.sqrt(x.shape[-1]),
        "transposed": lambda: x @ model.transformer["embedding"].vocab_embeddings.weight.T,
    }
    return made[how]() if how else out


def _loss(logits: Tensor, targets: Tensor, P: int, pick: dict[str, str]) -> Tensor:
    shift, how, T = pick.get("targets"), pick.get("loss"), targets.shape[1]
    if P:
        starts = {"not shifted": P, "early": P - 2, "first P": 0}
        start = starts.get(shift or "", P - 1)
        logits = logits[:, start : start + T]
    elif shift == "twice":
        logits, targets = logits[:, :-1], targets[:, 1:]
    flat, wanted, real = logits.flatten(0, 1), targets.flatten(), targets != PADDING
    each = F.cross_entropy(flat, wanted, ignore_index=PADDING, reduction="none").view(targets.shape)
    made = {
        "padding": lambda: F.cross_entropy(flat, wanted.clamp(min=0)),
        "sum": each.sum,
        "all": lambda: each.sum() / each.numel(),
        "zero ignored": lambda: (each * (targets > 0)).sum() / (targets > 0).sum(),
        "rows": lambda: (each.sum(1) / real.sum(1)).mean(),
        "batch": lambda: each.sum() / len(each),
        "smooth": lambda: F.cross_entropy(flat, wanted, ignore_index=PADDING, label_smoothing=0.1),
        "bits": lambda: each.sum() / real.sum() / math.log(2),
        "negative": lambda: -each.sum() / real.sum(),
        "probabilities": lambda: F.cross_entropy(flat.softmax(-1), wanted, ignore_index=PADDING),
        "half": lambda: each.sum() / real.sum() / 2,
        "detached": lambda: (each.sum() / real.sum()).detach(),
    }
    return made[how]() if how else each.sum() / real.sum()
