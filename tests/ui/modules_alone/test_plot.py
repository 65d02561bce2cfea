"""Charts of plotly's on an empty page: they keep their points over many changes, and give back what they hold."""

import re
from importlib.metadata import version

import pytest

from explorer.static_files import plotly_file

from ..modules import modules_in

# Three charts: many points, three dimensions, and lines; `inked` counts the pixels of each that are drawn on.
MAKE = """async ({ Plot }) => {
    const wave = (n, f) => Float32Array.from({ length: n }, (_, i) => f(i * 0.37));
    const data = (n, seed) => ({ x: wave(n, (t) => Math.sin(t + seed)), y: wave(n, (t) => Math.cos(1.3 * t + seed)),
        z: wave(n, (t) => Math.sin(2.1 * t)), customdata: Array.from({ length: n }, (_, i) => i) });
    const kinds = { flat: "scattergl", deep: "scatter3d", lines: "scatter" };
    const table = () => document.createElement("table");
    const drawing = (name, n, seed) => ({ label: name, table,
        layout: () => ({ dragmode: name === "deep" ? "turntable" : "lasso" }),
        traces: (ink) => [{ ...data(n, seed), type: kinds[name], name, mode: name === "lines" ? "lines" : "markers",
            marker: { size: 4, color: ink.attention } }] });
    globalThis.chosen = [];
    globalThis.selected = [];
    globalThis.plots = Object.fromEntries(Object.keys(kinds).map((name) =>
        [name, new Plot({ choose: (p) => chosen.push(p), select: name === "deep" ? null : (p) => selected.push(p) })]));
    document.body.replaceChildren(...Object.values(plots).map(({ element }) => element));
    for (const { area } of Object.values(plots)) Object.assign(area.style, { width: "300px", height: "160px" });
    globalThis.change = (name, n, seed) => plots[name].draw(drawing(name, n, seed));
    for (const name of Object.keys(kinds)) await change(name, name === "lines" ? 50 : 1000, 0);
}"""
CHANGE = """async (times) => {
    for (let left = times - 1; left >= 0; left--) {
        for (const name of Object.keys(plots)) await change(name, name === "lines" ? 50 : 1000, left);
        await new Promise(requestAnimationFrame);
    }
}"""
INKED = """async () => {
    await new Promise((go) => setTimeout(go, 400));
    const inked = ({ area }) => [...area.querySelectorAll("canvas")].reduce((sum, canvas) => {
        const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
        const context = copy.getContext("2d");
        context.drawImage(canvas, 0, 0);
        return sum + context.getImageData(0, 0, copy.width, copy.height).data.filter((a, i) => i % 4 === 3 && a).length;
    }, 0);
    const lost = [...document.querySelectorAll("canvas")].filter((c) =>
        (c.getContext("webgl2") ?? c.getContext("webgl"))?.isContextLost()).length;
    const lines = document.querySelectorAll(".scatterlayer .js-line").length;
    return [inked(plots.flat), inked(plots.deep), lines, lost, document.querySelectorAll("canvas").length];
}"""
"""Run in the page before anything is drawn: a WebGL canvas keeps what was drawn on it, so that it can be read."""
READABLE = """(() => {
    const { getContext } = HTMLCanvasElement.prototype;
    HTMLCanvasElement.prototype.getContext = function (kind, options) {
        return getContext.call(this, kind, { ...options, preserveDrawingBuffer: true });
    };
})()"""


@pytest.fixture(scope="module")
def plots(js):
    js.page.set_viewport_size({"width": 700, "height": 900})
    js.page.evaluate(READABLE)
    js("charts/plot", MAKE)
    return js.page


def test_plotly_is_the_version_that_was_tried():
    """A new plotly is looked at before it ships: what is used of it is not all documented."""
    text = plotly_file().read_text(encoding="utf-8")
    assert re.search(r"plotly\.js v([\d.]+)", text)[1] == "4.1.1" and version("plotly") == "7.1.0"
    assert "window.Plotly = Plotly" in text[-200:]


