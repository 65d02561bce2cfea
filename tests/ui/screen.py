"""The page as its user has it: what can be done on it, and what can be read off it.

Everything waits on the marks that views leave on themselves: ``data-ready``, and ``data-seq``, which counts results.
"""

from collections.abc import Callable, Sequence

from playwright.sync_api import Locator, Page

VIEWS = ("tokens_view", "grid_view", "attention_view", "next_view")
MOUNTED = ("header_view", "prompt_view", *VIEWS)
FIRST = [
    *MOUNTED,
    "model_choice",
    "examples_view",
    "save_view",
    "surgery_banner",
    "phone_view",
    "tabs_view",
    "roles_view",
    "scatter_view",
]
PATIENCE = 60_000  # ms
# Views that are out of sight, such as the heads on a phone, are drawn when they are opened.
READY = """(name) => {
    const view = document.querySelector(`[data-view=${name}]`);
    const isAway = () => view.dataset.on === "explore" && globalThis.headscope?.seq > 0 && !view.offsetParent;
    return view && (view.dataset.ready === "true" || isAway());
}"""
DRAWN_ANEW = """([name, seq]) => {
    const view = document.querySelector(`[data-view=${name}]`);
    return headscope.seq > seq && (!view.offsetParent || Number(view.dataset.seq) > seq);
}"""
# As a page is when it has just come: what an address does not say, too.
BEGIN_ANEW = """() => {
    document.activeElement?.blur();
    document.body.classList.remove('dark');
    for (const one of document.querySelectorAll('[data-view] details[open]')) one.open = false;
    localStorage.clear();
    scrollTo(0, 0);
    history.replaceState(null, "", location.pathname);
    headscope.address.follow('?show=explore');
}"""
# Another page's or tab's views, once opened, stay, and have parts that are called alike.
HAS_NO_MORE = """(names) => globalThis.headscope?.seq > 0 && document.querySelector("#page-explore")
    && [...document.querySelectorAll('[data-view][data-ready]')].every(({ dataset }) => names.includes(dataset.view))"""
HAS_ALL = "() => headscope.asked === null && !headscope.isAsking"
THREE_FRAMES = """async () => {
    for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
}"""


