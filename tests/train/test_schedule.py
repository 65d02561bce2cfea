"""The learning rate of every step against formulas written out by hand, and the steps of snapshots."""

import math
from dataclasses import replace

import pytest

from llm_core.train.config import TrainConfig
from llm_core.train.options import parse_arguments
from llm_core.train.schedule import learning_rate, snapshot_steps

WSD = TrainConfig(schedule="wsd", steps=110, warmup_steps=10, decay_steps=16, learning_rate=2.0, final_lr_fraction=0.1)


def test_the_rate_warms_up_then_follows_a_cosine():
    config = TrainConfig(steps=110, warmup_steps=10, learning_rate=2.0, final_lr_fraction=0.1)
    rates = [learning_rate(config, step) for step in (0, 4, 9, 10, 35, 60, 110, 500)]
    quarter = 0.2 + 1.8 * (1 + math.cos(math.pi / 4)) / 2
    assert rates == pytest.approx([0.2, 1.0, 2.0, 2.0, quarter, 1.1, 0.2, 0.2])


def test_each_cycle_warms_up_and_falls_anew():
    once = TrainConfig(steps=110, warmup_steps=10, learning_rate=2.0)
    thrice = TrainConfig(steps=329, cycles=3, warmup_steps=10, learning_rate=2.0)  # 110, 110 and 109 steps
    expected = [learning_rate(once, step % 110) for step in range(329)]
    assert [learning_rate(thrice, step) for step in range(329)] == expected
    assert expected[109] < 0.25 and expected[110] == 0.2  # it fell to the end, and began again


def test_wsd_warms_up_stays_and_decays():
    """Hägele et al. 2024: 1 - sqrt((n - (N - N_decay)) / N_decay), here down to a tenth."""
    warm_up = [2.0 * n / 10 for n in range(1, 11)]
    decay = [0.2 + 1.8 * (1 - math.sqrt((n - (110 - 16)) / 16)) for n in range(94, 110)]
    assert [learning_rate(WSD, step) for step in range(110)] == pytest.approx(warm_up + [2.0] * 84 + decay)
    assert decay[4] == pytest.approx(1.1)  # half of the way after a quarter of the steps
    assert learning_rate(WSD, 110) == learning_rate(WSD, 500) == pytest.approx(0.2)


def test_a_wsd_run_knows_nothing_of_its_end_before_it_decays():
    longer = replace(WSD, steps=1000, decay_steps=200)
    assert [learning_rate(WSD, step) for step in range(95)] == [learning_rate(longer, step) for step in range(95)]
    level = replace(WSD, decay_steps=0)
    assert {learning_rate(level, step) for step in range(10, 110)} == {2.0}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schedule": "wsd", "decay_steps": 91}, "decay_steps=91: must be at most 90, the steps after the warm-up"),
        ({"schedule": "wsd", "cycles": 2}, "cycles=2: must be 1 with the schedule wsd"),
        ({"decay_steps": 5}, "decay_steps=5: must be 0 but with the schedule wsd"),
    ],
)
def test_what_does_not_go_together_is_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**{"steps": 100, "warmup_steps": 10, **changes})


def test_a_preset_has_a_recipe_for_each_schedule():
    words = ["--preset", "decoder", "--data", "a.jsonl", "--out", "run"]
    cosine, wsd = parse_arguments(words), parse_arguments([*words, "--schedule", "wsd"])
    assert (cosine.schedule, cosine.cycles, cosine.learning_rate, cosine.decay_steps) == ("cosine", 2, 8e-3, 0)
    assert (wsd.schedule, wsd.cycles, wsd.learning_rate, wsd.decay_steps) == ("wsd", 1, 5e-3, 800)
    assert (wsd.steps, wsd.optimizer, wsd.n_embd) == (cosine.steps, cosine.optimizer, cosine.n_embd)
    assert parse_arguments([*words, "--schedule", "wsd", "--decay-steps", "9"]).decay_steps == 9


def test_snapshots_are_dense_early():
    assert sorted(snapshot_steps(2500, 24))[:11] == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 416]
    for steps, count in ((2500, 24), (300, 24), (40, 8), (12, 4), (6, 4), (5, 24), (1, 2)):
        found = sorted(snapshot_steps(steps, count))
        assert found[0] == 0 and found[-1] == steps and len(found) == min(count, steps + 1)
    assert snapshot_steps(100, 0) == set()
