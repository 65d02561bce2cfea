"""Pages that the tests of a page use one after the other, each as if it had just been loaded; and an app that takes
code."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext

from ..conftest import SharedPage, lending
from ..lesson_screen import LessonScreen
from ..serving import App, running_app
from ..writing import Writer


@pytest.fixture(scope="session")
def allowed() -> Iterator[App]:
    """An app that checks files that are uploaded."""
    with running_app("--allow-code-upload") as app:
        yield app


@pytest.fixture(scope="session")
def shared_lesson(profile: BrowserContext) -> SharedPage:
    return SharedPage(profile)


@pytest.fixture
def learn(request: pytest.FixtureRequest, shared_lesson: SharedPage, app: App) -> Iterator[LessonScreen]:
    """A learner who has not answered anything yet, at the first step of the lesson reshape."""
    with lending(shared_lesson, request.session) as page:
        yield LessonScreen(page, app.url).begin_anew()


@pytest.fixture(scope="session")
def shared_writer(profile: BrowserContext) -> SharedPage:
    return SharedPage(profile)


@pytest.fixture
def writer(request: pytest.FixtureRequest, shared_writer: SharedPage, app: App) -> Iterator[Writer]:
    """Generate with the first text. Who asks for ``page`` or ``problems`` too has the page to himself."""
    if {"page", "problems"} & set(request.fixturenames):
        yield Writer(request.getfixturevalue("page"), app.url).open()
        return
    with lending(shared_writer, request.session) as page:
        yield Writer(page, app.url).begin_anew()
