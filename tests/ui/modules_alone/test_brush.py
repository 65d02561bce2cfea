"""The part of a long matrix that is drawn large: which it is, where it goes, and that its cells are at true places."""

import base64
from itertools import product

import numpy as np
import pytest

from explorer.engine.payload import pack

T, COUNT = 47, 13
READ = """({readBrush, writeBrush}, T, all) => all.map((brush) => {
    const square = readBrush(brush, T);
    return square && [square.row, square.column, square.count, writeBrush(square, T)];
})"""
FOLLOWING = "({following}, T, all) => all.map(([square, chosen]) => following(square, chosen, T))"
SETTLED = """({settled}, all) => {
    let before = null;
    return all.map((now) => (before = settled(before, { ...now, brush: now.brush ?? before.brush })));
}"""


def square(row: int, column: int, count: int = COUNT) -> dict:
    return {"row": row, "column": column, "count": count}


def test_a_brush_is_read_as_a_square_in_the_matrix(js):
    said = ["", "whole", "31.5.13", "46.46.13", "0.40.7", "3.3.1", "9.9.99999"]
    assert js("matrix/brush", READ, T, said) == [
        None, [0, 0, 47, "whole"], [31, 5, 13, "31.5.13"], [34, 34, 13, "34.34.13"], [0, 40, 7, "0.40.7"],
        [3, 3, 6, "3.3.6"], [0, 0, 47, "whole"],
    ]  # fmt: skip


def test_it_moves_to_what_is_chosen_as_little_as_can_be(js):
    places = [0, 4, 11, 17, 30, 31, 46]
    cases = [
        [square(row, column), {"query": query, "key": key}]
        for row, column, query, key in product([0, 11, 34], [0, 5, 34], [None, *places], [None, *places])
    ]
    found = js("matrix/brush", FOLLOWING, T, cases)
    for (before, chosen), after in zip(cases, found):
        query, key = chosen["query"], chosen["key"]
        rows, columns = (range(after[name], after[name] + COUNT) for name in ("row", "column"))
        assert min(rows[0], columns[0]) >= 0 and max(rows[-1], columns[-1]) < T
        assert query is None or query in rows
        assert key is None or key in columns
        if query is not None and key is not None:
            for name, place in (("row", query), ("column", key)):
                far = max(before[name] - place, place - before[name] - COUNT + 1, 0)
                assert abs(after[name] - before[name]) == far
        elif query is not None:
            assert columns[0] <= query, "something that the row sees"
        elif key is not None:
            assert rows[-1] >= key, "something that sees the column"
        else:
            assert after == before
    assert len(cases) == 576


def test_sizes_keep_an_end_of_it(js):
    sizes = """({sized, stretched, around}, T) => [
        sized({ row: 20, column: 9, count: 13 }, 1, T), sized({ row: 20, column: 9, count: 13 }, -1, T),
        sized({ row: 2, column: 1, count: 13 }, 1, T), sized({ row: 0, column: 0, count: 13 }, 99, T),
        sized({ row: 20, column: 9, count: 13 }, -99, T),
        stretched({ row: 20, column: 9 }, { row: 29.4, column: 30.2 }, T),
        stretched({ row: 20, column: 9 }, { row: 99, column: 99 }, T),
        stretched({ row: 20, column: 9 }, { row: 3, column: 2 }, T),
        around({ row: 20.5, column: 30 }, 13, T), around({ row: 1, column: 46 }, 13, T)]"""
    assert js("matrix/brush", sizes, T) == [
        square(17, 6, 16), square(23, 12, 10), square(0, 0, 16), square(0, 0, 47), square(27, 16, 6),
        square(20, 9, 21), square(20, 9, 27), square(20, 9, 6), square(14, 24), square(0, 34),
    ]  # fmt: skip


def test_what_is_not_asked_for_is_whole_or_has_the_chosen_rows_end(js):
    at = {"T": T, "most": COUNT, "brush": "", "query": None, "key": None}
    alone = [
        (at, square(34, 34)),
        ({**at, "most": 47}, square(0, 0, 47)),
        ({**at, "query": 20}, square(8, 8)),
        ({**at, "query": 40, "key": 2}, square(34, 2)),
        ({**at, "T": 40, "most": 5, "brush": "3.3.9"}, square(0, 0, 40)),
    ]
    for now, expected in alone:
        (found,) = js("matrix/brush", SETTLED, [now])
        assert found["square"] == expected and found["brush"] == now["brush"]


