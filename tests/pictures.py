"""Takes the pictures of the README anew, from the app as it is now: ``python -m tests.pictures [NAME …]``."""

import argparse
from collections.abc import Callable
from typing import NamedTuple

from playwright.sync_api import Page, sync_playwright

from llm_core.paths import ROOT

from .ui.browser import FLAGS, chromium_path
from .ui.serving import running_app

SECONDS = 120_000  # ms, the longest wait


class Picture(NamedTuple):
    """What is seen at an address once ``ready`` is there, after ``act``; ``height`` in pixels."""

    address: str
    ready: str
    height: int = 960
    act: Callable[[Page], object] | None = None


def train(page: Page) -> None:
    """A run of the task copying, to where heads have begun to find the answer."""
    page.locator('input[name="live-task"][value="copy"]').check(force=True)
    page.get_by_role("button", name="Train", exact=True).click()
    page.wait_for_selector('.hs-live-events [data-what="head becomes"]')
    page.wait_for_timeout(5000)


def write(page: Page) -> None:
    """Some tokens, one by one, so that it is seen how the newest was chosen."""
    for count in range(6):
        page.get_by_role("button", name="One token").click()
        page.wait_for_selector(f".hs-written-tokens button >> nth={count}")


def ready(view: str) -> str:
    return f'[data-view="{view}"][data-ready="true"]:not([data-stale])'


PICTURES = {
    "start": Picture("", ".hs-start-tokens", 720),
    "learn": Picture("?lesson=heads&step=3", ready("learn_view")),
    "screen": Picture("?show=explore", ready("grid_view"), 900),
    "surgery": Picture(
        "?show=explore&panel=surgery&edits=zero.h.3.3~zero.h.4.3", '[data-view="surgery_view"][data-done="true"]'
    ),
    "generate": Picture("?show=generate", ready("generate_view"), 1400, write),
    "compare": Picture("?show=compare", '[data-view="compare_view"][data-compared]', 1500),
    "train": Picture("?show=train", ready("live_view"), 1080, train),
    "timeline": Picture("?show=train&train=timeline&at=20", ready("timeline_view"), 1400),
    "check": Picture("?show=check&report=example", '[data-view="check_view"][data-shows="report"]', 1350),
}


def take(page: Page, url: str, name: str) -> None:
    address, ready, height, act = PICTURES[name]
    page.set_viewport_size({"width": 1440, "height": height})
    page.goto(url + address)
    page.wait_for_selector(ready)
    if act:
        act(page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(1500)  # what fades in has done so
    page.screenshot(path=ROOT / "docs" / f"{name}.png")
    print(f"docs/{name}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], metavar="NAME", help=", ".join(PICTURES))
    names = parser.parse_args().names or PICTURES
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = browser.new_page(color_scheme="light")
        page.set_default_timeout(SECONDS)
        for name in names:
            take(page, app.url, name)
        browser.close()


if __name__ == "__main__":
    main()
