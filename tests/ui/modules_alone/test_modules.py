"""The client's pure modules, run in Chromium against values computed here. No app is started for them."""

import base64
import math

import numpy as np
import pytest
from playwright.sync_api import Error

from explorer.engine.payload import pack, unpack

L, H, T, K, V = 3, 2, 5, 4, 29


# payload.mjs


def example_payload() -> bytes:
    """A payload with L, H, T and K all different, every cell of its own value."""
    numbers = np.random.default_rng(0)
    pattern = np.tril(numbers.random((L, H, T, T)))
    pattern /= pattern.sum(-1, keepdims=True)
    ids = np.stack([numbers.permutation(V)[:K] for _ in range(T)])
    probs = -np.sort(-numbers.dirichlet(np.ones(K + 3), T)[:, :K])
    tokens = [{"id": i, "text": f"t{i}", "special": i == 0, "partial": False} for i in range(T)]
    header = {
        "model": {"name": "tïny", "n_layer": L, "n_head": H, "vocab_size": V},
        "text": "naïve ☕ \ud83d 👩‍👧",
        "tokens": tokens,
        "total": 1234,
        "pieces": {int(id): f"piece {id}" for id in np.unique(ids)},
        "names": {"pattern": "blocks.{layer}.attn.pattern"},
    }
    arrays = {
        "pattern": ("unit16", pattern),
        "next_ids": ("uint16", ids),
        "next_probs": ("float32", probs),
        "actual_probs": ("float32", numbers.random(T - 1)),
        "actual_ranks": ("uint32", numbers.integers(1, 2**31, T - 1)),
    }
    return pack(header, arrays)


PAYLOAD = example_payload()
AS_TEXT = base64.b64encode(PAYLOAD).decode()
HEADER, ARRAYS = unpack(PAYLOAD)


def test_the_browser_reads_the_header_as_it_was_written(js):
    text, header = js(
        "base/payload",
        """({parsePayload}, bytes) => {
            const { arrays, text, ...header } = parsePayload(buffer(bytes));
            return [Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)), header];
        }""",
        AS_TEXT,
    )
    units = np.frombuffer(HEADER["text"].encode("utf-16-le", "surrogatepass"), "<u2").tolist()
    assert text == units
    assert header == {name: value for name, value in HEADER.items() if name not in ("text", "arrays")}


def test_the_browser_reads_every_array_exactly(js):
    read = js(
        "base/payload",
        """({parsePayload}, bytes) => Object.entries(parsePayload(buffer(bytes)).arrays).map(
            ([name, { data, shape }]) => [name, shape, Array.from(data)])""",
        AS_TEXT,
    )
    assert [name for name, _, _ in read] == list(ARRAYS)
    for name, shape, data in read:
        expected = ARRAYS[name] * 65535 if name == "pattern" else ARRAYS[name]
        assert tuple(shape) == expected.shape
        assert np.array_equal(np.array(data).reshape(shape), np.rint(expected) if name == "pattern" else expected)


def test_weight_reads_every_cell_of_every_head(js):
    weights = js(
        "base/payload",
        """({parsePayload, weight}, bytes, L, H, T) => {
            const payload = parsePayload(buffer(bytes));
            const range = (n) => Array.from({ length: n }, (_, i) => i);
            const row = (l, h, q) => range(T).map((k) => weight(payload, l, h, q, k));
            return range(L).map((l) => range(H).map((h) => range(T).map((q) => row(l, h, q))));
        }""",
        AS_TEXT,
        L,
        H,
        T,
    )
    assert np.array_equal(np.array(weights), ARRAYS["pattern"])


@pytest.mark.parametrize("count", [3, K, K + 5])
def test_next_tokens_are_the_rows_of_their_place(js, count):
    call = "({parsePayload, nextTokens}, bytes, ...given) => nextTokens(parsePayload(buffer(bytes)), ...given)"
    for query in range(T):
        got = js("base/payload", call, AS_TEXT, query, count)
        ids, probs = ARRAYS["next_ids"][query, :count].tolist(), ARRAYS["next_probs"][query, :count].tolist()
        assert got["best"] == [{"id": id, "text": f"piece {id}", "p": p} for id, p in zip(ids, probs)]
        assert got["rest"] == pytest.approx(1 - sum(probs), abs=1e-12)
        assert got["others"] == V - len(ids)


