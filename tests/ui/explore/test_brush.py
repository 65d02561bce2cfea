"""The brush on a long matrix: where it leads, every cell that is read off is torch's, at its true place."""

import re
from urllib.parse import quote

from ..reference import Reference, same
from ..screen import ROOM, Screen

SENTENCE = "Wash the red cup in warm water, dry it well, and then put the blue cup beside it on the shelf. "
TEXT = (SENTENCE * 4).strip()
LAYER, HEAD = 3, 2
FRAME = ".hs-brush-frame"


def shown(screen: Screen) -> tuple[int, int, int]:
    """First row, first column and rows of what is shown, as a screen reader says it."""
    said = screen.page.locator(FRAME).get_attribute("aria-valuetext")
    row, last, column, end, T = map(int, re.findall(r"\d+", said))
    assert last - row == end - column and len(screen.tokens()) == T
    return row, column, last - row + 1


def side(screen: Screen) -> float:
    """px of a cell."""
    return screen.call("weights", SIDE, [])


SIDE = """({ drawWeights }) => {
    const { payload, focus } = globalThis.headscope;
    const { brush } = document.querySelector('[data-view="attention_view"]').dataset;
    const canvas = document.createElement('canvas');
    return drawWeights(canvas, ROOM, payload, { ...focus.now, brush }, 0, false).cell.width;
}""".replace("ROOM", ROOM)


