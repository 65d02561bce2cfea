"""Surgery: switch parts of a model off, freeze where its heads look, or paint their masks.

An ``Edit`` says what is changed and how; ``interventions`` turns edits into functions for ``intervene``:

    with intervene(model, interventions(model, [Edit(what="head", layer=2, head=1, how="zero")])):
        model(ids)

They act on scores, pattern and z, and on the MLP's output, so a logit stays the sum of its parts (``attribution``);
"absent" takes the whole output of a layer's attention away, the bias of its projection too, which belongs to no head.
Of two edits of one head, the later one counts.
Zero and mean ablation: Michel et al. 2019, "Are Sixteen Heads Really Better than One?"; Wang et al. 2022,
"Interpretability in the Wild", section 2.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ..model.architectures import Decoder, Encoder
from ..model.attention import MultiHeadAttention
from ..model.config import ModelConfig
from ..model.masks import causal_mask
from ..model.sight import visible
from ..model.sighted import SightedAttention
from .patterns import uniform

WHATS = ("head", "attention", "everywhere", "mlp")  # one head, all of a layer, all of the model; a layer's MLP
OFF = ("zero", "mean")  # what comes out is replaced, by 0 or by its mean
ABSENT = "absent"  # nothing is added to the stream, as if the layer were not there
FROZEN = ("uniform", "diagonal", "previous")  # the pattern is replaced, within what the mask leaves visible
MASKS = ("open", "window", "first", "painted")  # who may see whom is replaced
HOWS = (*OFF, ABSENT, *FROZEN, *MASKS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One change of a model. Layers and heads count from 0.

    ``how``: "zero" or "mean" replace what comes out of heads or an MLP; "absent" leaves out all that a layer's
    attention, or its MLP, adds; "uniform", "diagonal" or "previous" the pattern (the first
    token has none before it, and looks at itself); "open" lets every query see every key, the future too, "window"
    the last ``n`` up to itself, "first" the first token only, and "painted" what ``rows`` say: n strings of n
    letters, a row for each query, "1" where the key is visible. Places beyond the painted ones keep their mask.
    Raises ``ValueError`` for what cannot be, in one sentence.
    """

    what: str
    how: str
    layer: int | None = None
    head: int | None = None
    n: int | None = None
    rows: tuple[str, ...] | None = None

    def __post_init__(self):
        if self.what not in WHATS:
            raise ValueError(f"what={self.what!r}: must be one of {', '.join(WHATS)}")
        if self.how not in HOWS:
            raise ValueError(f"how={self.how!r}: must be one of {', '.join(HOWS)}")
        if self.what == "mlp" and self.how not in (*OFF, ABSENT):
            raise ValueError(f"how={self.how!r}: an MLP has no attention, so it can only be set to zero or its mean")
        if self.what == "head" and self.how == ABSENT:
            raise ValueError("how='absent': a head has no bias of its own, so how='zero' leaves nothing of it")
        _whole_or_none("layer", self.layer, needed=self.what != "everywhere", reason=f"what={self.what!r}")
        _whole_or_none("head", self.head, needed=self.what == "head", reason=f"what={self.what!r}")
        _whole_or_none("n", self.n, needed=self.how == "window", reason=f"how={self.how!r}")
        if self.n is not None and self.n < 1:
            raise ValueError("n=0: a window has at least 1 token, the query itself")
        _check_rows(self.rows, self.how == "painted")

    def visible(self, before: Tensor) -> Tensor:
        """What the mask leaves visible, where ``before`` (..., T, T) was: True = the query sees the key."""
        T = before.shape[-1]
        query, key = torch.arange(T, device=before.device)[:, None], torch.arange(T, device=before.device)
        if self.how == "open":
            return torch.ones_like(before)
        if self.how == "window":
            return ((key <= query) & (key > query - self.n)).expand_as(before)
        if self.how == "first":
            return (key == 0).expand(T, T).expand_as(before)
        painted = torch.tensor([[letter == "1" for letter in row] for row in self.rows or ()], device=before.device)
        n, after = min(T, len(painted)), before.clone()
        after[..., :n, :n] = painted[:n, :n]
        return after

    def pattern(self, visible: Tensor) -> Tensor:
        """The frozen pattern, within what is visible (..., T, T); a query whose key is hidden attends to nothing."""
        if self.how == "uniform":
            return uniform(visible)
        T = visible.shape[-1]
        place = torch.arange(T, device=visible.device)
        key = place if self.how == "diagonal" else (place - 1).clamp(min=0)
        return (visible & (key[:, None] == place)).float()


