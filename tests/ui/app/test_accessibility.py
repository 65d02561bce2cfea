"""For everybody: axe-core finds nothing serious, nothing runs on, few Tab stops, one screen, and four of a phone."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.gate import node

from ..conftest import Problems, listen
from ..screen import PATIENCE, Screen
from ..serving import App

ROOT = Path(__file__).resolve().parents[3]
PAGES = (
    "", "show=learn", "show=compare", "show=generate", "show=train", "show=train&train=timeline", "show=check",
    "show=explore", "show=explore&draw=lines", "show=explore&panel=pipeline", "show=explore&panel=lens",
    "show=explore&panel=residual", "show=explore&panel=surgery&edits=zero.h.3.3",
    "show=explore&panel=patch&corrupted=Harry+Smith+met+Draco.+Harry",
)  # fmt: skip
STOPS = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
    .filter((e) => e.tabIndex >= 0 && !e.disabled && e.checkVisibility({ visibilityProperty: true })).length"""
HEIGHT = "document.scrollingElement.scrollHeight"
AT_REST = "document.getAnimations().length === 0"
IS_DARK = "document.body.classList.contains('dark')"
UNFINISHED = ":is([data-stale], [data-waiting=true], [data-done=false]):visible"
DRAWN = """() => {
    const { page } = document.body.dataset;
    if (page === "start") return document.querySelector("#start[data-ready]")?.offsetParent;
    const views = [...document.querySelectorAll(`#page-${page} .hs-view`)].filter((view) => view.offsetParent);
    return views.length > 0 && views.every(({ dataset }) => dataset.ready === "true" || dataset.error);
}"""
MAY_STAY = (
    *("lens_view", "residual_view", "patch_view", "pipeline_view"),
    *("surgery_view", "surgery_board", "surgery_next"),
)
WORDS = "How to wash a red cup and then a blue cup "


@pytest.fixture(scope="module")
def axe() -> str:
    return node.tool(ROOT, "axe").read_text(encoding="utf-8")


class Tour:
    """One page, which follows the app's own links: to load it for each address would take most of the time."""

    def __init__(self, profile: BrowserContext, app: App):
        self.page, self.problems = profile.new_page(), Problems()
        self.page.set_default_timeout(PATIENCE)
        listen(self.page, self.problems)
        self.page.goto(f"{app.url}?__theme=light")
        self.page.wait_for_selector("#start")
        self.page.wait_for_function("globalThis.headscope?.payload")

    def to(self, address: str) -> Page:
        """The page, when all that the address shows is drawn."""
        assert self.problems.unexpected() == []
        self.page.evaluate("(address) => headscope.address.follow(`?${address}`)", address)
        self.page.wait_for_function(DRAWN)
        self.page.wait_for_selector(".hs-busy", state="hidden")
        self.page.wait_for_selector(UNFINISHED, state="detached")
        self.page.wait_for_function(AT_REST)
        return self.page


def tour(width: int, height: int, **screen: bool):
    @pytest.fixture(scope="module")
    def made(browser: Browser, app: App) -> Iterator[Tour]:
        profile = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light", **screen)
        tour = Tour(profile, app)
        yield tour
        profile.close()
        assert tour.problems.unexpected() == []

    return made


wide, phone = tour(1440, 900), tour(390, 844, is_mobile=True, has_touch=True)


def serious(page: Page, options: dict) -> set[tuple[str, str]]:
    """(rule, element) of what axe finds serious or critical."""
    options = {"resultTypes": ["violations"], **options}  # or it works out how to name what is right, too
    found = page.evaluate("(options) => axe.run(options).then(({ violations }) => violations)", options)
    return {
        (one["id"], node["target"][0])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    }


@pytest.mark.parametrize("address", PAGES)
def test_nothing_serious_is_found_on_any_page(wide: Tour, axe: str, address: str):
    page = wide.to(address)
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(axe)
    assert serious(page, {}) == set()
    assert page.locator("h1:visible").count() == 1
    assert page.locator("main:visible").count() == 1
    page.wait_for_function(AT_REST)  # seen or not, what moves takes a core's time
    page.click("#theme")
    page.wait_for_function(AT_REST)
    assert page.evaluate(IS_DARK)
    assert serious(page, {"runOnly": ["color-contrast"]}) == set(), "in the dark"
    page.click("#theme")


