"""Sight: what the attention of every layer is told of one forward, worked out once before the first block.

GPT-2 adds its positions to the tokens, so its attention needs a mask and nothing else. In other families attention
itself knows where tokens stand: rotary positions turn queries and keys (Su et al. 2021, RoFormer), relative ones add
a learned number to each score (Raffel et al. 2020, T5), and some layers see a window only.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import ModelConfig
from .masks import causal_mask, window_mask


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """Of T queries, the last of S places: whom they see, and where they stand."""

    mask: Tensor | None = None  # (B or 1, 1, T, S), True = visible; None: everything, or as ``is_causal`` says
    near: Tensor | None = None  # the same in layers that have a window
    is_causal: bool = False  # stands for the causal mask without building it
    turn: tuple[Tensor, Tensor] | None = None  # cos and sin of each query's place, (T, R)
    bias: Tensor | None = None  # (1, H, T, S), on the scores


def sight_of(
    config: ModelConfig,
    T: int,
    S: int,
    device: torch.device,
    mask: Tensor | None = None,
    is_causal: bool = False,
    relative: "RelativeBias | None" = None,
) -> Sight:
    """The sight of T queries behind S - T earlier places. ``mask`` and ``is_causal`` are as attention takes them."""
    near = None
    if config.window is not None:
        near = window_mask(T, config.window, S, device)  # (1, 1, T, S)
        near = near if mask is None else near & mask
        near = near & causal_mask(T, S, device) if is_causal else near
    places = torch.arange(S - T, S, device=device)  # (T,)
    turn = turn_of(config, places) if config.positions == "rotary" else None
    bias = None if relative is None else relative(places, torch.arange(S, device=device))
    return Sight(mask=mask, near=near, is_causal=is_causal, turn=turn, bias=bias)


def turn_of(config: ModelConfig, places: Tensor) -> tuple[Tensor, Tensor]:
    """Cos and sin, (T, R) each in float32, of the angles by which a place turns the R first numbers of a head."""
    R = config.turned_width
    frequency = config.rope_theta ** -(torch.arange(0, R, 2, device=places.device).float() / R)  # (R/2,)
    if config.rope_scaling is not None:
        frequency = _slowed(frequency, *config.rope_scaling)
    angles = places[:, None].float() * frequency  # (T, R/2)
    angles = torch.cat([angles, angles], dim=-1)  # (T, R)
    return angles.cos(), angles.sin()


def _slowed(frequency: Tensor, factor: float, low: float, high: float, window: float) -> Tensor:
    """Llama 3.1: what turns fewer than ``low`` times in the original window turns ``factor`` times as slowly."""
    turns = window * frequency / (2 * math.pi)
    kept = ((turns - low) / (high - low)).clamp(0, 1)
    return kept * frequency + (1 - kept) * frequency / factor


def turned(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """x (B, H, T, D) with the pairs (i, i + R/2) of its first R numbers turned, each by its place's angle."""
    cos, sin = turn
    R = cos.shape[-1]
    part, rest = x[..., :R], x[..., R:]  # (B, H, T, R), (B, H, T, D-R)
    first, second = part.chunk(2, dim=-1)  # (B, H, T, R/2) each
    part = part * cos + torch.cat([-second, first], dim=-1) * sin  # (B, H, T, R)
    return torch.cat([part.to(x.dtype), rest], dim=-1)  # (B, H, T, D)


class RelativeBias(nn.Module):
    """A learned number for each head and distance, shared by all layers of a stack.

    Near distances have a bucket each, far ones share one with others, on a logarithmic scale.
    """

    def __init__(self, config: ModelConfig, both_ways: bool):
        super().__init__()
        self.both_ways = both_ways  # an encoder's, which tells before from behind
        self.furthest = config.relative_distance
        self.table = nn.Embedding(config.relative_buckets, config.n_head)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Places (T,) and (S,) -> (1, H, T, S)."""
        numbers = self.table(self.buckets(keys - queries[:, None]))  # (T, S, H)
        return numbers.permute(2, 0, 1)[None]  # (1, H, T, S)

    def buckets(self, offset: Tensor) -> Tensor:
        """Key's place less the query's -> the row of the table."""
        count, first = self.table.num_embeddings, torch.zeros_like(offset)
        if self.both_ways:
            count //= 2
            first = (offset > 0) * count
            distance = offset.abs()
        else:
            distance = (-offset).clamp(min=0)
        exact = count // 2
        share = (distance.float() / exact).log() / math.log(self.furthest / exact)  # below 0 where distance < exact
        far = (exact + share * (count - exact)).clamp(0, count - 1).long()
        return first + torch.where(distance < exact, distance, far)


def visible(config: ModelConfig, layer: int, T: int, is_causal: bool) -> Tensor:
    """(T, T), True where a query of ``layer`` sees a key, in a text without padding."""
    seen = causal_mask(T)[0, 0] if is_causal else torch.ones(T, T, dtype=torch.bool)
    window = config.window_of(layer)
    return seen if window is None else seen & window_mask(T, window)[0, 0]
