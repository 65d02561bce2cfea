"""The pure modules of lessons: geometry, motion, formulas, colours, addresses; values computed here."""

import math
from itertools import pairwise

import numpy as np
import pytest

PANEL = {
    "name": "p", "letters": ["B", "H", "T", "D"], "rows": [], "columns": [], "blocks": [], "tape": None, "origin": None,
    "hidden": None, "formula": None, "where": "", "decimals": 2, "color": "diverging", "limit": None, "width": 1,
}  # fmt: skip
SHAPES = [[5], [2, 3], [1, 3, 4], [2, 3, 4, 5], [1, 8, 9, 32], [6, 8, 9, 9], [9, 256], [1, 1]]


# geometry.mjs


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("width", [330, 640, 1100])
def test_every_cell_is_found_under_its_own_middle_and_none_overlap(js, shape, width):
    found = js(
        "learn/geometry",
        """({measure, cornerOf, cellUnder}, panel, shape, width) => {
            const g = measure(panel, shape, width);
            const size = shape.reduce((a, b) => a * b, 1);
            const corners = Array.from({ length: size }, (_, i) => cornerOf(g, i));
            const middles = corners.map(([x, y]) => [x + g.cw / 2, y + g.ch / 2]);
            const hits = middles.map(([x, y]) => cellUnder(g, x, y));
            return { hits, middles, box: [g.width, g.height], outside: cellUnder(g, -1, -1) };
        }""",
        PANEL, shape, width,
    )  # fmt: skip
    assert found["hits"] == list(range(math.prod(shape))) and found["outside"] is None
    x, y = np.array(found["middles"]).T
    assert x.max() < found["box"][0] <= width + 1 and y.max() < found["box"][1]
    assert len({(round(a, 3), round(b, 3)) for a, b in zip(x, y)}) == math.prod(shape)


def test_blocks_of_two_outer_dimensions_form_a_grid(js):
    corners = js(
        "learn/geometry",
        "({measure, blockAt}, panel) => [0, 1, 3].map((b) => blockAt(measure(panel, [2, 3, 4, 4], 900), b))",
        PANEL,
    )
    (x0, y0), (x1, y1), (x3, y3) = corners
    assert y0 == y1 and x1 > x0 and x3 == x0 and y3 > y0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_indices_are_numpys(js, shape):
    size = math.prod(shape)
    indices = js(
        "learn/geometry", "({indexOf}, n, shape) => [...Array(n).keys()].map(i => indexOf(i, shape))", size, shape
    )
    assert indices == [list(map(int, np.unravel_index(i, shape))) for i in range(size)]
    flats = js("learn/geometry", "({flatOf}, all, shape) => all.map(i => flatOf(i, shape))", indices, shape)
    assert flats == list(range(size))


def test_a_long_memory_has_no_tape_and_a_short_one_is_one_line(js):
    panel = {**PANEL, "tape": {"strides": [1], "offset": 0, "block": 0}}
    call = "({measure}, panel) => measure(panel, [1, 3, 4], 330)"
    assert js("learn/geometry", call, {**panel, "tapeSize": 65})["tape"] is None
    tape = js("learn/geometry", call, {**panel, "tapeSize": 64})["tape"]
    assert 64 * tape["cell"] + 20 == tape["width"] > 330  # it scrolls


# motion.mjs


def test_a_cell_comes_from_its_own_panel_first_then_from_any_then_from_nowhere(js):
    before = {"length": 3, "key": ["a#0", "a#1", "a#1"], "panel": ["x", "x", "y"]}
    after = {"length": 4, "key": ["a#1", "a#1", "a#0", "b#0"], "panel": ["y", "x", "z", "x"]}
    assert js("learn/motion", "({origins}, a, b) => [...origins(a, b)]", before, after) == [2, 1, 0, -1]


def test_motion_starts_and_ends_at_rest_and_never_goes_back(js):
    steps = js("learn/motion", "({ease}) => Array.from({ length: 101 }, (_, i) => ease(i / 100))")
    assert steps[0] == 0 and steps[100] == 1 and steps[50] == pytest.approx(0.5)
    assert all(a <= b for a, b in pairwise(steps)) and steps[5] < 0.01 and steps[95] > 0.99


