"""One app, one browser and one profile for all browser tests; a fresh page for each.

A test fails if its page writes an error to the console, throws, or asks another host for anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from .browser import FLAGS, chromium_path
from .modules import Modules, modules_in
from .reference import Reference
from .screen import PATIENCE, Screen
from .serving import App, running_app


@pytest.fixture(scope="session")
def app() -> Iterator[App]:
    with running_app() as app:
        yield app


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), timeout=120_000)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def profile(browser: Browser) -> BrowserContext:
    return browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="light")


REFUSED = "status of 422"  # how a browser notes a question that is answered with a sentence, which the page shows


class Problems(list):
    """What went wrong on a page; ``expect(part)`` forgives the ones that hold ``part``."""

    def __init__(self):
        super().__init__()
        self.expected: list[str] = [REFUSED]

    def expect(self, part: str) -> None:
        self.expected.append(part)

    def unexpected(self) -> list[str]:
        return [problem for problem in self if not any(part in problem for part in self.expected)]


@pytest.fixture
def problems(request: pytest.FixtureRequest) -> Problems:
    """Those of the page that the test has: one of its own, or the shared one."""
    is_shared = "screen" in request.fixturenames and "page" not in request.fixturenames
    return request.getfixturevalue("shared_page").problems if is_shared else Problems()


@pytest.fixture
def page(profile: BrowserContext, problems: Problems) -> Iterator[Page]:
    page = profile.new_page()
    listen(page, problems)
    yield page
    page.close()
    assert problems.unexpected() == []


def listen(page: Page, problems: Problems) -> None:
    def on_request(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            problems.append(f"a request to another host: {request.url}")

    page.on("request", on_request)
    page.on("pageerror", lambda error: problems.append(f"an exception: {error}"))
    page.on("console", lambda message: message.type == "error" and problems.append(f"console: {message.text}"))


class SharedPage:
    """A page that tests use one after the other: most of the time of a short test is that a page loads."""

    def __init__(self, profile: BrowserContext):
        self.profile = profile
        self.page: Page | None = None
        self.problems = Problems()

    def lend(self) -> Page:
        if self.page is None or self.page.is_closed():
            self.page = self.profile.new_page()
            listen(self.page, self.problems)
        self.problems.clear()
        self.problems.expected = [REFUSED]
        return self.page


@contextmanager
def lending(shared: SharedPage, session: pytest.Session) -> Iterator[Page]:
    """The page for one test, which must leave no problem; after one that fails, the next gets another page."""
    page, failed = shared.lend(), session.testsfailed
    yield page
    if session.testsfailed > failed:
        page.close()
    assert shared.problems.unexpected() == []


@pytest.fixture(scope="session")
def shared_page(profile: BrowserContext) -> SharedPage:
    return SharedPage(profile)


@pytest.fixture(scope="module")
def js(profile: BrowserContext) -> Iterator[Modules]:
    yield from modules_in(profile)


@pytest.fixture
def screen(request: pytest.FixtureRequest, app: App) -> Iterator[Screen]:
    """Explore with the first example drawn. Who asks for ``page`` too has it to himself.

    Else it is the page that another test has left; views that the file names in MAY_STAY may have been opened there.
    """
    if "page" in request.fixturenames:
        yield Screen(request.getfixturevalue("page"), app.url).open()
        return
    with lending(request.getfixturevalue("shared_page"), request.session) as page:
        yield Screen(page, app.url).open_anew(getattr(request.module, "MAY_STAY", ()))


@pytest.fixture
def lent(request: pytest.FixtureRequest, shared_page: SharedPage) -> Iterator[Page]:
    """The shared page, for who loads something of his own in it: a new page for that takes as long again."""
    with lending(shared_page, request.session) as page:
        page.unroute_all(behavior="ignoreErrors")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.set_default_timeout(PATIENCE)
        yield page
        page.goto("about:blank")


@pytest.fixture(scope="session")
def reference() -> Reference:
    return Reference()
