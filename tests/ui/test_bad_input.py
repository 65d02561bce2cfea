"""Whatever a user types is shown as text or answered with a sentence; nothing of it runs, and the page goes on."""

import pytest

from .screen import Screen

WINDOW = 256

TEXTS = {
    "nothing": "",
    "one space": " ",
    "white space": "  \t\n\n \r\n ",
    "emoji with joiners": "👩‍👩‍👧‍👦 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽",
    "right to left": "\u202eabc\u202c שלום عربي \u200fx",
    "control characters": "a\x00b\x07c\x1b[31md\x7f\u2028e",
    "special tokens": "<|endoftext|><|mask|><|startofarticle|>",
    "scripts": "<img src=x onerror=globalThis.hacked=1><script>globalThis.hacked=1</script>",
    "handlers": "<svg/onload=globalThis.hacked=1><details open ontoggle=globalThis.hacked=1>",
    "templates": "${globalThis.hacked=1} {{globalThis.hacked=1}} `${globalThis.hacked=1}` \\x \\u{110000}",
    "markup": '"><b>bold</b> &lt; **bold** $x^2$ [a](javascript:globalThis.hacked=1)',
}


def assert_unharmed(screen: Screen) -> None:
    """Nothing ran, and the next text is shown as ever."""
    assert screen.page.evaluate("globalThis.hacked") is None
    assert screen.page.locator("#page-explore .hs-view").locator("img, script, svg, b, a, details details").count() == 0
    screen.run("one two three")
    assert screen.tokens() == ["start", "one", " two", " three"]
    assert not screen.has_problem()


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_is_shown_as_text(screen: Screen, reference, name):
    text = TEXTS[name]
    screen.run(text)
    typed = screen.prompt.input_value()  # a browser has its own opinion of \\r
    assert screen.tokens() == screen.labels(reference.pieces(reference.ids(typed)))
    screen.set(temperature=0)
    screen.write(1, "step")
    assert screen.text_of(".hs-before") == typed
    assert screen.written() == screen.labels(reference.pieces(reference.written(typed, 1, temperature=0)))
    screen.choose_drawing("lines")
    screen.row_table()
    assert_unharmed(screen)


def test_half_a_surrogate_pair_becomes_the_replacement_character(screen: Screen, reference):
    enter = """(element) => {
        element.value = 'a\\ud83d b';
        element.dispatchEvent(new Event('input', { bubbles: true }));
    }"""
    screen.prompt.evaluate(enter)
    screen.wait_for_result_of(lambda: screen.prompt.press("Enter"))
    assert screen.tokens() == screen.labels(reference.pieces(reference.ids("a\ufffd b")))
    screen.write(1, "step")
    screen.wait_for_result_of(lambda: screen.page.click("#use"))
    assert screen.prompt.input_value().startswith("a\ufffd b")
    assert_unharmed(screen)


@pytest.mark.parametrize(("text", "more"), [("red cup and " * 200, ""), ("red cup and " * 8334, "more than ")])
def test_a_text_over_the_window_says_how_much_is_shown(screen: Screen, reference, text, more):
    screen.run(text)
    total = len(reference.ids(text[:20_000]))
    assert screen.text_of(".hs-used").startswith(f"shown: the first {WINDOW} of {more}{total:,} tokens")
    assert screen.tokens() == screen.labels(reference.pieces(reference.ids(text)[:WINDOW]))
    assert_unharmed(screen)


def test_a_text_inside_the_window_says_how_much_of_it_is_used(screen: Screen, reference):
    screen.run("red cup and blue cup")
    assert screen.text_of(".hs-used") == f"{len(reference.ids('red cup and blue cup'))} / {WINDOW} tokens"


@pytest.mark.parametrize("seed", ["", "-4", "1e30"])
def test_a_seed_that_cannot_be_is_one_sentence(screen: Screen, reference, seed):
    screen.set(seed=seed, tokens=2)
    screen.page.click("#write")
    said = screen.problem("sample_view")
    assert said.startswith("seed=") and said.endswith("must be a whole number from 0 to 9,223,372,036,854,775,807")
    assert screen.written() == []
    screen.set(seed=3)
    screen.write(2)
    new = reference.written("How to Make a Paper Boat", 2, temperature=0.8, top_p=0.95, seed=3)
    assert screen.written() == screen.labels(reference.pieces(new))
    assert not screen.has_problem()


@pytest.mark.parametrize("name", ["temperature", "top_k", "top_p", "tokens"])
def test_whatever_is_typed_for_another_setting_something_is_written(screen: Screen, name):
    screen.set(tokens=2)
    for value in ("", "-5", "100000"):
        screen.set(**{name: value})
        screen.page.click("#write")
        screen.page.wait_for_function("Number(document.querySelector('[data-view=sample_view]').dataset.count) > 0")
        screen.write(0, "clear")
        assert screen.page.locator('[data-testid="toast-body"]').count() == 0 and not screen.has_problem()