# formula.mjs

T, S, D = 3, 5, 4
Q, K = np.random.default_rng(1).normal(size=(2, 5, D)).astype(np.float32)
Q, BIAS = Q[:T], np.float32([0.5, -1, 2, 0.25, 3])
ARRAYS = {
    "q": Q, "k": K, "bias": BIAS, "products": Q @ K.T + BIAS, "hidden": np.triu(np.ones((T, S), int), 2),
    "softmax": np.exp(Q @ K.T) / np.exp(Q @ K.T).sum(1, keepdims=True), "scores": Q @ K.T,
    "row": np.arange(S)[None], "column": np.arange(T)[:, None], "both": np.outer(np.arange(T), np.arange(S)),
}  # fmt: skip


def explained(js, formula: dict, values: str, index: list[int], **more) -> dict:
    panel = {**PANEL, "letters": ["T", "S"], "values": values, "formula": formula, **more}
    arrays = {name: {"data": array.flatten().tolist(), "shape": list(array.shape)} for name, array in ARRAYS.items()}
    return js(
        "learn/formula",
        "({explain}, arrays, panel, flat) => explain({ arrays }, panel, flat)",
        arrays, panel, int(np.ravel_multi_index(index, ARRAYS[values].shape)),
    )  # fmt: skip


def operand(name: str, letters: str) -> dict:
    return {"name": name, "values": name, "letters": letters}


NOTHING = {"a": None, "b": None, "bias": None, "over": "", "number": None, "number_text": ""}


def test_products_are_written_out_term_by_term_with_their_bias(js):
    formula = {**NOTHING, "kind": "products", "a": operand("q", "TD"), "b": operand("k", "SD"), "over": "D"}
    formula["bias"] = operand("bias", "S")
    told = explained(js, formula, "products", [1, 4], where="blocks.0.x[0, {1}, {0}]")
    rows = told["terms"]["rows"]
    assert [row[0] for row in rows] == [f"q[1, {d}]" for d in range(D)]
    assert [row[2] for row in rows] == [f"k[4, {d}]" for d in range(D)]
    assert [float(row[4]) for row in rows] == pytest.approx((Q[1] * K[4]).tolist(), abs=1e-4)
    assert told["value"] == pytest.approx(float(Q[1] @ K[4] + 3), abs=1e-5)
    assert told["where"] == "blocks.0.x[0, 4, 1]"
    assert f"= {Q[1] @ K[4]:.4f}, plus the bias bias[4] = 3.0000 gives {Q[1] @ K[4] + 3:.4f}" in told["lines"][0]
    assert told["lit"] == [["q", [4, 5, 6, 7]], ["k", [16, 17, 18, 19]], ["bias", [4]]]


def test_softmax_writes_largest_sum_and_share(js):
    formula = {**NOTHING, "kind": "softmax", "a": operand("scores", "TS"), "over": "S"}
    told = explained(js, formula, "softmax", [2, 1])
    scores = (Q @ K.T)[2]
    powers = np.exp(scores - scores.max())
    assert [float(row[4]) for row in told["terms"]["rows"]] == pytest.approx((powers / powers.sum()).tolist(), abs=1e-4)
    assert f"{scores.max():.4f}" in told["lines"][0] and f"{powers.sum():.4f}" in told["lines"][0]
    assert told["lines"][1].endswith(f"= {powers[1] / powers.sum():.4f}")


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("product", lambda a, b: a * b),
        ("sum", lambda a, b: a + b),
        ("difference", lambda a, b: a - b),
        ("ratio", lambda a, b: a / b),
    ],
)
def test_pairs_are_computed_cell_by_cell(js, kind, result):
    formula = {**NOTHING, "kind": kind, "a": operand("scores", "TS"), "b": operand("bias", "S")}
    told = explained(js, formula, "scores", [0, 3])
    assert told["lines"][0].endswith(f"= {result((Q @ K.T)[0, 3], BIAS[3]):.4f}")


