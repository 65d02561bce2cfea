"""The page as its user has it: what can be done on it, and what can be read off it.

Everything waits on the marks that views leave on themselves: ``data-ready``, and ``data-seq``, which counts results.
"""

from playwright.sync_api import Locator, Page

VIEWS = ("tokens_view", "grid_view", "attention_view", "next_view")
MOUNTED = ("header_view", "payload_link", "sample_view", *VIEWS)
PATIENCE = 60_000  # ms


class Screen:
    """One page of the app."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        page.set_default_timeout(PATIENCE)

    def open(self, address: str = "") -> "Screen":
        """Load the page and wait until every view has drawn the example."""
        self.page.goto(self.url + address)
        for name in MOUNTED:
            self.page.wait_for_selector(f'[data-view="{name}"][data-ready="true"]', state="attached")
        return self

    def view(self, name: str) -> Locator:
        return self.page.locator(f'[data-view="{name}"]')

    # what can be done

    @property
    def prompt(self) -> Locator:
        return self.page.locator("#prompt textarea")

    def run(self, text: str) -> None:
        """Type ``text``, press Enter, wait for its result."""
        self.prompt.fill(text)
        with_result(self, lambda: self.prompt.press("Enter"))

    def choose_head(self, layer: int, head: int) -> None:
        self.page.click(f'.hs-grid button[data-layer="{layer}"][data-head="{head}"]')
        self.point_away()

    def choose_token(self, place: int) -> None:
        if self.chosen_token() != place:
            self.page.locator(".hs-tokens button").nth(place).click()
        self.point_away()

    def chosen_token(self) -> int | None:
        places = self.page.locator(".hs-tokens button").evaluate_all(
            "all => all.flatMap((b, i) => b.getAttribute('aria-pressed') === 'true' ? [i] : [])"
        )
        return places[0] if places else None

    def point_away(self) -> None:
        """Take the pointer off all views."""
        self.page.mouse.move(2, 2)
        self.next_frame()

    def point_at_cell(self, query: int, key: int) -> None:
        """Move the pointer to the middle of a cell of the matrix."""
        canvas = self.view("attention_view").locator("canvas")
        canvas.scroll_into_view_if_needed()
        x, y = self.page.evaluate(MIDDLE_OF_CELL, [query, key])
        self.page.mouse.move(x, y)
        self.next_frame()

    def next_frame(self) -> None:
        """Views draw once a frame: behind the second one, what was asked for is drawn."""
        self.page.evaluate("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")

    def write(self, button: str = "write", count: int | None = None) -> None:
        """Press a button of the sampling panel and wait until ``count`` tokens stand there."""
        self.page.click(f"#{button}")
        if count is not None:
            self.wait_for_written(count)

    def wait_for_written(self, count: int) -> None:
        self.page.wait_for_selector(f'[data-view="sample_view"][data-count="{count}"]')

    def set(self, label: str, value: float | str) -> None:
        """Type a value into the number field of a setting."""
        field = self.page.locator("#sampling-controls").get_by_label(label, exact=False).and_(
            self.page.locator("input[type=number]")
        )
        field.fill(str(value))
        field.press("Tab")

    # what can be read

    def seq(self) -> int:
        return int(self.view("grid_view").get_attribute("data-seq"))

    def tokens(self) -> list[str]:
        return self.page.locator(".hs-tokens button").all_text_contents()

    def written(self) -> list[str]:
        return self.page.locator(".hs-written button").all_text_contents()

    def row_table(self) -> list[list[str]]:
        """The rows of "This row as a table": place, key token, weight."""
        details = self.page.locator(".hs-table")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
            self.page.wait_for_selector(".hs-table table")
            self.next_frame()
        return cells(details.locator("table"))[1:]

    def bars(self) -> list[tuple[str, str]]:
        """Next tokens as shown: text and probability."""
        rows = self.page.locator(".hs-bars li").evaluate_all(
            "all => all.map(li => [li.querySelector('.hs-bar-name').textContent, li.querySelector('.hs-number').textContent])"
        )
        return [tuple(row) for row in rows]

    def text_of(self, selector: str) -> str:
        return self.page.locator(selector).first.text_content()

    def problem(self) -> str:
        """The sentence that says what went wrong, once there is one."""
        self.page.wait_for_selector(".hs-problem:not([hidden])")
        return self.text_of(".hs-problem:not([hidden])")


def with_result(screen: Screen, action) -> None:
    """Do ``action`` and wait until all views have drawn the result after the one that was there."""
    seq = screen.seq()
    action()
    for name in VIEWS:
        screen.page.wait_for_function(
            "([name, seq]) => Number(document.querySelector(`[data-view=${name}]`).dataset.seq) > seq", arg=[name, seq]
        )
    screen.next_frame()


def cells(table: Locator) -> list[list[str]]:
    return table.locator("tr").evaluate_all("all => all.map(tr => [...tr.children].map(cell => cell.textContent))")


# The layout comes from the view's own drawing function, run once more on a canvas that nobody sees.
MIDDLE_OF_CELL = """async ([query, key]) => {
    const view = document.querySelector('[data-view=attention_view]');
    const static_ = performance.getEntriesByType('resource').find(({ name }) => name.includes('/matrix.mjs')).name;
    const { drawMatrix } = await import(static_);
    const width = Math.max(280, view.querySelector('.hs-picture').clientWidth);
    const { payload, focus } = globalThis.headscope;
    const { left, top, cell } = drawMatrix(document.createElement('canvas'), width, payload, focus.now, 0, false);
    const box = view.querySelector('canvas').getBoundingClientRect();
    return [box.left + left + (key + 0.5) * cell, box.top + top + (query + 0.5) * cell];
}"""
