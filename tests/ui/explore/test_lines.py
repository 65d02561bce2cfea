"""Attention as lines: which heads are shown, what is drawn of them, and what the page says about it."""

import re

import numpy as np
import pytest

from explorer.examples import EXAMPLES, EXPLORED

from ..digits import agrees
from ..modules_alone.test_modules import ARRAYS, AS_TEXT, H, T
from ..reference import same
from ..screen import Screen

TEXT = (
    "How to wash a red cup and a blue cup: first wash the red cup with warm water, "
    "then dry it, and then wash the blue cup in the same warm water"
)

# heads.mjs

HEADS = 8


@pytest.mark.parametrize(
    ("head", "also", "clicked", "after"),
    [
        (0, "", 4, (0, "4")),
        (0, "4", 1, (0, "1_4")),
        (0, "1_4", 4, (0, "1")),
        (0, "1_4", 0, (1, "4")),  # another one becomes the chosen head
        (3, "", 3, (3, "")),  # the last one stays
        (2, "2_9", 2, (2, "")),  # a head that the model lacks is none
    ],
)
def test_a_click_adds_a_head_or_takes_it_away(js, head, also, clicked, after):
    call = "({withToggled}, focus, clicked, H) => withToggled(focus, clicked, H)"
    got = js("color/heads", call, {"head": head, "also": also}, clicked, HEADS)
    assert (got["head"], got["also"]) == after


def test_a_double_click_isolates_a_head_and_again_brings_all_back(js):
    call = """({withIsolated, withToggled, headsShown}, clicked, H, times) => {
        let focus = { head: 0, also: "2_5" };
        for (let i = 0; i < times; i++) {
            // a browser tells of two clicks first
            for (const change of [withToggled, withToggled, withIsolated]) focus = change(focus, clicked, H);
        }
        return headsShown(focus, H);
    }"""
    for clicked in (0, 2, 7):
        assert js("color/heads", call, clicked, HEADS, 1) == [clicked]
        assert js("color/heads", call, clicked, HEADS, 2) == list(range(HEADS))
        assert js("color/heads", call, clicked, HEADS, 3) == [clicked]


def test_beyond_eight_heads_lines_are_dashed(js):
    styles = js("color/heads", "({lineStyle}) => Array.from({ length: 20 }, (_, head) => lineStyle(head))")
    looks = {(style["color"], *style["dash"]) for style in styles}
    assert len(looks) == 20
    assert [bool(style["dash"]) for style in styles] == [False] * 8 + [True] * 12


# lines.mjs and line_series.mjs

DRAWN = """async ({drawLines}, bytes, focus, width) => {
    const { parsePayload } = await import("/base/payload.mjs");
    const strokes = [];
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d");
    let start = null;
    context.moveTo = (x, y) => { start = [x, y]; };
    context.bezierCurveTo = (...points) => strokes.push([...start, ...points.slice(4), context.lineWidth]);
    const { from, to, row, top, left } = drawLines(canvas, { width }, parsePayload(buffer(bytes)), focus, 0, false);
    return { strokes, from, to, row, first: top ?? left };
}"""
COUNTED = """async ({counted, seriesOf}, bytes, focus, T) => {
    const { parsePayload } = await import("/base/payload.mjs");
    return counted(seriesOf(parsePayload(buffer(bytes)), focus), focus, T);
}"""


def place(layer=2, **more) -> dict:
    start = {
        "head": 0,
        "query": None,
        "key": None,
        "also": "1",
        "least": 150,
        "draw": "lines",
        "by": "one",
        "sink": "shown",
    }
    return {"layer": layer, **start, "over": "heads", "read": "row", "sides": "left-right", **more}


def lines_of(focus: dict) -> list[tuple[int, int, int, float]]:
    """(head, query, key, weight) of every line in sight, computed here."""
    column = focus["read"] == "column"
    found = []
    for head in range(H):
        for query, key in zip(*np.tril_indices(T)):
            chosen = key == focus["key"] if column else query == focus["query"]
            if chosen or focus["key" if column else "query"] is None:
                found.append((head, query, key, ARRAYS["pattern"][focus["layer"], head, query, key]))
    return found


@pytest.mark.parametrize("sides", ["left-right", "top-bottom"])
@pytest.mark.parametrize(
    "more", [{}, {"query": 3}, {"key": 1, "read": "column"}, {"query": 4, "key": 2}, {"least": 0}, {"read": "column"}]
)
def test_every_weight_from_the_threshold_on_is_one_line_between_its_tokens(js, sides, more):
    focus = place(sides=sides, **more)
    got = js("attention/lines", DRAWN, AS_TEXT, focus, 420)
    shift = min(4, 0.7 * got["row"] / H)
    expected = []
    for head, query, key, p in lines_of(focus):
        if p >= focus["least"] / 1000:
            ends = [got["first"] + (i + 0.5) * got["row"] + (head - (H - 1) / 2) * shift for i in (query, key)]
            points = [got["from"], ends[0], got["to"], ends[1]]
            if sides == "top-bottom":
                points = [ends[0], got["from"], ends[1], got["to"]]
            expected.append([*points, 0.75 + 5 * p])
    assert np.array(sorted(got["strokes"])) == pytest.approx(np.array(sorted(expected)), abs=1e-4)


