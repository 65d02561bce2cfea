"""The page under its user's hands: every number it shows is one of torch's, and looking around asks no server."""

import re

import pytest
import torch
from playwright.sync_api import Page

from ..reference import SHOWN, same
from ..screen import Screen

TEXT = (
    "How to wash a red cup and a blue cup: first wash the red cup with warm water, "
    "then dry it, and then wash the blue cup in the same warm water"
)
PLACES = [(0, 0, 34), (5, 7, 33), (2, 3, 32), (4, 1, 31), (1, 5, 30), (3, 6, 29), (5, 2, 16), (3, 0, 1), (0, 4, 0)]


# numbers


def test_whole_rows_of_attention_are_torchs(screen: Screen, reference):
    trace, ids = reference.trace(TEXT), reference.ids(TEXT)
    screen.run(TEXT)
    assert screen.tokens() == screen.labels(reference.pieces(ids))
    compared = 0
    for layer, head, query in PLACES:
        screen.choose_head(layer, head)
        screen.choose_token(query)
        rows = screen.row_table()
        weights = trace.attention(layer)[0, head, query, : query + 1].tolist()
        assert [int(place) for place, _, _ in rows] == list(range(query + 1))
        wrong = [(row, weight) for row, weight in zip(rows, weights) if not same(row[2], weight)]
        assert wrong == [], f"layer {layer}, head {head}, query {query}"
        compared += len(rows)
    assert compared >= 200


