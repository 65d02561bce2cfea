"""Lesson 5: draws against torch's own dropout, means against means taken here, the copy in training mode by itself."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from explorer.lessons import LESSONS, dropout
from explorer.lessons.lesson import Bars, Facts, Panel, as_array
from explorer.lessons.mistakes.effects import held_out_loss
from llm_core import record

from .common import BOAT, CUP, ODD_TEXTS, panel, right, steps_of, values

EVAL, TRAIN, SEEDS, SECOND, MEAN, SCORES, PLACES, LEFT_ON = range(8)
CASES = [(BOAT, 1, 4, 20), (BOAT, 5, 0, 10), (CUP, 3, 3, 50), ("a", 2, 1, 80)]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request, runner):
    text, layer, head, rate = request.param
    trace = runner.recorded(text, 16).trace
    of_head = {name: trace[f"blocks.{layer}.attn.{name}"][0, head] for name in ("q", "k", "v", "pattern", "z")}
    steps = steps_of(runner, "dropout", text, layer=layer, head=head, rate=rate)
    return steps, of_head, trace[f"blocks.{layer}.attn.out"][0], rate / 100


def torchs_own(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
    """What F.dropout gives after manual_seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return F.dropout(x, p, training=True)


def bars(step) -> list[Bars]:
    return [item for item in step.show if isinstance(item, Bars)]


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def visible(T: int) -> torch.Tensor:
    return torch.ones(T, T, dtype=torch.bool).tril()


@pytest.mark.parametrize("shape", [(5, 7), (9, 256), (4, 16, 16)])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.8])
def test_a_draw_is_the_one_that_torch_makes_with_that_seed(shape, p):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    kept = dropout.keep(shape, p, dropout.seeded(3))
    torch.testing.assert_close(x * kept, torchs_own(x, p, 3), rtol=1e-6, atol=0)
    assert {round(value, 5) for value in kept.unique().tolist()} <= {0.0, round(1 / (1 - p), 5)}


def test_eval_mode_shows_the_recorded_pattern(case):
    steps, head, *_ = case
    assert np.array_equal(values(steps[EVAL], "pattern"), head["pattern"].numpy())
    assert facts(steps[EVAL])["sum of the last row"] == "1.0000"


def test_training_shows_torchs_own_dropout(case):
    steps, head, out, p = case
    dropped = torchs_own(head["pattern"], p, 1)
    np.testing.assert_allclose(values(steps[TRAIN], "dropped"), dropped, rtol=1e-6)
    kept = values(steps[TRAIN], "kept")
    np.testing.assert_allclose(values(steps[TRAIN], "dropped"), head["pattern"].numpy() * kept, rtol=1e-6)
    fallen = (kept == 0) & visible(len(kept)).numpy()
    assert facts(steps[TRAIN])["fell"] == f"{fallen.sum()} of {visible(len(kept)).sum()}"
    assert [tuple(mark) for mark in panel(steps[TRAIN], "dropped").marks] == [tuple(i) for i in np.argwhere(fallen)]
    np.testing.assert_allclose(values(steps[SECOND], "dropped out"), torchs_own(out, p, 1), rtol=1e-6)
    assert np.array_equal(values(steps[SECOND], "out"), out.numpy())


def test_the_question_is_answered_by_the_cell_that_it_outlines(case):
    steps, head, _, p = case
    question = steps[TRAIN].question
    if question is None:
        assert values(steps[TRAIN], "dropped")[-1].max() * (1 - p) < 1e-3 or p == 0  # four decimals tell nothing apart
        return
    (mark,) = question.before[0].marks
    after, before = values(steps[TRAIN], "dropped")[tuple(mark)], float(head["pattern"][tuple(mark)])
    assert right(steps[TRAIN]) == f"{after:.4f}" == f"{before / (1 - p):.4f}"
    wrong = {option.text for option in question.options if not option.right}
    assert wrong == {f"{before:.4f}", f"{before * (1 - p):.4f}", "0.0000"}


def test_other_seeds_are_other_draws_of_the_same_pattern(case):
    steps, head, _, p = case
    shown = values(steps[SEEDS], "dropped")
    expected = [torchs_own(head["pattern"], p, seed) for seed in dropout.SEEDS]
    np.testing.assert_allclose(shown, torch.stack(expected), rtol=1e-6)
    (sums,) = bars(steps[SEEDS])
    assert sums.names == ["eval", "seed 1", "seed 2", "seed 3", "seed 4"]
    assert sums.series["sum"] == pytest.approx([1, *(float(one[-1].sum()) for one in expected)])
    assert right(steps[SEEDS]).startswith("to 1 on average")


