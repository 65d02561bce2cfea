"""The Generate page as its user has it. It waits on the marks of its view: how many tokens are written, whether the
model is still writing, and which picture is drawn."""

from playwright.sync_api import Page

from .screen import BEGIN_ANEW, HAS_ALL, Screen

VIEW = '[data-view="generate_view"]'
CELLS = """(row) => [...row.children].map((cell) => {
    const parts = cell.querySelectorAll('.hs-pick, .hs-number');
    return (parts.length ? parts[0] : cell).textContent;
})"""

# What is unfolded, and what was written after the text.
FORGET = """() => {
    for (const details of document.querySelectorAll('#page-generate details[open]')) details.open = false;
    for (const section of document.querySelectorAll('#page-generate .hs-all')) section.classList.remove('hs-all');
    document.getElementById('clear').click();
}"""
TYPE = "(field, value) => { field.value = value; field.dispatchEvent(new Event('input')); }"


class Writer(Screen):
    """One Generate page."""

    def __init__(self, page: Page, url: str):
        super().__init__(page, url)

    def open(self, more: str = "") -> "Writer":
        """Load the page and wait until what comes next is drawn."""
        self.page.goto(f"{self.url}?view=generate{more}")
        return self.wait_for_picture()

    def begin_anew(self) -> "Writer":
        """The same of a page that another test has left, which may know of one more text: what was written after each
        of the two is forgotten."""
        page = self.page
        page.unroute_all(behavior="ignoreErrors")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page.mouse.move(2, 2)
        if not page.url.startswith(self.url) or page.locator("[data-view=grid_view][data-ready]").count():
            return self.open()
        page.evaluate(FORGET)
        first = page.evaluate("headscope.firstText('generate')")
        self.prompt.fill(first)  # typed and not run, another text would stay
        page.wait_for_function("(text) => document.querySelector('.hs-before').textContent === text", arg=first)
        page.evaluate(BEGIN_ANEW.replace("?show=explore", "?show=generate"))
        page.wait_for_function(HAS_ALL)
        page.evaluate(FORGET)
        page.evaluate("document.activeElement?.blur()")
        return self.wait_for_picture("next")

    def show(self) -> "Writer":
        """Go there from another page."""
        self.page.click('a[data-page="generate"]')
        return self

    # what can be done

    def write(self, count: int, button: str = "write") -> None:
        """Press a button and wait until ``count`` tokens stand there, and nothing more is on its way."""
        self.page.click(f"#{button}")
        self.wait_for_written(count)

    def wait_for_written(self, count: int) -> None:
        self.page.wait_for_selector(f'{VIEW}[data-count="{count}"][data-working="false"]')

    def wait_for_at_least(self, count: int) -> None:
        self.page.wait_for_function(f"(n) => Number(document.querySelector('{VIEW}').dataset.count) >= n", arg=count)

    def wait_for_picture(self, mode: str = "") -> "Writer":
        """Wait until the picture of the newest token is drawn; ``mode`` is "chosen" or "next"."""
        self.next_frame()  # until then the picture is the one before
        shown = f'[data-shown^="{mode}"]' if mode else ':not([data-shown=""])'
        self.page.wait_for_selector(f'{VIEW}[data-ready="true"][data-shown]{shown}')
        self.next_frame()
        return self

    def set(self, **settings: float | str) -> None:
        """Type values into the number fields of settings: ``set(temperature=0.5, top_k=40)``."""
        for name, value in settings.items():
            label = name.replace("_", "-").capitalize()
            fields = 'xpath=//*[@id="sampling-controls"]//input[not(@type="range")]'
            field = self.page.locator(f'{fields}[@aria-label="number input for {label}" or @aria-label="{label}"]')
            field.evaluate(TYPE, str(value))
            field.dispatch_event("change")

    def look_at(self, mode: str) -> None:
        """ "chosen" or "next"."""
        self.page.click(f'#generate-choice button[data-mode="{mode}"]')
        self.wait_for_picture(mode)

    def take(self, id: int) -> None:
        """Choose a token of the table by hand."""
        self.page.click(f'.hs-pick[data-id="{id}"]')
        self.wait_for_picture("chosen")

    def go_to(self, place: int) -> None:
        """Press a written token."""
        self.page.locator(".hs-written button").nth(place).click()
        self.wait_for_picture("chosen")

    # what can be read

    def count(self) -> int:
        return int(self.page.locator(VIEW).get_attribute("data-count"))

    def written(self) -> list[str]:
        return self.page.locator(".hs-written button:not(.hs-ahead)").all_text_contents()

    def choice(self) -> list[list[str]]:
        """The rows of the choice: token, its number after each step, and the sum down to it."""
        return self.page.locator(".hs-choice tbody tr").evaluate_all(f"(rows) => rows.map({CELLS})")

    def struck(self) -> list[list[bool]]:
        """For each row and step, whether the number is struck or the token was gone before."""
        return self.page.locator(".hs-choice tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [...row.querySelectorAll('td:not(.hs-sum)')].map((c) => c.matches('.hs-out')))"
        )

    def foot(self) -> list[list[str]]:
        """The other tokens, how many are left after each step, and the mass that it removes."""
        return self.page.locator(".hs-choice tfoot tr").evaluate_all(f"(rows) => rows.map({CELLS})")

    def said(self) -> str:
        return self.text_of(".hs-said")

    def tree_list(self) -> str:
        """The tree as its text equivalent has it."""
        details = self.page.locator("#generate-tree details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        self.page.wait_for_selector("#generate-tree ul")
        return self.page.locator("#generate-tree details > ul").evaluate(
            "function text(ul) { return [...ul.children].map((li) => "
            "li.firstElementChild.textContent + "
            "[...li.querySelectorAll(':scope > ul')].map((inner) => `[${text(inner)}]`).join('')).join(' | '); }"
        )

    def here(self) -> str:
        """The token of the tree that is marked as the place where one is."""
        return self.text_of(".hs-tree [aria-current]")