@pytest.mark.parametrize("address", [address.partition("&edits")[0] for address in PAGES])
def test_a_page_fits_four_screens_of_a_phone_and_speaks_of_fingers(phone: Tour, address: str):
    page = phone.to(address)
    size = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
    width, height = page.evaluate(size)
    assert width <= 390 and height <= 4 * 844
    assert re.findall(r"\b(?:hover|click).*", page.locator("main:visible").inner_text(), re.IGNORECASE) == []


@pytest.mark.parametrize("count", [9, 64, 256])
def test_explore_fits_one_screen_and_has_few_tab_stops(screen: Screen, count: int):
    screen.run((WORDS * 30)[: 4 * count])
    for panel in ("attention", "lens", "residual", "surgery", "patch", "pipeline"):
        screen.page.click(f'[data-view="tabs_view"] [data-name="{panel}"]')
        screen.next_frame()
        assert screen.page.evaluate(HEIGHT) <= 900
        assert screen.page.evaluate(STOPS) <= 60, panel


def test_explore_is_at_most_four_screens_of_a_phone_and_its_targets_fit_a_finger(screen: Screen):
    screen.page.set_viewport_size({"width": 390, "height": 844})
    screen.next_frame()
    assert screen.page.evaluate(HEIGHT) <= 4 * 844
    small = """() => [...document.querySelectorAll("a[href], button, select, summary")]
        .filter((e) => e.checkVisibility({ visibilityProperty: true }))
        .filter((e) => e.getBoundingClientRect().height < 43.5 && !e.matches(".hs-link, .hs-skip, .hs-brand"))
        .map((e) => e.outerHTML.slice(0, 80))"""
    assert screen.page.evaluate(small) == []
    first = screen.title()
    screen.page.get_by_role("button", name="next head").click()
    screen.next_frame()
    assert screen.title() != first
    screen.page.click(".hs-open-heads")
    assert screen.page.evaluate(small) == []
    screen.page.click('.hs-grid button[data-layer="3"][data-head="3"]')
    screen.next_frame()
    assert screen.title() == "Layer 3, head 3" and not screen.page.locator(".hs-grid").is_visible()


def test_the_keyboard_skips_to_the_content_and_walks_the_tokens(screen: Screen, page: Page):
    screen.page.keyboard.press("Tab")
    assert screen.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    screen.page.keyboard.press("Enter")
    assert screen.page.evaluate("document.activeElement.id") == "page-explore"
    screen.page.locator(".hs-tokens button").last.focus()
    for key, place in (("ArrowLeft", -2), ("Home", 0), ("ArrowRight", 1)):
        screen.page.keyboard.press(key)
        screen.next_frame()
        assert screen.chosen_token() == place % len(screen.tokens())
    screen.prompt.focus()
    style = "getComputedStyle(document.activeElement).outlineWidth"
    assert screen.page.evaluate(style) == "2px"


def test_a_sentence_for_a_mouse_reads_well_with_a_finger(js):
    said = js("base/hand", "({ byHand }, all) => all.map((one) => byHand(one, true))", [
        "Hover over a cell to read its number; click to pin it and see how it was computed.",
        "A row for each token. Hover to preview, click to pin.",
        "Hover over a point for its token and neighbors; click it to mark them.",
        "Press a head to change it. Hover to look at a head; Shift-click pins it.",
        "Click a head to show it. Double-click (or Shift+Enter) shows that head alone.",
    ])  # fmt: skip
    assert said == [
        "Tap a cell to read its number and see how it was computed.",
        "A row for each token. Tap a head to look at it.",
        "Tap a point for its token and neighbors.",
        "Press a head to change it. Tap a head to look at it.",
        "Tap a head to show it. Double-tap shows that head alone.",
    ]
    same = js("base/hand", "({ byHand }) => byHand('Hover over a cell, click it', false)")
    assert same == "Hover over a cell, click it"
