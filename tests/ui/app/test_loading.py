"""Loading: what is requested, what is kept, and that nothing wrong is seen on the way."""

import re
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page

from ..loading import load
from ..screen import Screen
from ..serving import App

# Everything that can be seen, frame by frame, from before the page's own scripts on.
WATCH = """() => {
    globalThis.frames_ = [];
    const seen = () => {
        const shown = (e) => e.checkVisibility({ checkVisibilityCSS: true });
        const { body } = document;
        if (body) {
            const views = [...document.querySelectorAll(".hs-view, #ask, #examples, #start, gradio-app")].filter(shown);
            globalThis.frames_.push([body.dataset.page, views.map((e) => e.dataset.view ?? (e.id || e.localName)),
                [...document.querySelectorAll("#header [aria-current]")].map((e) => e.dataset.page).join(),
                body.classList.contains("dark")]);
        }
        requestAnimationFrame(seen);
    };
    requestAnimationFrame(seen);
}"""
OF_PAGE = {
    "learn": {"learn_view", "ask", "model_choice"},
    "explore": {
        "surgery_banner",
        "tokens_view",
        "grid_view",
        "roles_view",
        "scatter_view",
        "attention_view",
        "next_view",
        "tabs_view",
        "phone_view",
    }
    | {"model_choice", "examples", "examples_view", "save_view", "ask"},
    "generate": {"generate_view", "model_choice", "ask"},
    "check": {"check_view"},
}


def test_the_first_visit_is_light_and_the_second_loads_no_script_again(browser: Browser, app: App):
    first, second = load(browser, app.url)
    assert first.picture < first.gradio
    assert 20 < first.ours <= 45
    assert first.our_bytes <= 250_000
    assert first.of_other_pages == []
    assert second.ours == 0


@pytest.mark.parametrize("name", list(OF_PAGE))
def test_nothing_is_seen_but_the_header_until_the_page_is_right(page: Page, app: App, name: str):
    page.set_default_timeout(60_000)
    page.add_init_script(f"({WATCH})()")
    page.emulate_media(color_scheme="dark")
    page.goto(f"{app.url}?show={name}")
    page.wait_for_selector(f'body[data-drawn="true"] #page-{name} .hs-view[data-ready="true"]', state="attached")
    page.wait_for_timeout(1500)
    frames = page.evaluate("globalThis.frames_")
    assert {shown_page for shown_page, *_ in frames} <= {name, None}
    with_header = [frame for frame in frames if "header_view" in frame[1]]
    assert all(current == name and is_dark for _, _, current, is_dark in with_header[1:])
    only_header = [frame for frame in with_header if frame[1] == ["header_view"]]
    assert only_header, "the header comes before all else"
    shown = [set(seen) - {"header_view", "prompt_view"} for _, seen, _, _ in frames]
    for seen in [seen for before, seen in pairwise(shown) if before]:  # the frame of the change itself apart
        assert "gradio-app" in seen and seen - {"gradio-app"} <= OF_PAGE[name]
        assert seen & {"learn_view", "attention_view", "generate_view", "check_view"}, f"all at once: {frames}"


def test_of_the_first_screen_nothing_else_is_ever_seen(page: Page, app: App):
    page.set_default_timeout(60_000)
    page.add_init_script(f"({WATCH})()")
    page.goto(app.url)
    page.wait_for_selector('[data-view="prompt_view"][data-ready="true"]', state="attached")
    page.wait_for_timeout(1500)
    frames = page.evaluate("globalThis.frames_")
    assert {shown_page for shown_page, *_ in frames} <= {"start", None}
    shown = [set(seen) for _, seen, _, _ in frames if seen]
    assert shown and all(seen == {"header_view", "start"} for seen in shown)


def test_a_dark_page_is_never_white(app: App):
    first = httpx.get(app.url).text  # what stands before the styles is all that the first frame knows
    assert '<meta name="color-scheme" content="light dark">' in first[: first.index("<style")]


