"""The app under a path of a larger site: the proxy strips the prefix, or keeps it, or shows the app in a frame."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from ..loading import load
from ..proxy import running_proxy
from ..screen import Screen
from ..serving import ROOT, App, running_app

PREFIX = "/headscope"


@pytest.fixture(scope="module")
def app_under_prefix() -> Iterator[App]:
    with running_app(env={"GRADIO_ROOT_PATH": PREFIX}) as app:
        yield app


@pytest.fixture(scope="module")
def site_with_option() -> Iterator[str]:
    """A proxy before an app that has the option, and is in development."""
    with running_app("--root-path", f"{PREFIX}/", "--dev") as app, running_proxy(app, PREFIX, strips=True) as site:
        yield site


def works(screen: Screen) -> None:
    """Modules, examples, a question through Gradio's queue, a payload, and a part."""
    screen.run("one two three")
    assert screen.tokens()[1:] == ["one", " two", " three"]
    screen.choose_panel("pipeline")
    screen.page.wait_for_selector('[data-view="pipeline_view"][data-ready="true"]')
    screen.page.click('#header a[data-page="train"]')
    screen.page.wait_for_selector('[data-view="live_view"][data-ready="true"] .hs-live-form')
    screen.page.go_back()
    screen.page.wait_for_selector('body[data-page="explore"]')


@pytest.mark.parametrize("strips", [True, False])
def test_all_works_behind_a_proxy(page: Page, app_under_prefix: App, strips: bool):
    with running_proxy(app_under_prefix, PREFIX, strips) as site:
        works(Screen(page, f"{site}{PREFIX}/").open())
        page.goto("about:blank")


def test_all_works_with_the_option_and_in_a_frame(page: Page, site_with_option: str):
    page.set_default_timeout(60_000)
    page.goto(f"{site_with_option}/frame")
    frame = page.frame_locator("iframe")
    frame.locator("#start[data-ready]").wait_for()
    frame.locator('#header a[data-page="explore"]').click()
    frame.locator('[data-view="grid_view"][data-ready="true"]').wait_for()
    frame.locator("#prompt textarea").fill("one two three")
    frame.locator("#prompt textarea").press("Enter")
    expect(frame.locator(".hs-tokens button").nth(1)).to_have_text("one", timeout=60_000)
    assert frame.locator(".hs-tokens button").all_text_contents()[1:] == ["one", " two", " three"]
    page.evaluate("history.back()")  # go_back() waits for the page to load, and only the frame moves
    frame.locator("#start[data-ready]").wait_for()
    page.goto("about:blank")


def test_in_development_nothing_is_kept(browser: Browser, site_with_option: str):
    first, second = load(browser, f"{site_with_option}{PREFIX}/")
    assert second.ours == first.ours > 20


def test_a_root_path_that_is_none_is_one_sentence():
    done = subprocess.run(
        [sys.executable, "app.py", "--root-path", "headscope"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    said = "error: --root-path headscope is neither a path such as /headscope nor a URL such as https://me.org/x\n"
    assert (done.stderr, done.returncode) == (said, 1)
