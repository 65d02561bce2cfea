"""For everybody: axe-core finds nothing serious, nothing runs on, few Tab stops, one screen, and four of a phone."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.gate import node

from ..screen import Screen
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
WORDS = "How to wash a red cup and then a blue cup "


@pytest.fixture(scope="module")
def axe() -> str:
    return node.tool(ROOT, "axe").read_text(encoding="utf-8")


def opened(page: Page, url: str, address: str) -> None:
    page.goto(f"{url}?{address}")
    page.wait_for_selector("body[data-drawn=true]" if address.startswith("show") else "#start")
    page.wait_for_selector(".hs-busy", state="hidden")
    page.wait_for_selector('[data-stale], [data-waiting="true"], [data-done="false"]', state="detached")
    page.wait_for_function(AT_REST)


def serious(page: Page, options: dict) -> set[tuple[str, str]]:
    """(rule, element) of what axe finds serious or critical."""
    found = page.evaluate("(options) => axe.run(options).then(({ violations }) => violations)", options)
    return {
        (one["id"], node["target"][0])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    }


@pytest.mark.parametrize("address", PAGES)
def test_nothing_serious_is_found_on_any_page(page: Page, app: App, axe: str, address: str):
    opened(page, app.url, f"{address}&__theme=light")
    page.evaluate(axe)
    assert serious(page, {}) == set()
    assert page.locator("h1:visible").count() == 1
    assert page.locator("main:visible").count() == 1
    page.wait_for_function(AT_REST)  # seen or not, what moves takes a core's time
    page.click("#theme")
    page.wait_for_function(AT_REST)
    assert serious(page, {"runOnly": ["color-contrast"]}) == set(), "in the dark"


@pytest.mark.parametrize("address", [address.partition("&edits")[0] for address in PAGES])
def test_a_page_fits_four_screens_of_a_phone(page: Page, app: App, address: str):
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, app.url, address)
    size = "[document.scrollingElement.scrollWidth, document.scrollingElement.scrollHeight]"
    width, height = page.evaluate(size)
    assert width <= 390 and height <= 4 * 844


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