def read_off(screen: Screen, pattern) -> int:
    """Point at cells in the corners and the middle of what is shown; how many had a number."""
    row, column, count = shown(screen)
    numbers = 0
    for down, right in [(0, 0), (count - 1, 0), (count - 1, count - 1), (count // 2, 1), (0, count - 2)]:
        query, key = row + down, column + right
        screen.point_at_cell(query, key)
        if key > query:
            assert "comes later" in screen.text_of(".hs-cell"), (query, key)
            continue
        assert screen.text_of(".hs-cell code") == f"blocks.{LAYER}.attn.pattern[0, {HEAD}, {query}, {key}]"
        assert same(screen.text_of(".hs-cell strong"), pattern[query, key].item())
        numbers += 1
    screen.point_away()
    assert shown(screen) == (row, column, count), "pointing moves nothing"
    return numbers


def press(screen: Screen, *keys: str) -> tuple[int, int, int]:
    screen.page.locator(FRAME).focus()
    for key in keys:
        screen.page.keyboard.press(key)
    screen.next_frame()
    return shown(screen)


def place_on_map(screen: Screen, row: float, column: float) -> tuple[float, float]:
    box, T = screen.page.locator(".hs-brush-map canvas").bounding_box(), len(screen.tokens())
    return box["x"] + column / T * box["width"], box["y"] + row / T * box["height"]


def drag(screen: Screen, start: tuple[float, float], end: tuple[float, float]) -> tuple[int, int, int]:
    """From a row and column of the minimap to others."""
    screen.page.mouse.move(*place_on_map(screen, *start))
    screen.page.mouse.down()
    screen.page.mouse.move(*place_on_map(screen, *end), steps=3)
    screen.page.mouse.up()
    screen.point_away()
    return shown(screen)


def test_what_the_brush_shows_is_torchs_wherever_it_is_led(screen: Screen, reference: Reference):
    screen.run(TEXT)
    screen.choose_head(LAYER, HEAD)
    T = len(screen.tokens())
    pattern = reference.trace(TEXT).attention(LAYER)[0, HEAD]
    assert 64 <= T == len(pattern)
    row, column, count = shown(screen)
    assert (row + count, column + count) == (T, T) and 14 <= side(screen) < 20, "the last row's end, to be read"
    compared = read_off(screen, pattern)

    assert press(screen, "Home") == (0, 0, count)
    compared += read_off(screen, pattern)
    row, column, fewer = press(screen, "-", "-", "ArrowDown", "ArrowDown", "ArrowRight")
    assert (row, column) == (count - fewer + 2, count - fewer + 1) and fewer < count
    compared += read_off(screen, pattern)
    assert press(screen, "+", "End")[2] > fewer and sum(shown(screen)[::2]) == T

    start = drag(screen, (30, 20), (30, 20))  # a press: the middle
    assert abs(start[0] + start[2] / 2 - 30) <= 1.5 and abs(start[1] + start[2] / 2 - 20) <= 1.5
    row, column, count = drag(screen, (30, 20), (41, 13))
    assert abs(row - start[0] - 11) <= 1 and abs(column - start[1] + 7) <= 1 and count == start[2]
    compared += read_off(screen, pattern)
    corner = (row + count + 1, column + count + 1)
    assert drag(screen, corner, (corner[0] + 5, corner[1] + 5))[:2] == (row, column)
    assert abs(shown(screen)[2] - count - 6) <= 1
    compared += read_off(screen, pattern)
    screen.page.mouse.move(*place_on_map(screen, 40, 20))
    screen.page.mouse.wheel(0, -300)
    screen.point_away()
    assert shown(screen)[2] < count
    compared += read_off(screen, pattern)
    assert compared >= 20

    assert press(screen, "Escape") == (0, 0, T)
    screen.page.get_by_role("button", name="Whole matrix").click()
    screen.point_away()
    row, column, count = shown(screen)
    assert (row + count, column + count) == (T, T)


def test_it_follows_what_is_chosen_and_the_address_has_it(screen: Screen, reference: Reference):
    pattern = reference.trace(TEXT).attention(LAYER)[0, HEAD]
    address = f"show=explore&layer={LAYER}&head={HEAD}&brush=50.37.11&text={quote(TEXT)}"
    screen.open_address(address)
    screen.page.wait_for_function(f"headscope.payload.tokens.length === {len(pattern)}")
    screen.next_frame()
    assert shown(screen) == (50, 37, 11) and "brush=50.37.11" in screen.address()
    assert read_off(screen, pattern) == 5
    screen.choose_token(55)
    assert shown(screen) == (50, 37, 11), "its row is in sight"
    screen.choose_token(23)
    assert shown(screen) == (13, 13, 11), "the end of its row"
    canvas = screen.page.locator(".hs-picture canvas")
    canvas.focus()
    for key, expected in [
        ("ArrowRight", (13, 13, 11)),
        ("ArrowDown", (14, 13, 11)),
        *[("ArrowLeft", (14, 13, 11))] * 1,
    ]:
        screen.page.keyboard.press(key)
        screen.next_frame()
        assert shown(screen) == expected
    screen.page.evaluate("Object.assign(headscope.focus.locked, { query: 60, key: 5 }); headscope.preview({})")
    screen.next_frame()
    assert shown(screen) == (50, 5, 11)
    assert screen.text_of(".hs-cell code").endswith("[0, 2, 60, 5]")
    assert "brush=50.5.11" in screen.address()
    screen.check_setting("bars")
    assert read_off(screen, pattern) == 5
    screen.choose_drawing("lines")
    assert not screen.page.locator(".hs-brush").is_visible()
    screen.choose_drawing("matrix")
    assert shown(screen) == (50, 5, 11)
    screen.run("Wash the red cup in warm water")
    assert not screen.page.locator(".hs-brush").is_visible(), "a short matrix is whole"
    assert "brush" not in screen.address()


def test_256_tokens_on_a_phone_have_cells_for_a_finger_and_tables_when_asked_for(screen: Screen, reference: Reference):
    screen.page.set_viewport_size({"width": 390, "height": 844})
    text = SENTENCE * 14
    screen.run(text)
    ids = reference.ids(text)[:256]
    assert len(screen.tokens()) == len(ids) == 256
    row, column, count = shown(screen)
    assert (row + count, column + count) == (256, 256) and side(screen) >= 22
    screen.page.get_by_role("button", name="More tokens").click()
    screen.next_frame()
    assert shown(screen)[2] > count
    assert screen.page.evaluate("document.scrollingElement.scrollHeight") <= 4 * 844
    assert screen.view("attention_view").locator("table").count() == 0
    assert len(screen.row_table()) == 256
    screen.view("attention_view").locator(".hs-table summary").click()
    screen.next_frame()
    assert screen.view("attention_view").locator("table").count() == 0