def edits_from(described: Iterable[Mapping]) -> tuple[Edit, ...]:
    """Edits from dicts, as they come out of JSON. Raises ``ValueError`` for what is none."""
    known = [field.name for field in fields(Edit)]
    edits = []
    for item in described:
        if not isinstance(item, Mapping) or not {"what", "how"} <= set(item) <= set(known):
            raise ValueError(
                f"{item!r:.80} is not an edit: an edit has what and how, and may have {', '.join(known[2:])}"
            )
        item = dict(item)
        if isinstance(item.get("rows"), list):
            item["rows"] = tuple(item["rows"])
        edits.append(Edit(**item))
    return tuple(edits)


def interventions(
    model: Encoder | Decoder,
    edits: Iterable[Edit],
    means: Mapping[str, Tensor] | None = None,
    is_token: Tensor | None = None,
) -> dict[str, Callable[[Tensor], Tensor]]:
    """Functions by hook point, for one or more whole forwards without a cache; no edits give none.

    ``means`` are those of ``mean_activations``, which "mean" needs; ``is_token`` (B, T) is True for real tokens of a
    padded batch, so that no mask lets padding through. Raises ``ValueError`` for a layer or head that the model does
    not have.
    """
    edits = tuple(edits)
    for edit in edits:
        _check_place(model, edit)
        if edit.how == "mean" and means is None:
            raise ValueError('how="mean" needs the means: give what mean_activations(model, ...) returns')
    functions: dict[str, Callable[[Tensor], Tensor]] = {}
    for layer in range(model.config.n_layer):
        at = f"blocks.{layer}"
        own = [edit for edit in edits if edit.layer in (layer, None) and edit.what != "mlp"]
        mean_z, attention = (means or {}).get(f"{at}.attn.z"), model.blocks[layer].attn
        surgery = _AttentionSurgery(own, model.config.n_head, mean_z, is_token, attention)
        functions |= {f"{at}.attn.{name}": function for name, function in surgery.functions().items()}
        for edit in edits:
            if edit.what == "mlp" and edit.layer == layer:
                functions[f"{at}.mlp.out"] = _constant((means or {})[f"{at}.mlp.out"] if edit.how == "mean" else 0)
    return functions


def reach(
    edits: Iterable[Edit], n_layer: int, n_head: int, T: int, config: ModelConfig | None = None
) -> tuple[Tensor, Tensor]:
    """Which query could know of which token, in a causal model with these edits: two (T, T), ``[query, key]``, bool.

    Layers see as ``config`` says, without it everything before them.

    The first: whom it sees in some head. The second: whose token can come to it over all layers, also through
    others. Heads that are switched off see nobody. "Could": whether the model makes use of it is another matter.
    """
    edits = tuple(edits)
    itself = torch.eye(T, dtype=torch.bool)
    direct, known = itself.clone(), itself.float()
    for layer in range(n_layer):
        own = [edit for edit in edits if edit.layer in (layer, None) and edit.what != "mlp"]
        before = causal_mask(T)[0, 0] if config is None else visible(config, layer, T, is_causal=True)
        seen = itself | _seen(_AttentionSurgery(own, n_head), before)
        direct |= seen
        known = (seen.float() @ known).clamp(max=1)
    return direct, known.bool()


def _seen(surgery: "_AttentionSurgery", before: Tensor) -> Tensor:
    """(T, T), True where some head of a layer looks, or may look; ``before`` (T, T) is what its mask lets it see."""
    seen = torch.zeros_like(before)
    on = set(range(surgery.n_head)) - set(surgery.off)
    for mask, frozen in {(surgery.masks.get(head), surgery.frozen.get(head)) for head in on}:
        after = mask.visible(before) if mask else before
        seen |= frozen.pattern(after) > 0 if frozen else after
    return seen


