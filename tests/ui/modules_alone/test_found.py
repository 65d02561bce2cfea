"""What the search of the lessons answers: steps, exercises, places of the app and terms of the glossary."""

import pytest

from explorer.lessons.search import steps_with

BESIDE = "({placesFor, termsFor}, words) => [placesFor(words).map(({search}) => search), termsFor(words)]"
USUAL = [
    "induction", "induction head", "GQA", "grouped", "RoPE", "BPE", "tied", "weight tying", "positional encoding",
    "multi-head", "pre-norm", "beam search", "activation patching", "sink", "attention sink", "nucleus", "-inf",
    "sqrt", "FLOPs", "ignore_index", "multinomial", "hidden_cache", "KL divergence", "perplexity", "logit lens",
    "unembedding",
]  # fmt: skip


def test_no_usual_name_is_left_without_an_answer(js):
    beside = {words: js("learn/elsewhere", BESIDE, words) for words in USUAL}
    assert [words for words in USUAL if not (steps_with(words) or any(beside[words]))] == []


@pytest.mark.parametrize(
    "words, places, terms",
    [
        ("Beam-Search", ["?show=generate"], ["beam search"]),
        ("activation patching", ["?show=explore&panel=patch"], []),
        ("induction heads", ["?", "?show=explore"], ["induction"]),
        ("kv cache", [], ["KV cache"]),
        ("kullback", [], ["KL"]),
        ("t", [], ["T"]),
        ("  ", [], []),
        ("xyzzy", [], []),
    ],
)
def test_the_app_and_the_glossary_are_found_by_their_names(js, words, places, terms):
    assert js("learn/elsewhere", BESIDE, words) == [places, terms]


def test_every_place_is_an_address_of_the_app(js):
    found = {search for words in USUAL for search in js("learn/elsewhere", BESIDE, words)[0]}
    pages = {search: js("state/fields", "({readAddress}, search) => readAddress(search)", search) for search in found}
    assert pages["?"]["page"] == "start" and pages["?show=explore&panel=patch"]["values"]["panel"] == "patch"
    assert pages["?show=generate"]["page"] == "generate"
