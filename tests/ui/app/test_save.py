"""What "Save" gives: pictures, numbers, a link, and a page that works alone; as the browser gets them."""

import csv
import io
import json
import re
import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page

from explorer import show
from llm_core import load_model

from ..reference import Reference
from ..screen import Screen

SVG = "{http://www.w3.org/2000/svg}"
TEXT = 'Weird <img src=x onerror=alert(1)> & "quotes" \x07 שלום 👩‍🚀, ${a} {{b}}'
MAY_STAY = ("lens_view",)
VIEWS = ("tokens_view", "grid_view", "attention_view", "roles_view", "next_view")


def menu(page: Page, view: str = "") -> Locator:
    """What saves a view: its line in the menu of the Explore page, or what lies below it in a page that stands alone;
    without a view, the line of the text."""
    if page.locator('[data-view="save_view"]').count() == 0:
        found = page.locator(f'[data-view="{view}"] + .hs-save')
        if found.get_attribute("open") is None:
            found.locator("summary").click()
        return found
    panel = page.locator('[data-view="save_view"] .hs-menu')
    if not panel.is_visible():
        page.get_by_role("button", name="Save and share").click()
    return panel.locator(f'[data-of="{view}"]' if view else '[aria-label="This text"]')


def saved(page: Page, view: str, kind: str) -> tuple[str, bytes]:
    """Press a button of a view's menu; the name and the content of the file that comes."""
    with page.expect_download() as coming:
        menu(page, view).get_by_role("button", name=kind, exact=True).click()
    return coming.value.suggested_filename, Path(coming.value.path()).read_bytes()


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def weird(screen: Screen) -> Screen:
    screen.run(TEXT)
    return screen


def test_pictures_and_numbers_of_every_view(weird: Screen, reference: Reference):
    weird.choose_head(3, 4)
    pattern = torch.stack([reference.trace(TEXT).attention(layer)[0] for layer in range(6)])  # (L, H, T, T)
    T = pattern.shape[-1]
    for view in VIEWS:
        name, content = saved(weird.page, view, "SVG")
        assert name.startswith("headscope-decoder-weird-img-src-x-onerror-aler-") and name.endswith(".svg")
        root = ET.fromstring(content)  # well-formed, whatever the text
        kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert kinds <= {"svg", "g", "title", "rect", "path", "line", "text", "image", "clipPath", "linearGradient",
                         "stop", "pattern", "circle"}, view  # fmt: skip
        assert all(image.get("href").startswith("data:image/png") for image in root.iter(f"{SVG}image"))
    root = ET.fromstring(saved(weird.page, "tokens_view", "SVG")[1])
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    chips = weird.page.locator(".hs-tokens button").all_text_contents()
    assert [text.strip() for text in texts[: len(chips)]] == [chip.strip() for chip in chips]

    _, content = saved(weird.page, "attention_view", "CSV")
    found = np.array([[*map(float, row[1:]), *[0] * (T + 1 - len(row))] for row in rows(content)[1:]])
    assert np.abs(found - pattern[3, 4].numpy()).max() <= 0.5e-4 + 1e-7  # four decimals, and they are the tensor's
    _, content = saved(weird.page, "grid_view", "CSV")
    table = rows(content)
    assert [row[:2] for row in table[1::T]] == [[str(i), str(h)] for i in range(6) for h in range(8)]
    found = np.array([[float(p or 0) for p in row[3:]] for row in table[1:]])
    assert (
        np.abs(found.reshape(pattern.shape) - pattern.numpy()).max() <= 0.5e-4 + 1e-7
    )  # four decimals, and they are the tensor's
    _, content = saved(weird.page, "next_view", "CSV")
    best = reference.probabilities(TEXT)[-1].topk(20)
    assert [int(row[2]) for row in rows(content)[1:]] == best.indices.tolist()
    assert np.allclose([float(row[3]) for row in rows(content)[1:]], best.values.numpy(), atol=1e-6)


def test_the_logit_lens_is_saved_with_all_its_numbers(screen: Screen, reference: Reference):
    page = screen.page
    screen.choose_panel("lens")
    page.wait_for_selector('[data-view="lens_view"][data-ready="true"]')
    table = rows(saved(page, "lens_view", "CSV")[1])
    ET.fromstring(saved(page, "lens_view", "SVG")[1])
    probs = reference.probabilities(page.locator("#prompt textarea").input_value())
    last = table[-len(probs) :]  # after the last layer: the model's own prediction
    assert {row[0] for row in last} == {"6"} and len(table) == 1 + 7 * len(probs)
    assert np.allclose([float(row[5]) for row in last], probs.amax(-1).numpy(), atol=1e-5)
    entropy = torch.special.entr(probs).sum(-1)
    assert np.allclose([float(row[2]) for row in last], entropy.numpy(), atol=1e-4)