def test_the_rest_is_never_below_zero(js):
    sure = np.array([[0.75, 0.2500001]])
    payload = pack(
        {"model": {"vocab_size": 2}, "pieces": {0: "a", 1: "b"}},
        {"next_ids": ("uint16", np.array([[0, 1]])), "next_probs": ("float32", sure)},
    )
    call = "({parsePayload, nextTokens}, bytes) => nextTokens(parsePayload(buffer(bytes)), 0, 2).rest"
    assert js("base/payload", call, base64.b64encode(payload).decode()) == 0


def test_actual_next_is_the_following_token_and_null_at_the_end(js):
    call = "({parsePayload, actualNext}, bytes, query) => actualNext(parsePayload(buffer(bytes)), query)"
    for query in range(T - 1):
        got = js("base/payload", call, AS_TEXT, query)
        rank, p = int(ARRAYS["actual_ranks"][query]), float(ARRAYS["actual_probs"][query])
        assert (got["text"], got["p"], got["rank"]) == (f"t{query + 1}", p, rank)
    assert js("base/payload", call, AS_TEXT, T - 1) is None


def test_cell_name_is_what_one_would_write_in_python(js):
    call = "({parsePayload, cellName}, bytes, ...place) => cellName(parsePayload(buffer(bytes)), ...place)"
    assert js("base/payload", call, AS_TEXT, 2, 1, 4, 3) == "blocks.2.attn.pattern[0, 1, 4, 3]"


@pytest.mark.parametrize("damaged", [b"", b"HSP", b"HSP2" + PAYLOAD[4:], b"<html>not found</html>"])
def test_what_is_no_payload_is_refused_in_a_sentence(js, damaged):
    with pytest.raises(Error, match="The server sent something that is not a result"):
        js("base/payload", "({parsePayload}, bytes) => parsePayload(buffer(bytes))", base64.b64encode(damaged).decode())


# text.mjs


def units(text: str) -> list[int]:
    """UTF-16 code units: halves of surrogate pairs reach the page only so."""
    return np.frombuffer(text.encode("utf-16-le", "surrogatepass"), "<u2").tolist()


def test_a_model_is_called_by_the_end_of_its_path(js):
    names = {
        "decoder": "decoder",
        "runs/one": "runs/one",
        "HuggingFaceTB/SmolLM2-135M": "HuggingFaceTB/SmolLM2-135M",
        "/home/me/models/small.gguf": "small.gguf",
        "~/out/ckpt.pt": "ckpt.pt",
        "/home/me/minilm/model/": "minilm/model",
        "C:\\models\\gpt2": "models/gpt2",
        "/gpt2": "gpt2",
    }
    assert js("base/text", "({modelName}, names) => names.map(modelName)", list(names)) == list(names.values())


def test_special_tokens_among_candidates_are_named_by_their_role(js):
    named = js(
        "base/text", "({pieceName}, pieces) => pieces.map(pieceName)", ["<|endoftext|>", "<|mask|>", "end", "\n"]
    )
    assert named == ["⟨end⟩", "⟨mask⟩", "end", "⏎"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("boat", "boat"),
        (" the", " the"),
        ("\n", "⏎"),
        ("  ", "␣␣"),
        ("\t \n\r", "⇥␣⏎U+000D"),
        ("\u00a0", "U+00A0"),
        (" a\nb\tc", " a⏎b⇥c"),
        ("a\x00b\x1f", "aU+0000bU+001F"),
        ("\x7f\x9f", "U+007FU+009F"),
        ("\u200f\u05d0\u05d1", "U+200F\u05d0\u05d1"),
        ("\u202eevil\u202c", "U+202EevilU+202C"),
        ("\u2066x\u2069", "U+2066xU+2069"),
        ("\u061ca\u00adb", "U+061CaU+00ADb"),
        ("\u2028\u2029x", "U+2028U+2029x"),
        ("\ufeffx", "U+FEFFx"),
        ("👩\u200d👩\u200d👧", "👩U+200D👩U+200D👧"),
        ("\U000e0041!", "U+E0041!"),
        ("a\ud83d", "aU+D83D"),
        ("\udc00b", "U+DC00b"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("${1+1} {{1+1}}", "${1+1} {{1+1}}"),
    ],
)
def test_visible(js, text, shown):
    got = js(
        "base/text",
        """({visible}, units) => {
            const shown = visible(String.fromCharCode(...units));
            return Array.from({ length: shown.length }, (_, i) => shown.charCodeAt(i));
        }""",
        units(text),
    )
    assert got == units(shown)


