"""Many who write at the same time: the tokens of each as if alone, places that are freed, no thread left."""

import threading
import time

import pytest

from explorer.engine.runner import Runner
from explorer.engine.writers import MOST
from explorer.questions.writing import write
from llm_core import stream

SETTINGS = {"temperature": 0.8, "top_k": 40}


@pytest.fixture(scope="module")
def runner() -> Runner:
    return Runner()


def alone(runner: Runner, text: str, count: int, seed: int) -> list[int]:
    steps = stream(runner.model, runner.encode(text), count, seed=seed, stop=runner.tokenizer.end, **SETTINGS)
    return [step.id for step in steps]


def until_no_writer() -> None:
    end = time.monotonic() + 20
    while any(thread.name == "writers" for thread in threading.enumerate()):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_twelve_at_once_write_what_each_would_alone_and_leave_no_thread(runner):
    texts = [f"How to make {number} cakes" + " and tea" * number for number in range(12)]
    found: dict[int, list[int]] = {}

    def one(number: int) -> None:
        found[number] = [token["id"] for token in write(runner, texts[number], [], 20, number, **SETTINGS)]

    threads = [threading.Thread(target=one, args=[number]) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: alone(runner, text, 20, number) for number, text in enumerate(texts)}
    until_no_writer()


def test_a_text_goes_on_with_the_random_numbers_of_where_it_was_left(runner):
    first = [token["id"] for token in write(runner, "How to", [], 5, 7, **SETTINGS)]
    rest = [token["id"] for token in write(runner, "How to", first, 5, 7, **SETTINGS)]
    assert first + rest == alone(runner, "How to", 10, 7)


def test_who_leaves_frees_the_place(runner):
    left = [write(runner, f"How to {number}", [], 200, number, **SETTINGS) for number in range(3)]
    for steps in left:
        next(steps)
    for steps in left:
        steps.close()
    until_no_writer()
    assert len([*write(runner, "How to", [], 3, 1, **SETTINGS)]) == 3


def test_more_than_there_are_places_for_wait_their_turn(runner, monkeypatch):
    monkeypatch.setattr("explorer.engine.writers.MOST", 2)
    assert MOST == 32
    counts = []
    threads = [
        threading.Thread(target=lambda seed=seed: counts.append(len([*write(runner, "A", [], 4, seed, **SETTINGS)])))
        for seed in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert counts == [4] * 6


def test_settings_that_cannot_be_are_one_sentence_and_harm_nobody(runner):
    for wrong in ({"temperature": -1}, {"top_p": 7}):
        with pytest.raises(ValueError, match="must be"):
            next(write(runner, "How to", [], 3, 1, **wrong))


def test_what_breaks_in_the_batch_is_heard_by_all(runner, monkeypatch):
    def broken(_self):
        raise RuntimeError("no memory")

    monkeypatch.setattr("llm_core.generation.together.Together.step", broken)
    with pytest.raises(RuntimeError, match="no memory"):
        list(write(runner, "How to", [], 3, 1, **SETTINGS))
    monkeypatch.undo()
    assert len([*write(runner, "How to", [], 3, 1, **SETTINGS)]) == 3
