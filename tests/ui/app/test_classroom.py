"""A class in two browsers: the teacher points and a visitor's page follows; then the app is started anew under both.

One app and two pages for all of it, in the order in which a lesson goes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from ..conftest import Problems, listen
from ..serving import App

OPTIONS = ("--classroom", "--host", "127.0.0.1")
TEXT = "How to boil an egg"
UP = '[data-view="prompt_view"][data-ready="true"]'
LOST = ["Failed to load resource", "ERR_", "Failed to fetch", "Connection"]  # how a browser notes a server that is gone


class Class:
    """A running app, the teacher's page and a visitor's."""

    def __init__(self, log: Path):
        self.log, self.problems = log, Problems()
        self.app, self.contexts = App(log, *OPTIONS), list[BrowserContext]()

    def begin(self, browser: Browser) -> None:
        self.app.wait_until_up()
        self.teacher, self.visitor = self._page(browser), self._page(browser)
        self.teacher.goto(self.link)
        self.visitor.goto(self.app.url)
        for page in (self.teacher, self.visitor):
            page.wait_for_selector(UP, state="attached")
            page.wait_for_selector(".hs-class", state="attached")
            page.evaluate("globalThis.isOfBefore = true")

    def _page(self, browser: Browser) -> Page:
        self.contexts.append(browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light"))
        page = self.contexts[-1].new_page()
        page.set_default_timeout(60_000)
        listen(page, self.problems)
        return page

    @property
    def link(self) -> str:
        return re.search(r"http\S+#teach=\S+", self.app.printed)[0]

    def point(self) -> None:
        self.teacher.click(".hs-class-point")

    def restart(self) -> None:
        self.app.kill()
        self.problems.expected += LOST
        self.app = App(self.log, *OPTIONS, port=self.app.port)
        self.app.wait_until_up()

    def end(self) -> None:
        self.app.kill()
        for context in self.contexts:
            context.close()


@pytest.fixture(scope="module")
def lesson(browser, tmp_path_factory) -> Iterator[Class]:
    lesson = Class(tmp_path_factory.mktemp("class") / "app.log")
    try:
        lesson.begin(browser)
        yield lesson
        assert lesson.problems.unexpected() == []
    finally:
        lesson.end()


def search_is(page: Page, part: str) -> None:
    page.wait_for_function("(part) => location.search.includes(part)", arg=part)


def typed(page: Page) -> str:
    return page.input_value("#prompt textarea")


def test_a_class_follows_its_teacher_through_a_restart(lesson: Class):
    """One test: each part begins where the one before it has led."""
    points_and_follows(lesson)
    leaves_alone_who_writes(lesson)
    lets_a_visitor_stay(lesson)
    goes_on_after_a_restart(lesson)


def points_and_follows(lesson: Class) -> None:
    teacher, visitor = lesson.teacher, lesson.visitor
    assert "teach" not in teacher.url  # what is shared does not hold the secret
    assert not visitor.is_visible(".hs-class") and not visitor.locator(".hs-class-point").count()
    teacher.evaluate(f"headscope.address.follow('?show=explore&layer=2&head=1&text={TEXT.replace(' ', '+')}')")
    teacher.wait_for_function("(text) => headscope.payload?.text === text", arg=TEXT)
    lesson.point()
    visitor.wait_for_function("(text) => headscope.payload?.text === text", arg=TEXT)
    visitor.wait_for_selector('[data-view="attention_view"][data-ready="true"]')
    assert visitor.evaluate("[headscope.focus.locked.layer, headscope.focus.locked.head]") == [2, 1]
    assert visitor.text_content(".hs-class strong") == f"Explore: “{TEXT}”, layer 2, head 1"
    assert visitor.evaluate("isOfBefore")  # without loading anew, so Back leads back
    teacher.click('#header a[data-page="learn"]')
    teacher.wait_for_selector('[data-view="learn_view"][data-ready="true"]')
    lesson.point()
    visitor.wait_for_selector('[data-view="learn_view"][data-ready="true"]')
    assert visitor.text_content(".hs-class strong") == teacher.text_content(".hs-class strong")
    visitor.go_back()
    search_is(visitor, "show=explore")


def leaves_alone_who_writes(lesson: Class) -> None:
    visitor = lesson.visitor
    visitor.fill("#prompt textarea", "I am writing")
    lesson.teacher.click('#header a[data-page="train"]')
    lesson.point()
    visitor.wait_for_function("document.querySelector('.hs-class strong').textContent === 'Train'")
    visitor.wait_for_timeout(300)
    assert "show=explore" in visitor.url and typed(visitor) == "I am writing"
    visitor.click(".hs-class button")  # and goes there by a press
    search_is(visitor, "show=train")
    visitor.go_back()
    search_is(visitor, "show=explore")


def lets_a_visitor_stay(lesson: Class) -> None:
    visitor = lesson.visitor
    visitor.click("#run")
    visitor.wait_for_function("headscope.payload.text === 'I am writing'")
    visitor.uncheck(".hs-class input")
    lesson.teacher.click('#header a[data-page="check"]')
    lesson.point()
    visitor.wait_for_function("document.querySelector('.hs-class strong').textContent === 'Check your code'")
    visitor.wait_for_timeout(300)
    assert "show=explore" in visitor.url
    visitor.check(".hs-class input")
    lesson.teacher.get_by_text("Stop pointing").click()
    visitor.wait_for_selector(".hs-class", state="hidden")
    assert "show=explore" in visitor.url


def goes_on_after_a_restart(lesson: Class) -> None:
    """Nothing is loaded anew by hand or by itself, and nothing that was typed is lost."""
    teacher, visitor = lesson.teacher, lesson.visitor
    visitor.fill("#prompt textarea", TEXT)
    lesson.restart()
    visitor.wait_for_selector("#prompt .hs-lost", state="hidden")
    assert typed(visitor) == TEXT and "show=explore" in visitor.url
    visitor.click("#run")
    visitor.wait_for_function("(text) => headscope.payload.text === text", arg=TEXT)
    assert visitor.evaluate("isOfBefore") and teacher.evaluate("isOfBefore")

    # the old teacher's link is of the app that has ended: it says so, and the new one works
    lesson.problems.expect("status of 403")
    teacher.wait_for_function("document.querySelector('.hs-class p').textContent.startsWith('The app was restarted')")
    lesson.point()
    teacher.wait_for_function("document.querySelector('.hs-class p').textContent.startsWith('Only the teacher')")
    assert not visitor.is_visible(".hs-class")
    teacher.goto("about:blank")  # another hash alone would not load the page
    teacher.goto(lesson.link)
    teacher.click('#header a[data-page="train"]')
    lesson.point()
    search_is(visitor, "show=train")
