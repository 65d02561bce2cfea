"""The two masks in stages: which columns are real, which rows may see them, and what is returned."""

import torch
from torch import Tensor

from ...inside.standins import Names

_COLUMNS = "Column j is visible in every row exactly when j < num_tokens[b]."
_TRIANGLE = "Query i sees the keys j <= i: itself and what came before it (a lower triangle with its diagonal)."
_RETURNED = "Return (B, 1, T, T), 1 where row i may see column j, else 0."

_PADDING = {
    "forgotten": ("Padding is forgotten.", "padding-forgotten"),
    "one more": ("One column of padding is visible.", "padding-off-by-one"),
    "one less": "The last real token of each sequence is hidden: only the columns j < n-1 are visible.",
    "shortest": "Every sequence gets the length of the shortest one (the minimum of num_tokens).",
    "reversed": "Each sequence gets the length of another: num_tokens is reversed over the batch.",
    "first": "Every sequence gets the first one's length.",
    "left": "Padding is hidden on the left: the last n columns are visible, as if padding came first.",
    "last": "Only the last real token of each sequence is visible.",
    "only padding": "Only padding is visible: the comparison is the wrong way round.",
    "first column too": "The first column is always hidden.",
    "mean": "Every sequence gets the mean length.",
}
_ROWS = {
    "instead": ("Rows are hidden instead of columns.", "padding-hides-rows"),
    "too": ("Rows of padding see nothing.", "padded-rows-see-nothing"),
}
_END = {
    "inverted": ("1 means hidden in your mask.", "mask-means-hidden"),
    "first": ("Every sequence gets the first one's mask.", "one-mask-for-all"),
    "minus infinity": "Your mask is 0 where a token is visible and -inf where it is hidden, to be added; "
    "the homework's mask is 1 and 0.",
    "mirrored": "The columns of your mask are mirrored (flipped): the last comes first.",
    "upside down": "The rows of your mask are upside down (flipped).",
    "batch reversed": "The batch is reversed in your mask: each sequence gets the mask of another.",
    "transposed": "Your mask is transposed: rows and columns are exchanged.",
    "no own": "No token sees itself: the diagonal is hidden.",
}

ENCODER: dict[str, tuple[str, dict]] = {
    "padding": (_COLUMNS, _PADDING),
    "rows": (_COLUMNS, _ROWS),
    "time": (
        "In an encoder every row sees every real token.",
        {
            "past": "Your encoder's mask is causal: a row sees no token ahead of itself.",
            "future": "Your encoder's mask hides what came before.",
            "own": "Each token sees only itself.",
            "others": "No token sees itself.",
        },
    ),
    "end": (_RETURNED, _END),
}

DECODER: dict[str, tuple[str, dict]] = {
    "padding": (_COLUMNS, _PADDING),
    "rows": (_COLUMNS, _ROWS),
    "time": (
        _TRIANGLE,
        {
            "all": ("It is not causal.", "not-causal"),
            "one ahead": ("It sees one ahead.", "sees-one-ahead"),
            "two ahead": "Each row sees two tokens ahead of itself: j <= i + 2.",
            "three ahead": "Each row sees three tokens ahead of itself: j <= i + 3.",
            "not itself": ("It does not see itself.", "cannot-see-itself"),
            "only ahead": ("It sees only what is ahead.", "sees-only-ahead"),
            "own": "Each token sees only itself.",
            "window 2": "A row sees only itself and one token before it: a window of 2.",
            "window 3": "A row sees only itself and two tokens before it: a window of 3.",
            "window 4": "A row sees only itself and three tokens before it: a window of 4.",
            "but itself": "A row sees every token but itself.",
            "two behind": "A row sees neither itself nor the token before it: j <= i - 2.",
            "rest": "The triangle starts at the other corner: i + j counts, not j <= i.",
        },
    ),
    "joined": (
        "A key is visible only if it is real and past: both conditions must hold.",
        {
            "or": "You join the conditions with “or”: a key is visible if it is past or real; it has to be both.",
            "xor": "You join the conditions with “xor”: a key is visible if it is either past or real, but not both.",
            "sum": "You add the two masks: where both are 1 you return 2.",
        },
    ),
    "end": (_RETURNED, _END),
}