def test_a_text_of_the_address_is_not_seen_as_another(page: Page, app: App):
    page.set_default_timeout(60_000)
    page.add_init_script(
        """(() => {
            globalThis.seen = new Set();
            const look = () => {
                const strip = document.querySelector('.hs-tokens');
                if (strip?.checkVisibility({ checkVisibilityCSS: true })) globalThis.seen.add(strip.textContent);
                requestAnimationFrame(look);
            };
            requestAnimationFrame(look);
        })()"""
    )
    page.goto(f"{app.url}?show=explore&text=one+two+three")
    page.wait_for_selector('body[data-drawn="true"]')
    page.wait_for_timeout(1000)
    assert page.evaluate("[...globalThis.seen]") == ["startone two three"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?page=anything", "start"), ("?deep_link=x", "start"), ("?view=toString", "start"), ("?view=api", "start"),
        ("?show=check&page=x&deep_link=y&__sign=z&view=settings", "check"), ("?show=constructor", "start"),
        ("?view=learn&page=x", "learn"), ("?lesson=heads", "learn"),
    ],
)  # fmt: skip
def test_reserved_and_unknown_parameters_show_the_page(lent: Page, app: App, query: str, shown: str):
    page = lent
    assert page.goto(app.url + query).status == 200
    page.wait_for_selector("#start[data-ready]" if shown == "start" else f'#page-{shown} .hs-view[data-ready="true"]')
    page.wait_for_timeout(500)
    assert page.locator('[data-testid="toast-body"]').count() == 0
    for name in ("page=", "deep_link", "__sign", "view="):
        assert name not in page.url


COUNT_FRAMES = """
    globalThis.frames_ = 0;
    const nextFrame = requestAnimationFrame;
    globalThis.requestAnimationFrame = (draw) => (globalThis.frames_++, nextFrame(draw));
"""
RESTS = """async () => {
    const before = globalThis.frames_;
    await new Promise((done) => setTimeout(done, 1000));
    return globalThis.frames_ === before;
}"""


def test_a_page_at_rest_asks_for_no_frames_and_keeps_its_theme_in_the_address(page: Page, app: App):
    page.set_default_timeout(60_000)
    page.add_init_script(COUNT_FRAMES)
    page.goto(f"{app.url}?show=check&__theme=dark")
    page.wait_for_selector("body.dark #page-check .hs-view[data-ready=true]")
    page.wait_for_function(RESTS)
    page.click("#theme")
    assert "__theme=light" in page.url
    page.click('#header a[data-page="train"]')
    page.reload()
    page.wait_for_selector("body:not(.dark) #page-train .hs-view[data-ready=true]")


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux counts how often a process wakes")
def test_a_server_at_rest_rarely_wakes(app: App):
    def wakes() -> int:
        tasks = Path(f"/proc/{app.process.pid}/task").glob("*/status")
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", one.read_text(), re.M)[1]) for one in tasks)

    def in_a_second() -> int:
        before = wakes()
        time.sleep(1)
        return wakes() - before

    assert min(in_a_second() for _ in range(5)) < 300, "Gradio's queue alone would wake it a thousand times"


def test_another_page_is_loaded_when_it_is_opened(page: Page, app: App):
    page.set_default_timeout(60_000)
    page.goto(f"{app.url}?show=learn")
    page.wait_for_selector('#page-learn .hs-view[data-ready="true"]')
    scripts = (
        "performance.getEntriesByType('resource').map(({ name }) => name).filter((name) => name.includes('/compare/'))"
    )
    assert page.evaluate(scripts) == []
    page.click('#header a[data-page="compare"]')
    page.wait_for_selector('#page-compare .hs-view[data-ready="true"]')
    assert len(page.evaluate(scripts)) >= 5


# what belongs to an earlier question


def test_while_a_text_is_computed_the_old_pictures_say_what_they_are_of(screen: Screen, page: Page):
    waiting = []
    page.route("**/ask/run", lambda route: waiting.append(route))
    screen.prompt.fill("one two three")
    screen.prompt.press("Enter")
    old = page.locator('[data-view="attention_view"][data-stale]')
    old.wait_for()
    assert old.get_attribute("data-stale").startswith("Still “Harry Potter met Draco. Harry” in decoder")
    assert old.get_attribute("aria-busy") == "true"
    page.wait_for_timeout(600)
    assert old.evaluate("e => getComputedStyle(e, '::after').opacity") == "0.6", "a veil lies over them"
    for route in waiting:
        route.continue_()
    page.wait_for_selector("[data-view=attention_view]:not([data-stale])")
    assert screen.tokens()[1:] == ["one", " two", " three"]
