"""A training step: losses and gradients against torch's own, and the updated weights against AdamW's rule."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.lessons import LESSONS
from explorer.lessons.lesson import Bars, Facts

from .common import BOAT, CUP, panel, right, steps_of, values

ARTICLES, APART, FORCED, LOGS, MEAN, IGNORED, START, BACKWARD, UPDATE, ZERO, UNITS = range(11)
RATE = "0.01"


@pytest.fixture(scope="module", params=["ours", "other"])
def case(request, runner):
    """Steps, the model, and the two articles: ids with the token behind them."""
    one = runner if request.param == "ours" else request.getfixturevalue("other")
    text, second = (BOAT, "Fold the paper") if request.param == "ours" else (CUP, "Dry")
    rate = "0.001" if request.param == "ours" else RATE
    T = min(16, one.facts.token_limit)
    end = one.tokenizer.end
    rows = [[*one.encode(part), end] for part in (text, second)]
    rows = [rows[0][: min(T, len(rows[0]) - 1) + 1], rows[1]]
    return steps_of(one, "training-step", text, second=second, rate=rate), one.model, rows, float(rate)


def batch_of(rows) -> tuple[torch.Tensor, torch.Tensor]:
    T = len(rows[0]) - 1
    inputs, targets = torch.zeros(2, T, dtype=torch.long), torch.full((2, T), -100)
    for b, row in enumerate(rows):
        inputs[b, : len(row) - 1], targets[b, : len(row) - 1] = torch.tensor(row[:-1]), torch.tensor(row[1:])
    return inputs, targets


def torchs_loss(model, rows, **more) -> torch.Tensor:
    inputs, targets = batch_of(rows)
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten(), **more)


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def bars(step) -> Bars:
    (found,) = [item for item in step.show if isinstance(item, Bars)]
    return found


def test_inputs_and_targets_are_the_article_one_place_apart(case):
    steps, _, rows, _ = case
    assert [values(steps[ARTICLES], f"rows[{b}]").tolist() for b in (0, 1)] == rows
    assert values(steps[APART], "inputs").tolist() == rows[0][:-1]
    assert values(steps[APART], "targets").tolist() == rows[0][1:]
    assert panel(steps[APART], "targets").origin.tolist() == list(range(1, len(rows[0])))
    assert right(steps[APART]) == f"“{panel(steps[APART], 'targets').columns[-1]}”"


def test_the_probabilities_of_targets_are_the_models(case):
    steps, model, rows, _ = case
    with torch.inference_mode():
        p = model(torch.tensor([rows[0][:-1]]))[0].softmax(-1)
    expected = p[torch.arange(len(p)), torch.tensor(rows[0][1:])]
    assert bars(steps[FORCED]).series["the target"] == pytest.approx(expected.tolist(), abs=1e-5)
    assert bars(steps[FORCED]).series["its first guess"] == pytest.approx(p.max(-1).values.tolist(), abs=1e-5)


def test_log_softmax_is_torchs(case):
    steps, model, rows, _ = case
    with torch.inference_mode():
        logits = model(torch.tensor([rows[0][:-1]]))[0]
    columns = list(dict.fromkeys(rows[0][1:]))
    step = steps[LOGS]
    np.testing.assert_allclose(values(step, "logits"), logits[:, columns], atol=1e-4)
    np.testing.assert_allclose(values(step, "log_p"), F.log_softmax(logits, -1)[:, columns], atol=1e-4)
    made = values(step, "logits") - values(step, "log Σ e^logits")[:, None]
    np.testing.assert_allclose(values(step, "log_p"), made, atol=1e-4)
    for t, k in panel(step, "log_p").marks:
        assert columns[k] == rows[0][t + 1]


def test_the_loss_is_torchs_and_padding_is_left_out(case):
    steps, model, rows, _ = case
    _, targets = batch_of(rows)
    with torch.inference_mode():
        each = torchs_loss(model, rows, reduction="none").view(targets.shape)
        loss = torchs_loss(model, rows).item()
    np.testing.assert_allclose(values(steps[MEAN], "surprise"), each, atol=1e-4)
    assert float(facts(steps[MEAN])["mean: the loss, in nats per token"]) == pytest.approx(loss, abs=1e-4)
    assert facts(steps[MEAN])["targets"] == right(steps[MEAN]) == str(int((targets >= 0).sum()))
    assert np.array_equal(values(steps[IGNORED], "targets"), targets)
    assert right(steps[IGNORED]) == "-100"
    shown = facts(steps[IGNORED])
    assert float(shown["divided by all positions"]) == pytest.approx(float(each.sum()) / targets.numel(), abs=1e-4)
    assert float(shown["padding counted as a target"]) != pytest.approx(loss, abs=1e-3)


def test_a_new_model_starts_at_ln_v(case):
    steps, *_ = case
    new, log_v, _ = bars(steps[START]).series["loss"]
    assert log_v == math.log(8192) and abs(new - log_v) < 0.2 and right(steps[START]) == "9.01"


def test_the_gradient_is_autograds_through_the_whole_model(case):
    """Taken at the model's own logits while the loss is computed, not at a copy of them."""
    steps, model, rows, _ = case
    inputs, targets = batch_of(rows)
    logits = model(inputs)
    logits.retain_grad()
    with torch.enable_grad():
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    model.zero_grad()
    columns, count = list(dict.fromkeys(rows[0][1:])), int((targets >= 0).sum())
    shown = values(steps[BACKWARD], "gradient")
    np.testing.assert_allclose(shown, logits.grad[0][:, columns] * count, atol=1e-4)
    np.testing.assert_allclose(shown, values(steps[BACKWARD], "p") - values(steps[BACKWARD], "y"), atol=1e-4)
    assert float(right(steps[BACKWARD])) < 0


