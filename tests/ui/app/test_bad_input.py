"""Whatever a user types is shown as text or answered with a sentence; nothing of it runs, and the page goes on."""

import pytest

from ..screen import Screen
from ..writing import Writer

WINDOW = 256
MAY_STAY = ("generate_view",)

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
    views = screen.page.locator("#page-explore .hs-view, #page-generate .hs-view")
    assert views.locator("img, script, svg, b, a, details details:not(.hs-table)").count() == 0
    screen.run("one two three")
    assert screen.tokens() == ["start", "one", " two", " three"]
    assert not screen.has_problem()


@pytest.mark.parametrize("name", TEXTS)
def test_any_text_is_shown_as_text(screen: Screen, reference, name):
    text = TEXTS[name]
    screen.run(text)
    typed = screen.prompt.input_value()  # a browser has its own opinion of \\r
    assert screen.tokens() == screen.labels(reference.pieces(reference.ids(typed)))
    screen.choose_drawing("lines")
    screen.row_table()
    writer = Writer(screen.page, screen.url).show()
    writer.wait_for_written(0)
    writer.set(temperature=0)
    writer.write(1, "step")
    assert writer.text_of(".hs-before") == typed
    assert writer.written() == writer.labels(reference.pieces(reference.written(typed, 1, temperature=0)))
    writer.wait_for_picture()
    writer.tree_list()
    screen.page.click('a[data-page="explore"]')
    assert_unharmed(screen)


def test_half_a_surrogate_pair_becomes_the_replacement_character(screen: Screen, reference):
    enter = """(element) => {
        element.value = 'a\\ud83d b';
        element.dispatchEvent(new Event('input', { bubbles: true }));
    }"""
    screen.prompt.evaluate(enter)
    screen.wait_for_result_of(lambda: screen.prompt.press("Enter"))
    assert screen.tokens() == screen.labels(reference.pieces(reference.ids("a\ufffd b")))
    writer = Writer(screen.page, screen.url).show()
    writer.wait_for_written(0)
    writer.write(1, "step")
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


@pytest.fixture
def writer(screen: Screen) -> Writer:
    screen.page.evaluate("headscope.address.follow('?show=generate')")
    return Writer(screen.page, screen.url).wait_for_picture("next")


def test_a_seed_that_cannot_be_is_one_sentence(writer: Writer, reference):
    for seed in ("", "-4", "1e30", "x"):
        writer.set(seed=seed, tokens=2)
        writer.page.click("#write")
        said = writer.problem("generate_view")
        assert said == f"seed={seed}: must be a whole number from 0 to 9,223,372,036,854,775,807"
        assert writer.written() == []
    writer.set(seed=3)
    writer.write(2)
    new = reference.written("How to Make a Paper Boat", 2, temperature=0.8, top_p=0.95, seed=3)
    assert writer.written() == writer.labels(reference.pieces(new))
    assert not writer.has_problem()


def test_whatever_is_typed_for_another_setting_something_is_written(writer: Writer):
    for name in ("temperature", "top_k", "top_p", "tokens"):
        for value in ("", "-5", "100000"):
            writer.set(tokens=2)
            writer.set(**{name: value})
            writer.page.click("#write")
            writer.wait_for_at_least(1)
            writer.write(0, "clear")
            assert writer.page.locator('[data-testid="toast-body"]').count() == 0 and not writer.has_problem()
