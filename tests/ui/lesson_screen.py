"""The Learn page as its user has it: what can be done on it, and what can be read off it."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page

RESTS = "[data-view=learn_view] .hs-stage[data-animating=false]"
HAS_ALL = "() => headscope.payload && headscope.asked === null && !headscope.isAsking"
# Another page's views, once opened, stay.
HAS_NO_MORE = (
    "() => !document.querySelector('[data-view=grid_view][data-ready], [data-view=generate_view][data-ready]')"
)
# What neither an address says nor progress: how the page looks, and what was opened, typed or kept.
LEAVE_NOTHING = """() => {
    document.querySelector("dialog[open]")?.close();
    document.activeElement?.blur();
    document.body.classList.remove("dark");
    if (document.body.dataset.lecture === "true") document.querySelector(".hs-tools button:last-child").click();
    delete document.body.dataset.lecture;
    document.querySelector(".hs-lesson-tables").open = false;
    const search = document.querySelector(".hs-contents input[type=search]");
    if (search.value) {
        search.value = "";
        search.dispatchEvent(new Event("input"));
    }
    history.replaceState(null, "", location.pathname);
}"""
# Without motion a step is drawn at once; `look` may wait for frames if it needs them.
WALK = """async () => {
    const look = LOOK, found = [];
    const view = document.querySelector("[data-view=learn_view]"), next = view.querySelector(".hs-next");
    const isLast = () => view.querySelector(".hs-step-number").textContent.endsWith(` of ${view.dataset.step}`);
    for (;;) {
        if (view.dataset.waits === "true") next.click();
        if (view.dataset.waits === "true") throw new Error("this step is not revealed");
        found.push(await look(view));
        if (isLast()) return found;
        next.click();
    }
}"""


class LessonScreen:
    """The Learn page of the app."""

    def __init__(self, page: Page, url: str):
        self.page, self.url = page, url
        page.set_default_timeout(20_000)
        page.emulate_media(reduced_motion="reduce")  # a test need not wait for cells to travel

    def open(self, lesson: str = "reshape", step: int = 1, **more: str) -> "LessonScreen":
        """Load the address of a step, and wait until its picture rests."""
        query = "".join(f"&{name}={value}" for name, value in more.items())
        self.page.goto(f"{self.url}?lesson={lesson}&step={step}{query}")
        self.wait_for(lesson, step)
        return self

    def follow(self, lesson: str, step: int = 1) -> "LessonScreen":
        """The same as ``open`` by a link of the page's own: nothing is loaded but the lesson."""
        self.page.evaluate("search => headscope.address.follow(search)", f"?lesson={lesson}&step={step}")
        self.page.wait_for_function(HAS_ALL)
        self.page.wait_for_selector(".hs-lesson-shown:not([data-stale])")
        self.wait_for(lesson, step)
        return self

    def go_back_to(self, address: str) -> None:
        """What the page shows if Back leads to ``address``, which may be one that no link of ours has."""
        self.page.evaluate("search => { history.replaceState(null, '', search); headscope.address.back(); }", address)
        self.wait_for_rest()

    def begin_anew(self) -> "LessonScreen":
        """The first step of a lesson without text, as ``open()`` shows it to who has answered nothing yet, on a page
        that another test has left; quicker than to load it."""
        page = self.page
        page.unroute_all(behavior="ignoreErrors")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        page.mouse.move(2, 2)
        if not page.url.startswith(self.url) or not page.evaluate(HAS_NO_MORE):
            return self.forget().open()
        page.evaluate(LEAVE_NOTHING)
        self.follow("reshape")
        page.get_by_text("Reset my progress", exact=True).dispatch_event("click")
        page.evaluate("scrollTo(0, 0)")
        return self

    def forget(self) -> "LessonScreen":
        """Empty what the browser keeps for the app, before a page of it is loaded."""
        client = self.page.context.new_cdp_session(self.page)
        client.send("Storage.clearDataForOrigin", {"origin": self.url, "storageTypes": "local_storage"})
        client.detach()
        return self

    def walk(self, lesson: str, look: str) -> list:
        """Turn to a lesson and through all its steps, each revealed, and say of each what ``look`` finds on the page:
        a JavaScript function (of the view), perhaps an async one."""
        self.follow(lesson)
        return self.page.evaluate(WALK.replace("LOOK", look))

    def wait_for(self, lesson: str, step: int) -> None:
        self.page.wait_for_selector(f'[data-view=learn_view][data-lesson="{lesson}"][data-step="{step}"]')
        self.wait_for_rest()

    def wait_for_rest(self) -> None:
        self.page.wait_for_selector(RESTS)

    # what can be done

    @property
    def view(self) -> Locator:
        return self.page.locator("[data-view=learn_view]")

    def next(self) -> None:
        self.page.click(".hs-next")
        self.wait_for_rest()

    def back(self) -> None:
        self.page.click(".hs-step-button >> nth=0")
        self.wait_for_rest()

    def reveal(self) -> None:
        """Let the step's question be answered for one, if it has one that is still open."""
        if self.waits():
            self.next()

    def answer(self, text: str) -> None:
        self.page.locator(".hs-option").filter(has_text=text).first.click()
        self.wait_for_rest()

    def wait_for_answer_to(self, action: Callable[[], object]) -> None:
        """Do ``action`` and wait until the server's lesson that it asks for is drawn."""
        seq = int(self.view.get_attribute("data-lesson-seq"))
        action()
        self.page.wait_for_function(
            "seq => Number(document.querySelector('[data-view=learn_view]').dataset.lessonSeq) > seq", arg=seq
        )
        self.wait_for_rest()

    def choose(self, control: str, label: str) -> None:
        button = self.page.locator(f'[data-control="{control}"] button').filter(has_text=label).first
        self.wait_for_answer_to(button.click)

    def fill(self, control: str, text: str) -> None:
        """Type into a field and press Enter; what comes of it is to be waited for by who asks."""
        field = self.page.locator(f'input[data-control="{control}"]')
        field.fill(text)
        field.press("Enter")

    def run(self, text: str) -> None:
        """Another text: type it, press Enter, wait for its lesson."""
        field = self.page.locator("#prompt textarea")
        field.fill(text)
        self.wait_for_answer_to(lambda: field.press("Enter"))

    def slot(self, name: str) -> Locator:
        return self.page.locator(f'.hs-panel[data-panel="{name}"] .hs-slot')

    def point_at(self, name: str, index: list[int], click: bool = False) -> None:
        """Move the pointer to the middle of a cell of a panel, and perhaps click."""
        slot = self.slot(name)
        slot.scroll_into_view_if_needed()
        x, y = self.page.evaluate(MIDDLE, [name, index])
        box = slot.bounding_box()
        self.page.mouse.move(box["x"] + x, box["y"] + y)
        if click:
            self.page.mouse.click(box["x"] + x, box["y"] + y)

    # what can be read

    def title(self) -> str:
        return self.page.text_content(".hs-lesson h2")

    def waits(self) -> bool:
        return self.view.get_attribute("data-waits") == "true"

    def panels(self) -> list[str]:
        return self.page.locator(".hs-panel").evaluate_all("all => all.map(p => p.dataset.panel)")

    def shape(self, name: str) -> str:
        return self.page.text_content(f'.hs-panel[data-panel="{name}"] .hs-shape')

    def table(self, name: str, block: str = "") -> list[list[str]]:
        """The numbers of a panel (of one block of it) as they stand in the table under the picture."""
        self.open_tables()
        table = self.page.locator(f'.hs-lesson-tables table[data-panel="{name}"][data-block="{block}"]').first
        return table.evaluate(
            "t => [...t.rows].slice(1).map(r => [...r.querySelectorAll('td.hs-number')].map(c => c.textContent))"
        )

    def open_tables(self) -> None:
        details = self.page.locator(".hs-lesson-tables")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        self.page.wait_for_selector(".hs-lesson-tables table")

    def readout(self) -> str:
        return self.page.text_content(".hs-readout")

    def value(self) -> str:
        return self.page.text_content(".hs-readout .hs-cell strong")

    def terms(self) -> list[list[str]]:
        return self.page.locator(".hs-terms tr").evaluate_all(
            "all => all.slice(1).map(r => [...r.cells].map(c => c.textContent))"
        )

    def problem(self) -> str:
        """What the page says that is wrong, once it does."""
        self.page.wait_for_selector('[data-view=learn_view]:not([data-error=""])[data-error]')
        return self.page.text_content(".hs-lesson .hs-problem")

    def marked(self) -> list[str]:
        """The marked lines of code, without their numbers."""
        return self.page.locator(".hs-line.hs-on").evaluate_all(
            "all => all.map(line => [...line.childNodes].slice(1).map(n => n.textContent).join('').trim())"
        )


# The page's own geometry, asked for the middle of a cell.
MIDDLE = """async ([name, index]) => {
    const address = performance.getEntriesByType('resource').find((r) => r.name.includes('/learn/geometry.mjs')).name;
    const { cornerOf, flatOf } = await import(address);
    const { panels } = document.querySelector('.hs-stage').picture;
    const { geometry, shape } = panels.find(({ panel }) => panel.name === name);
    const [x, y] = cornerOf(geometry, flatOf(index, shape));
    return [x + geometry.cw / 2, y + geometry.ch / 2];
}"""