def test_the_mean_of_many_draws_is_the_eval_pattern_within_chance(case):
    steps, head, _, p = case
    pattern, step = head["pattern"], steps[MEAN]
    draws = torch.stack(list(torchs_own(pattern.expand(dropout.DRAWS, -1, -1).contiguous(), p, 1)))
    mean = draws.mean(0)
    np.testing.assert_allclose(values(step, "mean"), mean, atol=1e-6)
    np.testing.assert_allclose(values(step, "mean - pattern"), mean - pattern, atol=1e-6)
    (distances,) = bars(step)
    largest = [float((draws[:n].mean(0) - pattern).abs().max()) for n in dropout.SOME]
    assert distances.series["distance"] == pytest.approx(largest, abs=1e-6)
    error = pattern * math.sqrt(p / (1 - p) / dropout.DRAWS)
    off = ((mean - pattern).abs() / error)[visible(len(pattern))].max()
    assert float(facts(step)["largest, in standard errors"]) == pytest.approx(float(off), abs=0.06)
    assert off < 5  # among at most 136 weights chance goes no further
    assert right(step) == f"{1 - p:g} × pattern"


def test_a_dropped_score_is_still_looked_at(case):
    steps, head, _, p = case
    q, k = head["q"], head["k"]
    scores = torchs_own(torch.ones(len(q), len(q)), p, 1) * (q @ k.T / math.sqrt(q.shape[-1]))
    np.testing.assert_allclose(values(steps[SCORES], "scores"), scores, atol=1e-4)
    expected = scores.masked_fill(~visible(len(q)), -math.inf).softmax(-1)
    np.testing.assert_allclose(values(steps[SCORES], "pattern"), expected, atol=1e-5)
    np.testing.assert_allclose(values(steps[SCORES], "pattern").sum(-1), 1, atol=1e-5)
    assert right(steps[SCORES]) == "a weight that is not 0"


def one_draw(place: str, q, k, v, drop) -> torch.Tensor:
    """z of one head with dropout in one place, written down once more."""
    drop_if = {name: drop if name == place else (lambda x: x) for name in ("q", "scores", "pattern", "v", "z")}
    scores = drop_if["scores"](drop_if["q"](q) @ k.T / math.sqrt(q.shape[-1]))
    pattern = drop_if["pattern"](scores.masked_fill(~visible(len(q)), -math.inf).softmax(-1))
    return drop_if["z"](pattern @ drop_if["v"](v))


@pytest.mark.parametrize("place", dropout.PLACES)
def test_means_of_each_place_agree_with_draws_taken_one_by_one(runner, place):
    """With seeds of their own: two means of the same thing lie within chance of each other."""
    scene = LESSONS["dropout"].scene(runner, BOAT, {"layer": 1, "head": 4, "rate": 20})
    mean, error = dropout.Dropped(scene).placements[place]
    q, k, v = (runner.recorded(BOAT, 16).trace[f"blocks.1.attn.{name}"][0, 4] for name in "qkv")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(77)
        draws = torch.stack([one_draw(place, q, k, v, lambda x: F.dropout(x, 0.2)) for _ in range(1500)]).double()
    both = (error.square() + draws.var(0) / 1500).sqrt()
    apart = ((draws.mean(0) - mean) / both)[both > 1e-9]
    assert apart.square().mean().sqrt() < 1.6 and apart.abs().max() < 6
    close = torch.isclose(draws.std(0), error * math.sqrt(dropout.DRAWS), rtol=0.35, atol=1e-4)
    assert close.double().mean() > 0.99  # a rare draw far out moves a deviation by more


@pytest.mark.parametrize("text", [BOAT, CUP])
def test_only_places_before_the_softmax_move_the_mean(runner, text):
    steps = steps_of(runner, "dropout", text)
    off = dict(zip(dropout.PLACES, bars(steps[PLACES])[0].series["off by"]))
    assert max(off[place] for place in ("pattern", "v", "z")) < 1.7
    assert min(off[place] for place in ("scores", "q")) > 3
    assert right(steps[PLACES]) == "the scores"
    assert "the q" not in [option.text for option in steps[PLACES].question.options]  # only one of them is right
    shown, z = values(steps[PLACES], "mean - z"), runner.recorded(text, 16).trace["blocks.1.attn.z"][0, 4]
    assert shown.shape == (len(dropout.PLACES), *z.shape)


