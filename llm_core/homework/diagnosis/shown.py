"""Two tensors beside each other, cut to what fits on a page: plain lists, as a report carries them."""

import math

import torch
from torch import Tensor

from .places import Place

MOST = 16  # rows and columns


def difference(place: Place) -> dict:
    """The two-dimensional cut that holds the first cell that differs; numbers that are not finite become None."""
    expected, found = place.expected.double(), place.found.double()
    if expected.shape != found.shape and expected.squeeze().shape == found.squeeze().shape:
        found = found.reshape(expected.shape)
    if expected.shape != found.shape:
        return _of_unequal_shapes(place.name, expected, found)
    differs = ~torch.isclose(expected, found, rtol=1e-4, atol=2e-5, equal_nan=True)
    index = [int(i) for i in differs.nonzero()[0]] if differs.any() else [0] * expected.dim()
    where = f"first tensor that differs; its first differing cell is at {index}" if index else "a single number"
    cut, first_row, first_column = _cut(expected.dim(), index)
    rows, columns, cells = _table(expected[cut]), _table(found[cut]), _table(differs[cut])
    return _told(place.name, where, list(expected.shape), index, rows, columns, cells, first_row, first_column)


def _of_unequal_shapes(name: str, expected: Tensor, found: Tensor) -> dict:
    """Their corners, every cell marked."""
    where = f"expected shape {tuple(expected.shape)}, found {tuple(found.shape)}"
    a, b = (_table(x[_cut(x.dim(), [0] * x.dim())[0]]) if x.numel() else torch.zeros(1, 1) for x in (expected, found))
    R, K = min(len(a), len(b)), min(a.shape[1], b.shape[1])
    every = torch.ones(R, K, dtype=torch.bool)
    return _told(name, where, list(found.shape), [0] * found.dim(), a[:R, :K], b[:R, :K], every, 0, 0)


def _cut(dim: int, index: list[int]) -> tuple[tuple, int, int]:
    """The last two dimensions from a row and a column on, such that the cell is inside."""
    starts = [max(0, i - MOST + 1) for i in index[-2:]]
    cut = (*index[:-2], *(slice(start, start + MOST) for start in starts))
    row, column = [0, 0, *starts][-2:]
    return cut, row, column


def _table(x: Tensor) -> Tensor:
    return x.reshape(1, -1) if x.dim() < 2 else x


def _told(name, where, shape, index, expected, found, differs, first_row, first_column) -> dict:
    return {
        "tensor": name,
        "where": where,
        "shape": shape,
        "index": index,
        "rows": [str(first_row + i) for i in range(len(expected))],
        "columns": [str(first_column + i) for i in range(expected.shape[1])],
        "expected": plain(expected),
        "found": plain(found),
        "differs": differs.tolist(),
    }


def plain(x: Tensor) -> list:
    """(R, K) -> rows of numbers of six digits, None where NaN or infinite."""
    return [[float(f"{value:.6g}") if math.isfinite(value) else None for value in row] for row in x.tolist()]