def vectors_in_the_colours_of_the_screen(screen: Screen) -> None:
    root = ET.fromstring(saved(screen.page, "attention_view", "SVG")[1])
    assert not list(root.iter(f"{SVG}image"))
    cells = next(group for group in root.iter(f"{SVG}g") if group.get("shape-rendering") == "crispEdges")
    T = len(screen.tokens())
    corners = [corner for path in cells for corner in re.findall(r"M[\d. ]+", path.get("d"))]
    assert T <= len(corners) <= T * (T + 1) / 2  # runs of equal cells are joined
    shown = screen.page.evaluate(
        """(fills) => {
            const context = document.querySelector(".hs-picture canvas").getContext("2d");
            const { data } = context.getImageData(0, 0, 2000, 2000);
            const colors = new Set();
            for (let i = 0; i < data.length; i += 4) colors.add(`rgb(${data[i]},${data[i + 1]},${data[i + 2]})`);
            return fills.filter((fill) => colors.has(fill)).length;
        }""",
        [path.get("fill") for path in cells],
    )
    assert shown == len(list(cells))


def twice_as_fine_as_the_svg(screen: Screen) -> None:
    root = ET.fromstring(saved(screen.page, "next_view", "SVG")[1])
    name, png = saved(screen.page, "next_view", "PNG")
    assert name.endswith("next-token.png") and png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (2 * int(root.get("width")), 2 * int(root.get("height")))


def test_pictures_are_fine_and_a_text_comes_whole(
    screen: Screen, page: Page, problems, tmp_path: Path, reference: Reference
):
    vectors_in_the_colours_of_the_screen(screen)
    twice_as_fine_as_the_svg(screen)
    screen.choose_head(2, 5)
    name, npz = saved(screen.page, "", "NumPy")
    text = screen.prompt.input_value()
    found = np.load(io.BytesIO(npz))
    assert np.allclose(found["logits"], reference.trace(text)["logits"].numpy(), atol=1e-4)
    assert re.fullmatch(r"headscope-decoder-[\w-]+\.npz", name)
    screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    menu(screen.page).get_by_role("button", name="Link").click()
    screen.page.locator(".hs-save-note", has_text="The link is copied.").wait_for()
    link = screen.page.evaluate("navigator.clipboard.readText()")
    assert "layer=2" in link and "head=5" in link and link == screen.page.url

    _, content = saved(screen.page, "", "HTML page")
    (tmp_path / "view.html").write_bytes(content)
    problems.expect("file:///")  # where it is opened from
    alone = page
    alone.route("http*://**", lambda route: route.abort())  # no server any more
    alone.goto((tmp_path / "view.html").as_uri())
    alone.wait_for_selector('[data-view="next_view"][data-ready="true"]')
    assert alone.locator('[data-view="attention_view"] h2').text_content() == "Layer 2, head 5"
    pattern = reference.trace(text).attention(4)[0, 1]
    alone.click('.hs-grid button[data-layer="4"][data-head="1"]')
    shown = rows(saved(alone, "attention_view", "CSV")[1])
    found = np.array([float(p) for row in shown[1:] for p in row[1:]])
    assert (
        np.abs(found - pattern[tuple(torch.tril_indices(*pattern.shape))].numpy()).max() <= 0.5e-4 + 1e-7
    )  # four decimals, and they are the tensor's
    ET.fromstring(saved(alone, "grid_view", "SVG")[1])


def test_a_notebooks_frame_shows_patterns_of_any_model(page: Page):
    pattern = torch.randn(2, 3, 7, 7).masked_fill(torch.ones(7, 7).triu(1).bool(), -torch.inf).softmax(-1)
    page.set_content(show(pattern, [*"abcdefg"], "mine", layer=1, head=2, layers="all")._repr_html_())
    frame = page.frame_locator("iframe")
    frame.locator('[data-view="attention_view"][data-ready="true"]').wait_for()
    assert frame.locator('[data-view="attention_view"] h2').text_content() == "Layer 1, head 2"
    assert frame.locator(".hs-tokens button").all_text_contents() == [*"abcdefg"]
    assert frame.locator(".hs-model").text_content() == "mine · 2 layers × 3 heads"
    assert frame.locator('[data-view="next_view"]').count() == 0
    row = frame.locator("p.hs-row").first.text_content()
    place = int(pattern[1, 2, 6].argmax())
    assert f"“{'abcdefg'[place]}” {pattern[1, 2, 6, place]:.3f}" in row


