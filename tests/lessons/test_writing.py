"""Writing: warping against torch and the logits processors of transformers, draws against u, the cache against none."""

import math

import numpy as np
import pytest
import torch
from transformers.generation import LogitsProcessorList, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from explorer.lessons import LESSONS
from explorer.lessons.course.writing import NEW
from explorer.lessons.lesson import Bars, Facts
from llm_core.generation.sampling import generate

from .common import BOAT, CUP, panel, right, steps_of, values

LAST, DRAW, HEAT, TOP_K, TOP_P, LOOP, END, BATCH, CACHE = range(9)
CASES = {
    "ours": (BOAT, {"heat": "0.8", "k": 8, "nucleus": "0.95", "seed": 3, "layer": 2, "head": 5, "second": "Fold the"}),
    "other": (CUP, {"heat": "2", "k": 3, "nucleus": "0.5", "seed": 20, "layer": 1, "head": 1, "second": "a"}),
}


@pytest.fixture(scope="module", params=list(CASES))
def case(request, runner):
    """Steps, the runner, the ids, and what was set."""
    one = runner if request.param == "ours" else request.getfixturevalue("other")
    text, given = CASES[request.param]
    return steps_of(one, "writing", text, **given), one, one.encode(text)[:16], given


@pytest.fixture(scope="module")
def last(case) -> torch.Tensor:
    """The logits behind the text, (V,)."""
    _, one, ids, _ = case
    with torch.inference_mode():
        return one.model(torch.tensor([ids]))[0, -1]


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def bars(step) -> list[Bars]:
    return [item for item in step.show if isinstance(item, Bars)]


def label(one, id: int) -> str:
    from explorer.lessons.lesson import readable

    return readable(one.describe([id])[0])


def test_the_columns_are_the_likeliest_after_the_last_place(case, last):
    steps, *_ = case
    logits = values(steps[LAST], "logits")
    np.testing.assert_allclose(logits[-1], last.topk(10).values, atol=1e-4)
    assert panel(steps[LAST], "logits").marks == [[len(logits) - 1, k] for k in range(10)]
    assert right(steps[LAST]) == "logits[:, -1]"


def test_the_drawn_token_is_the_first_whose_sum_exceeds_u(case, last):
    steps, one, _, given = case
    u = float(torch.rand(1, 1, generator=torch.Generator().manual_seed(given["seed"])))
    p, ids = last.softmax(-1).sort(descending=True)
    place = int((p.double().cumsum(-1) > u).nonzero()[0])
    told = facts(steps[DRAW])
    assert (told["u"], told["drawn"]) == (f"{u:.4f}", label(one, int(ids[place])))
    assert told["its rank"] == f"{int(place) + 1:,}"
    before, with_it = float(told["sum before it"]), float(told["sum with it"])
    assert before <= u + 1e-5 and u <= with_it + 1e-5 and with_it > before
    np.testing.assert_allclose(values(steps[DRAW], "cumulative"), p[:10].cumsum(0), atol=1e-5)
    (shares,) = bars(steps[DRAW])
    for p, share in zip(shares.series["p"], shares.series["share"]):  # five standard errors
        assert abs(p - share) <= 5 * math.sqrt(p * (1 - p) / 1000) + 1e-9


def test_warping_is_that_of_transformers(case, last):
    steps, _, _, given = case
    likely = last.topk(10).indices
    heat, k, p = float(given["heat"]), given["k"], float(given["nucleus"])
    warpers = [TemperatureLogitsWarper(heat), TopKLogitsWarper(k), TopPLogitsWarper(p)]
    expected = [
        LogitsProcessorList(warpers[:n])(torch.zeros(1, 1, dtype=torch.long), last[None].clone())[0].softmax(-1)[likely]
        for n in (1, 2, 3)
    ]
    np.testing.assert_allclose(values(steps[HEAT], "scaled"), last[likely] / heat, atol=1e-4)
    np.testing.assert_allclose(values(steps[TOP_K], "p"), expected[0], atol=1e-5)
    np.testing.assert_allclose(values(steps[TOP_K], "top-k"), expected[1], atol=1e-5)
    np.testing.assert_allclose(values(steps[TOP_P], "top-p"), expected[2], atol=1e-5)
    stay = int((expected[2] > 0).sum())
    assert right(steps[TOP_P]) == str(stay) and facts(steps[TOP_P])["kept"] == f"{stay} of {k}"
    assert right(steps[TOP_K]) == f"{float(expected[1][0]):.4f}"
    assert right(steps[HEAT]) == ("it grows" if heat < 1 else "it shrinks")