def test_an_operand_of_size_one_counts_for_every_index_as_in_torch(js):
    """A row (1, S) and a column (T, 1), as masks have them; whole numbers stay whole."""
    formula = {**NOTHING, "kind": "product", "a": operand("row", "TS"), "b": operand("column", "TS")}
    told = explained(js, formula, "both", [2, 3], decimals=0)
    assert told["lines"] == ["row[0, 3] × column[2, 0] = 3 × 2 = 6"] and told["value"] == 6
    assert told["lit"] == [["row", [3]], ["column", [2]]]


def test_quotients_copies_and_hidden_cells_say_what_they_are(js):
    score = (Q @ K.T)[1, 3]
    formula = {**NOTHING, "kind": "quotient", "a": operand("scores", "TS"), "number": 2.0, "number_text": "√4"}
    assert explained(js, formula, "scores", [1, 3])["lines"] == [
        f"scores[1, 3] / √4 = {score:.4f} / 2.0000 = {score / 2:.4f}"
    ]
    formula = {**NOTHING, "kind": "copy", "a": operand("scores", "TS")}
    assert explained(js, formula, "scores", [1, 3])["lines"] == [f"the same number as scores[1, 3] = {score:.4f}"]
    formula = {**NOTHING, "kind": "hidden", "a": operand("scores", "TS")}
    told = explained(js, formula, "scores", [1, 3], hidden="hidden")
    assert told["hidden"] and told["lines"] == [f"hidden: {score:.4f} becomes -∞, and e^-∞ is 0"]
    assert explained(js, formula, "scores", [1, 2], hidden="hidden")["lines"][0].startswith("visible: stays")


def test_a_tape_tells_the_place_beside_the_formula(js):
    tape = {"strides": [5, 1], "offset": 2, "block": 0}
    formula = {**NOTHING, "kind": "copy", "a": operand("scores", "TS")}
    told = explained(js, formula, "scores", [1, 3], tape=tape)
    assert (
        told["place"] == 10 and told["lines"][0] == "place in memory = 2 + 1·5 + 3·1 = 10" and len(told["lines"]) == 2
    )


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        ("NaN", 4, "NaN"),
        ("Infinity", 4, "∞"),
        ("-Infinity", 2, "-∞"),
        ("0.12345", 4, "0.1235"),
        ("7", 0, "7"),
        ("-0.0000123", 4, "-1.2e-5"),
        ("0.001", 2, "0.00"),
        ("0", 4, "0.0000"),
    ],
)
def test_numbers_are_written_as_they_are(js, number, decimals, text):
    assert js("learn/formula", f"({{number}}, d) => number({number}, d)", decimals) == text


# scale.mjs

CHANNELS = "const rgb = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];"


@pytest.mark.parametrize("dark", [False, True])
def test_tokens_have_colours_that_can_be_told_apart(js, dark):
    tokens = "Array.from({ length: 16 }, (_, token) => rgb(tokenColor(token, 1, dark)))"
    code = f"({{tokenColor}}, dark) => {{ {CHANNELS} return {tokens}; }}"
    colors = js("color/scale", code, dark)
    distances = [math.dist(a, b) for i, a in enumerate(colors) for b in colors[i + 1 :]]
    assert min(distances) > 40


