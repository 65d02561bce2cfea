"""Rows of different length as one tensor."""

import torch
from torch import Tensor


def pad(rows: list[list[int]], filler: int, side: str = "right", length: int | None = None) -> tuple[Tensor, Tensor]:
    """Rows of different length -> ids (B, T) filled up with ``filler``, and the mask (B, T), True = real.

    T is the longest row's, or ``length``.
    """
    T = length or max(map(len, rows))
    ids = torch.full((len(rows), T), filler, dtype=torch.long)
    mask = torch.zeros(len(rows), T, dtype=torch.bool)
    for i, row in enumerate(rows):
        place = slice(0, len(row)) if side == "right" else slice(T - len(row), T)
        ids[i, place] = torch.tensor(row, dtype=torch.long)
        mask[i, place] = True
    return ids, mask