@pytest.mark.parametrize("more", [{}, {"query": 3}, {"key": 1, "read": "column"}, {"least": 999}, {"least": 0}])
def test_what_is_not_drawn_is_counted_with_its_weight(js, more):
    focus = place(**more)
    got = js("attention/line_series", COUNTED, AS_TEXT, focus, T)
    weights = np.array([p for *_, p in lines_of(focus)])
    hidden = weights < focus["least"] / 1000
    assert (got["lines"], got["hidden"]) == (len(weights), hidden.sum())
    assert got["lost"] == pytest.approx(weights[hidden].sum() / weights.sum(), abs=1e-12)


def test_of_very_many_lines_the_strongest_are_drawn(js):
    call = """({floorOf, isDrawn, eachLine, MOST}, T) => {
        const at = (q, k) => ((q * 7919 + k * 104729) % 65521) / 65521; // no two alike
        const series = [{ shown: { at, last: (query) => query } }];
        const focus = { query: null, key: null, read: "row", draw: "lines", least: 0 };
        const floor = floorOf(series, focus, T);
        let [drawn, weakest, strongest] = [0, 1, 0];
        eachLine(series[0], focus, T, (q, k, p) => {
            if (isDrawn(p, floor)) [drawn, weakest] = [drawn + 1, Math.min(weakest, p)];
            else strongest = Math.max(strongest, p);
        });
        return [drawn / MOST, weakest > strongest];
    }"""
    full, ordered = js("attention/line_series", call, 200)
    assert 0.95 < full <= 1 and ordered


def test_line_at_finds_queries_above_and_keys_below(js):
    layout = {"T": T, "row": 40, "left": 4, "down": True, "height": 300}
    points = [[5, 149], [4 + 40 * 3 + 1, 10], [4 + 40 * 3 + 1, 151], [3, 10], [5 + 40 * T, 10]]
    call = "({lineAt}, layout, points) => points.map(([x, y]) => lineAt(layout, x, y))"
    first, fourth = {"query": 0, "read": "row"}, {"query": 3, "read": "row"}
    assert js("attention/lines", call, layout, points) == [first, fourth, {"key": 3, "read": "column"}, None, None]


# the address


def test_heads_threshold_and_sides_stand_in_the_address(js):
    read = "({readAddress}, search) => readAddress(search).values"
    values = js("state/fields", read, "?view=explore&layer=4&head=1&dim=17&least=50&also=3_6&sides=top-bottom")
    assert {name: values[name] for name in ("layer", "head", "also", "least", "dim", "sides")} == {
        "layer": 3, "head": 0, "also": "2_5", "least": 50, "dim": 17, "sides": "top-bottom",
    }  # fmt: skip
    again = js("state/fields", "({writeAddress}, ...given) => writeAddress(...given)", "", "explore", values)
    assert set(again.removeprefix("?").split("&")) == {
        "show=explore", "layer=3", "head=0", "also=2_5", "least=50", "dim=17", "sides=top-bottom",
    }  # fmt: skip
    for wrong in ("also=a", "also=", "least=x", "also=1_"):
        values = js("state/fields", read, f"?show=explore&{wrong}")
        assert (values["also"], values["least"]) == ("", 20)


def test_heads_and_threshold_are_fitted_into_a_model(js):
    call = """({Focus}) => {
        const focus = new Focus();
        focus.toggle({ also: "1_3_7", least: 99999 });
        focus.fit(2, 4, 5);
        return [focus.locked.also, focus.locked.least];
    }"""
    assert js("state/focus", call) == ["1_3", 1000]


# the page


def said(screen: Screen) -> dict:
    """Everything that the lines' panel says, read at once."""
    return screen.page.evaluate(
        """() => {
            const text = (element) => element.textContent;
            return {
                pressed: [...document.querySelectorAll('.hs-chip[aria-pressed="true"]')].map(text),
                count: text(document.querySelector('.hs-lines-count')),
                list: [...document.querySelectorAll('.hs-lines-said:not([hidden]) li')].map(text),
                table: [...document.querySelectorAll('.hs-lines-table tr')].map((row) => [...row.children].map(text)),
            };
        }"""
    )