def test_a_saved_page_works_where_scripts_may_only_stand_in_it(page: Page):
    """As in VS Code's notebooks, whose policy has no ``data:``."""
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"
    pattern = torch.rand(1, 1, 2, 5, 5).softmax(-1)
    frame = show(pattern, [*"abcde"])._repr_html_()
    page.set_content(f'<meta http-equiv="Content-Security-Policy" content="{policy}">{frame}')
    inside = page.frame_locator("iframe")
    inside.locator('[data-view="attention_view"][data-ready="true"]').wait_for()
    assert inside.locator(".hs-tokens button").all_text_contents() == [*"abcde"]
    assert inside.locator("#wait").count() == 0


def test_a_saved_page_that_cannot_be_drawn_says_why(page: Page, problems):
    problems.expect("Content Security Policy")
    html = show(torch.rand(1, 1, 2, 5, 5).softmax(-1)).html.replace("DecompressionStream", "NoSuchStream")
    page.set_content(html)
    page.wait_for_selector("text=This page could not be drawn (NoSuchStream is not defined)")
    policy = "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
    page.set_content(html.replace("<head>", f"<head>{policy}"))
    assert page.locator("#wait").text_content().endswith("scripts are not allowed here.")


def test_layers_and_heads_of_a_saved_page_keep_their_numbers(page: Page):
    pattern = torch.rand(6, 1, 5, 4, 4).softmax(-1)
    page.set_content(show(pattern, [*"abcd"], layers=[2, 4], heads=[1, 3], layer=4, head=3).html)
    page.wait_for_selector('[data-view="attention_view"][data-ready="true"]')
    assert page.locator('[data-view="attention_view"] h2').text_content() == "Layer 4, head 3"
    assert page.locator(".hs-grid .hs-axis").all_text_contents() == ["H1", "H3", "L2", "L4"]
    assert page.locator('.hs-switch [data-name="flow"]').count() == 0  # through all layers
    page.click('.hs-grid button[data-layer="0"][data-head="0"]')
    page.locator('[data-view="attention_view"] h2', has_text="Layer 2, head 1").wait_for()
    page.locator('[data-view="attention_view"] canvas').first.click(position={"x": 60, "y": 60})
    name = page.locator("p.hs-cell code").first.text_content()
    attention = {"attention": pattern}
    assert abs(float(eval(name, attention)) - float(page.locator("p.hs-cell strong").first.text_content())) < 1e-4
    page.evaluate("headscope.toggle({ by: 'mean', over: 'all' })")
    page.wait_for_function("document.querySelector('[data-view=attention_view] h2').textContent.startsWith('Mean')")
    assert page.locator('[data-view="attention_view"] h2').text_content() == "Mean over all 4 chosen heads"
    name = page.locator("p.hs-cell code").first.text_content()
    assert (
        abs(
            float(eval(name, {**attention, "torch": torch}))
            - float(page.locator("p.hs-cell strong").first.text_content())
        )
        < 1e-4
    )


def test_encoder_decoder_and_cross_attention_are_one_page(page: Page):
    model = load_model("encoder-decoder-cross")
    view = show(model, "How to bake bread\nPreheat the oven to 200 degrees")
    page.set_viewport_size({"width": 1200, "height": 900})
    page.set_content(view.html)
    page.wait_for_selector('[data-view="attention_view"][data-ready="true"]')
    tokens = page.locator(".hs-tokens button").all_text_contents()
    assert "".join(tokens).replace("·", " ").strip() == "How to bake bread"
    page.get_by_role("radio", name="Cross-attention").click()
    page.wait_for_selector('[data-view="between_view"][data-ready="true"]')
    assert page.locator('[data-view="attention_view"]').count() == 0
    cross = view.patterns["cross"]
    page.click('.hs-grid button[data-layer="1"][data-head="2"]')
    page.locator('[data-view="between_view"] h2', has_text="Layer 1, head 2").wait_for()  # drawn once a frame
    page.locator('[data-view="between_view"] canvas').click(position={"x": 160, "y": 160})
    name = page.locator("p.hs-cell code").text_content()
    place = re.fullmatch(r"decoder\.blocks\.1\.cross_attn\.pattern\[0, 2, (\d+), (\d+)\]", name)
    number = float(page.locator("p.hs-cell strong").text_content())
    assert abs(number - cross[1, 2, int(place[1]), int(place[2])]) < 1e-4
    shown = rows(saved(page, "between_view", "CSV")[1])
    found = np.array([[float(p) for p in row[1:]] for row in shown[1:]])
    assert np.abs(found - cross[1, 2]).max() < 5.001e-5  # four decimals, the last of them exact
    page.get_by_role("radio", name="Decoder").click()
    page.wait_for_selector('[data-view="next_view"][data-ready="true"]')
    assert page.locator(".hs-grid button").count() == cross.shape[0] * view.patterns["decoder"].shape[1]


