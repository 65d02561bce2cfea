"""Live sampling on the page: what is written is what llm_core.generate writes, token by token."""

import math
import re

import pytest

from .reference import Reference, same
from .screen import Screen

TEXT = "How to Make a Paper Boat"  # what stands in the prompt when the page opens
SETTINGS = {"temperature": 0.9, "top_k": 40, "top_p": 0.85, "seed": 7}
OTHER = "Ask your mother if she can help you."


def shown(screen: Screen, reference: Reference, ids: list[int]) -> list[str]:
    return screen.labels(reference.pieces(ids))


@pytest.mark.parametrize(
    ("on_screen", "settings"),
    [
        ({}, {"temperature": 0.8, "top_p": 0.95, "seed": 1}),
        (SETTINGS, SETTINGS),
        ({"temperature": 0}, {"temperature": 0}),
    ],
)
def test_write_writes_what_generate_writes(screen: Screen, reference, on_screen, settings):
    new = reference.written(TEXT, 9, **settings)
    screen.set(**on_screen, tokens=9)
    screen.write(len(new))
    assert screen.written() == shown(screen, reference, new)
    assert screen.text_of(".hs-before") == TEXT
    assert ("Temperature 0" in screen.text_of(".hs-steps")) is (settings["temperature"] == 0)


def test_one_token_at_a_time_and_write_go_on_where_the_text_was_left(screen: Screen, reference):
    new = reference.written(TEXT, 8, **SETTINGS)
    assert len(new) == 8
    screen.set(**SETTINGS, tokens=3)
    for count in (1, 2, 3):
        screen.write(count, "step")
        assert screen.written() == shown(screen, reference, new[:count])
    screen.write(6)
    screen.write(7, "step")
    assert screen.written() == shown(screen, reference, new[:7])


def test_another_prompt_starts_anew(screen: Screen, reference):
    screen.set(**SETTINGS, tokens=4)
    screen.write(4)
    screen.prompt.fill(OTHER)
    screen.write(1, "step")
    assert screen.text_of(".hs-before") == OTHER
    assert screen.written() == shown(screen, reference, reference.written(OTHER, 1, **SETTINGS))
    screen.write(5)
    assert screen.written() == shown(screen, reference, reference.written(OTHER, 5, **SETTINGS))


def test_stop_stops_and_the_text_can_be_gone_on_with(screen: Screen, reference):
    screen.set(seed=2, tokens=200)
    screen.page.click("#write")
    view = screen.view("sample_view")
    screen.page.wait_for_function("Number(document.querySelector('[data-view=sample_view]').dataset.count) >= 2")
    screen.page.click("#stop")
    screen.page.wait_for_timeout(1000)
    count = int(view.get_attribute("data-count"))
    screen.page.wait_for_timeout(1000)
    assert int(view.get_attribute("data-count")) == count < 200
    screen.page.click("#step")
    screen.page.wait_for_function(
        "(count) => Number(document.querySelector('[data-view=sample_view]').dataset.count) > count", arg=count
    )
    written = screen.written()
    new = reference.written(TEXT, len(written), temperature=0.8, top_p=0.95, seed=2)
    assert len(written) <= count + 2  # a token may have been on its way when Stop was pressed
    assert written == shown(screen, reference, new)


def test_clear_leaves_nothing_and_the_same_seed_writes_the_same_again(screen: Screen):
    screen.set(**SETTINGS, tokens=3)
    screen.write(3)
    first = screen.written()
    screen.write(0, "clear")
    assert screen.written() == [] and screen.text_of(".hs-before") == "" and screen.candidates() == []
    screen.write(3)
    assert screen.written() == first


def test_clear_while_writing_ends_it(screen: Screen):
    screen.set(tokens=200)
    screen.page.click("#write")
    screen.page.wait_for_function("Number(document.querySelector('[data-view=sample_view]').dataset.count) >= 2")
    screen.write(0, "clear")
    screen.page.wait_for_timeout(1500)
    assert screen.written() == []


