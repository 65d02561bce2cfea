"""Lesson 4: the loop against heads computed here, the map against a plain subtraction, the counts against a count."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.lessons import LESSONS, loop
from explorer.lessons.lesson import Bars, Facts, Message
from llm_core.model.attention import merge_heads, split_heads

from ..common import count_matrix_products
from .common import BOAT, CUP, ODD_TEXTS, panel, right, steps_of, values

LOOP, BATCH, TIME, SAME, ORDER, STATIONS, TELL = range(7)
PLACES = [(BOAT, 0), (BOAT, 3), (CUP, 5), ("a", 2), ("", 1)]


@pytest.fixture(scope="module", params=PLACES, ids=str)
def case(request, runner):
    text, layer = request.param
    recorded = runner.recorded(text, 16)
    return steps_of(runner, "loop", text, layer=layer), recorded.trace, layer, runner.model.blocks[layer].attn


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


def bars(step) -> list[Bars]:
    return [item for item in step.show if isinstance(item, Bars)]


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def head_by_hand(attn, x: torch.Tensor, head: int) -> torch.Tensor:
    """z of one head, x (T, C) -> (T, D), in double precision."""
    D = x.shape[-1] // attn.n_head
    cut = slice(head * D, head * D + D)
    q, k, v = ((x @ p.weight[cut].T + p.bias[cut]).double().detach() for p in (attn.q_proj, attn.k_proj, attn.v_proj))
    hidden = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
    return F.softmax((q @ k.T / math.sqrt(D)).masked_fill(hidden, -math.inf), dim=-1) @ v


def test_each_round_shows_what_its_head_computes(case):
    steps, trace, layer, attn = case
    x, batch = trace[f"blocks.{layer}.ln_1"][0], trace[f"blocks.{layer}.attn.z"][0]
    assert len(steps[LOOP].show) == attn.n_head
    for head in range(attn.n_head):
        shown = values(steps[LOOP], f"z[{head}]")
        np.testing.assert_allclose(shown, head_by_hand(attn, x, head), atol=1e-4)
        np.testing.assert_allclose(shown, batch[head], atol=1e-5)


def test_the_batch_is_what_was_recorded_and_its_cells_come_from_the_rounds(case):
    steps, trace, layer, attn = case
    assert np.array_equal(values(steps[BATCH], "z"), trace[f"blocks.{layer}.attn.z"][0].numpy())
    assert np.array_equal(values(steps[BATCH], "scores"), trace[f"blocks.{layer}.attn.scores"][0].numpy())
    together = panel(steps[BATCH], "z")
    rounds = [panel(steps[LOOP], f"z[{head}]") for head in range(attn.n_head)]
    assert {one.family or one.name for one in (*rounds, together)} == {"z"}
    assert np.array_equal(np.stack([one.origin for one in rounds]), together.origin)


def test_the_loop_equals_the_layer_within_a_hundred_thousandth(runner, case):
    _, trace, layer, attn = case
    x = trace[f"blocks.{layer}.ln_1"].clone()
    visible = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    with torch.no_grad():
        z, out = loop.one_head_after_the_other(attn, x, visible)
        all_z, all_out = loop.all_heads_at_once(attn, x)
        fused = attn(x, is_causal=True)
    largest = float(fused.abs().max())
    torch.testing.assert_close(torch.stack(z, 1), all_z, atol=1e-5, rtol=1e-5)
    for other in (all_out, fused):
        torch.testing.assert_close(out, other, atol=1e-5 * max(1, largest), rtol=0)
    assert torch.equal(all_out, trace[f"blocks.{layer}.attn.out"])  # the batch of the lesson is the model's own


def test_the_map_is_the_two_subtracted(case):
    steps, trace, layer, attn = case
    step = steps[SAME]
    x, batch = trace[f"blocks.{layer}.ln_1"].clone(), trace[f"blocks.{layer}.attn.out"][0]
    visible = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    with torch.no_grad():
        looped = loop.one_head_after_the_other(attn, x, visible)[1][0]
    difference = (looped - batch).numpy()
    assert np.array_equal(values(step, "loop - batch"), difference * 2.0**23)  # a power of two loses no bit
    differing = int((difference != 0).sum())
    assert facts(step)["numbers that differ"] == f"{differing:,} of {difference.size:,}"
    assert right(step) == ("almost: they differ by rounding" if differing else "yes, to the last bit")
    if differing:
        t, c = panel(step, "loop - batch").marks[0]
        assert abs(difference[t, c]) == np.abs(difference).max()
        assert f"`out[0, {t}, {c}]`: {difference[t, c]:.2e}" in step.text
        assert np.float32(facts(step)[f"loop, out[0, {t}, {c}]"]) == looped[t, c].numpy()
        assert np.float32(facts(step)[f"batch, out[0, {t}, {c}]"]) == batch[t, c].numpy()


def test_a_map_without_differences_says_so(runner, monkeypatch):
    """As with a layer whose loop gives the same bits: here the batch stands in for it."""
    real = loop.all_heads_at_once

    def same(attn, x, visible):
        z, out = real(attn, x)
        return list(z.unbind(1)), out

    monkeypatch.setattr(loop, "one_head_after_the_other", same)
    layer = loop.Layer(LESSONS["loop"].scene(runner, BOAT, {}))
    assert not layer.drift.any() and layer.worst == (0, 0)
    question = loop.same_question(layer, 0)
    assert [option.text for option in question.options if option.right] == ["yes, to the last bit"]
    assert loop.drift_panel(layer, 0).marks == []
    assert loop.drift_facts(layer, 0.0, 0.0, 0) == [("numbers that differ", f"0 of {layer.drift.numel():,}", "")]


def test_steps_between_float32_numbers_are_counted():
    after = float(np.nextafter(np.float32(1.5), np.float32(2)))
    assert loop.steps_apart(1.5, 1.5) == 0
    assert loop.steps_apart(1.5, after) == loop.steps_apart(after, 1.5) == loop.steps_apart(-1.5, -after) == 1
    smallest = float(np.nextafter(np.float32(0), np.float32(1)))
    assert loop.steps_apart(-smallest, smallest) == 2 and loop.steps_apart(-0.0, 0.0) == 0
    assert loop.steps_apart(1.0, 2.0) == 2**23


def test_the_products_add_up_to_the_number_that_is_named(case):
    steps, trace, layer, attn = case
    step = steps[ORDER]
    t, c = map(int, step.text.split("`")[1].removeprefix("out[0, ").removesuffix("]").split(", "))
    out = trace[f"blocks.{layer}.attn.out"][0]
    assert abs(out[t, c]) == out[-1].abs().max() and t == len(out) - 1
    products = values(step, "products")
    merged = merge_heads(trace[f"blocks.{layer}.attn.z"])[0, t] * attn.out_proj.weight[c]
    np.testing.assert_allclose(products.ravel(), merged.detach(), rtol=1e-6)
    total = 0.0
    for product in products.ravel().tolist():
        total = float(np.float32(total + product))
    assert np.float32(facts(step)["from left to right"]) == np.float32(total)
    exact = math.fsum(products.ravel().tolist())
    assert float(facts(step)["with twice the digits"]) == pytest.approx(exact, rel=1e-10)
    assert exact + float(attn.out_proj.bias[c]) == pytest.approx(float(out[t, c]), abs=1e-4)
    assert right(step) == "16,777,216"
    assert torch.tensor(2.0**24) + 1 + 1 == 16_777_216 and torch.tensor(2.0**24) + 2 == 16_777_218


def test_the_shares_are_counted_at_each_station(case):
    steps, trace, layer, attn = case
    shares, largest = bars(steps[STATIONS])
    q, k, v = (trace[f"blocks.{layer}.attn.{name}"] for name in "qkv")
    x, batch = trace[f"blocks.{layer}.ln_1"], trace[f"blocks.{layer}.attn.z"]
    visible = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    D = q.shape[-1]
    alike = torch.stack(
        [
            (q[:, h] @ k[:, h].mT / math.sqrt(D)).masked_fill(~visible, -math.inf).softmax(-1) @ v[:, h]
            for h in range(attn.n_head)
        ],
        dim=1,
    )
    assert shares.names[0] == "z, given q, k, v"
    assert shares.series["share"][0] == pytest.approx(100 * float((alike != batch).float().mean()))
    assert largest.series["difference"][0] == float((alike - batch).abs().max()) * 2.0**23
    assert ("equal to the last bit here" in steps[STATIONS].text) == torch.equal(alike, batch)
    differing = facts(steps[SAME])["numbers that differ"].replace(",", "").split(" of ")
    assert shares.series["share"][-1] == pytest.approx(100 * int(differing[0]) / int(differing[1]))


def test_matrix_products_grow_with_the_heads_of_a_loop_alone(case):
    steps, *_ = case
    (shown,) = bars(steps[TELL])
    assert shown.names == ["H = 1", "H = 2", "H = 4", "H = 8", "H = 16"]
    assert shown.series == {"loop": [6, 12, 24, 48, 96], "batch": [6, 6, 6, 6, 6]}
    assert right(steps[TELL]) == "48" and "asks for 48, the batch for 6" in steps[TELL].text


def test_two_ways_of_counting_agree(runner):
    attn, x = runner.model.blocks[0].attn, torch.randn(1, 7, runner.facts.n_embd)
    visible = torch.ones(7, 7, dtype=torch.bool).tril()
    with torch.no_grad():
        for function, arguments in (
            (loop.one_head_after_the_other, (attn, x, visible)),
            (loop.all_heads_at_once, (attn, x)),
        ):
            counted = count_matrix_products(lambda: function(*arguments))  # noqa: B023
            assert loop.count_products(function, *arguments) == counted > 0


def test_other_numbers_of_heads_leave_the_model_alone(runner):
    layer = loop.Layer(LESSONS["loop"].scene(runner, BOAT, {}))
    attn = layer.with_heads(4)
    assert (attn.n_head, layer.attn.n_head) == (4, runner.facts.n_head)
    assert attn.q_proj.weight is layer.attn.q_proj.weight
    with torch.no_grad():
        z, _ = loop.all_heads_at_once(attn, layer.x)
        q, k, v = (split_heads(p(layer.x), 4) for p in (attn.q_proj, attn.k_proj, attn.v_proj))
        expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(z, expected, atol=1e-5, rtol=1e-4)


def test_the_batch_asks_for_one_product_where_the_loop_asks_for_one_a_head(case):
    steps, _, _, attn = case
    assert right(steps[BATCH]) == "1"
    assert str(attn.n_head) in [option.text for option in steps[BATCH].question.options]


def test_nothing_is_measured_without_a_click(runner, monkeypatch):
    monkeypatch.setattr(loop, "seconds", lambda *_: pytest.fail("measured without being asked"))
    (message,) = steps_of(runner, "loop")[TIME].show
    assert isinstance(message, Message) and message.words.startswith("Not measured yet")


def test_a_click_measures_in_turns_and_shows_medians(runner, monkeypatch):
    calls = []

    def taken(function, attn, *_):
        calls.append((function.__name__, attn.n_head))
        return (2e-6 if len(calls) < 11 else 1e-6) * attn.n_head  # the first round is slow

    monkeypatch.setattr(loop, "seconds", taken)
    step = steps_of(runner, "loop", measure=True)[TIME]
    (shown,) = bars(step)
    in_turns = [(name, H) for H in (1, 2, 4, 8, 16) for name in ("one_head_after_the_other", "all_heads_at_once")]
    assert calls == in_turns * loop.ROUNDS
    assert shown.series["loop"] == pytest.approx([1, 2, 4, 8, 16]) and shown.unit == "µs"
    assert facts(step) == {
        "loop : batch, with H = 8": "1.0 ×",
        "loop : batch, with H = 16": "1.0 ×",
        "medians of": f"{loop.ROUNDS} rounds",
    }
    assert "T = 9" in shown.title and "this machine" in shown.title


def test_a_real_measurement_is_bounded_and_finds_the_loop_slower_with_many_heads(runner):
    (shown,) = bars(steps_of(runner, "loop", measure=True)[TIME])
    assert shown.series["loop"][-1] > 1.5 * shown.series["batch"][-1]
    assert all(0 < time < 1e6 for times in shown.series.values() for time in times)


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_any_text_gives_all_steps(runner, text):
    steps = steps_of(runner, "loop", text, layer=5)
    assert len(steps) == 7 and right(steps[TELL]) == "48"


def test_settings_that_make_no_sense_are_a_sentence(runner):
    with pytest.raises(ValueError, match=r"^Layer: 6 is not one of 0, 1, 2, 3, 4, 5$"):
        steps_of(runner, "loop", layer=6)
    with pytest.raises(ValueError, match=r"^Measure now: 1 must be true or false$"):
        steps_of(runner, "loop", measure=1)
