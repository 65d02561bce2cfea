"""Draws the card that other sites show of a link to the app: ``python -m tests.ui.first_card`` writes it anew.

It is what *Share* draws of the first screen, after another model ships or the screen has changed.
"""

import base64

from playwright.sync_api import sync_playwright

from explorer.export.standalone import STATIC
from explorer.first_html import CARD

from .browser import FLAGS, chromium_path
from .serving import running_app

AS_TEXT = """async (image) => {
    const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


def main() -> None:
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        page.goto(app.url)
        page.wait_for_selector('[data-view="prompt_view"][data-ready="true"]', state="attached")
        page.click("#share")
        png = base64.b64decode(page.locator(".hs-share img").evaluate(AS_TEXT))
        browser.close()
    (STATIC / CARD).write_bytes(png)
    print(f"{STATIC / CARD}: {len(png) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
