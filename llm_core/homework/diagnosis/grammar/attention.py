"""Attention in stages: project, cut, score, scale, hide, weigh, drop, mix, merge, project, drop."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...inside.course import course
from ...inside.standins import Names

SCALES = {  # what the scores are divided by, from D, C, H, T
    "1": lambda D, C, H, T: 1.0,
    "√C": lambda D, C, H, T: C**0.5,
    "D": lambda D, C, H, T: D,
    "√T": lambda D, C, H, T: T**0.5,
    "√H": lambda D, C, H, T: H**0.5,
    "H": lambda D, C, H, T: H,
    "T": lambda D, C, H, T: T,
    "C": lambda D, C, H, T: C,
    "⁴√D": lambda D, C, H, T: D**0.25,
    "D²": lambda D, C, H, T: D**2,
    "D√D": lambda D, C, H, T: D**1.5,
    "1/√D": lambda D, C, H, T: D**-0.5,
    "1/√C": lambda D, C, H, T: C**-0.5,
    "1/D": lambda D, C, H, T: 1 / D,
    "√C/H": lambda D, C, H, T: C**0.5 / H,
    "√C·H": lambda D, C, H, T: C**0.5 * H,
    "√D/2": lambda D, C, H, T: D**0.5 / 2,
    "2√D": lambda D, C, H, T: D**0.5 * 2,
    "ln D": lambda D, C, H, T: math.log(D),
}
FINITE = {"0": 0.0, "-1": -1.0, "1e-9": 1e-9, "-10": -10.0, "-5": -5.0, "-3": -3.0, "-100": -100.0, "1e9": 1e9}
_NAMED_SCALES = {"1": "no-scale", "√C": "scale-by-width", "D": "scale-without-root"}
_QKV = {"q": "queries", "k": "keys", "v": "values"}


def _sources(part: str) -> dict[str, str]:
    others = {
        other: f"Your {_QKV[part]} are made with self.{other}; self.{part} is never used."
        for other in "qkv"
        if other != part
    }
    return {**others, "x": f"Your {_QKV[part]} are x itself, not projected: self.{part} is never used."}


def _scale(name: str) -> tuple[str, str | None]:
    if name == "1":
        return "Your scores are not scaled.", "no-scale"
    if name.startswith("1/"):
        return f"Your scores are multiplied by {name[2:]} where they should be divided by √D.", None
    return f"Your scores are divided by {name}; it should be √D.", _NAMED_SCALES.get(name)


_PROJECT = "Queries, keys and values are self.q(x), self.k(x) and self.v(x): each its own layer, with its bias."
_CUT = "Cut each token's row of C numbers with view(B, T, H, D), and only then transpose tokens and heads."
_HIDE = "Where the given mask is 0 the score becomes -inf before the softmax, so that the weight is exactly 0."
_DROP = "Two dropouts: attn_dropout on the weights right after the softmax, hidden_dropout on what c_proj returns."

WAYS: dict[str, tuple[str, dict]] = {
    "q": (_PROJECT, _sources("q")),
    "k": (_PROJECT, _sources("k")),
    "v": (_PROJECT, _sources("v")),
    "linear": (
        _PROJECT,
        {
            "swapped": ("Queries and keys are exchanged: self.q makes your keys, self.k your queries.", "qk-swapped"),
            "kv": ("Keys and values are exchanged: self.k makes your values, self.v your keys.", "kv-swapped"),
            "qv": "Queries and values are exchanged: self.q makes your values, self.v your queries.",
            "rotated": "Queries, keys and values are exchanged in a circle: k, v, q.",
            "no bias": "Your queries, keys and values lack the biases of self.q, self.k and self.v.",
            "no bias of v": "Your values lack the bias of self.v.",
            "no bias of q": "Your queries lack the bias of self.q.",
            "untransposed": "You multiply x by the layers' weights as they are stored; x needs their transpose, W.T.",
        },
    ),
    "unit": (
        "Queries and keys go into the product as they are.",
        {
            "l2": "You bring queries and keys to length 1 before the product.",
            "norm": "You norm queries and keys (a layer norm) before the product.",
            "relu": "You apply a ReLU to queries and keys.",
        },
    ),
    "extra": (
        _DROP,
        {
            "x": "There is a third dropout: on x, before the projections.",
            "q": "There is a third dropout: on the queries.",
            "k": "There is a third dropout: on the keys.",
            "v": ("There is a dropout on the values.", "dropout-on-values"),
            "scores": ("There is a dropout on the scores.", "dropout-on-scores"),
            "mixed": ("There is a third dropout: on what each head returns.", "third-dropout"),
            "merged": "There is a third dropout: on the merged heads, before c_proj.",
        },
    ),
    "cut": (
        _CUT,
        {
            "reshape": ("Your heads are cut with reshape where a transpose is needed.", "split-by-reshape"),
            "interleaved": "Your heads are interleaved: view(B, T, D, H) gives head h every H-th number of a token.",
            "one": ("Your attention has one wide head.", "one-head"),
        },
    ),
    "scale": (
        "q·k is a sum of D = n_embd / n_head products, so its spread grows with √D: divide by that, once.",
        {name: _scale(name) for name in SCALES},
    ),
    "mask": (
        _HIDE,
        {
            "ignored": ("Your attention does not use its mask.", "mask-ignored"),
            "inverted": ("Your mask is used the wrong way round.", "mask-inverted"),
            "transposed": "You use the mask transposed: its rows and columns (queries and keys) are exchanged.",
            "first": "Every sequence of the batch gets the mask of the first sequence.",
            "last row": "Every query gets the last row of the mask: it sees what the last token may see.",
            "own": "Your queries do not see their own token, whatever the mask says.",
            "causal": "Your attention is causal by itself (is_causal or tril); the given mask is not used.",
            "causal too": "Your attention is causal by itself, on top of the given mask.",
            "added": ("You add the mask to the scores.", "mask-added"),
            "after": ("You apply the mask after the softmax.", "mask-after-softmax"),
            "one head": "Only the first head gets the mask.",
            **{
                name: f"A hidden score is {name} in your code, not -inf: hidden tokens still get weight."
                for name in FINITE
            },
        },
    ),
    "softmax": (
        "For every query, the weights of all keys sum to 1: one softmax over the last dimension of (B, H, T, T).",
        {
            "-2": ("Your softmax runs over the queries.", "softmax-over-queries"),
            "1": ("Your softmax runs over the heads.", "softmax-over-heads"),
            "0": "Your softmax runs over the batch (dimension 0): the sequences of a batch share their weights.",
            "both": "Your softmax runs over queries and keys together: all weights of a head sum to 1.",
            "none": ("There is no softmax.", "no-softmax"),
            "sigmoid": "You use a sigmoid where the softmax should be: the weights of a query do not sum to 1.",
            "relu": "Your weights are ReLUs of the scores, divided by their sum, instead of a softmax.",
            "relu first": "A ReLU runs on the scores before the softmax: negative scores, and -inf too, become 0.",
            "log": "You use log_softmax: your weights are logarithms.",
            "twice": "The softmax runs twice: the second one flattens the weights of the first.",
            "one more": "Your softmax adds 1 to its denominator: weights sum to less than 1.",
            "sum": "Your weights are the scores' exponentials without the division by their sum.",
            "power": "Your weights are 2 to the power of the scores, not e to that power, divided by their sum.",
        },
    ),
    "drop": (
        _DROP,
        {
            "none": ("There is no dropout on the weights.", "no-attention-dropout"),
            "always": "The dropout on the weights is on in eval mode too: pass training=self.training.",
            "hidden": "The weights are dropped with hidden_dropout's rate.",
            "0.1": "The dropout on the weights has a fixed rate of 0.1; attn_dropout has the right rate.",
            "0.5": "The dropout on the weights has F.dropout's default rate of 0.5; it should be attn_dropout's.",
            "always 0.5": "F.dropout runs with its default rate of 0.5, and in eval mode too.",
            "twice": "The weights go through attn_dropout twice.",
        },
    ),
    "weights": (
        "The weights go to the values as the dropout leaves them: pattern @ v.",
        {
            "transposed": "You transpose the weights before multiplying them by the values: keys ask, queries answer.",
            "renormalised": "You make the weights sum to 1 again after the dropout, which undoes its effect.",
            "detached": "The weights are detached: no gradient reaches queries and keys.",
            "squared": "You square the weights.",
        },
    ),
    "values": (
        "The weights are multiplied by the values, pattern @ v.",
        {
            "k": "The weights are multiplied by the keys instead of the values.",
            "q": "The weights are multiplied by the queries instead of the values.",
            "detached": "The values are detached: no gradient reaches self.v.",
        },
    ),
    "merge": (
        "Transpose (B, H, T, D) to (B, T, H, D) first; then the last two dimensions are joined into C.",
        {
            "reshape": ("You merge the heads without transposing back.", "merge-by-reshape"),
            "interleaved": "Your heads are interleaved when they are merged: (B, T, D, H) instead of (B, T, H, D).",
            "reversed": "Your heads are merged in reversed order: the last head comes first.",
            "mean": "You average the heads instead of joining them.",
        },
    ),
    "project": (
        "c_proj is applied once, to the merged heads.",
        {
            "none": ("c_proj is missing.", "no-projection"),
            "twice": "c_proj is applied twice.",
            "no bias": "Your output projection lacks the bias of c_proj.",
            "before": "c_proj runs on the values, before the attention, not on the merged heads.",
            "untransposed": "You multiply by c_proj's weight as it is stored; its transpose, W.T, is needed.",
        },
    ),
    "out": (
        _DROP,
        {
            "none": ("There is no dropout on the output.", "no-output-dropout"),
            "before": "The second dropout comes before c_proj: it should come after the projection.",
            "always": "The dropout on the output is on in eval mode too: pass training=self.training.",
            "attn": "The output is dropped with attn_dropout's rate.",
            "0.1": "The dropout on the output has a fixed rate of 0.1; hidden_dropout has the right rate.",
            "0.5": "The dropout on the output has F.dropout's default rate of 0.5; it should be hidden_dropout's.",
            "twice": "The output goes through hidden_dropout twice.",
        },
    ),
    "end": (
        "Attention returns its projected output: x is added in the block, not here.",
        {
            "add x": "You add x to attention's output: the block already adds it.",
            "norm": "You norm attention's output.",
            "gelu": "There is a GELU on attention's output.",
            "relu": "There is a ReLU on attention's output.",
            "tanh": "There is a tanh on attention's output.",
            "detached": "Attention's output is detached: no gradient reaches its layers.",
        },
    ),
}


def attention(names: Names, pick: dict[str, str]) -> None:
    given: Any = course()

    class GenericSelfAttention(given.DummyMultiHeadedSelfAttention):
        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            dropped = _extra(self, pick, "x", x)
            q, k, v = (_extra(self, pick, part, _projected(self, pick, part, dropped)) for part in "qkv")
            H = 1 if pick.get("cut") == "one" else self.n_head
            q, k, v = (_cut(part, H, pick.get("cut")) for part in (q, k, v))  # (B, H, T, D)
            pattern = _pattern(self, pick, q, k, attention_mask)  # (B, H, T, T)
            v = {"k": k, "q": q, "detached": v.detach()}.get(pick.get("values", ""), v)
            z = _extra(self, pick, "mixed", _used(pattern, pick.get("weights")) @ v)  # (B, H, T, D)
            out = _extra(self, pick, "merged", _merged(z, pick.get("merge")))  # (B, T, C)
            return _ended(_finished(self, pick, out), x, pick.get("end"))

    names.GenericSelfAttention = GenericSelfAttention


def _extra(layer, pick: dict[str, str], place: str, x: Tensor) -> Tensor:
    return layer.attn_dropout(x) if pick.get("extra") == place else x


def _projected(layer, pick: dict[str, str], part: str, x: Tensor) -> Tensor:
    """(B, T, C)"""
    how = pick.get("linear")
    round_about = {"swapped": "kqv", "kv": "qvk", "qv": "vkq", "rotated": "kvq"}.get(how or "", "qkv")
    source = pick.get(part, round_about["qkv".index(part)])
    if source == "x":
        return x
    linear = getattr(layer, source)
    if how == "untransposed":
        out = x @ linear.weight + linear.bias
    else:
        out = linear(x) - (linear.bias if how == "no bias" or how == f"no bias of {part}" else 0)
    return c_proj(layer, out) if part == "v" and pick.get("project") == "before" else out


def c_proj(layer, x: Tensor) -> Tensor:
    return layer.c_proj(x)


def _cut(x: Tensor, H: int, how: str | None) -> Tensor:
    """(B, T, C) -> (B, H, T, D)"""
    B, T, C = x.shape
    if how == "reshape":
        return x.reshape(B, H, T, C // H)
    if how == "interleaved":
        return x.view(B, T, C // H, H).permute(0, 3, 1, 2)
    return x.view(B, T, H, C // H).transpose(1, 2)


def _pattern(layer, pick: dict[str, str], q: Tensor, k: Tensor, mask: Tensor) -> Tensor:
    """What each query takes of each value, dropped: (B, H, T, T)."""
    q, k = _unit(q, pick.get("unit")), _unit(k, pick.get("unit"))
    T, D = q.shape[-2:]
    divisor = SCALES.get(pick.get("scale", ""), lambda D, C, H, T: D**0.5)(D, layer.n_embd, layer.n_head, T)
    scores = _extra(layer, pick, "scores", q @ k.transpose(-2, -1)) / divisor  # (B, H, T, T)
    return _dropped(layer, pick, _weighed(scores, mask, pick))


def _unit(x: Tensor, how: str | None) -> Tensor:
    made = {"l2": lambda: F.normalize(x, dim=-1), "norm": lambda: F.layer_norm(x, x.shape[-1:]), "relu": x.relu}
    return made[how]() if how else x


def _weighed(scores: Tensor, mask: Tensor, pick: dict[str, str]) -> Tensor:
    how, axis = pick.get("mask"), pick.get("softmax")
    visible = _visible(mask, how).expand(scores.shape)
    if how == "one head":
        visible = torch.cat([visible[:, :1], torch.ones_like(visible[:, 1:])], dim=1)
    if how == "added":
        return _soft(scores + mask, axis)
    if how == "after":
        return _soft(scores, axis) * visible
    if axis == "none":
        return scores.masked_fill(~visible, 0.0)
    return _soft(scores.masked_fill(~visible, FINITE.get(how or "", -math.inf)), axis)


def _visible(mask: Tensor, how: str | None) -> Tensor:
    """(B, 1, T, T), True = visible."""
    seen = mask != 0
    T = seen.shape[-1]
    past = torch.ones(T, T, dtype=torch.bool).tril()
    made = {
        "ignored": lambda: torch.ones_like(seen),
        "inverted": lambda: ~seen,
        "transposed": lambda: seen.transpose(-2, -1),
        "first": lambda: seen[:1].expand_as(seen),
        "last row": lambda: seen[:, :, -1:].expand_as(seen),
        "own": lambda: seen & ~torch.eye(T, dtype=torch.bool),
        "causal": lambda: past.expand_as(seen),
        "causal too": lambda: seen & past,
    }
    return made[how]() if how in made else seen


def _soft(scores: Tensor, how: str | None) -> Tensor:
    T = scores.shape[-1]
    made = {
        "both": lambda: scores.flatten(-2).softmax(-1).unflatten(-1, (T, T)),
        "none": lambda: scores,
        "sigmoid": scores.sigmoid,
        "relu": lambda: scores.relu() / scores.relu().sum(-1, keepdim=True).clamp(min=1e-9),
        "relu first": lambda: scores.relu().softmax(-1),
        "log": lambda: scores.log_softmax(-1),
        "twice": lambda: scores.softmax(-1).softmax(-1),
        "one more": lambda: scores.exp() / (1 + scores.exp().sum(-1, keepdim=True)),
        "sum": scores.exp,
        "power": lambda: (scores * math.log(2)).softmax(-1),
    }
    return made[how]() if how in made else scores.softmax(int(how or -1))


def _dropped(layer, pick: dict[str, str], pattern: Tensor) -> Tensor:
    how, rate = pick.get("drop"), layer.attn_dropout.p
    made = {
        "none": lambda: pattern,
        "always": lambda: F.dropout(pattern, rate),
        "hidden": lambda: layer.hidden_dropout(pattern),
        "0.1": lambda: F.dropout(pattern, 0.1, layer.training),
        "0.5": lambda: F.dropout(pattern, 0.5, layer.training),
        "always 0.5": lambda: F.dropout(pattern),
        "twice": lambda: layer.attn_dropout(layer.attn_dropout(pattern)),
    }
    return made[how]() if how else layer.attn_dropout(pattern)


def _used(pattern: Tensor, how: str | None) -> Tensor:
    made = {
        "transposed": lambda: pattern.transpose(-2, -1),
        "renormalised": lambda: pattern / pattern.sum(-1, keepdim=True),
        "detached": pattern.detach,
        "squared": lambda: pattern**2,
    }
    return made[how]() if how else pattern


def _merged(z: Tensor, how: str | None) -> Tensor:
    """(B, H, T, D) -> (B, T, C)"""
    B, H, T, D = z.shape
    made = {
        "reshape": lambda: z.reshape(B, T, H * D),
        "interleaved": lambda: z.permute(0, 2, 3, 1).reshape(B, T, H * D),
        "reversed": lambda: z.flip(1).transpose(1, 2).reshape(B, T, H * D),
        "mean": lambda: z.mean(1).repeat(1, 1, H),
    }
    return made[how]() if how else z.transpose(1, 2).reshape(B, T, H * D)


def _finished(layer, pick: dict[str, str], x: Tensor) -> Tensor:
    how, place = pick.get("project"), pick.get("out")
    x = layer.hidden_dropout(x) if place == "before" else x
    made = {
        "none": lambda: x,
        "before": lambda: x,
        "twice": lambda: layer.c_proj(layer.c_proj(x)),
        "no bias": lambda: layer.c_proj(x) - layer.c_proj.bias,
        "untransposed": lambda: x @ layer.c_proj.weight + layer.c_proj.bias,
    }
    untransposed = how is None and pick.get("linear") == "untransposed"  # whoever writes one so writes all
    out = made["untransposed" if untransposed else how]() if how or untransposed else layer.c_proj(x)
    dropped = {
        "none": lambda: out,
        "before": lambda: out,
        "always": lambda: F.dropout(out, layer.hidden_dropout.p),
        "attn": lambda: layer.attn_dropout(out),
        "0.1": lambda: F.dropout(out, 0.1, layer.training),
        "0.5": lambda: F.dropout(out, 0.5, layer.training),
        "twice": lambda: layer.hidden_dropout(layer.hidden_dropout(out)),
    }
    return dropped[place]() if place else layer.hidden_dropout(out)


def _ended(out: Tensor, x: Tensor, how: str | None) -> Tensor:
    made = {
        "add x": lambda: out + x,
        "norm": lambda: F.layer_norm(out, out.shape[-1:]),
        "gelu": lambda: F.gelu(out),
        "relu": out.relu,
        "tanh": out.tanh,
        "detached": out.detach,
    }
    return made[how]() if how else out
