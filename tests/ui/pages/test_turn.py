"""Write it yourself: what is written is checked as the homework checks it, kept, and saved as a whole file."""

from playwright.sync_api import Page

from explorer.exercises.exercise import exercises, pieces
from llm_core.homework.outline import Outline

from ..serving import App

SOLUTIONS = {one.id: one.solution for one in exercises()}
TURN = '[data-view="turn_view"]'


def opened(page: Page, url: str, exercise: str) -> Page:
    page.goto(f"{url}?show=learn&turn={exercise}")
    page.wait_for_selector(f'{TURN}[data-turn="{exercise}"][data-ready=true]')
    page.wait_for_function("() => document.querySelector('#turn-code .cm-content')?.textContent.length > 50")
    return page


def write(page: Page, text: str) -> None:
    page.click("#turn-code .cm-content")
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    last = text.rstrip().splitlines()[-1].strip()
    page.wait_for_function(
        "(last) => Object.values(JSON.parse(localStorage.getItem('headscope.written') ?? '{}'))"
        ".some(({text}) => text?.trimEnd().endsWith(last))",
        arg=last,
    )


def editor(page: Page) -> str:
    lines = page.locator("#turn-code .cm-line").all_text_contents()
    return "\n".join(lines).rstrip()


def said(page: Page, words: str) -> None:
    page.wait_for_function(
        "(words) => document.querySelector('.hs-turn-said').textContent.includes(words)", arg=words, timeout=60_000
    )


def test_a_block_is_written_checked_and_kept(page: Page, allowed: App):
    opened(page, allowed.url, "attention")
    assert not page.is_visible(".hs-lesson") and page.is_visible(".hs-contents")
    page.click("text=Check it")
    said(page, f"{editor(page).count('____')} blanks left (____)")
    assert "13 blanks" in page.text_content(".hs-turn-said")
    write(page, SOLUTIONS["attention"].replace("math.sqrt(D)", "math.sqrt(C)"))
    page.click("text=Check it")
    page.wait_for_selector(".hs-turn-result .hs-check-block", timeout=60_000)
    told = page.text_content(".hs-turn-result")
    assert "Scaled by the whole width" in told and "It should be" in told and "Yours" in told
    line = (
        SOLUTIONS["attention"].splitlines().index(next(x for x in SOLUTIONS["attention"].splitlines() if "sqrt" in x))
    )
    assert page.text_content(".hs-turn-result .hs-check-line figcaption") == f"Your line {line + 1}"
    assert page.locator(".hs-check-idea").count() == 0  # the idea comes last
    for number, words in enumerate(("Hints, in the order", "divide by that", "____", "math.sqrt(D)")):
        page.click(f".hs-turn-hints [data-hint='{number}']")
        assert words in page.text_content(".hs-turn-hints")
    page.reload()
    page.wait_for_function("() => document.querySelector('#turn-code .cm-content')?.textContent.includes('sqrt(C)')")
    write(page, SOLUTIONS["attention"])
    page.click("text=Check it")
    said(page, "It is right")
    page.click("text=Start over")
    page.wait_for_function("() => document.querySelector('#turn-code .cm-content').textContent.includes('____')")
    page.click(".hs-lesson-link >> nth=1")
    page.wait_for_selector(".hs-lesson", state="visible")
    assert "turn=" not in page.evaluate("location.search") and not page.is_visible("#turn")


def test_elsewhere_the_command_is_told_and_all_nine_make_a_file(page: Page, app: App):
    opened(page, app.url, "embedding")
    assert page.locator("text=Check it").count() == 0
    assert "python -m llm_core.homework my_llm_implementation.py" in page.text_content(TURN)
    write(page, SOLUTIONS["embedding"])
    with page.expect_download() as saved:
        page.click("text=Save my_llm_implementation.py")
    assert "1 block of nine is written" in page.text_content(".hs-turn-said")
    source = saved.value.path().read_text(encoding="utf-8")
    assert [name for name in ("embedding", "attention", "generate") if Outline.of(source).is_written(name)] == [
        "embedding"
    ]
    kept = {exercise: {"text": text} for exercise, text in SOLUTIONS.items()}
    page.evaluate("(kept) => localStorage.setItem('headscope.written', JSON.stringify(kept))", kept)
    page.reload()
    page.wait_for_selector(f"{TURN}[data-ready=true]")
    page.click("text=Next exercise")
    page.wait_for_selector(f'{TURN}[data-turn="attention"]')
    with page.expect_download() as saved:
        page.click("text=Save my_llm_implementation.py")
    source = saved.value.path().read_text(encoding="utf-8")
    assert source == "".join(SOLUTIONS.get(piece["id"], piece["text"]) for piece in pieces())
    assert saved.value.suggested_filename == "my_llm_implementation.py"
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_what_is_chosen_low_in_the_list_is_seen_from_its_top(page: Page, app: App):
    """Lessons, steps, and exercises, on a screen and on a phone, where the list folds; and links at the end of a view."""
    is_top = "selector => { const { top } = document.querySelector(selector).getBoundingClientRect(); return "
    is_top += "scrollY === 0 && top > 0 && top < innerHeight / 2; }"
    for width, height in ((1440, 500), (390, 800)):
        page.set_viewport_size({"width": width, "height": height})
        opened(page, app.url, "embedding")
        is_phone = width < 720
        for link, title in (
            ('.hs-contents [data-turn="prefix-generate"]', f"{TURN} h2"),
            (".hs-lesson-link >> nth=14", ".hs-lesson h2"),
            (".hs-step-list .hs-step-link >> nth=3", ".hs-lesson h2"),
        ):
            if is_phone:
                page.click(".hs-contents summary")
            page.locator(link).scroll_into_view_if_needed()
            page.click(link)
            page.wait_for_function(is_top, arg=title)
            assert page.is_visible(".hs-contents .hs-lesson-link >> nth=0") != is_phone
        page.evaluate("headscope.address.follow('?show=learn&turn=embedding')")
        page.evaluate("scrollTo(0, 400)")
        page.click("text=Next exercise")
        page.wait_for_function(is_top, arg=f"{TURN} h2")
