"""The lessons under a learner's hands: stepping asks no server, answers are answered, every number is torch's."""

import json
import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from explorer.engine.runner import Runner
from explorer.lessons import LESSONS
from explorer.lessons.lesson import Panel, as_array
from explorer.lessons.mistakes import effects, verdict
from tests.lessons.common import BOAT, CUP, LAST_BITS, ODD_TEXTS, right, steps_of

from ..conftest import Problems, listen
from ..left import left
from ..lesson_screen import HAS_ALL, LessonScreen
from ..serving import App


@pytest.fixture
def alone(page: Page, app: App) -> Iterator[LessonScreen]:
    """A page that is still to be loaded, and is thrown away: its requests, frames and loads count."""
    yield LessonScreen(page, app.url).forget()


@pytest.fixture(scope="module")
def phone(profile: BrowserContext, app: App) -> Iterator[LessonScreen]:
    """One page for all lessons; how wide it is counts when it is loaded, too."""
    page, problems = profile.new_page(), Problems()
    listen(page, problems)
    page.set_viewport_size({"width": 390, "height": 844})
    yield LessonScreen(page, app.url).forget().open()
    page.close()
    assert problems.unexpected() == []


@pytest.fixture(scope="session")
def runner() -> Runner:
    return Runner()


# what is shared


def use_a_text(learn: LessonScreen) -> None:
    learn.follow("attention", 8)
    learn.run(CUP)
    learn.choose("layer", "5")
    learn.open_tables()
    learn.point_at("pattern", [6, 2], click=True)
    learn.page.click('[aria-label="Switch between dark and light"]')
    learn.page.set_viewport_size({"width": 600, "height": 500})
    learn.page.evaluate("scrollTo(0, 300)")


def use_a_lesson(learn: LessonScreen) -> None:
    learn.follow("reshape", 2)
    learn.answer("(12, 4, 1)")
    learn.reveal()
    learn.page.locator(".hs-contents input").fill("softmax")
    learn.page.wait_for_selector(".hs-found .hs-step-link")
    learn.follow("reshape", 8)
    learn.fill("shape", "x")
    learn.problem()
    learn.page.focus(".hs-next")
    learn.page.keyboard.press("l")
    learn.page.keyboard.press("h")


def test_a_page_that_was_used_is_as_one_that_was_just_loaded(alone: LessonScreen):
    learn, page = alone.open(), alone.page
    page.wait_for_function(HAS_ALL)
    before = left(page, "learn_view")
    for use in (use_a_text, use_a_lesson):
        use(learn)
        assert left(page, "learn_view") != before
        learn.begin_anew()
        assert left(page, "learn_view") == before, use.__name__


# numbers

# The tables as they are filled, shut again before they are painted.
TABLES = """async (view) => {
    const details = view.querySelector(".hs-lesson-tables");
    const toggled = (open) => new Promise((go) => {
        details.addEventListener("toggle", go, { once: true });
        details.open = open;
    });
    const numbers = (row) => [...row.querySelectorAll("td.hs-number")].map((cell) => cell.textContent);
    await toggled(true);
    const tables = [...details.querySelectorAll("table")].map(({ dataset, rows }) =>
        [dataset.panel, dataset.block, [...rows].slice(1).map(numbers)]);
    await toggled(false);
    return tables;
}"""


