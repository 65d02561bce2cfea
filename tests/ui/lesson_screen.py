"""The Learn page as its user has it: what can be done on it, and what can be read off it."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page

RESTS = "[data-view=learn_view] .hs-stage[data-animating=false]"


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

    def turn_to(self, lesson: str, number: int) -> None:
        """The lesson of that number in the table of contents, from 0: its first step, without loading a page."""
        self.page.evaluate("number => document.querySelectorAll('.hs-lesson-link')[number].click()", number)
        self.wait_for(lesson, 1)

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