def test_it_stays_where_it_was_put_until_something_else_is_chosen(js):
    at = {"T": T, "most": COUNT, "query": 46, "key": None}
    steps = [
        ({"brush": "2.1.9"}, "2.1.9"),
        ({"most": 21}, "2.1.9"),
        ({"query": 5}, "2.1.9"),
        ({"query": 20}, "12.12.9"),
        ({"key": 30, "query": 33}, "25.22.9"),
        ({"brush": "0.0.8"}, "0.0.8"),
        ({"brush": "whole"}, "whole"),
        ({"query": 1}, "whole"),
        ({"brush": ""}, ""),
    ]
    all_, now = [], dict(at)
    for change, _ in steps:
        now = {**{name: value for name, value in now.items() if name != "brush"}, **change}
        all_.append(now)
    found = js("matrix/brush", SETTLED, all_)
    assert [one["brush"] for one in found] == [brush for _, brush in steps]
    assert found[-1]["square"] == square(1, 26, 21)


def long_payload() -> tuple[str, np.ndarray]:
    """One layer, two heads and T tokens."""
    pattern = np.tril(np.random.default_rng(8).random((1, 2, T, T)) ** 4)
    pattern /= pattern.sum(-1, keepdims=True)
    tokens = [{"id": i, "text": f"t{i}", "special": False, "partial": False} for i in range(T)]
    header = {"tokens": tokens, "names": {"pattern": "blocks.{layer}.attn.pattern"}}
    return base64.b64encode(pack(header, {"pattern": ("unit16", pattern)})).decode(), pattern


@pytest.mark.parametrize(("brush", "sink"), [("31.5.13", "shown"), ("20.17.9", "shown"), ("30.0.11", "hidden")])
def test_cells_of_a_part_have_the_colours_and_the_places_of_the_whole(js, brush, sink):
    """Read back from the canvas; where the mask hides a cell, there is no colour of the scale."""
    payload, pattern = long_payload()
    cells = js(
        "attention/weights",
        """async ({drawWeights}, bytes, brush, sink, count) => {
            const { parsePayload } = await import("/base/payload.mjs");
            const { sequential } = await import("/color/scale.mjs");
            const { cellAt, edgeAt } = await import("/matrix/layout.mjs");
            const canvas = document.createElement("canvas");
            const focus = { layer: 0, head: 1, query: 0, key: null, by: "one", margins: "on", sink, brush };
            const layout = drawWeights(canvas, { width: 500 }, parsePayload(buffer(bytes)), focus, 0, false);
            const { left, top, cell } = layout;
            const context = canvas.getContext("2d");
            const range = Array.from({ length: count * count }, (_, i) => [Math.floor(i / count), i % count]);
            return range.map(([row, column]) => {
                const [x, y] = [left + column * cell.width + 4, top + row * cell.height + 5];
                const [r, g, b] = context.getImageData(x * devicePixelRatio, y * devicePixelRatio, 1, 1).data;
                return [cellAt(layout, x, y), edgeAt(layout, x, top - 9), edgeAt(layout, left - 9, y), [r, g, b]];
            });
        }""",
        payload,
        brush,
        sink,
        int(brush.split(".")[2]),
    )
    row, column, count = (int(number) for number in brush.split("."))
    colour = "({sequential}, all) => all.map((p) => sequential(false).css(p).match(/\\d+/g).map(Number))"
    places = [(row + i, column + j) for i in range(count) for j in range(count)]
    assert [at for at, *_ in cells] == [{"row": q, "column": k} for q, k in places]
    assert [above for _, above, *_ in cells] == [{"column": k} for _, k in places]
    assert [beside for _, _, beside, _ in cells] == [{"row": q} for q, _ in places]
    seen = [i for i, (q, k) in enumerate(places) if k <= q and not (sink == "hidden" and k == 0)]
    weights = [pattern[0, 1][places[i]] / (1 - pattern[0, 1, places[i][0], 0] if sink == "hidden" else 1) for i in seen]
    expected = js("color/scale", colour, weights)
    for i, rgb in zip(seen, expected):
        assert np.abs(np.array(cells[i][3]) - rgb).max() <= 3, places[i]
    assert len(seen) >= 45