class _AttentionSurgery:
    """The edits of one layer's attention, as functions of its hook points; what q, k and scores were is remembered."""

    def __init__(
        self,
        edits: list[Edit],
        n_head: int,
        mean_z: Any = None,
        is_token: Tensor | None = None,
        attention: MultiHeadAttention | None = None,
    ):
        self.n_head, self.mean_z, self.is_token, self.attention = n_head, mean_z, is_token, attention
        self.off: dict[int, Edit] = {}  # head -> the edit that counts
        self.frozen: dict[int, Edit] = {}
        self.masks: dict[int, Edit] = {}
        for edit in edits:
            stage = self.off if edit.how in (*OFF, ABSENT) else self.frozen if edit.how in FROZEN else self.masks
            stage.update({head: edit for head in range(n_head) if edit.what != "head" or edit.head == head})
        self.passed: dict[str, Tensor] = {}

    def functions(self) -> dict[str, Callable[[Tensor], Tensor]]:
        chosen: dict[str, Callable[[Tensor], Tensor]] = {}
        if self.masks:
            turned = "rot_" if hasattr(self.attention, "rot_q") else ""  # queries and keys as they meet
            chosen |= {f"{turned}{name}": self._remember(name) for name in ("q", "k")}
        if self.masks or self.frozen:
            chosen["scores"] = self.scores
        if self.frozen:
            chosen["pattern"] = self.pattern
        if self.off:
            chosen["z"] = self.z
        if self.is_absent:
            chosen["out"] = _constant(0)
        return chosen

    @property
    def is_absent(self) -> bool:
        """Whether the bias of the projection is left out with all heads."""
        return len(self.off) == self.n_head and all(edit.how == ABSENT for edit in self.off.values())

    def _remember(self, name: str) -> Callable[[Tensor], Tensor]:
        def remember(x: Tensor) -> Tensor:
            self.passed[name] = x
            return x

        return remember

    def scores(self, scores: Tensor) -> Tensor:
        """(B, H, T, T). A hidden score is -inf, so one that is let through is computed anew from q and k."""
        if scores.shape[-2] != scores.shape[-1]:
            raise ValueError("surgery on who sees whom needs a full forward pass, without a cache")
        new = scores.clone()
        for head, edit in self.masks.items():
            before = scores[:, head].isfinite()  # (B, T, T)
            after = edit.visible(before)
            if self.is_token is not None:
                after = after & self.is_token[:, None, :]
            if (after & ~before).any():
                new[:, head] = scores[:, head].where(before, self._raw_scores()[:, head])
            new[:, head] = new[:, head].where(after, -math.inf)
        self.passed["visible"] = new.isfinite()
        return new

    def _raw_scores(self) -> Tensor:
        """(B, H, T, T), what no mask has hidden yet."""
        q, k = self.passed["q"], self.passed["k"]  # (B, H, T, D) and (B, K, T, D)
        if isinstance(self.attention, SightedAttention):
            return self.attention.raw_scores(q, k)
        return q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])

    def pattern(self, pattern: Tensor) -> Tensor:
        """(B, H, T, T)"""
        new = pattern.clone()
        for head, edit in self.frozen.items():
            new[:, head] = edit.pattern(self.passed["visible"][:, head])
        return new

    def z(self, z: Tensor) -> Tensor:
        """(B, H, T, D)"""
        new = z.clone()
        for head, edit in self.off.items():
            new[:, head] = self.mean_z[head] if edit.how == "mean" else 0
        return new


def _constant(value: Tensor | int) -> Callable[[Tensor], Tensor]:
    def replace(x: Tensor) -> Tensor:
        return (torch.zeros_like(x) + value).to(x)

    return replace


def _check_place(model: Encoder | Decoder, edit: Edit) -> None:
    if model.config.positions == "relative" and edit.how in MASKS:
        raise ValueError(f"how={edit.how!r}: the scores of relative positions cannot be recomputed")
    for name, value, count in zip(
        ("layer", "head"), (edit.layer, edit.head), (model.config.n_layer, model.config.n_head)
    ):
        if value is not None and value >= count:
            raise ValueError(f"{name}={value}: this model has {count}, which count from 0 to {count - 1}")


def _whole_or_none(name: str, value: object, needed: bool, reason: str) -> None:
    if not needed and value is not None:
        raise ValueError(f"{name}={value!r}: leave it out with {reason}")
    if needed and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise ValueError(f"{name}={value!r}: {reason} needs a whole number from 0")


def _check_rows(rows: object, needed: bool) -> None:
    if not needed and rows is not None:
        raise ValueError('rows: leave them out unless how="painted"')
    if needed and not (
        isinstance(rows, tuple)
        and rows
        and all(isinstance(row, str) and len(row) == len(rows) and set(row) <= {"0", "1"} for row in rows)
    ):
        raise ValueError('rows: how="painted" needs n strings of n letters each, "1" for visible and "0" for hidden')