def test_in_training_a_copy_does_what_torch_would_do(runner):
    """Same seed, same order of draws: equal to nn.Dropout everywhere, which the copy had before."""
    ids = torch.tensor([runner.encode(BOAT)])
    with torch.inference_mode():
        left = dropout.left_in_training(runner.model, 0.2, seed=5)
        with record(left, ["blocks.*.attn.pattern"]):
            logits = left(ids)
        for module in left.modules():
            if isinstance(module, nn.Dropout):
                del module.forward  # now it is torch's own again
        with torch.random.fork_rng(devices=[]), record(left, ["blocks.*.attn.pattern"]):
            torch.manual_seed(5)
            expected = left(ids)
    torch.testing.assert_close(logits, expected, atol=1e-3, rtol=1e-4)


def test_the_shared_model_and_the_common_random_numbers_stay_as_they_are(runner):
    dropout.next_of.cache_clear()
    dropout.loss_in.cache_clear()
    before, state = runner.model, torch.random.get_rng_state()
    rates = [module.p for module in before.modules() if isinstance(module, nn.Dropout)]
    steps_of(runner, "dropout", rate=33, seed=4)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(module.training for module in before.modules())
    assert [module.p for module in before.modules() if isinstance(module, nn.Dropout)] == rates
    left = dropout.left_in_training(before, 0.5, 1)
    assert all(a is b for a, b in zip(left.parameters(), before.parameters()))
    assert all(module.training for module in left.modules())


def test_a_copy_hears_nobody_elses_hooks(runner):
    with record(runner.model, ["logits"]) as trace, torch.inference_mode():
        left = dropout.left_in_training(runner.model, 0.2, 1)
        left(torch.tensor([[1, 2, 3]]))
    assert len(trace) == 0


def test_training_mode_left_on_changes_predictions_and_the_loss(runner):
    step = steps_of(runner, "dropout")[LEFT_ON]
    (shown,) = bars(step)
    assert list(shown.series) == ["eval", "train, seed 1", "train, seed 2"]
    following = runner.recorded(BOAT, 16).trace["logits"][0, -1].softmax(-1)
    assert max(shown.series["eval"]) == pytest.approx(float(following.max()), abs=1e-5)
    assert shown.series["train, seed 1"] != shown.series["train, seed 2"]
    with torch.inference_mode():
        loss = held_out_loss(runner, runner.model)
    evaluated, left_on = facts(step).values()
    assert evaluated == f"{loss:.3f} nats"
    assert float(left_on.split()[0]) > loss + 0.1
    assert right(step) == "two runs on one text differ"


def test_the_same_settings_give_the_same_lesson(runner):
    one, two = (steps_of(runner, "dropout", BOAT, rate=40, seed=7) for _ in range(2))
    for step, same in zip(one, two):
        assert step.text == same.text
        for shown, again in zip(step.show, same.show):
            if isinstance(shown, Panel):
                assert np.array_equal(as_array(shown.values), as_array(again.values))
            else:
                assert shown == again


@pytest.mark.parametrize("text", [BOAT, "", "a"])
def test_at_rate_0_nothing_falls_and_nothing_is_asked_about_it(runner, text):
    steps = steps_of(runner, "dropout", text, rate=0)
    assert np.array_equal(values(steps[TRAIN], "dropped"), values(steps[EVAL], "pattern"))
    assert all(step.text.startswith("The rate is 0") for step in steps[1:])
    asked = [i for i, step in enumerate(steps) if step.question]
    assert asked == [SECOND, SCORES]  # these two are about what is done, not about what has fallen
    np.testing.assert_allclose(values(steps[PLACES], "mean - z"), 0, atol=1e-5)
    eval_bars, first, second = bars(steps[LEFT_ON])[0].series.values()
    assert eval_bars == pytest.approx(first, abs=1e-5) and first == second


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
@pytest.mark.parametrize("rate", [10, 80])
def test_any_text_gives_all_steps(runner, text, rate):
    steps = steps_of(runner, "dropout", text, layer=5, head=7, rate=rate, seed=20)
    assert len(steps) == 8
    for step in steps:
        for item in step.show:
            if isinstance(item, Bars):
                assert all(np.isfinite(numbers).all() for numbers in item.series.values())
            if isinstance(item, Panel):
                assert not np.isnan(as_array(item.values)).any()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"rate": 81}, "Dropout rate: 81 must be a whole number from 0 to 80"),
        ({"rate": 0.5}, "Dropout rate: 0.5 must be a whole number from 0 to 80"),
        ({"seed": 0}, "Seed: 0 must be a whole number from 1 to 20"),
        ({"head": 8}, "Head: 8 is not one of 0, 1, 2, 3, 4, 5, 6, 7"),
    ],
)
def test_settings_that_make_no_sense_are_a_sentence(runner, given, sentence):
    with pytest.raises(ValueError) as caught:
        steps_of(runner, "dropout", **given)
    assert str(caught.value) == sentence
