"""The client's pure modules, alone in Chromium: no app is started for them."""

from collections.abc import Iterator

from playwright.sync_api import BrowserContext, Page, Route

from explorer.static_files import PLOTLY, plotly_file
from llm_core.paths import ROOT

STATIC = ROOT / "explorer" / "web"
HOST = "http://127.0.0.1/"


def from_disk(route: Route) -> None:
    name = route.request.url.removeprefix(HOST)
    if name:
        path = plotly_file() if name.split("/") == PLOTLY else STATIC / name
        route.fulfill(body=path.read_text(encoding="utf-8"), content_type="text/javascript")
    else:
        route.fulfill(body="<!doctype html><meta charset=utf-8><body></body>", content_type="text/html")


class Modules:
    """``js("base/text", "({visible}, x) => visible(x)", "a")`` calls the function with text.mjs and "a"."""

    def __init__(self, page: Page):
        self.page = page

    def __call__(self, module: str, function: str, *arguments):
        call = f"async ([url, given]) => ({function})(await import(url), ...given)"
        return self.page.evaluate(call, [f"{HOST}{module}.mjs", list(arguments)])


def modules_in(profile: BrowserContext) -> Iterator[Modules]:
    """The client's modules on an empty page, and what each of them exports."""
    page, errors = profile.new_page(), []
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.route(f"{HOST}**", from_disk)
    page.goto(HOST)
    page.evaluate("globalThis.buffer = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer")
    yield Modules(page)
    page.close()
    assert errors == []
