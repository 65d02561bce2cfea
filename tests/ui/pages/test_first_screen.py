"""The first screen: it stands and answers before anything else is loaded, shows what was measured, and leads on."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, Route

from explorer.first_sight import ASSET
from explorer.pages.start import explore_address

from ..conftest import Problems, listen
from ..serving import App

IS_UP = '[data-view="prompt_view"][data-ready="true"]'
PATIENCE = 90_000  # ms
MEASURED = json.loads(ASSET.read_text(encoding="utf-8"))
# What a press changes, read in the frame that comes after it.
PRESS = """() => new Promise((done) => {
    const read = () => ({
        off: document.getElementById("start").dataset.off,
        bar: document.querySelector(".hs-start-next span").textContent,
        weight: document.querySelector(".hs-start-name b").textContent,
        sentence: document.querySelector(".hs-start-press > p").textContent,
        button: document.querySelector(".hs-start-switch").textContent,
    });
    document.querySelector(".hs-start-switch").click();
    requestAnimationFrame(() => done(read()));
})"""


def percent(when: str) -> str:
    return f"{MEASURED[when]['next'][0]['probability']:.0%}"


def weight(when: str) -> str:
    return f"{MEASURED[when]['weights'][MEASURED['target']]:.2f}"


@pytest.fixture
def first(page: Page, app: App) -> Page:
    """The first screen, with no script and no style sheet but what stands in its HTML."""
    return without_scripts(page, app.url)


@pytest.fixture(scope="module")
def held(profile: BrowserContext, app: App) -> Iterator[Page]:
    """The same on one page for all widths, and all that a browser may have kept."""
    page, problems = profile.new_page(), Problems()
    listen(page, problems)
    yield without_scripts(page, app.url)
    page.close()
    assert problems.unexpected() == []


def without_scripts(page: Page, url: str) -> Page:
    page.set_default_timeout(PATIENCE)
    held: list[Route] = []
    page.route(lambda url: "/web/" in url or "/assets/" in url, lambda route: held.append(route))
    page.goto(url, wait_until="commit")
    page.wait_for_selector("#start[data-ready]")
    return page


@pytest.fixture
def up(page: Page, app: App) -> Page:
    """The first screen, with the app up behind it."""
    page.set_default_timeout(PATIENCE)
    page.emulate_media(reduced_motion="reduce")
    page.goto(app.url)
    page.wait_for_selector(IS_UP, state="attached")
    return page


def test_the_press_answers_in_one_frame_before_any_script_has_come(first: Page):
    assert first.evaluate("customElements.get('gradio-app')") is None
    assert first.text_content(".hs-start-next span") == percent("before")
    for when, off in (("after", "true"), ("before", "false")):
        seen = first.evaluate(PRESS)
        assert (seen["off"], seen["bar"], seen["weight"]) == (off, percent(when), weight(when))
        assert (percent("after") in seen["sentence"]) == (when == "after")
        assert seen["button"] == ("Switch them back on" if when == "after" else "Switch two heads off")


def test_arc_and_bars_are_as_wide_as_what_was_measured(first: Page):
    first.emulate_media(reduced_motion="reduce")
    for when in ("before", "after"):
        if when == "after":
            first.click(".hs-start-switch")
        first.wait_for_timeout(100)
        widths = first.locator(".hs-start-sentence path").evaluate_all(
            "all => all.map((path) => Number(path.style.strokeWidth))"
        )
        expected = [0 if w < 0.02 else max(1, 14 * w) for w in MEASURED[when]["weights"]]
        assert widths == pytest.approx(expected, abs=0.01)
        parts = first.locator(".hs-start-next > li > i").evaluate_all(
            "all => all.map((i) => i.firstElementChild.getBoundingClientRect().width / i.getBoundingClientRect().width)"
        )
        assert parts == pytest.approx([one["probability"] for one in MEASURED[when]["next"]], abs=0.01)


@pytest.mark.parametrize("width", [1920, 1440, 1102, 1024, 720, 390])
def test_everything_fits_and_can_be_pressed(held: Page, width: int):
    held.set_viewport_size({"width": width, "height": 844})
    held.wait_for_timeout(100)
    assert held.evaluate("document.scrollingElement.scrollWidth") <= width
    boxes = held.locator("#start :is(h1, .hs-start-tokens > span, .hs-start-name, .hs-start-next > li)").evaluate_all(
        "all => all.map((e) => [e.getBoundingClientRect(), e.scrollWidth - e.clientWidth])"
    )
    assert all(box["left"] >= 0 and box["right"] <= width and cut <= 1 for box, cut in boxes)
    title, name = (held.locator(f"#start {one}").first.bounding_box() for one in ("h1", ".hs-start-name"))
    assert title["y"] + title["height"] <= name["y"], "the weight stands below the question"
    arc = held.locator(".hs-to-target").bounding_box()
    target, last = (held.locator(f".hs-start-tokens .hs-{name}").bounding_box() for name in ("target", "last"))
    assert arc["x"] <= target["x"] + target["width"] / 2 + 8 and arc["y"] >= 0
    assert arc["x"] + arc["width"] >= last["x"] + last["width"] / 2 - 8
    sizes = held.locator("#start .hs-start-first :is(button, a, input:not([type=hidden]))").evaluate_all(
        "all => all.filter((e) => e.offsetParent).map((e) => e.getBoundingClientRect().height)"
    )
    assert len(sizes) >= 6 and min(sizes) >= 44


def test_nothing_moves_that_was_not_pressed_and_nothing_at_all_for_who_wants_none(first: Page):
    moving = "document.getElementById('start').getAnimations({ subtree: true }).length"
    assert first.evaluate(moving) == 0
    first.emulate_media(reduced_motion="reduce")
    first.click(".hs-start-switch")
    assert first.evaluate(moving) == 0


def test_pressing_moves_nothing_but_the_picture(first: Page):
    places = "[...document.querySelectorAll('#start form, #start nav, .hs-start-tokens')].map((e) => e.offsetTop)"
    before = first.evaluate(places)
    first.click(".hs-start-switch")
    assert first.evaluate(places) == before


def test_the_same_element_goes_on_when_gradio_is_up(page: Page, app: App):
    page.set_default_timeout(PATIENCE)
    page.goto(app.url, wait_until="commit")
    page.wait_for_selector("#start[data-ready]")
    page.evaluate("document.getElementById('start').kept = true")
    page.click(".hs-start-switch")
    box = page.locator(".hs-start-tokens").bounding_box()
    page.wait_for_selector(IS_UP, state="attached")
    assert page.evaluate("document.getElementById('start').kept")
    assert page.get_attribute("#start", "data-off") == "true"
    assert page.locator(".hs-start-tokens").bounding_box() == box
    assert not page.locator("gradio-app").is_visible()


def test_the_steps_walk_the_same_tokens_and_unfold_the_matrix(up: Page):
    tokens = up.locator(".hs-start-tokens > span").first.element_handle()
    names = ["text", "tokens", "head", "matrix", "heads", "prediction"]
    to_the_first = "scrollBy(0, e.getBoundingClientRect().top - document.querySelector('.hs-start-stage').offsetHeight)"
    up.locator('section[data-step="text"]').evaluate(f"e => {to_the_first}")
    for i, name in enumerate(names):
        up.wait_for_selector(f'#start[data-step="{name}"]')
        assert up.locator(".hs-start-stage").bounding_box()["y"] == 0
        assert up.locator(".hs-start-matrix").is_visible() == (name == "matrix")
        if i + 1 < len(names):
            up.locator(f'section[data-step="{name}"] .hs-start-on').click()
    assert tokens.is_visible()
    cells = up.locator(".hs-start-matrix > i").evaluate_all(
        "all => all.map((e) => +e.style.getPropertyValue('--part'))"
    )
    assert cells == [weight for row in MEASURED["pattern"] for weight in row]
    up.evaluate("scrollTo(0, 0)")
    up.wait_for_selector('#start[data-step="first"]')


def test_show_me_how_opens_the_first_lesson_with_the_very_text(up: Page):
    up.click("text=Show me how")
    up.wait_for_selector('[data-view=learn_view][data-lesson="transformer"][data-step="1"]')
    up.wait_for_function("text => document.querySelector('.hs-about').textContent.includes(text)", arg=MEASURED["text"])
    assert not up.locator("#start").is_visible()


def test_all_heads_opens_the_very_text_and_head(up: Page):
    up.click("text=Look at all heads")
    up.wait_for_selector('body[data-drawn="true"] [data-view="attention_view"][data-ready="true"]')
    assert up.evaluate("globalThis.headscope.payload.text") == MEASURED["text"]
    locked = up.evaluate("globalThis.headscope.focus.locked")
    assert [locked["layer"], locked["head"]] == MEASURED["head"]
    assert not up.locator("#start").is_visible()
    up.go_back()
    up.wait_for_selector("#start >> visible=true")
    assert up.url.rstrip("/").endswith(up.evaluate("location.host"))


def test_a_text_of_ones_own_goes_to_explore(up: Page):
    up.fill("#start-text", "one two three one two")
    up.press("#start-text", "Enter")
    up.wait_for_function("globalThis.headscope.payload.text === 'one two three one two'")
    assert up.evaluate("document.body.dataset.page") == "explore"


def test_before_anything_is_loaded_its_links_are_plain_links(first: Page):
    assert first.get_attribute("text=Look at all heads", "href") == explore_address(MEASURED)
    first.unroute_all()
    first.fill("#start-text", "one two three")
    first.press("#start-text", "Enter")
    first.wait_for_url("**/?show=explore&text=one+two+three*")


@pytest.mark.parametrize(
    ("kept", "said", "leads_to"),
    [
        (None, None, None),
        ("no json {", None, None),
        ('{"nonsense":{"0":"seen"}}', None, None),
        ('{"reshape":{"0":"seen","2":"right"}}', ", step 4", "?lesson=reshape&step=4"),
        ('{"heads":{"0":"seen"},"reshape":{"0":"seen"}}', ", step 2", "?lesson=reshape&step=2"),
    ],
)
def test_who_comes_back_goes_on_where_the_lesson_was_left(held: Page, kept, said, leads_to):
    keep = "kept => kept === null ? localStorage.clear() : localStorage.setItem('headscope.progress', kept)"
    held.set_viewport_size({"width": 1440, "height": 900})
    held.evaluate(keep, kept)
    held.reload(wait_until="commit")
    held.wait_for_selector("#start[data-ready]")
    link = held.locator(".hs-start-continue")
    assert link.is_visible() == (said is not None)
    if said:
        assert link.text_content().startswith("Continue: ") and link.text_content().endswith(said)
        assert link.get_attribute("href") == leads_to
    held.evaluate("localStorage.clear()")


def test_share_copies_the_address_and_draws_a_card(up: Page):
    up.context.grant_permissions(["clipboard-read", "clipboard-write"])
    up.click("#share")
    up.wait_for_selector(".hs-share img")
    size = "e => e.decode().then(() => [e.naturalWidth, e.naturalHeight])"
    assert up.locator(".hs-share img").evaluate(size) == [1200, 630]
    assert up.text_content(".hs-share p") == "The link is copied."
    assert up.evaluate("navigator.clipboard.readText()") == up.url
    with up.expect_download() as download:
        up.click("text=Save the card")
    assert download.value.suggested_filename == "headscope-card.png"
    up.click(".hs-share >> text=Close")
    assert up.locator(".hs-share").count() == 0