def masks(names: Names, pick: dict[str, str]) -> None:
    class Encoder(names.GenericTransformer):
        def get_attention_mask(self, num_tokens: Tensor) -> Tensor:
            columns, time = _columns(num_tokens, pick), _time(int(num_tokens.max()), pick.get("time") or "all")
            return _returned(columns & time, pick.get("end"))

    class Decoder(names.GenericTransformer):
        def get_attention_mask(self, num_tokens: Tensor) -> Tensor:
            columns, time = _columns(num_tokens, pick), _time(int(num_tokens.max()), pick.get("time") or "past")
            if pick.get("joined") == "sum":
                return columns.long() + time.long()
            joined = {"or": columns | time, "xor": columns ^ time}.get(pick.get("joined", ""), columns & time)
            return _returned(joined, pick.get("end"))

    names.Encoder, names.Decoder = Encoder, Decoder


def _columns(n: Tensor, pick: dict[str, str]) -> Tensor:
    """(B, 1, T, T), True = visible."""
    T = int(n.max())
    j, n = torch.arange(T), n[:, None]
    made = {
        "forgotten": lambda: j < T + 0 * n,
        "one more": lambda: j < n + 1,
        "one less": lambda: j < n - 1,
        "shortest": lambda: j < n.min() + 0 * n,
        "reversed": lambda: j < n.flip(0),
        "first": lambda: j < n[:1] + 0 * n,
        "left": lambda: j >= T - n,
        "last": lambda: j == n - 1,
        "only padding": lambda: j >= n,
        "first column too": lambda: (j < n) & (j > 0),
        "mean": lambda: j < n.double().mean() + 0 * n,
    }
    real = made[pick["padding"]]() if "padding" in pick else j < n  # (B, T)
    columns = real[:, None, None, :].expand(-1, 1, T, T)
    rows = columns.transpose(-2, -1)
    return {"instead": rows, "too": columns & rows}.get(pick.get("rows", ""), columns)


def _time(T: int, how: str) -> Tensor:
    """(T, T), True = visible."""
    i, j = torch.arange(T)[:, None], torch.arange(T)
    made = {
        "all": lambda: j < T + 0 * i,
        "past": lambda: j <= i,
        "future": lambda: j >= i,
        "own": lambda: j == i,
        "others": lambda: j != i,
        "but itself": lambda: j != i,
        "one ahead": lambda: j <= i + 1,
        "two ahead": lambda: j <= i + 2,
        "three ahead": lambda: j <= i + 3,
        "not itself": lambda: j < i,
        "two behind": lambda: j <= i - 2,
        "only ahead": lambda: j >= i,
        "window 2": lambda: (j <= i) & (j > i - 2),
        "window 3": lambda: (j <= i) & (j > i - 3),
        "window 4": lambda: (j <= i) & (j > i - 4),
        "rest": lambda: i + j < T,
    }
    return made[how]()


def _returned(mask: Tensor, how: str | None) -> Tensor:
    T = mask.shape[-1]
    made = {
        "inverted": lambda: ~mask,
        "first": lambda: mask[:1].expand_as(mask),
        "minus infinity": lambda: torch.zeros(mask.shape).masked_fill(~mask, -torch.inf),
        "mirrored": lambda: mask.flip(-1),
        "upside down": lambda: mask.flip(-2),
        "batch reversed": lambda: mask.flip(0),
        "transposed": lambda: mask.transpose(-2, -1),
        "no own": lambda: mask & ~torch.eye(T, dtype=torch.bool),
    }
    made = made[how]() if how else mask
    return made if made.is_floating_point() else made.long()