@pytest.mark.parametrize(
    ("text", "special", "limit", "shown"),
    [
        (" the", False, 14, "the"),
        ("  ", False, 14, "␣␣"),
        ("\n\n", False, 14, "⏎⏎"),
        ("exactly14chars", False, 14, "exactly14chars"),
        ("exactly15chars!", False, 14, "exactly15char…"),
        ("☕🙂🙂🙂🙂🙂", False, 4, "☕🙂🙂…"),
        ("<|startofarticle|>", True, 14, "start"),
        ("<|endoftext|>", True, 14, "end"),
        ("<|mask|>", True, 14, "mask"),
        ("<|other|>", True, 3, "<|other|>"),
        ("<|mask|>", False, 14, "<|mask|>"),
    ],
)
def test_label(js, text, special, limit, shown):
    call = "({label}, token, limit) => label(token, limit)"
    assert js("base/text", call, {"text": text, "special": special}, limit) == shown


def test_label_without_a_limit_cuts_after_fourteen(js):
    assert js("base/text", "({label}) => label({ text: 'x'.repeat(15) })") == "x" * 13 + "…"


def test_probability_is_the_number_at_three_decimals(js):
    values = [0.0, 0.0005, 0.00049999, 1e-30, 1.0, 0.5, *np.random.default_rng(1).random(50).tolist()]
    shown = js("base/text", "({probability}, values) => values.map((p) => probability(p))", values)
    assert shown == ["<0.001" if 0 < p < 0.0005 else f"{p:.3f}" for p in values]


def test_grouped(js):
    numbers = [0, 12, 999, 1000, 8192, 123456, 1234567]
    assert js("base/text", "({grouped}, all) => all.map(grouped)", numbers) == [f"{n:,}" for n in numbers]


# color.mjs


def linear(channel: int) -> float:
    c = channel / 255
    return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4


def luminance(color: int) -> float:
    """Relative luminance (WCAG 2) of a little-endian RGBA number."""
    r, g, b = color & 255, color >> 8 & 255, color >> 16 & 255
    return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)


def lightness(color: int) -> float:
    """CIE L*, 0..100."""
    y = luminance(color)
    return 116 * y ** (1 / 3) - 16 if y > 216 / 24389 else y * 24389 / 27


SHADES = "({sequential}, dark) => Array.from({ length: 256 }, (_, i) => sequential(dark).pixel((i / 255) ** 2))"


@pytest.mark.parametrize("dark", [False, True])
def test_more_weight_is_always_farther_from_the_ground(js, dark):
    colors = js("color/scale", SHADES, dark)
    steps = np.diff([lightness(color) for color in colors])
    assert len(colors) == 256 and all(color >> 24 == 255 for color in colors)
    assert (steps > -0.2).all() if dark else (steps < 0.2).all()  # rounding to 8 bits may take back a little
    tenths = np.diff([lightness(color) for color in colors[::15]])
    assert (tenths > 2).all() if dark else (tenths < -2).all()
    ends = lightness(colors[0]), lightness(colors[-1])
    assert abs(ends[1] - ends[0]) > 80


@pytest.mark.parametrize("dark", [False, True])
def test_css_has_the_palettes_colours_on_a_square_root_scale(js, dark):
    weights = [0, 0.0001, 0.01, 0.05, 0.25, 0.5, 0.9, 1]
    css = js("color/scale", "({sequential}, all, dark) => all.map(sequential(dark).css)", weights, dark)
    colors = js("color/scale", SHADES, dark)
    for weight, text in zip(weights, css):
        got = [int(part) for part in text.removeprefix("rgb(").removesuffix(")").split()]
        near = colors[round(math.sqrt(weight) * 255)]
        assert np.abs(np.array(got) - [near & 255, near >> 8 & 255, near >> 16 & 255]).max() <= 1


def test_position_is_the_square_root(js):
    values = [0, 0.04, 0.25, 0.5, 1]
    assert js("color/scale", "({sequential}, all) => all.map(sequential(false).at)", values) == pytest.approx(
        [math.sqrt(v) for v in values]
    )


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_on_cells_can_be_read(js, dark):
    weights = [i / 200 for i in range(201)]
    css, inks = js(
        "color/scale",
        "({sequential}, all, dark) => [all.map(sequential(dark).css), all.map(sequential(dark).ink)]",
        weights,
        dark,
    )
    for ground, ink in zip(css, inks):
        r, g, b = (int(part) for part in ground.removeprefix("rgb(").removesuffix(")").split())
        under, over = luminance(r | g << 8 | b << 16), luminance({"#000": 0, "#fff": 0xFFFFFF}[ink])
        contrast = (max(under, over) + 0.05) / (min(under, over) + 0.05)
        assert contrast > 4.5