class Screen:
    """One page of the app."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        page.set_default_timeout(PATIENCE)

    def open(self, more: str = "") -> "Screen":
        """Load the Explore page and wait until every view has drawn the example; ``more`` goes into the address, which
        is one of before: there, layers and heads count from 1."""
        return self.open_address(f"view=explore{more}")

    def open_address(self, address: str) -> "Screen":
        """The same, of what stands behind the question mark."""
        self.page.goto(f"{self.url}?{address}")
        for name in MOUNTED:
            self.page.wait_for_function(READY, arg=name)
        self.page.wait_for_function(HAS_ALL)
        self.next_frame()
        return self

    def open_anew(self, may_stay: Sequence[str] = ()) -> "Screen":
        """The same of a page that another test has left: quicker than to load it, if no views were opened there but
        those of Explore's first panel, and those that ``may_stay``."""
        self.page.unroute_all(behavior="ignoreErrors")
        self.page.set_viewport_size({"width": 1440, "height": 900})
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        self.page.mouse.move(2, 2)
        if not self.page.evaluate(HAS_NO_MORE, [*FIRST, *may_stay]):
            return self.open()
        self.page.evaluate(BEGIN_ANEW)
        return self._settled()

    def follow(self, more: str = "") -> "Screen":
        """``open`` of a page that is there already: the address is followed as Back and Forward follow it."""
        self.page.evaluate("(address) => headscope.address.follow(address)", f"?view=explore{more}")
        return self._settled()

    def _settled(self) -> "Screen":
        """Wait until the result that the address asks for is there, and drawn."""
        self.page.wait_for_function(HAS_ALL)
        seq = self.page.evaluate("headscope.seq")
        for name in VIEWS:
            self.page.wait_for_function(DRAWN_ANEW, arg=[name, seq - 1])
        self.next_frame()
        return self

    def view(self, name: str) -> Locator:
        return self.page.locator(f'[data-view="{name}"]')

    # what can be done

    @property
    def prompt(self) -> Locator:
        return self.page.locator("#prompt textarea")

    def run(self, text: str) -> None:
        """Type ``text``, press Enter, wait for its result. On a phone the text stands in a sheet."""
        self.page.locator("#prompt textarea:visible, .hs-open-text:visible").first.wait_for()
        if not self.prompt.is_visible():
            self.page.click(".hs-open-text")
        self.prompt.fill(text)
        self.wait_for_result_of(lambda: self.prompt.press("Enter"))

    def wait_for_result_of(self, action: Callable[[], object]) -> None:
        """Do ``action`` and wait until all views have drawn the result after the one that was there."""
        seq = self.seq()
        action()
        for name in VIEWS:
            self.page.wait_for_function(DRAWN_ANEW, arg=[name, seq])
        self.next_frame()

    def choose_head(self, layer: int, head: int) -> None:
        self.page.click(f'.hs-grid button[data-layer="{layer}"][data-head="{head}"]')
        self.point_away()

    def choose_token(self, place: int) -> None:
        token = self.page.locator(".hs-tokens button").nth(place)
        if token.get_attribute("aria-pressed") != "true":
            token.click()
        self.point_away()

    def choose_setting(self, *names: str) -> None:
        """Choose by the names of switches in the settings of the picture of attention."""
        self.page.click('[aria-label="Settings of the picture"]')
        for name in names:
            self.page.click(f'[data-view="attention_view"] .hs-menu [data-name="{name}"]')
        self.page.keyboard.press("Escape")
        self.point_away()

    def check_setting(self, text: str) -> None:
        """Press a check box there."""
        self.page.click('[aria-label="Settings of the picture"]')
        self.page.locator(".hs-check", has_text=text).locator("input").click()
        self.page.keyboard.press("Escape")
        self.point_away()

    def choose_example(self, index: int) -> None:
        self.wait_for_result_of(lambda: self.page.select_option("#examples select", str(index)))

    def choose_panel(self, name: str) -> None:
        """ "attention", "pipeline", "lens", "residual", "surgery" or "patch"."""
        self.page.click(f'[data-view="tabs_view"] [data-name="{name}"]')
        self.point_away()

    def choose_drawing(self, name: str) -> None:
        """ "matrix", "lines" or "flow"."""
        self.page.click(f'.hs-switch button[data-name="{name}"]')
        self.point_away()

    def point_at(self, target: Locator) -> None:
        target.hover()
        self.next_frame()

    def point_away(self) -> None:
        """Take the pointer off all views."""
        self.page.mouse.move(2, 2)
        self.next_frame()

    def point_at_cell(self, query: int, key: int) -> None:
        """Move the pointer to the middle of a cell of the matrix."""
        self._point_in_canvas("weights", "drawWeights", CELL, [query, key])

    def point_at_line_of(self, query: int) -> None:
        """Move the pointer to the middle of a query's name in the lines."""
        self._point_in_canvas("lines", "drawLines", QUERY_NAME, [query])

    def point_at_input_of(self, key: int) -> None:
        """Move the pointer to the middle of a key's name in the flow."""
        self._point_in_canvas("flow", "drawFlow", QUERY_NAME, [key])

    def _point_in_canvas(self, module: str, draw: str, middle: str, place: list[int]) -> None:
        canvas = self.page.locator(".hs-picture canvas")
        canvas.scroll_into_view_if_needed()

        def at() -> list[float]:
            return self.call(module, LAYOUT_OF_VIEW.replace("DRAW", draw).replace("MIDDLE", middle), place)

        for _ in range(5):  # until the picture has stayed where it was
            before = at()
            self.page.mouse.move(*before)
            self.next_frame()
            if at() == before:
                break

    def next_frame(self) -> None:
        """Views draw once a frame, those out of sight a frame later: behind the third one, all is drawn."""
        self.page.evaluate(THREE_FRAMES)

    def call(self, module: str, function: str, *arguments):
        """``function(module, ...arguments)`` on the page, with a module that the page itself has loaded."""
        address = "performance.getEntriesByType('resource').find(({ name }) => name.includes(`/${module}.mjs`)).name"
        code = f"async ([module, given]) => ({function})(await import({address}), ...given)"
        return self.page.evaluate(code, [module, list(arguments)])

    # what can be read

    def address(self) -> str:
        """What stands in the address behind the question mark, once it says what is shown."""
        self.page.wait_for_function("globalThis.headscope.address.timer === null")
        return self.page.evaluate("location.search.slice(1)")

    def seq(self) -> int:
        return int(self.view("tokens_view").get_attribute("data-seq"))

    def tokens(self) -> list[str]:
        return self.page.locator(".hs-tokens button").all_text_contents()

    def chosen_token(self) -> int:
        """The place that is outlined in the token strip."""
        return self.page.locator(".hs-tokens").evaluate("e => [...e.children].findIndex(b => b.matches('.hs-query'))")

    def title(self) -> str:
        return self.text_of('[data-view="attention_view"] h2')

    def row_table(self) -> list[list[str]]:
        """The rows of "This row as a table": place, key token, weight."""
        details = self.view("attention_view").locator(".hs-table")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        details.locator("table").wait_for()
        self.point_away()
        return rows_of(details.locator("table"))[1:]

    def bars(self) -> list[list[str]]:
        """The next tokens as shown: text and probability."""
        return self.page.locator('[data-view="next_view"] .hs-bars li').evaluate_all(
            "all => all.map(li => ['.hs-bar-name', '.hs-number'].map(part => li.querySelector(part).textContent))"
        )

    def is_busy(self) -> bool:
        return self.page.locator(".hs-busy").is_visible()

    def text_of(self, selector: str) -> str:
        return self.page.locator(selector).first.text_content()

    def problem(self, view: str = "prompt_view") -> str:
        """The sentence of ``view`` that says what went wrong, once there is one."""
        self.page.wait_for_selector(f'[data-view="{view}"]:not([data-error=""]) .hs-problem:not([hidden])')
        return self.view(view).locator(".hs-problem:not([hidden])").text_content()

    def has_problem(self) -> bool:
        return self.page.locator(".hs-problem:visible").count() > 0

    def names(self, pieces: list[str]) -> list[str]:
        """How the page writes tokens of the vocabulary."""
        return self.call("text", "({pieceName}, pieces) => pieces.map(pieceName)", pieces)

    def labels(self, pieces: list[str]) -> list[str]:
        """How the page writes them on buttons: special tokens by their role."""
        roles = {"<|startofarticle|>": "start", "<|endoftext|>": "end", "<|padding|>": "padding", "<|mask|>": "mask"}
        return [roles.get(piece, shown) for piece, shown in zip(pieces, self.names(pieces))]