def test_writing_without_a_server_is_answered_in_a_sentence(screen: Screen, problems):
    problems.expect("net::ERR_FAILED")
    screen.set(tokens=2)
    screen.write(2)
    before = screen.written()
    screen.page.route("**/*", lambda route: route.abort())
    screen.page.click("#write")
    assert screen.problem("sample_view") == "The server does not answer. Is the app still running?"
    assert screen.written() == before


def test_look_inside_runs_the_text_with_what_was_written(screen: Screen, reference):
    new = reference.written(TEXT, 5, **SETTINGS)
    whole = TEXT + reference.tokenizer.decode([id for id in new if not reference.tokenizer.is_special(id)])
    screen.set(**SETTINGS, tokens=5)
    screen.write(len(new))
    screen.prompt.fill("something else, typed meanwhile")
    screen.wait_for_result_of(lambda: screen.page.click("#use"))
    assert screen.prompt.input_value() == whole
    assert screen.tokens() == shown(screen, reference, reference.ids(whole))
    assert screen.written() == []
    assert not screen.is_busy()


@pytest.mark.parametrize("place", [0, 2, 4])
def test_the_candidates_are_the_warped_distribution_after_every_step(screen: Screen, reference, place):
    settings = {name: value for name, value in SETTINGS.items() if name != "seed"}
    new = reference.written(TEXT, 5, **SETTINGS)
    warped = reference.warped(TEXT, new[:place], **settings)
    steps = [warped.before, warped.after_temperature, warped.after_top_k, warped.after_top_p]
    screen.set(**SETTINGS, tokens=5)
    screen.write(5)
    screen.point_at(screen.page.locator(".hs-written button").nth(place))
    *rows, left = screen.candidates()
    expected = warped.before.topk(12).indices.tolist()
    expected[-1] = expected[-1] if new[place] in expected else new[place]
    assert [row[0] for row in rows] == screen.names(reference.pieces(expected))
    for id, (_, *probabilities) in zip(expected, rows):
        for step, text in zip(steps, probabilities):
            assert (step[id] == 0) if text == "removed" else same(text, step[id].item())
    assert left == ["tokens left", *(f"{int((step > 0).sum()):,}" for step in steps)]


def test_the_sentence_says_probability_rank_and_random_number(screen: Screen, reference):
    new = reference.written(TEXT, 3, **SETTINGS)
    before = reference.warped(TEXT, new[:2]).before
    screen.set(**SETTINGS, tokens=3)
    screen.write(3)
    said = re.search(r"probability (\S+) by the model, place ([\d,]+)\.", screen.text_of(".hs-steps p"))
    assert same(said[1], before[new[2]].item())
    assert int(said[2].replace(",", "")) == 1 + int((before > before[new[2]]).sum())
    u = float(re.search(r"The random number was (0\.\d{4})", screen.text_of(".hs-steps p"))[1])
    assert 0 <= u < 1


def test_how_sure_the_model_was_colours_each_token(screen: Screen, reference):
    new = reference.written(TEXT, 4, **SETTINGS)
    screen.set(**SETTINGS, tokens=4)
    screen.write(4)
    sure = screen.page.locator(".hs-written button").evaluate_all(
        "all => all.map(b => b.style.getPropertyValue('--sure'))"
    )
    expected = [reference.warped(TEXT, new[:i]).before[id].item() for i, id in enumerate(new)]
    assert all(math.isclose(float(text), p, abs_tol=0.00051) for text, p in zip(sure, expected))


def test_behind_a_text_longer_than_the_window_it_writes_on_from_the_end(screen: Screen, reference):
    text = "Wash the red cup. " * 60 + "Now dry the blue"
    assert len(reference.ids(text)) > 256
    screen.prompt.fill(text)
    screen.set(temperature=0)
    screen.write(1, "step")
    assert screen.written() == shown(screen, reference, reference.written(text, 1, temperature=0))
    assert "The window was full" in screen.text_of(".hs-steps p")
    assert screen.text_of(".hs-before") == "…" + text[-160:]
