"""Attention without a mask, as an encoder's: every number that the views draw from, against torch."""

import pytest
import torch

T, L, H = 7, 3, 2
ROWS = """({ drawn }, numbers, focus) => {
    const tokens = Array.from({ length: 7 }, (_, i) => ({ text: String(i) }));
    const pattern = { data: Uint16Array.from(numbers), shape: [3, 2, 7, 7] };
    const shown = drawn({ mask: "none", tokens, names: { pattern: "p" }, arrays: { pattern } }, focus);
    const states = tokens.flatMap((_, q) => tokens.map((_, k) => shown.state(q, k)));
    return [tokens.map((_, q) => Array.from(shown.row(q))), [...new Set(states)].sort(), shown.open];
}"""
READ = """({ reading }, column) => {
    const shown = { hidden: false, last: () => 6, at: (q, k) => 10 * q + k, state: () => "seen", off: () => 0 };
    const focus = { draw: "matrix", read: column ? "column" : "row", query: 2, key: 2 };
    return reading({ tokens: Array(7) }, focus, shown).others.map(({ place, p }) => [place, p]);
}"""
PAINTED = """({ drawThumbnail }) => {
    const canvas = document.createElement("canvas");
    drawThumbnail(canvas, { rows: 2, columns: 2, value: () => 1, scale: { pixel: () => 0xff000007 } });
    return [...new Uint32Array(canvas.getContext("2d").getImageData(0, 0, 2, 2).data.buffer)];
}"""


@pytest.fixture(scope="module")
def units() -> torch.Tensor:
    """Patterns as they travel, (L, H, T, T), whole numbers of 1/65535."""
    torch.manual_seed(0)
    return (torch.randn(L, H, T, T, dtype=torch.double).softmax(-1) * 65535).round()


def rows(js, units: torch.Tensor, **focus) -> torch.Tensor:
    found, states, is_open = js(
        "patterns/drawn", ROWS, units.flatten().tolist(), {"layer": 1, "head": 1, "by": "one", **focus}
    )
    assert is_open and "later" not in states
    return torch.tensor(found, dtype=torch.double)


def test_rows_hold_all_keys(js, units):
    pattern = units / 65535
    same = {"atol": 1e-12, "rtol": 0}
    torch.testing.assert_close(rows(js, units), pattern[1, 1], **same)
    torch.testing.assert_close(rows(js, units, by="mean", over="heads"), pattern[1].mean(0), **same)
    torch.testing.assert_close(rows(js, units, by="mean", over="all"), pattern.mean((0, 1)), **same)
    torch.testing.assert_close(rows(js, units, by="max", over="layers"), pattern[:, 1].amax(0), **same)


def test_without_the_first_token_every_row_is_divided_by_what_is_left(js, units):
    pattern = units[1, 1] / 65535
    expected = pattern.clone()
    expected[:, 0] = 0
    expected /= 1 - pattern[:, :1]
    torch.testing.assert_close(rows(js, units, sink="hidden"), expected, atol=1e-12, rtol=0)


def test_rollout_goes_both_ways(js, units):
    mixed = (units.mean(1) / 65535 + torch.eye(T)) / (units.mean(1).sum(-1, keepdim=True) / 65535 + 1)  # (L, T, T)
    torch.testing.assert_close(rows(js, units, draw="flow"), mixed[2] @ mixed[1] @ mixed[0], atol=1e-12, rtol=0)


def test_a_token_is_read_in_both_directions(js):
    assert js("patterns/reading", READ, False) == [[k, 20 + k] for k in range(T)]
    assert js("patterns/reading", READ, True) == [[q, 10 * q + 2] for q in range(T)]


def test_every_cell_is_painted(js):
    assert js("matrix/matrix", PAINTED) == [0xFF000007] * 4
