"""Write it yourself: what is written is checked as the homework checks it, kept, and saved as a whole file."""

import pytest
from playwright.sync_api import Page

from explorer.exercises.exercise import exercises, pieces
from llm_core.homework.outline import Outline

from ..modules import Modules
from ..serving import App

SOLUTIONS = {one.id: one.solution for one in exercises()}
TURN = '[data-view="turn_view"]'
WORDS = "check/turn/words"


# The palest of the editor's colors, as it is painted, on the page's ground.
CONTRAST = """() => {
    const [dimmed] = /[\\d.]+/.exec(getComputedStyle(document.querySelector("#turn-code .cm-content")).filter);
    const light = (rgb) => rgb.map((c) => c / 255)
        .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const numbers = (color) => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
    const ground = light(numbers(getComputedStyle(document.body).backgroundColor));
    const inks = [...document.querySelectorAll("#turn-code .cm-line span")]
        .map((span) => light(numbers(getComputedStyle(span).color).map((c) => c * dimmed)));
    return (ground + 0.05) / (Math.max(...inks) + 0.05);
}"""


ALIGNED = """() => {
    const numbers = [...document.querySelectorAll("#turn-code .cm-lineNumbers .cm-gutterElement")];
    const one = numbers.find((e) => e.textContent === "1" && e.style.visibility !== "hidden");
    const line = document.querySelector("#turn-code .cm-line");
    return Math.abs(one?.getBoundingClientRect().top - line.getBoundingClientRect().top) < 4;
}"""


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
        "(words) => document.querySelector('.hs-turn-said')?.textContent.includes(words)", arg=words, timeout=60_000
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
    assert page.get_attribute(".hs-turn-result", "data-stale") is None
    page.click("#turn-code .cm-content")
    page.keyboard.press("Control+End")
    page.keyboard.type("  # ____")
    page.wait_for_selector(".hs-turn-result[data-stale]")
    page.click("text=Check it")
    said(page, "1 blank left")
    assert "an earlier version of your code" in page.get_attribute(".hs-turn-result", "data-stale")  # and it is dimmed
    for number, words in enumerate(("Hints, in the order", "divide by that", "____", "math.sqrt(D)")):
        page.click(f".hs-turn-hints [data-hint='{number}']")
        assert words in page.text_content(".hs-turn-hints")
    page.reload()
    page.wait_for_function("() => document.querySelector('#turn-code .cm-content')?.textContent.includes('sqrt(C)')")
    write(page, SOLUTIONS["attention"])
    page.click("text=Check it")
    said(page, "It is right: it agrees with the reference in every test. 1 of 1 point.")
    assert page.text_content(".hs-turns-done") == "1 of 9 blocks right: 1 of 11 points"
    assert page.locator(".hs-turn-link").all_text_contents()[:2] == [
        "○Embedding.forward",
        "✓GenericSelfAttention.forward",
    ]
    page.reload()
    said(page, "It is right")
    page.click("text=Start over")
    page.wait_for_function("() => document.querySelector('#turn-code .cm-content').textContent.includes('____')")
    assert page.text_content(".hs-turns-done") == "0 of 9 blocks right: 0 of 11 points"
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
    assert page.text_content(".hs-turns-done") == "9 of 9 blocks written"
    page.click("text=Next exercise")
    page.wait_for_selector(f'{TURN}[data-turn="attention"]')
    with page.expect_download() as saved:
        page.click("text=Save my_llm_implementation.py")
    source = saved.value.path().read_text(encoding="utf-8")
    assert source == "".join(SOLUTIONS.get(piece["id"], piece["text"]) for piece in pieces())
    assert saved.value.suggested_filename == "my_llm_implementation.py"
    page.wait_for_function("() => document.querySelectorAll('#turn-code .cm-line span').length > 20")
    assert page.evaluate(CONTRAST) >= 4.5
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#turn-code").scroll_into_view_if_needed()
    page.wait_for_function(ALIGNED)
    buttons, line = (page.locator(f"#turn-code {part}").first.bounding_box() for part in (".top-panel", ".cm-line"))
    assert buttons["y"] + buttons["height"] <= line["y"] + 1  # they cover no code


def test_what_is_chosen_low_in_the_list_is_seen_from_its_top(page: Page, app: App):
    """Lessons, steps, and exercises, on a screen and on a phone, where the list folds; and links below a view."""
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


def test_check_leads_to_the_first_block_that_is_left(page: Page, app: App):
    opened(page, app.url, "embedding")
    kept = {"embedding": {"text": SOLUTIONS["embedding"]}, "generate": {"text": SOLUTIONS["generate"]}}
    page.evaluate("(kept) => localStorage.setItem('headscope.written', JSON.stringify(kept))", kept)
    page.evaluate("headscope.address.follow('?show=check')")
    page.click(".hs-check-here")
    page.wait_for_selector(f'{TURN}[data-turn="attention"]')


# the modules alone


STATES = {"a": "right", "b": "written", "c": ""}


def test_what_is_done_is_said_in_blocks_and_points(js: Modules):
    exercises = [{"id": id, "points": 1} for id in STATES]
    said = "({doneSentence}, ...given) => doneSentence(...given)"
    assert js(WORDS, said, STATES, exercises, 5, True) == "1 of 3 blocks right: 1 of 5 points"
    assert js(WORDS, said, STATES, exercises, 5, False) == "2 of 3 blocks written"
    all_right = dict.fromkeys(STATES, "right")
    assert js(WORDS, said, all_right, exercises, 5, True) == (
        "3 of 3 blocks right: 3 of 5 points; the other 2 are for all blocks together: save the file and check it"
    )


@pytest.mark.parametrize(
    "sentence, words",
    [
        ("It stops with RuntimeError: view size is not compatible with input tensor's size", "on this line or an earl"),
        ("It stops with RuntimeError: The size of tensor a (4) must match", "on this line or an earlier one"),
        ("It stops with IndexError: Target -1 is out of bounds.", "-1 marks padding"),
        ("It stops with NameError: name 'size' is not defined", None),
    ],
)
def test_what_torch_says_gets_a_note_that_is_true(js: Modules, sentence, words):
    note = js(WORDS, "({noteOf}, sentence) => noteOf(sentence) ?? null", sentence)
    assert note is None if words is None else words in note


def test_a_long_name_breaks_after_its_dot(js: Modules):
    pieces = "({breakable}, name) => breakable(name).filter((piece) => typeof piece === 'string')"
    assert js("base/dom", pieces, "GenericSelfAttention.forward") == ["Generic", "Self", "Attention.", "forward"]
    assert js("base/dom", pieces, "Encoder.get_attention_mask") == ["Encoder.", "get_", "attention_", "mask"]
    pieces = pieces.replace("({breakable}", "({breakable, DOTS}").replace("(name).", "(name, DOTS).")
    assert js("base/dom", pieces, "GenericSelfAttention.forward") == ["GenericSelfAttention.", "forward"]
