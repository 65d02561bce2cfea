"""The search of the lessons: what they say, their code, and the field's other names for it."""

import pytest

from explorer.lessons.names import OTHER_NAMES
from explorer.lessons.search import plain, steps_with


def places(words: str) -> list[tuple[str, int]]:
    return [(found["lesson"], found["step"] + 1) for found in steps_with(words)]


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_each_other_name_leads_to_a_step_that_teaches_it(name):
    assert plain(name) == name
    asked = plain(OTHER_NAMES[name])
    assert places(name)[0] in places(asked)


@pytest.mark.parametrize(
    "asked, step",
    [
        ("GQA", ("llama", 5)),
        ("Weight tying", ("block", 8)),
        ("multi-head attention", ("attention", 11)),
        ("Pre-Norm", ("block", 4)),
        ("√", ("attention", 5)),
        ("sqrt", ("attention", 5)),
        ("−inf", ("masks", 6)),
        ("-∞", ("masks", 6)),
        ("ignore_index", ("training-step", 6)),
        ("RoPE", ("vectors", 9)),
        ("log_softmax", ("training-step", 4)),
    ],
)
def test_a_usual_name_finds_its_step_whatever_its_case_and_signs(asked, step):
    assert step in places(asked)


def test_a_short_name_is_not_found_inside_of_other_words():
    assert ("masks", 1) not in places("rope")  # "properly"
    assert places("") == places("  ") == places("xyzzy") == []


def test_what_is_only_inside_of_words_is_still_found():
    assert places("ayernorm") == places("layernorm")