def test_a_thumbnail_has_a_pixel_for_each_cell_and_none_where_the_mask_hides(js):
    block = np.rint(ARRAYS["pattern"][1, 1] * 65535).astype(int)
    pixels = js(
        "matrix/matrix",
        """({drawThumbnail}, block, T) => {
            const canvas = document.createElement("canvas");
            const scale = { pixel: (value) => 0xff000000 + Math.round(value * 65535) };
            const value = (q, k) => block[q * T + k] / 65535;
            drawThumbnail(canvas, { rows: T, columns: T, value, scale, hidden: (q, k) => k > q });
            const { data } = canvas.getContext("2d").getImageData(0, 0, T, T);
            return [canvas.width, canvas.height, ...new Uint32Array(data.buffer)];
        }""",
        block.flatten().tolist(),
        T,
    )
    expected = np.tril(0xFF000000 + block)
    assert pixels[:2] == [T, T] and np.array_equal(np.array(pixels[2:]).reshape(T, T), expected)


# focus.mjs

FOCUS = """({Focus}, actions) => {
    const focus = new Focus();
    focus.lead({ layer: 0, head: 0 });
    for (const [name, ...given] of actions) focus[name](...given);
    return [focus.now, focus.locked].map(({ layer, head, query, key, draw }) => ({ layer, head, query, key, draw }));
}"""


def focus_after(js, *actions) -> list[dict]:
    """What is shown, and what is kept, after the actions."""
    return js("state/focus", FOCUS, list(actions))


def place(layer=0, head=0, query=None, key=None, draw="matrix") -> dict:
    return {"layer": layer, "head": head, "query": query, "key": key, "draw": draw}


def test_preview_shows_but_keeps_nothing(js):
    assert focus_after(js, ["show", {"layer": 2, "head": 1}]) == [place(2, 1), place()]
    assert focus_after(js, ["show", {"layer": 2, "head": 1}], ["show", {}]) == [place(), place()]


def test_toggle_keeps_and_preview_goes_over_it(js):
    kept = ["toggle", {"query": 3, "key": 1}]
    assert focus_after(js, ["show", {"query": 4}], kept) == [place(query=3, key=1)] * 2
    assert focus_after(js, kept, ["show", {"key": 2}]) == [place(query=3, key=2), place(query=3, key=1)]


def test_toggling_the_same_again_lets_go_of_tokens_but_never_of_the_head(js):
    cell = ["toggle", {"query": 3, "key": 1}]
    assert focus_after(js, cell, cell) == [place(), place()]
    head = ["toggle", {"layer": 2, "head": 1}]
    assert focus_after(js, head, head) == [place(2, 1), place(2, 1)]
    assert focus_after(js, cell, ["toggle", {"query": 3}])[1] == place(key=1)
    assert focus_after(js, cell, ["toggle", {"query": 2}])[1] == place(query=2, key=1)


def test_fit_stays_inside_a_new_result(js):
    chosen = [["toggle", {"layer": 5, "head": 7}], ["toggle", {"query": 9, "key": 4}], ["show", {"key": 8}]]
    assert focus_after(js, *chosen, ["fit", 6, 8, 10])[1] == place(5, 7, 9, 4)
    assert focus_after(js, *chosen, ["fit", 3, 2, 9]) == [place(2, 1, None, 4)] * 2
    assert focus_after(js, *chosen, ["fit", 1, 1, 4])[1] == place()


def test_arrow_keys_stay_inside_the_grid(js):
    call = "({move}, ...given) => move(...given)"
    steps = {"ArrowUp": [0, 1], "ArrowDown": [2, 1], "ArrowLeft": [1, 0], "ArrowRight": [1, 2]}
    for key, expected in steps.items():
        assert js("state/focus", call, key, 1, 1, 4, 3) == expected
    for key, corner in {"ArrowUp": [0, 0], "ArrowLeft": [0, 0], "ArrowDown": [3, 2], "ArrowRight": [3, 2]}.items():
        assert js("state/focus", call, key, *corner, 4, 3) == corner
    assert js("state/focus", call, "a", 1, 1, 4, 3) is None


# rollout.mjs and drawn.mjs