def test_what_is_written_is_what_generate_writes_with_that_seed(case):
    steps, one, ids, given = case
    settings = {"temperature": float(given["heat"]), "top_k": given["k"], "top_p": float(given["nucleus"])}
    (text,) = generate(one.model, [ids], NEW, seed=given["seed"], **settings)
    context = panel(steps[LOOP], "context")
    assert values(steps[LOOP], "context").tolist() == [text] * NEW
    written = (~context.hidden).sum(-1).tolist()
    assert written == [len(ids) + i for i in range(1, NEW + 1)]
    (drawn,) = bars(steps[LOOP])
    first = torch.log_softmax(one.model(torch.tensor([ids]))[0, -1].detach().double(), -1)[text[len(ids)]].exp()
    assert drawn.series["p"][0] == pytest.approx(float(first), abs=1e-5)
    assert right(steps[LOOP]) == str(min(len(ids) + 1, one.facts.block_size))


def test_the_end_is_likelier_where_an_article_ends(case, runner):
    steps, one, *_ = case
    ends, draws = bars(steps[END])
    inside, behind = ends.series["p"]
    assert right(steps[END]) == ("after its last token" if behind > inside else "inside")
    assert len(draws.series["p"]) == NEW
    if one is runner:
        assert behind > 10 * inside


def test_a_batch_writes_what_each_prompt_writes_alone(case):
    steps, one, ids, given = case
    short = one.encode(given["second"])[: len(ids) - 1]
    assert values(steps[BATCH], "ids[1]").tolist()[-len(short) :] == short
    shown = facts(steps[BATCH])
    for who, row in (("your text", ids), ("the second text", short)):
        context = torch.tensor([row])
        with torch.inference_mode():
            for _ in range(4):  # the plainest loop there is: everything anew, no padding, no cache
                seen = context[:, -one.facts.block_size :]
                context = torch.cat([context, one.model(seen)[:, -1:].argmax(-1)], dim=1)
        new = " ".join(label(one, id) for id in context[0, -4:].tolist())
        assert shown[f"{who}, alone"] == shown[f"{who}, in the batch"] == new


def test_the_cache_holds_the_keys_that_a_forward_without_one_has(case):
    steps, one, ids, given = case
    k = one.recorded(CASES["ours" if len(ids) == 9 else "other"][0], 16).trace[f"blocks.{given['layer']}.attn.k"]
    np.testing.assert_allclose(values(steps[CACHE], "grown"), k[0, given["head"]], atol=1e-5)
    assert np.array_equal(values(steps[CACHE], "kept"), values(steps[CACHE], "grown")[:-1])
    places, config = bars(steps[CACHE])[0].series["positions"], one.model.config
    assert places == [len(ids) + NEW - 1, sum(len(ids) + i for i in range(NEW))]
    size = 2 * config.n_layer * config.n_embd * 4  # keys and values, float32
    assert facts(steps[CACHE])["kept for each token, all layers"] == f"{size:,} bytes"
    assert float(facts(steps[CACHE])["largest difference of a logit, with and without cache"]) < 1e-3


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"seed": 0}, "Seed: 0 must be a whole number from 1 to 20"),
        ({"k": 11}, "Top-k: 11 must be a whole number from 1 to 10"),
        ({"k": 2.5}, "Top-k: 2.5 must be a whole number"),
        ({"heat": "0"}, "Temperature: '0' is not one of 0.2, 0.5, 0.8, 1, 1.5, 2"),
        ({"nucleus": 0.5}, "Top-p: 0.5 is not one of"),
        ({"second": ["a"]}, "Second text: at most 400 characters"),
        ({"layer": 9}, "Layer: 9 is not one of"),
    ],
)
def test_bad_input_of_each_control_is_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError, match="^" + sentence):
        LESSONS["writing"].scene(runner, BOAT, given)