def test_svg_text_and_csv_are_escaped(js):
    text = """'<i>&\\u0007\\ud800"'"""
    call = f"""({{ tag, escaped }}) => [
        tag("text", {{ x: 1.23456, fill: 'a"b' }}, escaped({text})), tag("g", {{ a: null }})]"""
    expected = '<text x="1.23" fill="a&quot;b">&lt;i&gt;&amp;U+0007U+D800&quot;</text>'
    assert js("base/svg", call) == [expected, "<g/>"]
    cells = [["a,b", 'say "x"', " \n"], ["plain", "1", ""]]
    text = js("save/numbers", "({ csv }, rows) => csv(rows)", cells)
    assert list(csv.reader(io.StringIO(text, newline=""))) == cells


def test_a_cell_that_begins_like_a_formula_is_text_and_a_number_stays_one(js):
    formulas = ["=1+1", "+1+1", "-2+3+cmd|' /C calc'!A0", "@SUM(1)", "\t=1", "\r=1", "=", "-", '="a",b']
    numbers = ["-0.5", "+3", "-1e-7", "0.25", "-Infinity"]
    text = js("save/numbers", "({ csv }, rows) => csv(rows)", [formulas, numbers])
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[f"'{cell}" for cell in formulas], numbers]


def test_pixels_become_one_path_for_each_colour(js):
    block = "{ data: Uint8ClampedArray.from([9,8,7,255, 9,8,7,255, 0,0,0,0, 1,2,3,255]), width: 2, height: 2 }"
    found = js("base/svg", f"({{ pixelPaths }}) => pixelPaths({block}, {{ left: 10, top: 20, wide: 4, high: 5 }})")
    paths = {path.get("fill"): path.get("d") for path in ET.fromstring(found)}
    assert paths == {"rgb(9,8,7)": "M10 20h8v5h-8z", "rgb(1,2,3)": "M14 25h4v5h-4z"}


@pytest.mark.parametrize(("drawing", "expected"), [
    ("c.fillStyle = '#ff0000'; c.fillRect(1, 2, 3, 4)", [("path", "M1 2L4 2L4 6L1 6Z", "#ff0000", None)]),
    ("c.translate(10, 0); c.scale(2, 2); c.lineWidth = 3; c.strokeStyle = '#00ff00'; c.moveTo(0, 1); c.lineTo(2, 1);"
     "c.stroke()", [("path", "M10 2L14 2", "none", "6")]),
    ("c.globalAlpha = 0.5; c.fillStyle = '#0000ff'; c.beginPath(); c.bezierCurveTo(1, 1, 2, 2, 3, 3); c.fill()",
     [("path", "C1 1 2 2 3 3", "#0000ff", None)]),
    ("c.beginPath(); c.arc(5, 5, 5, 0, 2 * Math.PI); c.fill()",
     [("path", "M10 5A5 5 0 0 1 5 10A5 5 0 0 1 0 5A5 5 0 0 1 5 0A5 5 0 0 1 10 5", "#000000", None)]),
])  # fmt: skip
def test_what_is_drawn_on_a_canvas_is_written_as_paths(js, drawing, expected):
    call = """({ listen }, drawing) => {
        const canvas = document.createElement("canvas");
        const heard = listen(canvas);
        new Function("c", drawing)(canvas.getContext("2d"));
        const markup = heard.markup();
        heard.stop();
        return [markup, canvas.getContext("2d") instanceof CanvasRenderingContext2D];
    }"""
    markup, is_real = js("save/svg_canvas", call, drawing)
    found = [(e.tag, e.get("d"), e.get("fill"), e.get("stroke-width")) for e in ET.fromstring(f"<svg>{markup}</svg>")]
    assert found == expected and is_real


def test_a_clip_ends_where_what_was_saved_before_it_is_restored(js):
    call = """({ listen }) => {
        const canvas = document.createElement("canvas");
        const heard = listen(canvas);
        const c = canvas.getContext("2d");
        c.save(); c.beginPath(); c.rect(0, 0, 5, 5); c.clip(); c.fillRect(0, 0, 9, 9); c.restore();
        c.fillText("<a>", 3, 4);
        return heard.markup();
    }"""
    root = ET.fromstring(f"<svg>{js('save/svg_canvas', call)}</svg>")
    assert [child.tag for child in root] == ["clipPath", "g", "text"]
    assert root[1].get("clip-path") == f"url(#{root[0].get('id')})" and root[1][0].get("d") == "M0 0L9 0L9 9L0 9Z"
    assert root[2].text == "<a>"
    assert json.loads(f"[{root[2].get('transform')[7:-1].replace(' ', ',')}]") == [1, 0, 0, 1, 3, 4]