def rollout(pattern: np.ndarray) -> list[np.ndarray]:
    """Abnar and Zuidema 2020, (L, H, T, T) -> the product of the layers from each one up, (T, T) each."""
    products = [np.eye(pattern.shape[-1])]
    for layer in pattern[::-1]:
        mixed = layer.mean(0) + np.eye(pattern.shape[-1])
        products.append(products[-1] @ (mixed / mixed.sum(-1, keepdims=True)))
    return products[::-1]


def test_rollout_is_the_product_of_the_layers_with_the_way_around_them(js):
    call = """({sharesOf}, bytes, T) => import("/base/payload.mjs").then(({ parsePayload }) => {
        const payload = parsePayload(buffer(bytes));
        return Array.from({ length: T }, (_, q) => sharesOf(payload, q).map((row) => Array.from(row)));
    })"""
    shares = np.array(js("patterns/rollout", call, AS_TEXT, T))  # (query, L + 1, T)
    expected = np.stack(rollout(ARRAYS["pattern"]), 1)  # (query, L + 1, T)
    assert shares.shape == (T, L + 1, T)
    assert np.abs(shares - expected).max() < 1e-12
    assert np.abs(shares.sum(-1) - 1).max() < 1e-12


DRAWN = """({drawn}, bytes, focus, T) => import("/base/payload.mjs").then(({ parsePayload }) => {
    const shown = drawn(parsePayload(buffer(bytes)), focus);
    const rows = Array.from({ length: T }, (_, q) => Array.from(shown.row(q)));
    return { title: shown.title, name: shown.name(4, 3), rows };
})"""


@pytest.mark.parametrize(
    ("draw", "title", "name"),
    [
        ("matrix", "Layer 2, head 1", "blocks.2.attn.pattern[0, 1, 4, 3]"),
        ("lines", "Layer 2, head 1", "blocks.2.attn.pattern[0, 1, 4, 3]"),
        ("flow", "All layers: rollout", "rollout[4, 3]"),
    ],
)
def test_rows_are_what_title_and_name_say(js, draw, title, name):
    got = js("patterns/drawn", DRAWN, AS_TEXT, place(2, 1, draw=draw), T)
    expected = rollout(ARRAYS["pattern"])[0] if draw == "flow" else ARRAYS["pattern"][2, 1]
    assert (got["title"], got["name"]) == (title, name)
    for query, row in enumerate(got["rows"]):
        assert row == pytest.approx(expected[query, : query + 1], abs=1e-12)


LAYOUT = {"left": 30, "top": 40, "cell": {"width": 11.5, "height": 11.5}, "rows": T, "columns": T}
CELL_AT = "({cellAt}, layout, points) => points.map(([x, y]) => cellAt(layout, x, y))"


@pytest.mark.parametrize("inside", [0.01, 5.75, 11.49])
def test_cell_at_finds_the_cell_under_the_pointer(js, inside):
    places = [(row, column) for row in range(T) for column in range(T)]
    points = [[30 + 11.5 * column + inside, 40 + 11.5 * row + inside] for row, column in places]
    assert js("matrix/layout", CELL_AT, LAYOUT, points) == [{"row": row, "column": column} for row, column in places]


def test_cell_at_is_null_beside_the_matrix(js):
    outside = [[29.9, 50], [50, 39.9], [30 + 11.5 * T + 0.1, 50], [50, 40 + 11.5 * T + 0.1], [0, 0]]
    assert js("matrix/layout", CELL_AT, LAYOUT, outside) == [None] * len(outside)


def test_a_matrix_that_is_scrolled_shows_only_what_is_in_its_window(js):
    """Every cell that the window touches, and no other; the cell found under a point is the one drawn there."""
    layout = {"left": 50, "top": 22, "cell": {"width": 7, "height": 13}, "rows": 40, "columns": 300}
    layout |= {"width": 50 + 2100 + 2, "height": 22 + 520 + 2}
    window = {"x": 333, "y": 100, "width": 400, "height": 300}
    seen, at = js(
        "matrix/layout",
        """({inWindow, cellAt}, layout, window) => {
            const { x, y, ...seen } = inWindow(layout, window);
            const under = cellAt(layout, x(60.5), y(20.5), window);
            return [seen, [under, x(60), y(20)]];
        }""",
        layout,
        window,
    )
    assert seen == {"width": 400, "height": 300, "row": 7, "rowEnd": 30, "column": 47, "columnEnd": 98}
    assert at == [{"row": 20, "column": 60}, 50 + 420 - 333, 22 + 260 - 100]
    inside = "({scrollTo}, layout, window, cell) => scrollTo(layout, window, cell)"
    assert js("matrix/layout", inside, layout, window, {"row": 20, "column": 60}) == {"x": 333, "y": 100}
    assert js("matrix/layout", inside, layout, window, {"row": 0, "column": 299}) == {"x": 2100 - 348, "y": 0}