def test_rows_and_columns_of_several_heads_are_torchs(screen: Screen, reference):
    trace = reference.trace(TEXT)
    heads = [0, 1, 4, 6]
    screen.follow("&draw=lines&layer=4&also=2_5_7")
    screen.run(TEXT)
    screen.page.locator(".hs-lines-table").evaluate("(details) => (details.open = true)")
    compared = 0
    pattern = trace.attention(3)[0]  # (H, T, T)
    for query in (34, 20):
        screen.choose_token(query)
        now = said(screen)
        assert now["pressed"] == ["H0", "H1", "H4", "H6"]
        assert now["table"][0] == ["position", "key token", "H0", "H1", "H4", "H6"]
        for key, row in enumerate(now["table"][1:]):
            assert int(row[0]) == key
            assert all(same(shown, pattern[head, query, key].item()) for shown, head in zip(row[2:], heads))
            compared += len(heads)
        assert len(now["table"]) == query + 2
        weights = pattern[heads, query, : query + 1]
        hidden = weights < 0.02
        lines, below, percent = re.match(
            r"\d+ of (\d+) lines are drawn; the (\d+) below 0\.020 are not, and carry ([\d.]+)%", now["count"]
        ).groups()
        assert (int(lines), int(below)) == (weights.numel(), int(hidden.sum()))
        agrees(percent, 100 * float(weights[hidden].sum() / weights.sum()))
        for head, sentence in zip(heads, now["list"]):
            best = pattern[head, query, : query + 1].topk(3).values.tolist()
            assert all(same(shown, p) for shown, p in zip(re.findall(r"” (<?[\d.]+\d)", sentence), best))
    assert compared >= 200
    screen.page.evaluate("headscope.toggle({ query: null, key: 6, read: 'column' })")
    screen.next_frame()
    now = said(screen)
    assert now["table"][0][1] == "query token"
    for query, row in enumerate(now["table"][1:], start=6):
        assert int(row[0]) == query
        assert all(same(shown, pattern[head, query, 6].item()) for shown, head in zip(row[2:], heads))


def test_chips_threshold_and_sides_by_mouse_and_keyboard(screen: Screen, reference):
    screen.choose_head(0, 0)
    screen.choose_drawing("lines")
    chip = screen.page.locator(".hs-chip")
    chip.nth(3).click()
    screen.point_away()
    assert said(screen)["pressed"] == ["H0", "H3"]
    screen.point_at(chip.nth(6))
    assert screen.title() == "Layer 0, head 6"
    chip.nth(6).dblclick()
    screen.point_away()
    assert said(screen)["pressed"] == ["H6"]
    chip.nth(6).dblclick()
    screen.point_away()
    assert len(said(screen)["pressed"]) == 8
    chip.nth(6).focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+Enter"):
        screen.page.keyboard.press(key)
    screen.next_frame()
    assert said(screen)["pressed"] == ["H0"]
    for key in ("ArrowRight", "Enter", "ArrowLeft", "Space"):
        screen.page.keyboard.press(key)
    screen.next_frame()
    assert said(screen)["pressed"] == ["H1"]
    screen.page.locator("#hs-least").focus()
    screen.page.keyboard.press("End")
    screen.next_frame()
    weights = reference.trace(EXAMPLES[EXPLORED]).attention(0)[0, 1]
    assert said(screen)["count"].startswith(f"{int((weights >= 0.5).sum())} of 91 lines are drawn; the ")
    screen.page.click('.hs-switch [data-name="top-bottom"]')
    screen.point_away()
    assert set(screen.address().split("&")) == {
        "show=explore",
        "draw=lines",
        "layer=0",
        "head=1",
        "least=500",
        "sides=top-bottom",
    }
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.page.get_by_role("button", name="all", exact=True).click()
    for name in ("top-bottom", "left-right"):
        screen.page.click(f'.hs-switch [data-name="{name}"]')
        screen.point_away()
        assert len(said(screen)["list"]) == 8
        assert screen.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "wider than a phone"
    screen.page.evaluate("headscope.toggle({ by: 'mean' })")
    screen.next_frame()
    assert not screen.page.locator(".hs-chip").first.is_visible(), "a mean has no heads to choose"
    assert said(screen)["list"] == []


def test_a_double_click_on_a_token_keeps_only_its_lines_and_again_brings_all_back(screen: Screen):
    screen.choose_drawing("lines")
    screen.point_at_line_of(4)

    def locked() -> list:
        return screen.page.evaluate("['query', 'key', 'read'].map((name) => headscope.focus.locked[name])")

    box = screen.view("attention_view").locator(".hs-picture canvas").bounding_box()
    near = screen.page.evaluate("document.querySelector('.hs-picture canvas').clientWidth") / 6
    top = box["y"] + 24 + 24 * 4.5
    screen.page.mouse.dblclick(box["x"] + near, top)
    assert locked() == [4, None, "row"]
    screen.page.mouse.dblclick(box["x"] + near, top)
    assert locked() == [None, None, "row"]
    screen.page.mouse.dblclick(box["x"] + 5 * near, top)
    assert locked() == [None, 4, "column"]