def test_diverging_colours_are_centred_at_zero_and_show_what_is_no_number(js):
    low, zero, high, none = js("color/scale", "({diverging}) => [-2, 0, 2, NaN].map(diverging(2, false).css)")
    assert zero == "rgb(247 247 247)" and len({low, zero, high, none}) == 4
    ends = """({DIVERGING, ROLES}) => {
        const css = (hex) => `rgb(${[1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)).join(" ")})`;
        return [DIVERGING.light[0], DIVERGING.light[2], ROLES.bad[0]].map(css);
    }"""
    assert js("color/palette", ends) == [low, high, none]
    assert js("color/scale", "({diverging}) => [-9, 9, NaN].map(diverging(2, false).pixel)[2]") == 0, "hatched"
    assert js("color/scale", "({diverging}) => [-9, 9].map(diverging(2, false).css)") == [low, high]
    assert js("learn/colors", "({limitOf}) => limitOf({ limit: null }, [-3, 1, Infinity, NaN])") == 3
    assert js("color/scale", "({diverging}) => diverging(0, false).css(1)") == zero


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_on_any_colour_can_be_read(js, dark):
    """Contrast of at least 4.5 by the formula of WCAG 2.1."""
    pairs = js(
        "color/scale",
        f"""({{tokenColor, diverging, sequential, inkOn}}, dark) => {{
            {CHANNELS}
            return [
                ...Array.from({{ length: 64 }}, (_, i) => tokenColor(i % 16, i / 63, dark)),
                ...Array.from({{ length: 64 }}, (_, i) => diverging(1, dark).pixel(i / 32 - 1)),
                ...Array.from({{ length: 64 }}, (_, i) => sequential(dark).pixel(i / 63)),
            ].map((color) => [rgb(color), inkOn(color)]);
        }}""",
        dark,
    )
    assert all(contrast(color, {"#000": [0, 0, 0], "#fff": [255, 255, 255]}[ink]) >= 4.5 for color, ink in pairs)


def contrast(a: list[float], b: list[float]) -> float:
    lighter, darker = sorted((luminance(a), luminance(b)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: list[float]) -> float:
    parts = [c / 255 for c in color]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_names_on_the_map_do_not_cover_each_other_and_lead_to_their_points(js):
    """In the width of a phone, of a screen, and for points at the right edge; the tails of arrows in px of the plot."""
    extent = {"left": -3, "right": 3, "low": -1, "high": 1}
    close = [{"x": -0.3 + 0.05 * i, "y": -0.3 + 0.011 * (i * 5 % 9), "text": f"name {i}"} for i in range(9)]
    edge = [{**point, "x": 2.9} for point in close]
    for points, width, height in ((close, 298, 350), (close, 700, 460), (edge, 298, 350), (close[:1], 298, 350)):
        size = {"width": width, "height": height}
        found = js("learn/map/callouts", "({callouts}, ...given) => callouts(...given)", points, extent, size)
        assert sorted(one["text"] for one in found) == sorted(point["text"] for point in points)
        heads = [((one["x"] + 3) / 6 * width, (1 - one["y"]) / 2 * height) for one in found]
        tails = [(x + one["ax"], y + one["ay"]) for (x, y), one in zip(heads, found)]
        down = [y for _, y in tails]
        assert [y for _, y in heads] == sorted(y for _, y in heads)  # so that no line crosses another
        assert all(b - a >= 19 - 1e-9 for a, b in pairwise(down))
        assert min(down) >= 0 and max(down) <= height
        right = found[0]["xanchor"] == "left"
        assert all(
            (x <= width - 76 if right else x >= 76) and one["xanchor"] == found[0]["xanchor"]
            for (x, _), one in zip(tails, found)
        )


def test_a_number_far_too_long_for_its_cell_is_a_power_of_ten(js):
    cases = [[-1e4, 1, 46], [-1e4, 1, 90], [50256, 0, 20], [-0.17, 2, 36], [23456.7, 1, 40]]
    short = "(m, cases) => cases.map(([value, decimals, cw]) => m.inCell(value, decimals, { cw, large: 1 }))"
    assert js("learn/formula", short, cases) == ["-1e4", "-10000.0", "50256", "-0.17", "2.3e4"]


def test_a_step_says_whose_numbers_it_shows(js):
    about = {"model": "decoder", "text": "$& " + "👩" * 90, "total": 30, "tokens": [{}] * 16}
    said = js("learn/words", "(m, about) => m.ownSource(about)", about)
    assert said == (
        f"The numbers come from the decoder model, for “$& {'👩' * 77}…”. The text has 30 tokens; the first 16 are "
        "shown, so that you can read single numbers."
    )