@pytest.fixture
def no_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out losses of broken models stand in no table, and take ten times as long as what does."""
    for module in (effects, verdict):
        monkeypatch.setattr(module, "held_out_loss", lambda *_: 1.0)


@pytest.mark.parametrize("id", list(LESSONS))
def test_the_tables_of_every_step_hold_torchs_numbers(learn: LessonScreen, runner, no_losses, id):
    """All tensors of all steps, as the page writes them, against those that the lesson is made from."""
    steps, walked, compared = steps_of(runner, id), learn.walk(id, TABLES), 0
    assert len(steps) == len(walked)
    for step, found in zip(steps, walked):
        tables: dict[tuple[str, str], list[list[str]]] = {}
        for name, block, rows in found:
            tables.setdefault((name, block), rows)
        for panel in (item for item in step.show if isinstance(item, Panel)):
            compared += compare(tables, panel)
    assert compared >= 100


def compare(tables: dict[tuple[str, str], list[list[str]]], panel: Panel) -> int:
    """How many cells of one panel were compared: all of its blocks, up to 64 rows and columns."""
    array = as_array(panel.values)
    array = array.reshape(1, -1) if array.ndim == 1 else array
    hidden = None if panel.hidden is None else as_array(panel.hidden).reshape(array.shape)
    decimals, compared = 0 if panel.decimals == 0 else 4, 0
    noise = 16.0 if panel.name in LAST_BITS else 2e-4
    for block in np.ndindex(array.shape[:-2]):
        shown = tables[panel.name, ",".join(map(str, block))]
        expected = array[block][:64, :64]
        assert (len(shown), len(shown[0])) == expected.shape
        for (r, c), number in np.ndenumerate(expected):
            if hidden is not None and hidden[block][r, c]:
                assert shown[r][c] == "hidden"
            else:
                assert written(shown[r][c], number, decimals, noise), (panel.name, block, r, c, shown[r][c], number)
            compared += 1
    return compared


def written(text: str, number: float, decimals: int, noise: float) -> bool:
    """Whether the text is the number; ``noise`` is what another run of the same model may differ by."""
    if not np.isfinite(number):
        return text == {"nan": "NaN", "inf": "∞", "-inf": "-∞"}[str(float(number))]
    return abs(float(text) - number) <= 0.5 * 10**-decimals + noise * (decimals > 0)


def test_a_cell_explains_itself_with_its_own_numbers(learn: LessonScreen, runner):
    """Click a score: its products stand there one by one, and sum to what the cell holds."""
    step = steps_of(runner, "attention", BOAT)[3]
    panel = step.show[0]
    q, k = (as_array(operand.values) for operand in (panel.formula.a, panel.formula.b))
    learn.follow("attention", 4)
    learn.reveal()
    for i, j in [(0, 0), (8, 2), (3, 5), (5, 3)]:
        learn.point_at("q @ kᵀ", [i, j], click=True)
        assert float(learn.value()) == pytest.approx(float(q[i] @ k[j]), abs=1e-3)
        rows = learn.terms()
        assert [row[0] for row in rows] == [f"q[{i}, {d}]" for d in range(32)]
        assert [row[2] for row in rows] == [f"k[{j}, {d}]" for d in range(32)]
        for d, row in enumerate(rows):
            assert float(row[1]) == pytest.approx(q[i, d], abs=1e-4)
            assert float(row[3]) == pytest.approx(k[j, d], abs=1e-4)
            assert float(row[4]) == pytest.approx(q[i, d] * k[j, d], abs=1e-4)
        learn.point_at("q @ kᵀ", [i, j], click=True)  # let go
        assert learn.terms() == []


def test_softmax_is_written_out_on_a_click(learn: LessonScreen, runner):
    pattern = as_array(steps_of(runner, "attention", BOAT)[7].show[0].values)
    learn.follow("attention", 8)
    learn.point_at("pattern", [6, 2], click=True)
    assert float(learn.value()) == pytest.approx(pattern[6, 2], abs=6e-5)
    assert "blocks.3.attn.pattern[0, 0, 6, 2]" in learn.readout()
    shares = [float(row[4]) for row in learn.terms()]
    assert shares == pytest.approx(pattern[6].tolist(), abs=6e-5)


def test_a_hidden_cell_says_that_it_is_hidden(learn: LessonScreen):
    learn.follow("attention", 8)
    learn.point_at("pattern", [1, 5])
    assert "hidden by the mask" in learn.readout()


def test_the_tape_says_where_a_number_lies(learn: LessonScreen):
    learn.follow("reshape", 2)
    learn.reveal()
    learn.point_at("swapped", [0, 3, 1])
    assert "place in memory = 0 + 0·12 + 3·1 + 1·4 = 7" in learn.readout() and learn.value() == "1"


# the search


def test_the_search_finds_steps_places_and_terms_and_opens_the_glossary(learn: LessonScreen):
    learn.follow("reshape", 1)
    page, search = learn.page, learn.page.locator(".hs-contents input[type=search]")
    search.fill("induction")
    term = page.locator(".hs-found-term")
    term.wait_for()
    assert page.locator(".hs-found a.hs-step-link").evaluate_all("all => all.map(a => a.getAttribute('href'))") == [
        "?",
        "?show=explore",
    ]
    term.get_by_role("button").click()
    assert page.locator("#hs-term-induction").evaluate(
        "e => { const { top, bottom } = e.getBoundingClientRect(); return top > 0 && bottom < innerHeight; }"
    )
    page.keyboard.press("Escape")
    search.fill("GQA")
    page.click(".hs-found .hs-step-link >> text=Fewer heads for keys and values")
    learn.wait_for("llama", 5)
    search.fill("xyzzy")
    page.wait_for_selector(".hs-found >> text=Not in the lessons")


# stepping


def test_stepping_replaying_and_pointing_ask_the_server_nothing(alone: LessonScreen):
    learn = alone.open("attention", 1)
    asked = []
    learn.page.on("request", lambda request: asked.append(request.url))
    for number in range(1, 13):
        learn.wait_for("attention", number)
        learn.reveal()
        if number < 12:
            learn.next()
    learn.back()
    learn.view.get_by_text("Replay", exact=True).click()
    learn.wait_for_rest()
    learn.point_at("merged", [2, 40], click=True)
    learn.view.get_by_text("Restart lesson", exact=True).click()
    learn.wait_for("attention", 1)
    learn.page.click(".hs-step-link >> nth=7")
    learn.wait_for("attention", 8)
    assert asked == []


def test_the_keyboard_alone_is_enough(learn: LessonScreen):
    learn.follow("reshape", 1)
    page = learn.page
    page.keyboard.press("ArrowRight")
    learn.wait_for("reshape", 2)
    assert learn.waits() and learn.panels() == ["a"]
    page.keyboard.press("ArrowRight")  # shows the answer
    learn.wait_for_rest()
    assert not learn.waits() and learn.panels() == ["a", "swapped"]
    page.keyboard.press("ArrowLeft")
    learn.wait_for("reshape", 1)
    learn.slot("a").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert learn.readout().startswith("a[0, 1, 1] = 2") and learn.title().startswith("A tensor is a row")
    page.keyboard.press("Escape")
    assert "Hover over a cell" in learn.readout()
    page.keyboard.press("Escape")  # a second one belongs to the page
    page.keyboard.press("h")
    assert page.locator("dialog.hs-keys").is_visible()


def test_arrows_in_a_text_field_stay_there(learn: LessonScreen):
    learn.follow("reshape", 8)
    learn.page.locator('input[data-control="shape"]').press("ArrowLeft")
    learn.page.wait_for_timeout(100)
    assert learn.title() == "Your turn"


def test_a_link_opens_its_step_and_the_address_follows(alone: LessonScreen):
    learn = alone.open("attention", 6)
    assert learn.title() == "Masked: no token sees the future"
    learn.reveal()
    learn.next()
    assert re.search(r"\?lesson=attention&step=7$", learn.page.url)
    for address, title in [
        ("?lesson=nonsense&step=2", "Text becomes tokens"),
        ("?lesson=attention&step=99", "Projected, and added to the stream"),
        ("?lesson=attention&step=-3", "What comes in: a row of numbers for each token"),
        ("?lesson=attention&step=x", "What comes in: a row of numbers for each token"),
    ]:
        learn.go_back_to(address)
        expect(learn.page.locator(".hs-lesson h2")).to_have_text(title)  # a lesson is fetched first
    learn.page.reload()  # the last one, read as the page loads
    learn.wait_for("attention", 1)


def test_cells_travel_and_then_rest_and_who_wants_less_motion_gets_none(alone: LessonScreen):
    learn = alone.open("reshape", 2)
    learn.page.evaluate("document.querySelector('.hs-next').click()")
    assert learn.page.evaluate("document.querySelector('.hs-stage').picture.frames") == 1
    assert learn.panels() == ["a", "swapped"]
    learn.page.emulate_media(reduced_motion="no-preference")
    learn.page.click("text=Reset my progress")
    learn.wait_for("reshape", 1)
    learn.next()
    frames = learn.page.evaluate(
        """async () => {
            const stage = document.querySelector('.hs-stage');
            document.querySelector('.hs-next').click();
            const start = performance.now();
            while (stage.dataset.animating === 'true') await new Promise(requestAnimationFrame);
            return [performance.now() - start, stage.picture.frames];
        }"""
    )
    assert 400 < frames[0] < 3000 and frames[1] > 5
    assert learn.panels() == ["a", "swapped"]


# predict, then reveal


def test_a_wrong_answer_gets_its_reason_and_another_try(learn: LessonScreen, runner):
    step = steps_of(runner, "reshape")[1]
    learn.follow("reshape", 2)
    assert learn.panels() == ["a"] and "Predict first" in learn.page.text_content(".hs-step-text")
    for option in step.question.options:
        if not option.right:
            learn.answer(option.text)
            assert option.why.replace("`", "") in learn.page.text_content(".hs-why")
            assert learn.waits() and learn.panels() == ["a"]
    learn.answer(right(step))
    assert "Right." in learn.page.text_content(".hs-why")
    assert not learn.waits() and learn.panels() == ["a", "swapped"]


def test_the_right_answer_follows_the_text(learn: LessonScreen, runner):
    learn.follow("attention", 10)
    learn.run(CUP)
    expected = right(steps_of(runner, "attention", CUP)[9])
    learn.reveal()
    assert learn.page.text_content(".hs-option.hs-right") == expected


def test_progress_is_kept_in_this_browser_and_can_be_forgotten(alone: LessonScreen):
    learn = alone.open("reshape", 2)
    learn.answer("(12, 4, 1)")
    learn.answer("(12, 1, 4)")
    learn.next()
    kept = json.loads(learn.page.evaluate("localStorage.getItem('headscope.progress')"))
    assert kept == {"reshape": {"1": "right", "2": "seen"}}
    learn.open("reshape", 1)
    assert learn.page.locator(".hs-step-link >> nth=1").text_content().startswith("✓")
    learn.page.click("text=Reset my progress")
    learn.wait_for("reshape", 1)
    kept = json.loads(learn.page.evaluate("localStorage.getItem('headscope.progress')"))
    assert kept == {"reshape": {"0": "seen"}}


def test_broken_progress_in_the_browser_harms_nothing(alone: LessonScreen):
    alone.page.add_init_script("localStorage.setItem('headscope.progress', 'no json {')")
    learn = alone.open("reshape", 3)
    assert learn.title() == "reshape rereads the tape from the start"


# settings, texts, and what is wrong


def test_another_layer_and_head_show_their_own_numbers(learn: LessonScreen, runner):
    learn.follow("attention", 8)
    learn.choose("layer", "5")
    learn.choose("head", "2")
    pattern = as_array(steps_of(runner, "attention", BOAT, layer=5, head=2)[7].show[0].values)
    shown = learn.table("pattern")
    assert [float(row[0]) for row in shown] == pytest.approx(pattern[:, 0].tolist(), abs=6e-5)


def test_your_own_shape_and_chain_are_run_by_torch(learn: LessonScreen):
    learn.follow("reshape", 8)
    learn.wait_for_answer_to(lambda: learn.fill("shape", "2, 3, 2"))
    learn.wait_for_answer_to(lambda: learn.fill("chain", "transpose(1, 2).reshape(2, 6)"))
    assert learn.panels() == ["a", "b", "c"]
    expected = np.arange(12).reshape(2, 3, 2).transpose(0, 2, 1).reshape(2, 6)
    assert learn.table("c") == [[str(number) for number in row] for row in expected]
    assert learn.marked() == ["c = b.reshape(2, 6)"]


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("shape", "0, 4", "a size of 0 leaves no number to look at"),
        ("shape", "-1, 4", "A size counts something, so it cannot be negative. torch says"),
        ("shape", "99999999999, 99999999999", "more numbers than a computer can address. torch says"),
        ("shape", "x" * 10_000, "at most 400 characters"),
        ("chain", "view(7)", "is invalid for input of size 12"),
        ("chain", "<img src=x onerror=alert(1)>", "must be calls such as"),
        ("chain", "👩‍👧 ${1} {{2}} \u202e", "must be calls such as"),
    ],
)
def test_bad_input_is_one_sentence_and_the_last_picture_stays(learn: LessonScreen, field, text, sentence):
    learn.follow("reshape", 8)
    before = learn.panels(), learn.table("c", "0")
    learn.fill(field, text)
    assert sentence in learn.problem()
    assert (learn.panels(), learn.table("c", "0")) == before
    kept = text[:10] if field == "shape" else text
    assert learn.page.locator(f'input[data-control="{field}"]').input_value().startswith(kept)  # to be mended
    learn.wait_for_answer_to(lambda: learn.fill(field, {"chain": "transpose(1, 2)", "shape": "1, 4, 3"}[field]))
    learn.page.wait_for_selector('[data-view=learn_view][data-error=""]')


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_any_text_is_shown_as_text(learn: LessonScreen, text):
    learn.follow("attention", 8)
    learn.run(text)
    assert learn.page.locator("[data-view=learn_view] img").count() == 0
    assert "The numbers come from the decoder model" in learn.page.text_content(".hs-about")
    learn.next()
    learn.reveal()
    assert len(learn.table("dropped")) <= 16


def test_the_server_gone_is_said_and_the_picture_stays(alone: LessonScreen, problems):
    learn = alone.open("attention", 8)
    before = learn.table("pattern")
    problems.expect("net::ERR")
    learn.page.route("**/ask/**", lambda route: route.abort())
    learn.page.route("**/web/**", lambda route: route.abort())
    learn.page.locator('[data-control="layer"] button >> nth=0').click()
    lost = learn.page.locator(".hs-lost")
    lost.wait_for()
    assert lost.text_content() == "The server does not answer. Is the app still running?"
    assert learn.table("pattern") == before
    learn.page.wait_for_selector(".hs-busy", state="hidden")


def test_a_step_that_came_while_the_picture_was_out_of_sight_is_drawn_when_it_is_seen(learn: LessonScreen):
    learn.follow("attention", 4)
    measured = """async () => {
        const stage = document.querySelector(".hs-stage"), frames = async () => {
            for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
        };
        stage.style.display = "none";
        await frames();
        document.querySelector(".hs-next").click();
        await frames();
        const before = stage.picture.panels.map(({ geometry }) => geometry !== undefined);
        stage.style.display = "";
        await frames();
        return [before, stage.picture.panels.map(({ geometry }) => geometry !== undefined)];
    }"""
    before, after = learn.page.evaluate(measured)
    assert before and not any(before) and all(after)


# code and picture


def test_names_light_up_in_code_text_and_picture_together(learn: LessonScreen):
    learn.follow("attention", 8)
    for selector in (
        ".hs-py-name[data-name=pattern]",
        ".hs-noun[data-name=pattern]",
        ".hs-panel[data-panel=pattern] .hs-name",
    ):
        learn.page.mouse.move(2, 2)
        learn.page.wait_for_selector(".hs-lit", state="detached")
        learn.page.locator(selector).first.hover()
        lit = learn.page.locator(".hs-lit").evaluate_all("all => all.map(e => e.className.split(' ')[0])")
        assert {"hs-py-name", "hs-noun", "hs-panel", "hs-name"} <= set(lit), selector


def test_the_marked_line_is_in_sight(learn: LessonScreen):
    learn.follow("attention", 2)
    learn.reveal()
    assert learn.marked()[0].startswith("q = self.q(split_heads(")
    inside = learn.page.locator(".hs-listing pre").first.evaluate(
        "pre => { const a = pre.getBoundingClientRect(), b = pre.querySelector('.hs-on').getBoundingClientRect();"
        " return b.top >= a.top && b.bottom <= a.bottom + 1; }"
    )
    assert inside


# how it stands on the page


def test_a_lecture_has_large_type_and_escape_ends_it(learn: LessonScreen):
    learn.follow("reshape", 1)
    size = "parseFloat(getComputedStyle(document.querySelector('.hs-step-text')).fontSize)"
    normal = learn.page.evaluate(size)
    learn.page.keyboard.press("l")
    assert learn.page.evaluate(size) >= 1.4 * normal
    assert not learn.page.locator(".hs-contents").is_visible() and learn.page.locator(".hs-next").is_visible()
    learn.page.keyboard.press("ArrowRight")
    learn.wait_for("reshape", 2)
    learn.page.keyboard.press("Escape")
    assert learn.page.evaluate(size) == normal and learn.page.locator(".hs-contents").is_visible()


# Behind the second frame a picture has heard how wide it is.
FITS = """async (view) => {
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
    const labels = [...view.querySelectorAll(".hs-slot")].map((slot) => [slot.getAttribute("role"), slot.ariaLabel]);
    return [document.documentElement.scrollWidth - innerWidth, labels];
}"""


@pytest.mark.parametrize("id", list(LESSONS))
def test_every_step_fits_a_phone_and_has_words_for_every_picture(phone: LessonScreen, id):
    walked = phone.walk(id, FITS)
    assert len(walked) == LESSONS[id].num_steps
    for number, (beyond, labels) in enumerate(walked, start=1):
        assert beyond <= 0, f"{id} {number}"
        assert all(role == "img" and "shape (" in label for role, label in labels)


def test_dark_and_light_are_both_drawn(learn: LessonScreen):
    learn.follow("attention", 8)
    pixel = """(() => {
        const canvas = document.querySelector('.hs-cells');
        const { data } = canvas.getContext('2d').getImageData(canvas.width / 8, canvas.height / 2, 1, 1);
        return [...data].join();
    })()"""
    light = learn.page.evaluate(pixel)
    learn.page.click('[aria-label="Switch between dark and light"]')
    learn.wait_for_rest()
    learn.page.wait_for_timeout(100)
    assert learn.page.evaluate(pixel) != light


def test_pages_are_links_and_keep_what_was_typed(alone: LessonScreen):
    learn = alone.open("attention", 8)
    learn.page.click(".hs-pages >> text=Explore")
    learn.page.wait_for_selector('[data-view="grid_view"][data-ready="true"]')
    assert learn.page.locator("#page-explore").is_visible() and not learn.page.locator("#page-learn").is_visible()
    assert "show=explore" in learn.page.url
    learn.page.click(".hs-pages >> text=Learn")
    learn.wait_for("attention", 8)
    assert learn.page.locator(".hs-lesson h2").is_visible()
