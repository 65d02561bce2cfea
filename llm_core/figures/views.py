"""What there is to draw. Every function takes what the analysis gives, and ``interactive`` for plotly's figure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..analysis.attribution import Attribution
from ..analysis.effects import Sweep
from ..analysis.embeddings import principal_components
from ..analysis.lens import Lens
from ..analysis.patching import STREAM_SITES, PatchingMap
from ..analysis.roles import Roles
from ..text.tokenizer import SPECIAL_TOKENS, Tokenizer
from .parts import Cells, Line, Points

SPECIAL = dict(zip(SPECIAL_TOKENS, ("end", "padding", "mask", "start")))

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention(pattern: Tensor, tokens: Sequence[str], *, title: str = "", interactive: bool = False) -> "Figure":
    """One head: a pattern (T, S) with its tokens, T or S of them; a row for each query.

    ``ValueError`` for another shape, or another number of tokens.
    """
    values = _array(pattern, 2, "pattern", "(T, S)")
    if len(tokens) not in values.shape:
        raise ValueError(f"{len(tokens)} tokens for a pattern of shape {values.shape}: give one for each row")
    rows, columns = (_named(tokens) if len(tokens) == n else () for n in values.shape)
    look: dict[str, Any] = {"across": "key", "down": "query", "measure": "attention", "title": title}
    return _drawn(interactive).cells([Cells(values=values, rows=rows, columns=columns, **look)])


def attention_grid(patterns: Tensor, *, interactive: bool = False) -> "Figure":
    """All heads as small pictures: patterns (L, H, T, S), a row for each layer."""
    values = _array(patterns, 4, "patterns", "(L, H, T, S)")
    panels = [
        Cells(values=values[i, h], title=f"L{i} H{h}", measure="attention")
        for i in range(values.shape[0])
        for h in range(values.shape[1])
    ]
    return _drawn(interactive).cells(panels, columns=values.shape[1])


def lens(
    found: Lens, tokenizer: Tokenizer, tokens: Sequence[str], *, text: int = 0, interactive: bool = False
) -> "Figure":
    """The logit lens of one text of the batch: what each layer would predict after every token, and how surely."""
    values = found.probabilities[text, ..., 0].numpy(force=True)  # (L+1, T)
    rows = ["embedding", *(f"layer {i}" for i in range(len(values) - 1))]
    texts = [_named(row) for row in found.pieces(tokenizer, text)]
    look: dict[str, Any] = {"across": "after", "measure": "probability of the likeliest token"}
    return _drawn(interactive).cells([Cells(values=values, rows=rows, columns=_named(tokens), texts=texts, **look)])


def attribution(found: Attribution, *, title: str = "", interactive: bool = False) -> "Figure":
    """What every head and MLP adds to one logit (of ``logit_attribution``, or ``.one`` of several)."""
    if found.logit.ndim:
        raise ValueError(f"an attribution of {tuple(found.logit.shape)} logits: choose one with .one(place, column)")
    values = torch.cat([found.heads, found.mlps[:, None]], dim=1).float().numpy(force=True)  # (L, H+1)
    return _by_head(values, interactive, measure="adds, logits", title=title)


def roles(found: Roles, *, interactive: bool = False) -> "Figure":
    """One picture for each role: the score of every head in it, 0..1."""
    panels = [
        Cells(values=_array(score, 2, name, "(L, H)"), title=name, measure="score", **_head_names(score.shape))
        for name, score in found.scores.items()
    ]
    return _drawn(interactive).cells(panels, columns=4)


def ablation(found: Sweep, *, interactive: bool = False) -> "Figure":
    """What switching off each head and each MLP alone does to the loss: above 0, it gets worse."""
    values = torch.cat([found.heads, found.mlps[:, None]], dim=1).numpy(force=True)  # (L, H+1)
    limit = float(np.abs(values[:, :-1]).max())  # the first MLP would leave no color for the heads
    return _by_head(values, interactive, measure="change of the loss, nats per token", limit=limit)


def patching(found: PatchingMap, tokens: Sequence[str] = (), *, interactive: bool = False) -> "Figure":
    """What each activation brings back, -1..1; of a site of the stream with the ``tokens`` of its places."""
    values = found.recovered.numpy(force=True)
    look: dict[str, Any] = {"measure": "share brought back", "signed": True}
    if found.site in STREAM_SITES:
        names = _named(tokens) or tuple(map(str, range(values.shape[1])))
        panels = [Cells(values=values, rows=_layers(len(values)), columns=names, **look)]
    elif values.ndim == 2:
        panels = [Cells(values=values, **_head_names(values.shape), **look)]
    else:
        panels = [Cells(values=values[:, h], title=f"head {h}", **look) for h in range(values.shape[1])]
    return _drawn(interactive).cells(panels, columns=4)


def training_curves(
    histories: Mapping[str, Sequence[Mapping[str, float]]], *, over: str = "tokens", interactive: bool = False
) -> "Figure":
    """Losses of runs laid over each other: by name, the lines of their ``history.jsonl``, ``over`` "tokens" or "step".

    Training losses are drawn through, held-out ones dashed. ``ValueError`` for runs without a loss.
    """
    kinds = {"loss": "", "held_out_loss": ", held out"}
    curves = []
    for name, history in histories.items():
        for key, more in kinds.items():
            entries = [entry for entry in history if key in entry and over in entry]
            if entries:
                x, y = ([entry[part] for entry in entries] for part in (over, key))
                curves.append(Line(name=f"{name}{more}", x=x, y=y, dashed=bool(more)))
    if not curves:
        raise ValueError(f"no line of these histories has a loss and {over!r}")
    across = {"tokens": "tokens seen"}.get(over, over)
    return _drawn(interactive).lines(curves, across=across, up="loss (nats per token)")


def curves(
    of: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, across: str, up: str, interactive: bool = False
) -> "Figure":
    """Any curves, by name, as x and y: such as what heads score at each step of a training."""
    return _drawn(interactive).lines([Line(name=name, x=x, y=y) for name, (x, y) in of.items()], across=across, up=up)


def embedding_map(vectors: Tensor, names: Sequence[str], *, dims: int = 2, interactive: bool = False) -> "Figure":
    """Vectors (N, C), such as rows of a token table, on their first 2 or 3 principal components, each with its name.

    ``ValueError`` for another shape, number of names or ``dims``.
    """
    values = _array(vectors, 2, "vectors", "(N, C)")
    if len(names) != len(values):
        raise ValueError(f"{len(names)} names for {len(values)} vectors: give one for each")
    if dims not in (2, 3):
        raise ValueError(f"dims={dims!r}: must be 2 or 3")
    at, shares = principal_components(torch.from_numpy(values), dims)
    axes = [f"component {i + 1} ({share:.0%})" for i, share in enumerate(shares)]
    return _drawn(interactive).points(Points(at=at.numpy(), names=_named(names), axes=axes))


def _drawn(interactive: bool) -> Any:
    """The module that draws."""
    if not interactive:
        from . import paper

        return paper
    try:
        from . import screen
    except ImportError:
        raise ValueError("interactive=True needs plotly: pip install plotly") from None
    return screen


def _by_head(values: np.ndarray, interactive: bool, limit: float | None = None, **look: str) -> Any:
    """(L, H+1): heads, and in the last column the MLPs."""
    names = {**_head_names((len(values), values.shape[1] - 1))}
    names["columns"] = (*names["columns"], "MLP")
    most = float(np.abs(values).max()) if limit is None else limit
    return _drawn(interactive).cells([Cells(values=values, signed=True, limit=most or 1.0, **names, **look)])


def _head_names(shape: Sequence[int]) -> dict[str, Any]:
    return {"rows": _layers(shape[0]), "columns": tuple(f"H{h}" for h in range(shape[1]))}


def _layers(L: int) -> tuple[str, ...]:
    return tuple(f"L{i}" for i in range(L))


def _named(tokens: Sequence[str]) -> tuple[str, ...]:
    """Tokens as labels: white space is seen, and a special token is called by its role."""
    return tuple(SPECIAL.get(token, token.replace("\n", "⏎").strip() or "␣") for token in tokens)


def _array(tensor: Tensor, ndim: int, name: str, shape: str) -> np.ndarray:
    values = torch.as_tensor(tensor).detach().float().cpu().numpy()
    if values.ndim != ndim:
        raise ValueError(f"{name} of shape {values.shape}: must be {shape}")
    return values
