"""The gallery: every view stands in it, and draws alone, wide and narrow, light and dark."""

import re
from urllib.parse import urljoin

import httpx
import pytest
from playwright.sync_api import Page

from explorer.components import View

from ..serving import App

VIEWS = {view.view: view for view in View.__subclasses__()}
DRAWN = '.hs-view[data-view="{}"][data-ready="true"]'
THEMES = ("light", "dark")


@pytest.fixture(scope="module")
def frames(app: App) -> dict[str, str]:
    """The address of each view's frame, dark."""
    index = httpx.get(f"{app.url}gallery?__theme=dark").raise_for_status().text
    found = re.findall(r'<iframe title="(\w+), (wide|narrow)"[^>]* src="([^"]+)"', index)
    assert [(name, width) for name, width, _ in found[::2]] == [(name, "wide") for name, *_ in found[1::2]]
    return {name: urljoin(app.url, address.replace("&amp;", "&")) for name, _, address in found}


def test_every_view_has_its_frames(frames: dict[str, str]):
    assert set(frames) == set(VIEWS)


def test_the_index_says_what_each_view_is_in_both_themes(page: Page, app: App):
    page.route("**/gallery/*", lambda route: route.fulfill(body="", content_type="text/html"))  # the frames: below
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{app.url}gallery")
    said = page.locator("section p").all_text_contents()
    assert set(said) == {view.__doc__.splitlines()[0] for view in VIEWS.values()}
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.click("header a")
    page.wait_for_selector("body.dark section")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_draws_alone_and_fits(lent: Page, frames: dict[str, str], name: str):
    page = lent
    page.set_viewport_size({"width": 1200, "height": 900})
    page.goto(frames[name])
    page.wait_for_selector(DRAWN.format(name), state="attached")
    if VIEWS[name].saves == "below":
        page.wait_for_selector(f'[data-view="{name}"] + details', state="attached")
    colors = {}
    for theme in THEMES:
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
        for width in (1200, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function("(width) => document.documentElement.scrollWidth <= width", arg=width, timeout=5000)
        colors[theme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colors["light"] != colors["dark"]
    assert page.locator('[data-error]:not([data-error=""])').count() == 0


def test_the_banner_is_of_a_changed_model(lent: Page, frames: dict[str, str]):
    lent.goto(frames["surgery_banner"])
    lent.wait_for_selector('text="Every view shows a changed model: Layer 3, head 2: off."')


def test_a_view_that_is_none_is_one_sentence(app: App):
    response = httpx.get(f"{app.url}gallery/nothing")
    assert response.status_code == 404
    assert response.text.startswith("The views are ") and "grid_view" in response.text
