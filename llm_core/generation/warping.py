"""From logits to one token: temperature, top-k and top-p bend the distribution, then u picks from it.

A token is drawn by inverting the cumulative distribution, the likeliest token first, at u in [0, 1): a small u
takes a likely token, whatever the warping.
Top-k: Fan et al. 2018, section 5.4; top-p: Holtzman et al. 2019, section 3.1.
"""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Warped:
    """Distributions over the whole vocabulary, float32, (B, V) or one row (V,); each sums to 1."""

    before: Tensor  # the softmax of the logits as they are
    after_temperature: Tensor
    after_top_k: Tensor
    after_top_p: Tensor  # what is drawn from

    def row(self, i: int) -> "Warped":
        return Warped(self.before[i], self.after_temperature[i], self.after_top_k[i], self.after_top_p[i])


@dataclass(frozen=True)
class Warping:
    """How the distribution is bent. Raises ``ValueError`` naming what is wrong and what is allowed."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None

    def __post_init__(self) -> None:
        temperature, k, p = self.temperature, self.top_k, self.top_p
        if not is_number(temperature) or not 0 <= temperature < math.inf:
            raise ValueError(f"temperature={temperature!r}: must be a finite number of at least 0 (0 is greedy)")
        if k is not None and (not is_whole(k) or k < 1):
            raise ValueError(f"top_k={k!r}: must be a whole number of at least 1, or None for all tokens")
        if p is not None and (not is_number(p) or not 0 < p <= 1):
            raise ValueError(f"top_p={p!r}: must be above 0 and at most 1, or None for all tokens")

    @property
    def is_greedy(self) -> bool:
        return self.temperature == 0

    def tempered(self, logits: Tensor) -> Tensor:
        """Logits (B, K) -> probabilities in float64; shifted to a largest of 0, so that no temperature overflows."""
        logits = logits.double()
        return F.softmax((logits - logits.amax(-1, keepdim=True)) / self.temperature, dim=-1)

    def most_likely(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """(B, V) -> what top-k leaves, most likely first: probabilities and ids, (B, K) each."""
        V = logits.shape[-1]
        values, ids = logits.topk(min(self.top_k or V, V))
        return self.tempered(values), ids

    def nucleus(self, probabilities: Tensor) -> Tensor:
        """(B, K), most likely first -> 0 behind the place where their sum reaches top_p; the rest sums to 1."""
        if self.top_p is None or self.top_p == 1:
            return probabilities
        before = probabilities.cumsum(-1) - probabilities  # exactly 0 for the first, which always stays
        nucleus = probabilities * (before < self.top_p)
        return nucleus / nucleus.sum(-1, keepdim=True)


def warp_logits(
    logits: Tensor, temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Warped:
    """The distribution after each step of warping, from logits (B, V).

    ``temperature=0`` leaves the most likely token alone. ``top_k`` keeps exactly k tokens. ``top_p`` keeps the
    fewest tokens, most likely first, whose mass reaches it. Raises ``ValueError`` for a value out of range.
    """
    warping = Warping(temperature, top_k, top_p)
    before = F.softmax(logits.float(), dim=-1)  # (B, V)
    if warping.is_greedy:
        best = torch.zeros_like(before).scatter(-1, logits.argmax(-1, keepdim=True), 1.0)
        return Warped(before, best, best, best)
    probabilities, ids = warping.most_likely(logits)  # (B, K)
    after_top_k = torch.zeros_like(before).scatter(-1, ids, probabilities.float())
    after_top_p = torch.zeros_like(before).scatter(-1, ids, warping.nucleus(probabilities).float())
    return Warped(before, warping.tempered(logits).float(), after_top_k, after_top_p)


def draw(logits: Tensor, u: Tensor, warping: Warping) -> Tensor:
    """Logits (B, V), u (B, 1) -> ids (B, 1): from the likeliest on, the first at which the sum exceeds u."""
    probabilities, ids = warping.most_likely(logits)  # (B, K)
    cumulative = warping.nucleus(probabilities).cumsum(-1)  # (B, K)
    # u is a float32 below 1: in float64 the product stays below the total, so the place always exists
    place = torch.searchsorted(cumulative, u * cumulative[:, -1:], right=True)  # (B, 1)
    return ids.gather(-1, place)


def is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
