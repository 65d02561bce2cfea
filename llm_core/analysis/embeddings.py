"""Many vectors at once, such as all rows of a token table: where they lie to each other."""

import torch
from torch import Tensor

ROWS = 1024  # whose cosines with all others are in memory at once


def principal_components(vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Vectors (N, C) on the ``count`` directions in which they differ most.

    Returns where they lie, (N, count), around their mean, and the share of their variance that each direction holds,
    (count,). Of a direction and its opposite the one is taken whose largest number is positive. Pearson 1901.
    """
    centered = vectors.detach().double().cpu()
    centered = centered - centered.mean(0)  # (N, C)
    variances, directions = torch.linalg.eigh(centered.T @ centered)  # (C,) rising, (C, C) a direction each column
    found = directions.flip(-1)[:, :count]  # (C, count)
    largest = found.gather(0, found.abs().argmax(0, keepdim=True))  # (1, count)
    shares = variances.flip(0)[:count] / variances.sum().clamp(min=1e-30)
    return (centered @ (found * largest.sign())).float(), shares.float()


def nearest_neighbors(vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Of each of N vectors (N, C) the ``count`` others at the smallest angle, nearest first: cosines and indices.

    Both are (N, count), or (N, N - 1) where there are fewer.
    """
    unit = vectors.detach().float().cpu()
    unit = unit / unit.norm(dim=-1, keepdim=True).clamp(min=1e-9)  # (N, C)
    found = []
    for start in range(0, len(unit), ROWS):
        cosines = unit[start : start + ROWS] @ unit.T  # (R, N)
        cosines[torch.arange(len(cosines)), torch.arange(len(cosines)) + start] = -2.0  # each one's nearest is itself
        found.append(cosines.topk(min(count, len(unit) - 1)))
    return torch.cat([best.values for best in found]), torch.cat([best.indices for best in found])