def test_one_step_is_adamws_first_and_leaves_the_model_alone(case):
    steps, model, rows, rate = case
    step, last = steps[UPDATE], rows[0][-1]
    w, gradient, after = (values(step, name) for name in ("w", "gradient", "w after"))
    own = model.embedding.token_table.weight.detach()[last, : len(w)].numpy()
    assert np.array_equal(w, own)  # the model that is shown has not moved
    decayed = w * (1 - rate * 0.1)
    np.testing.assert_allclose(after, decayed - rate * gradient / (np.abs(gradient) + 1e-8), atol=1e-5)
    np.testing.assert_allclose(values(step, "step"), w - after, atol=1e-6)
    before, then = bars(step).series["loss"]
    assert before == pytest.approx(torchs_loss(model, rows).item(), abs=1e-4)
    assert right(step) == ("lower" if then < before else "higher")


def test_gradients_add_up_where_they_are_not_zeroed(case):
    steps, model, rows, _ = case
    step, last = steps[ZERO], rows[0][-1]
    inputs, targets = batch_of(rows)
    expected = []
    for b in (0, 1):
        loss = F.cross_entropy(model(inputs[b : b + 1])[0], targets[b])
        (grad,) = torch.autograd.grad(loss, [model.embedding.token_table.weight])
        expected.append(grad[last, : len(values(step, "first"))].numpy())
    np.testing.assert_allclose(values(step, "first"), expected[0], atol=1e-5)
    np.testing.assert_allclose(values(step, "second"), expected[1], atol=1e-5)
    np.testing.assert_allclose(values(step, "never zeroed"), expected[0] + expected[1], atol=1e-5)
    runs = bars(step).series
    assert runs["zeroed"][:2] == runs["never zeroed"][:2] and runs["zeroed"][2] != runs["never zeroed"][2]


def test_perplexity_and_bits_per_byte_are_other_units_of_the_loss(case):
    steps, model, rows, _ = case
    with torch.inference_mode():
        nats = F.cross_entropy(model(torch.tensor([rows[0][:-1]]))[0], torch.tensor(rows[0][1:]), reduction="none")
    np.testing.assert_allclose(values(steps[UNITS], "bits"), nats / math.log(2), atol=1e-4)
    shown = facts(steps[UNITS])
    assert shown["perplexity, e^loss"] == right(steps[UNITS]) == f"{math.exp(nats.mean()):,.1f}"
    num_bytes = int(values(steps[UNITS], "bytes").sum())
    assert float(shown["bits per byte"]) == pytest.approx(float(nats.sum()) / math.log(2) / num_bytes, abs=1e-3)


def test_a_text_that_ends_is_followed_by_the_end_and_a_cut_one_by_its_own_next_token(case, runner):
    steps, _, rows, _ = case
    assert rows[1][-1] == runner.tokenizer.end
    labels = panel(steps[APART], "targets").columns
    assert (labels[-1] == "end") == (rows[0][-1] == runner.tokenizer.end)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"rate": 0.001}, "Learning rate: 0.001 is not one of 0.0001, 0.001, 0.01"),
        ({"rate": "1"}, "Learning rate: '1' is not one of"),
        ({"second": None}, "Second text: at most 400 characters"),
    ],
)
def test_bad_input_of_each_control_is_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError, match="^" + sentence):
        LESSONS["training-step"].scene(runner, BOAT, given)