SHADES = """({ sequential }, weights, dark) => weights.map((weight) => [weight - 1e-5, weight + 1e-5].map((at) => {
    const probe = document.body.appendChild(document.createElement("i"));
    Object.assign(probe.style, { backgroundColor: sequential(dark).css(at), color: sequential(dark).ink(at) });
    const { backgroundColor, color } = getComputedStyle(probe);
    probe.remove();
    return [backgroundColor, color];
}))"""
WORN = """all => all.map((button) => getComputedStyle(button)).map(
    ({ backgroundColor, color }) => [backgroundColor, color])"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_token_wears_the_color_of_its_weight(screen: Screen, reference, theme):
    screen.run(TEXT)
    if theme == "dark":
        screen.page.click("[title='Dark or light']")
    screen.choose_head(4, 5)
    screen.choose_token(20)
    weights = reference.trace(TEXT).attention(4)[0, 5, 20].tolist()[:21]
    worn = screen.page.locator(".hs-tokens button").evaluate_all(WORN)
    for colors, (below, above) in zip(worn, screen.call("scale", SHADES, weights, theme == "dark")):
        assert colors in (below, above)
    assert len({ground for ground, _ in worn[:21]}) > 3 and worn[21] == worn[22]  # later ones cannot be seen


def test_a_cell_is_the_tensor_entry_that_it_names(screen: Screen, reference):
    trace = reference.trace(TEXT)
    screen.run(TEXT)
    for layer, head, query, key in [(0, 0, 3, 1), (5, 7, 30, 0), (3, 2, 17, 16), (4, 6, 25, 9), (2, 1, 8, 8)]:
        screen.choose_head(layer, head)
        screen.point_at_cell(query, key)
        name, index = re.fullmatch(r"(\S+)\[(.+)\]", screen.text_of(".hs-cell code")).groups()
        place = tuple(int(number) for number in index.split(", "))
        assert (name, place) == (f"blocks.{layer}.attn.pattern", (0, head, query, key))
        assert same(screen.text_of(".hs-cell strong"), trace[name][place].item())


def test_a_masked_cell_says_so_and_shows_no_number(screen: Screen):
    screen.run("one two three four")
    screen.point_at_cell(1, 3)
    assert re.fullmatch("“.+” cannot see “.+”: it comes later, so the mask hides it.", screen.text_of(".hs-cell"))
    assert screen.page.locator(".hs-cell strong").count() == 0


def test_next_tokens_are_torchs_distribution(screen: Screen, reference):
    probabilities, ids = reference.probabilities(TEXT), reference.ids(TEXT)
    screen.run(TEXT)
    for place in (0, 7, 19, len(ids) - 1):
        screen.choose_token(place)
        best = probabilities[place].topk(SHOWN)
        assert [name for name, _ in screen.bars()] == screen.names(reference.pieces(best.indices.tolist()))
        assert all(same(shown, p) for (_, shown), p in zip(screen.bars(), best.values.tolist()))
        rest = re.fullmatch(r"The other 8,184 tokens of the vocabulary share (\S+)\.", screen.text_of(".hs-rest"))
        assert same(rest[1], 1 - best.values.sum().item())


def test_the_true_next_token_has_torchs_probability_and_rank(screen: Screen, reference):
    probabilities, ids = reference.probabilities(TEXT), reference.ids(TEXT)
    screen.run(TEXT)
    for place in (0, 11, len(ids) - 2):
        screen.choose_token(place)
        p = probabilities[place, ids[place + 1]]
        said = re.search(r"probability (\S+), rank ([\d,]+) of 8,192", screen.text_of(".hs-actual"))
        assert same(said[1], p.item())
        assert int(said[2].replace(",", "")) == 1 + int((probabilities[place] > p).sum())
    screen.choose_token(len(ids) - 1)
    assert "end of your text" in screen.text_of(".hs-actual")


def test_the_sentence_names_where_the_row_looks_most(screen: Screen, reference):
    trace = reference.trace(TEXT)
    screen.run(TEXT)
    screen.choose_head(3, 6)
    screen.choose_token(20)
    best = trace.attention(3)[0, 6, 20, :21].topk(4).values.tolist()
    shown = re.findall(r"” (<?[\d.]+\d)", screen.text_of("p.hs-row"))
    assert len(shown) == 4 and all(same(number, p) for number, p in zip(shown, best))


# looking around


def test_looking_around_asks_the_server_nothing(screen: Screen):
    screen.run(TEXT)
    asked = []
    screen.page.on("request", lambda request: asked.append(request.url))
    thumbnails, tokens = screen.page.locator(".hs-grid button"), screen.page.locator(".hs-tokens button")
    titles = set()
    for i in (9, 22, 47):
        screen.point_at(thumbnails.nth(i))
        titles.add(screen.title())
    screen.choose_head(4, 3)
    screen.point_at(tokens.nth(5))
    screen.choose_token(6)
    screen.point_at_cell(6, 2)
    screen.choose_drawing("lines")
    screen.point_at_line_of(9)
    screen.choose_drawing("flow")
    screen.point_at_input_of(3)
    screen.choose_drawing("matrix")
    screen.row_table()
    screen.page.click('[aria-label="Switch between dark and light"]')
    screen.page.locator(".hs-picture canvas").press("ArrowUp")
    screen.next_frame()
    assert titles == {"Layer 1, head 1", "Layer 2, head 6", "Layer 5, head 7"}
    assert screen.chosen_token() == 5
    assert asked == []


def test_pointing_previews_and_a_click_keeps(screen: Screen):
    screen.run("one two three four")
    first, other = (screen.page.locator(".hs-grid button").nth(i) for i in (0, 11))
    screen.point_at(other)
    assert screen.title() == "Layer 1, head 3"
    screen.point_away()
    screen.choose_head(0, 0)
    assert screen.title() == "Layer 0, head 0"
    other.click()
    screen.point_at(first)
    assert screen.title() == "Layer 0, head 0"
    screen.point_away()
    assert screen.title() == "Layer 1, head 3"


def test_a_token_is_kept_by_a_click_and_let_go_by_the_next(screen: Screen):
    screen.run("one two three four")
    last, token = len(screen.tokens()) - 1, screen.page.locator(".hs-tokens button").nth(1)
    assert screen.chosen_token() == last
    token.click()
    screen.point_away()
    assert screen.chosen_token() == 1
    token.click()
    screen.point_away()
    assert screen.chosen_token() == last


def test_lines_show_the_row_that_is_pointed_at(screen: Screen, reference):
    trace = reference.trace(TEXT)
    screen.run(TEXT)
    screen.choose_head(0, 0)
    screen.choose_drawing("lines")
    screen.point_at_line_of(9)
    assert screen.chosen_token() == 9
    shown = re.findall(r"” (<?[\d.]+\d)", screen.text_of("p.hs-row"))
    best = trace.attention(0)[0, 0, 9, :10].topk(4).values.tolist()
    assert all(same(number, p) for number, p in zip(shown, best))


def test_flow_is_the_rollout_of_torchs_patterns(screen: Screen, reference):
    trace = reference.trace(TEXT)
    rollout = torch.eye(len(reference.ids(TEXT)), dtype=torch.float64)
    for layer in range(6):
        rollout = (trace.attention(layer)[0].double().mean(0) + torch.eye(len(rollout))) / 2 @ rollout
    screen.run(TEXT)
    screen.choose_drawing("flow")
    assert screen.title() == "All layers: rollout"
    assert "Abnar and Zuidema 2020" in screen.view("attention_view").inner_text()
    for query in (34, 12, 0):
        screen.choose_token(query)
        rows = screen.row_table()
        assert len(rows) == query + 1
        assert all(same(row[2], share) for row, share in zip(rows, rollout[query].tolist()))
    screen.choose_token(30)
    screen.point_at_input_of(7)
    assert screen.text_of(".hs-cell code") == "rollout[30, 7]"
    assert same(screen.text_of(".hs-cell strong"), rollout[30, 7].item())
    assert "draws most on" in screen.text_of("p.hs-row")
    assert {"query=30", "draw=flow"} <= set(screen.address().split("&"))
    screen.point_at(screen.page.locator(".hs-grid button").nth(9))
    assert screen.title() == "Layer 1, head 1"
    screen.point_away()
    assert screen.title() == "All layers: rollout"
    screen.choose_head(1, 1)
    assert screen.title() == "Layer 1, head 1"


def test_an_example_opens_with_its_text(screen: Screen, reference):
    screen.choose_example(1)
    text = "Wash the red cup and dry the red cup. Wash the red"
    assert screen.prompt.input_value() == text
    assert screen.tokens() == screen.labels(reference.pieces(reference.ids(text)))


# the address


def seen(screen: Screen) -> list:
    return [screen.title(), screen.chosen_token(), screen.text_of(".hs-cell"), screen.tokens(), screen.row_table()]


def test_the_address_shows_another_reader_the_same(screen: Screen):
    assert screen.address() == "show=explore"
    screen.choose_head(3, 0)
    screen.point_at_cell(5, 2)
    screen.page.mouse.down()
    screen.page.mouse.up()
    screen.choose_drawing("lines")
    assert screen.address() == "show=explore&layer=3&head=0&query=5&key=2&draw=lines"
    before = seen(screen)
    screen.open("&layer=4&query=5&key=2&draw=lines")
    assert seen(screen) == before
    assert screen.address() == "show=explore&layer=3&head=0&query=5&key=2&draw=lines"
    screen.choose_drawing("matrix")
    screen.choose_head(0, 0)
    assert screen.address() == "show=explore&layer=0&head=0&query=5&key=2"


def test_a_page_is_used_again_without_being_loaded(screen: Screen):
    screen.page.evaluate("globalThis.before_ = true")
    screen.open_anew()
    assert screen.page.evaluate("globalThis.before_"), "FIRST in screen.py lacks a view that Explore begins with"


def test_a_short_text_is_part_of_the_address_and_runs_on_load(screen: Screen, reference):
    screen.run("one two <b>three</b> & four")
    screen.choose_token(6)
    screen.choose_head(1, 1)
    address, before = screen.address(), seen(screen)
    assert address == "show=explore&layer=1&head=1&query=6&text=one+two+%3Cb%3Ethree%3C%2Fb%3E+%26+four"
    screen.page.goto("about:blank")
    screen.open_address(address)
    screen.page.wait_for_selector('[data-view="grid_view"][data-seq="2"]')
    screen.next_frame()
    assert seen(screen) == before
    assert (screen.prompt.input_value(), screen.address()) == ("one two <b>three</b> & four", address)
    assert not screen.is_busy()
    screen.run("one " * 500)
    assert screen.address().endswith("&cut=2000") and len(screen.address()) < 1600, "too long for an address"


def test_an_address_beyond_the_text_is_fitted_into_it(screen: Screen):
    screen.open("&layer=99&head=99&query=999&key=999&draw=nonsense")
    assert (screen.title(), screen.chosen_token()) == ("Layer 5, head 7", len(screen.tokens()) - 1)
    assert screen.address() == "show=explore&layer=5&head=7"


def test_the_learn_page_keeps_its_own_address(screen: Screen):
    screen.choose_head(3, 2)
    assert screen.address() == "show=explore&layer=3&head=2"
    screen.page.click('[data-page="learn"]')
    screen.page.wait_for_function("/^\\?lesson=\\w+&step=1$/.test(location.search)")
    screen.page.click('[data-page="explore"]')
    screen.next_frame()
    assert set(screen.address().split("&")) == {"show=explore", "layer=3", "head=2"}


# keys


def test_arrows_in_the_grid_choose_heads_and_stay_inside(screen: Screen):
    screen.choose_head(0, 0)
    screen.page.locator('.hs-grid button[aria-pressed="true"]').focus()
    for key, title in [
        ("ArrowRight", "Layer 0, head 1"),
        ("ArrowDown", "Layer 1, head 1"),
        ("ArrowDown", "Layer 2, head 1"),
        ("ArrowLeft", "Layer 2, head 0"),
        ("ArrowLeft", "Layer 2, head 0"),
        ("ArrowUp", "Layer 1, head 0"),
    ]:
        screen.page.keyboard.press(key)
        screen.next_frame()
        assert screen.title() == title
        assert screen.page.evaluate("document.activeElement.getAttribute('aria-label')") == title


def test_arrows_in_the_matrix_read_cell_after_cell(screen: Screen, reference):
    trace = reference.trace(TEXT)
    last = len(reference.ids(TEXT)) - 1
    screen.run(TEXT)
    screen.choose_head(0, 0)
    screen.page.locator(".hs-picture canvas").hover()  # a resting pointer must not hold the cell
    screen.page.locator(".hs-picture canvas").focus()
    for key, query, at in [
        ("ArrowRight", last, 1),
        ("ArrowRight", last, 2),
        ("ArrowUp", last - 1, 2),
        ("ArrowLeft", last - 1, 1),
        ("ArrowDown", last, 1),
        ("ArrowDown", last, 1),
    ]:
        screen.page.keyboard.press(key)
        screen.next_frame()
        assert screen.text_of(".hs-cell code") == f"blocks.0.attn.pattern[0, 0, {query}, {at}]"
        assert same(screen.text_of(".hs-cell strong"), trace.attention(0)[0, 0, query, at].item())
    screen.page.keyboard.press("Enter")
    screen.next_frame()
    assert screen.page.locator(".hs-cell strong").count() == 0, "Enter lets go of the cell"


def test_tab_goes_from_the_grid_to_the_picture(screen: Screen):
    screen.page.locator('.hs-grid button[aria-pressed="true"]').focus()
    focused = []
    for _ in range(12):
        screen.page.keyboard.press("Tab")
        focused.append(screen.page.evaluate("document.activeElement.tagName"))
    assert "CANVAS" in focused, "from the 48 heads one Tab leads on"


def test_a_question_mark_shows_the_keys_but_not_while_typing(screen: Screen):
    keys = screen.page.locator("dialog.hs-keys")
    screen.page.locator(".hs-picture canvas").focus()
    for shown in (True, False):
        screen.page.keyboard.press("?")
        assert keys.is_visible() is shown
    screen.page.keyboard.press("H")
    screen.page.keyboard.press("Escape")
    assert not keys.is_visible()
    screen.prompt.fill("")
    screen.prompt.press_sequentially("Hh?")
    assert screen.prompt.input_value() == "Hh?" and not keys.is_visible()


# shapes and colours


def test_nothing_is_wider_than_a_phone(screen: Screen):
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.run(TEXT + ", supercalifragilisticexpialidocious" * 6)
    too_wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert screen.page.evaluate(too_wide) <= 0
    screen.row_table()
    for name in ("lines", "flow"):
        screen.choose_drawing(name)
        assert screen.page.evaluate(too_wide) <= 0


def test_dark_and_light_change_ground_ink_and_pictures(screen: Screen):
    def look() -> list:
        return screen.page.evaluate(
            """() => {
                const canvas = document.querySelector('.hs-grid canvas');
                const pixel = canvas.getContext('2d').getImageData(0, canvas.height - 1, 1, 1).data;
                const { backgroundColor } = getComputedStyle(document.body);
                return [backgroundColor, getComputedStyle(document.querySelector('.hs-view h2')).color, pixel.join()];
            }"""
        )

    light = look()
    screen.page.click('[aria-label="Switch between dark and light"]')
    screen.next_frame()
    dark = look()
    assert all(a != b for a, b in zip(light, dark))
    assert (light[0], dark[0]) == ("rgb(255, 255, 255)", "rgb(15, 15, 18)")
    screen.page.click('[aria-label="Switch between dark and light"]')
    screen.next_frame()
    assert look() == light


@pytest.mark.parametrize(("wish", "animation"), [("no-preference", "hs-slide"), ("reduce", "none")])
def test_nothing_moves_for_who_wants_no_motion(screen: Screen, wish, animation):
    screen.page.emulate_media(reduced_motion=wish)
    style = "getComputedStyle(document.querySelector('.hs-busy'), '::after').animationName"
    assert screen.page.evaluate(style) == animation


# busy and wrong


def held(page: Page, pattern: str) -> list:
    """Requests to ``pattern`` wait in the list that is returned, until they are let go."""
    waiting = []
    page.route(pattern, lambda route: waiting.append(route))
    return waiting


def let_go(page: Page, pattern: str, waiting: list) -> None:
    for route in waiting:
        route.continue_()
    page.unroute(pattern)


def wait_for_one(page: Page, waiting: list) -> None:
    while not waiting:
        page.wait_for_timeout(20)


def test_while_the_model_works_the_old_picture_stays_and_a_bar_moves(screen: Screen):
    before, seq = screen.tokens(), screen.seq()
    waiting = held(screen.page, "**/ask/run")
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    wait_for_one(screen.page, waiting)
    assert screen.is_busy()
    assert (screen.tokens(), screen.seq()) == (before, seq)
    screen.wait_for_result_of(lambda: let_go(screen.page, "**/ask/run", waiting))
    screen.page.wait_for_selector(".hs-busy", state="hidden")
    assert screen.tokens()[1:] == ["one", " two", " three"]


def test_an_older_result_that_comes_later_is_dropped(screen: Screen, problems):
    problems.expect("net::ERR_ABORTED")
    waiting = held(screen.page, "**/ask/run")
    screen.prompt.fill("this one is slow")
    screen.prompt.press("Enter")
    wait_for_one(screen.page, waiting)
    screen.wait_for_result_of(lambda: screen.page.select_option("#examples select", "4"))
    seq, tokens = screen.seq(), screen.tokens()
    screen.page.unroute("**/ask/run")
    screen.page.wait_for_timeout(300)
    assert (screen.seq(), screen.tokens()) == (seq, tokens)
    assert screen.tokens()[1] == "How" and not screen.is_busy() and not screen.has_problem()


def test_the_last_of_several_hurried_texts_is_shown(screen: Screen):
    for text in ("one", "one two", "one two three"):
        screen.prompt.fill(text)
        screen.prompt.press("Enter")
    screen.page.wait_for_function("document.querySelectorAll('.hs-tokens button').length === 4")
    screen.page.wait_for_timeout(500)
    assert screen.tokens()[1:] == ["one", " two", " three"]


def test_too_many_questions_are_one_sentence_over_the_old_picture(screen: Screen, problems):
    problems.expect("503")
    before, seq = screen.tokens(), screen.seq()
    screen.page.route(
        "**/ask/run", lambda route: route.fulfill(status=503, content_type="text/plain", body="Too many wait already.")
    )
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    assert screen.problem() == "Too many wait already."
    assert not screen.is_busy()
    assert (screen.tokens(), screen.seq()) == (before, seq)
    screen.page.unroute("**/ask/run")
    screen.run("one two three")
    assert screen.tokens()[1:] == ["one", " two", " three"] and not screen.has_problem()


def test_a_lost_server_is_said_once_and_what_was_asked_comes_when_it_is_back(screen: Screen, problems):
    problems.expect("net::ERR_FAILED")
    before, seq = screen.tokens(), screen.seq()
    screen.page.route("**/ask/*", lambda route: route.abort())
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    assert screen.problem() == "The server does not answer. Is the app still running?"
    assert not screen.is_busy()
    screen.choose_head(2, 3)  # what is there can still be looked at
    assert (screen.tokens(), screen.seq()) == (before, seq)
    screen.page.wait_for_timeout(2500)
    assert screen.page.locator(".hs-problem:visible").count() == 1
    screen.wait_for_result_of(lambda: screen.page.unroute("**/ask/*"))
    assert screen.tokens()[1:] == ["one", " two", " three"] and not screen.has_problem()


@pytest.mark.parametrize(
    ("answer", "sentence", "console"),
    [
        ((404, "No such question: load the page again."), "No such question: load the page again.", "404"),
        ((200, "<html>some proxy</html>"), "The server sent something that is not a result.", None),
    ],
)  # fmt: skip
def test_a_result_that_does_not_arrive_is_one_sentence_over_the_old_picture(
    screen: Screen, problems, answer, sentence, console
):
    if console:
        problems.expect(console)
    before, seq = screen.tokens(), screen.seq()
    screen.page.route(
        "**/ask/run",
        lambda route: route.fulfill(status=answer[0], body=answer[1]),
    )
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    assert screen.problem() == sentence
    assert not screen.is_busy()
    assert (screen.tokens(), screen.seq()) == (before, seq)
    screen.page.unroute("**/ask/run")
    screen.run("one two three")
    assert not screen.has_problem()