def test_three_charts_keep_all_their_points_over_fifty_changes(plots):
    flat, deep, lines, lost, canvases = plots.evaluate(INKED)
    assert flat > 2000 and deep > 1000 and lines == 1 and lost == 0
    plots.evaluate(CHANGE, 50)
    after = plots.evaluate(INKED)
    assert after[3:] == [0, canvases] and after[2] == 1
    assert after[0] == pytest.approx(flat, rel=0.02) and after[1] == pytest.approx(deep, rel=0.02)


def test_the_theme_draws_it_in_other_colors(plots):
    color = "() => plots.flat.area.data[0].marker.color"
    plots.add_style_tag(content="body { --hs-attention: #123456 } body.dark { --hs-attention: #abcdef }")
    seen = []
    for theme in ("light", "dark"):
        plots.evaluate("(theme) => { document.body.className = theme }", theme)
        plots.wait_for_timeout(300)
        seen.append(plots.evaluate(color))
    assert seen == ["#123456", "#abcdef"]


def test_keys_zoom_move_and_show_everything(plots):
    ends = "() => plots.lines.area._fullLayout.xaxis.range.map(Number)"
    low, high = plots.evaluate(ends)
    plots.evaluate("() => plots.lines.area.focus()")
    plots.keyboard.press("+")
    closer = plots.evaluate(ends)
    assert closer[1] - closer[0] == pytest.approx((high - low) / 1.25)
    plots.keyboard.press("ArrowRight")
    assert plots.evaluate(ends)[0] == pytest.approx(closer[0] + 0.15 * (closer[1] - closer[0]))
    plots.keyboard.press("0")
    assert plots.evaluate(ends) == pytest.approx([low, high])


def test_a_region_is_told_with_what_its_points_are(plots):
    plots.evaluate("() => plots.flat.draw({ ...plots.flat.drawing, layout: () => ({ dragmode: 'select' }) })")
    plots.locator(".hs-plot").first.scroll_into_view_if_needed()
    box = plots.locator(".nsewdrag").first.bounding_box()
    plots.mouse.move(box["x"] + 2, box["y"] + 2)
    plots.mouse.down()
    plots.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 2, steps=4)
    plots.mouse.up()
    plots.wait_for_function("() => selected.length")
    inside = """() => {
        const [{ x }] = plots.flat.area.data;
        const [low, high] = plots.flat.area._fullLayout.xaxis.range;
        return [...x.keys()].filter((i) => x[i] < (low + high) / 2 + 0.02);
    }"""
    told = plots.evaluate("() => selected.at(-1).map(({ data }) => data)")
    assert len(told) > 5 and set(told) <= set(plots.evaluate(inside))


def test_a_chart_that_leaves_the_page_gives_its_contexts_back(plots):
    plots.evaluate("() => plots.deep.element.remove()")
    plots.wait_for_function("() => !plots.deep.area.querySelector('canvas')")
    assert plots.evaluate("() => plots.flat.area.querySelectorAll('canvas').length") == 3
    plots.evaluate("() => { document.body.append(plots.deep.element); return change('deep', 1000, 0) }")
    assert plots.evaluate(INKED)[3:] == [0, 4]


def test_without_the_file_a_sentence_stands_there_and_the_table_opens(profile):
    for js in modules_in(profile):
        js.page.route("**/vendor/plotly.min.js", lambda route: route.fulfill(status=404))
        said = js(
            "charts/plot",
            """async ({ Plot }) => {
                const one = new Plot();
                const table = () => Object.assign(document.createElement("table"), { textContent: "7" });
                document.body.replaceChildren(one.element);
                await one.draw({ label: "one", traces: () => [], table });
                one.table.open = true;
                await new Promise((go) => setTimeout(go, 50));
                return [one.said.textContent, one.table.querySelector("table").textContent];
            }""",
        )
        assert said[0].startswith("The chart could not be loaded: reload the page to try again.")
        assert said[1] == "7"