SIDES_OF_LINES = [("query", "row", [0, 3]), ("key", "column", [3, T - 1])]


def test_line_at_finds_queries_left_and_keys_right(js):
    layout = {"T": T, "row": 24, "top": 20, "width": 400}
    points = [
        [10, 21],
        [199, 20 + 24 * 3 + 1],
        [200, 20 + 24 * 3 + 1],
        [390, 20 + 24 * T - 1],
        [10, 19],
        [10, 21 + 24 * T],
    ]
    call = "({lineAt}, layout, points) => points.map(([x, y]) => lineAt(layout, x, y))"
    queries, keys = ([{name: i, "read": read} for i in places] for name, read, places in SIDES_OF_LINES)
    assert js("attention/lines", call, layout, points) == [*queries, *keys, None, None]


def test_flow_at_finds_keys_left_where_the_input_is(js):
    layout = {"T": T, "row": 24, "top": 40, "width": 400}
    points = [[10, 41], [199, 40 + 24 * 3 + 1], [390, 40 + 24 * T - 1], [10, 39], [10, 41 + 24 * T]]
    call = "({flowAt}, layout, points) => points.map(([x, y]) => flowAt(layout, x, y))"
    assert js("attention/flow", call, layout, points) == [{"key": 0}, {"key": 3}, {"query": T - 1}, None, None]


@pytest.mark.parametrize("dark", [False, True])
def test_the_matrix_has_in_each_cell_the_colour_of_its_weight(js, dark):
    """Read back from the canvas, near the corner of each cell, where no number stands."""
    cells = js(
        "attention/weights",
        """async ({drawWeights}, bytes, dark, T) => {
            const { parsePayload, weight } = await import("/base/payload.mjs");
            const { sequential } = await import("/color/scale.mjs");
            const payload = parsePayload(buffer(bytes));
            const canvas = document.createElement("canvas");
            const focus = { layer: 2, head: 1, query: null, key: null };
            const { left, top, cell } = drawWeights(canvas, { width: 300 }, payload, focus, 0, dark);
            const context = canvas.getContext("2d");
            const range = Array.from({ length: T }, (_, i) => i);
            return range.slice(1).flatMap((q) => range.slice(0, q + 1).map((k) => {
                const place = [left + k * cell.width + 3, top + q * cell.height + 4];
                const at = place.map((x) => Math.round(x * devicePixelRatio));
                const [r, g, b] = context.getImageData(...at, 1, 1).data;
                return [[r, g, b], sequential(dark).css(weight(payload, 2, 1, q, k)).match(/\\d+/g).map(Number)];
            }));
        }""",
        AS_TEXT,
        dark,
        T,
    )
    assert len(cells) == T * (T + 1) // 2 - 1
    for got, expected in cells:
        assert np.abs(np.array(got) - expected).max() <= 2


def test_of_a_model_that_predicts_nothing_the_head_that_looks_most_at_another_token_comes_first(js):
    find = """({ strongestHead }, query, keys, leading) => strongestHead({
        tokens: [{ special: true }, {}, {}], keys,
        arrays: { leading, pattern: { shape: [2, 2, 3, 3], data: Uint16Array.from([
            65000, 0, 0,  0, 65000, 0,  30000, 100, 0,
            0, 0, 0,  0, 0, 0,  1, 20000, 40000,
            0, 0, 0,  0, 0, 0,  1, 20001, 40000,
            0, 0, 0,  0, 0, 0,  1, 19999, 45534,
        ]) } },
    }, query)"""
    own = js("base/payload", find, 2, None, None)  # neither the special token nor itself
    assert (own["layer"], own["head"]) == (1, 0) and own["weight"] == pytest.approx(20001 / 65535)
    across = js("base/payload", find, 2, [{}, {}, {}], None)  # keys of another text
    assert (across["layer"], across["head"]) == (1, 1)
    assert js("base/payload", find, 0, None, None) is None
    assert js("base/payload", find, 2, None, {"data": [0, 0]}) is None
