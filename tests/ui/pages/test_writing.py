"""Writing on the Generate page: what is written is what llm_core.generate writes, token by token."""

import re

import pytest

from ..left import left
from ..reference import same
from ..writing import Writer

TEXT = "How to Make a Paper Boat"  # what stands in the prompt when the page opens
SETTINGS = {"temperature": 0.9, "top_k": 40, "top_p": 0.85, "seed": 7}
START = {"temperature": 0.8, "top_p": 0.95, "seed": 1}
LONG = "Wash the red cup. " * 60 + "Now dry the blue"
OTHER = "Ask your mother if she can help you."


def shown(writer: Writer, reference, ids: list[int]) -> list[str]:
    return writer.labels(reference.pieces(ids))


def test_a_page_that_was_used_is_as_one_that_was_just_loaded(writer: Writer, page):
    writer.wait_for_picture("next")
    page.evaluate("localStorage.clear()")  # what tests of other pages have kept in this profile
    before = left(page, "generate_view")
    writer.prompt.fill(LONG)
    writer.set(temperature=0, tokens=2, seed=5)
    writer.write(2)
    writer.wait_for_picture("chosen")
    writer.tree_list()
    page.click('#generate-looks button[data-name="layer"][data-index="2"]')
    page.click("#generate-choice .hs-link")
    page.click("[title='Dark or light']")
    page.set_viewport_size({"width": 600, "height": 500})
    page.focus("#write")
    page.evaluate("scrollTo(0, 300)")
    assert left(page, "generate_view") != before
    writer.begin_anew()
    assert left(page, "generate_view") == before
    writer.prompt.fill(LONG)
    page.wait_for_function("document.querySelector('.hs-before').textContent.startsWith('…')")
    assert writer.written() == []


def test_write_writes_what_generate_writes(writer: Writer, reference):
    for on_screen, settings in ((START, START), (SETTINGS, SETTINGS), ({"temperature": 0}, {"temperature": 0})):
        new = reference.written(TEXT, 9, **settings)
        writer.set(**on_screen, tokens=9)
        writer.write(len(new))
        assert writer.written() == shown(writer, reference, new)
        assert writer.text_of(".hs-before") == TEXT
        writer.wait_for_picture("chosen")
        assert ("Temperature 0" in writer.said()) is (settings["temperature"] == 0)
        writer.write(0, "clear")
        assert writer.written() == []


def test_one_token_at_a_time_and_write_go_on_where_the_text_was_left(writer: Writer, reference):
    new = reference.written(TEXT, 8, **SETTINGS)
    assert len(new) == 8
    writer.set(**SETTINGS, tokens=3)
    for count in (1, 2, 3):
        writer.write(count, "step")
        assert writer.written() == shown(writer, reference, new[:count])
    writer.write(6)
    writer.write(7, "step")
    assert writer.written() == shown(writer, reference, new[:7])


def test_another_prompt_starts_anew_and_the_first_is_not_forgotten(writer: Writer, page, reference):
    writer.set(**SETTINGS, tokens=4)
    writer.write(4)
    first = writer.written()
    writer.prompt.fill(OTHER)
    writer.write(1, "step")
    assert writer.text_of(".hs-before") == OTHER
    assert writer.written() == shown(writer, reference, reference.written(OTHER, 1, **SETTINGS))
    writer.write(5)
    assert writer.written() == shown(writer, reference, reference.written(OTHER, 5, **SETTINGS))
    writer.prompt.fill(TEXT)
    writer.wait_for_written(4)
    assert writer.written() == first


STOP = """() => new Promise((done) => {
    const view = document.querySelector('[data-view="generate_view"]');
    const look = () => {
        if (Number(view.dataset.count) < 2) return requestAnimationFrame(look);
        document.getElementById('stop').click();
        done(Number(view.dataset.count));
    };
    look();
})"""


def test_stop_stops_and_the_text_can_be_gone_on_with(writer: Writer, reference):
    """Behind a text that fills the window each token takes a while."""
    writer.prompt.fill(LONG)
    writer.set(seed=2, tokens=200)
    writer.page.click("#write")
    writer.page.evaluate(STOP)
    writer.page.wait_for_selector('[data-view="generate_view"][data-working="false"]')
    count = writer.count()
    writer.page.wait_for_timeout(300)
    assert 2 <= writer.count() == count < 200
    writer.write(count + 1, "step")
    new = reference.written(LONG, count + 1, **{**START, "seed": 2})
    assert writer.written() == shown(writer, reference, new)
    writer.page.click("#write")
    writer.wait_for_at_least(count + 2)
    writer.write(0, "clear")
    writer.page.wait_for_timeout(300)
    assert writer.written() == [] and not writer.page.locator("#stop").is_enabled()


def test_writing_without_a_server_is_said_and_goes_on_when_it_is_back(writer: Writer, problems):
    problems.expect("net::ERR_FAILED")
    writer.set(tokens=2)
    writer.write(2)
    before = writer.written()
    writer.wait_for_picture()
    writer.page.route("**/ask/*", lambda route: route.abort())
    writer.page.click("#write")
    assert writer.problem() == "The server does not answer. Is the app still running?"
    assert writer.written() == before
    writer.page.unroute("**/ask/*")
    writer.wait_for_at_least(4)  # what was asked comes when the server is back
    assert not writer.has_problem()


def test_look_inside_runs_the_text_with_what_was_written(writer: Writer, page, reference):
    new = reference.written(TEXT, 5, **SETTINGS)
    whole = TEXT + reference.tokenizer.decode([id for id in new if not reference.tokenizer.is_special(id)])
    writer.set(**SETTINGS, tokens=5)
    writer.write(len(new))
    writer.page.click("#use")
    writer.page.wait_for_function("(text) => globalThis.headscope.payload?.text === text", arg=whole)
    writer.page.wait_for_selector('[data-view="tokens_view"][data-ready="true"]')
    writer.next_frame()
    assert writer.prompt.input_value() == whole
    assert writer.tokens() == shown(writer, reference, reference.ids(whole))
    assert writer.page.evaluate("document.body.dataset.page") == "explore" and not writer.is_busy()


def test_the_sentence_says_probability_rank_and_random_number(writer: Writer, reference):
    new = reference.written(TEXT, 3, **SETTINGS)
    before = reference.warped(TEXT, new[:2]).before
    writer.set(**SETTINGS, tokens=3)
    writer.write(3)
    writer.wait_for_picture("chosen")
    said = re.search(r"probability (\S+) by the model, rank ([\d,]+)\.", writer.said())
    assert same(said[1], before[new[2]].item())
    assert int(said[2].replace(",", "")) == 1 + int((before > before[new[2]]).sum())
    sure = writer.page.locator(".hs-written button").evaluate_all(
        "all => all.map(b => b.style.getPropertyValue('--sure'))"
    )
    expected = [reference.warped(TEXT, new[:i]).before[id].item() for i, id in enumerate(new)]
    assert [float(text) for text in sure] == pytest.approx(expected, abs=0.00051)


def test_behind_a_text_longer_than_the_window_it_writes_on_from_the_end(writer: Writer, reference):
    assert len(reference.ids(LONG)) > 256
    writer.prompt.fill(LONG)
    writer.set(temperature=0)
    writer.write(1, "step")
    assert writer.written() == shown(writer, reference, reference.written(LONG, 1, temperature=0))
    assert "The window was full" in writer.text_of(".hs-state")
    assert writer.text_of(".hs-before") == "…" + LONG[-160:]
    writer.wait_for_picture()
    assert "slides" in writer.text_of("#generate-kv p")
