"""Numbers of heads and layers as rows: a pandas.DataFrame where pandas is installed, a list of dicts elsewhere."""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor


def table(rows: Iterable[Mapping[str, Any]]) -> Any:
    """``rows``, each by column, as a ``pandas.DataFrame``; without pandas a list of dicts."""
    found = [dict(row) for row in rows]
    try:
        from pandas import DataFrame
    except ImportError:
        return found
    return DataFrame(found)


def head_table(columns: Mapping[str, Tensor]) -> Any:
    """Tensors (L, H) by name, as a table: a row for each head, ``layer`` and ``head`` first."""
    L, H = next(iter(columns.values())).shape
    return table(
        {"layer": i, "head": h, **{name: tensor[i, h].item() for name, tensor in columns.items()}}
        for i in range(L)
        for h in range(H)
    )