def rows_of(table: Locator) -> list[list[str]]:
    return table.locator("tr").evaluate_all("all => all.map(tr => [...tr.children].map(cell => cell.textContent))")


# The view's own drawing function, run once more on a canvas that nobody sees, says where everything lies.
LAYOUT_OF_VIEW = """({ DRAW }, place) => {
    const { payload, focus } = globalThis.headscope;
    const { brush } = document.querySelector('[data-view="attention_view"]').dataset;
    const layout = DRAW(document.createElement('canvas'), ROOM, payload, { ...focus.now, brush }, 0, false);
    const { x, y } = document.querySelector('.hs-picture canvas').getBoundingClientRect();
    const [right, down] = (MIDDLE)(layout, ...place);
    return [x + right, y + down];
}"""
ROOM = """(({ clientWidth, clientHeight }, isBound) =>
    ({ width: Math.max(280, clientWidth), height: isBound ? clientHeight : Infinity })
)(document.querySelector('.hs-picture'), getComputedStyle(document.querySelector('.hs-picture')).flexGrow === '1')"""
LAYOUT_OF_VIEW = LAYOUT_OF_VIEW.replace("ROOM", ROOM)
CELL = """({ left, top, cell, first }, query, key) =>
    [left + (key - first.column + 0.5) * cell.width, top + (query - first.row + 0.5) * cell.height]"""
QUERY_NAME = "({ top, row, column }, query) => [column / 2, top + (query + 0.5) * row]"
