"""Masks: what is shown against torch's own masks and softmax, and the batch against each text run alone."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.lessons import LESSONS
from explorer.lessons.lesson import Bars, Facts

from .common import BOAT, CUP, panel, right, steps_of, values

CAUSAL, OFF, BATCH, PADDING, BOTH, ROW, NOTHING, SIDES, ALONE = range(9)
SECOND = "Cut the paper in half"


@pytest.fixture(scope="module", params=[(BOAT, SECOND), (CUP, "Fold"), ("a", SECOND)], ids=str)
def case(request, runner):
    text, second = request.param
    ids = runner.encode(text)[:16]
    short = runner.encode(second)[: max(1, len(ids) - 1)]
    return steps_of(runner, "masks", text, second=second, layer=2, head=5), ids, short


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def seen(T: int, missing: int) -> np.ndarray:
    """What the second text, padded on the left, sees: (T, S)."""
    visible = np.tril(np.ones((T, T), bool))
    visible[:, :missing] = False
    return visible


def test_the_causal_mask_is_torchs_and_its_pairs_are_counted(case):
    steps, ids, _ = case
    T = len(ids)
    theirs = torch.nn.Transformer.generate_square_subsequent_mask(T)  # 0 or -inf
    assert np.array_equal(values(steps[CAUSAL], "causal")[0, 0] == 1, (theirs == 0).numpy())
    assert right(steps[CAUSAL]) == str(T * (T + 1) // 2)
    ones = np.ones((T, T), int)
    assert np.array_equal(values(steps[OFF], "wrong"), [np.tril(ones, 1), np.tril(ones, -1), np.triu(ones)])


def test_the_batch_holds_both_texts_and_says_which_places_are_real(case, runner):
    steps, ids, short = case
    T, n = len(ids), len(short)
    assert values(steps[BATCH], "ids[0]").tolist() == ids
    assert values(steps[BATCH], "ids[1]").tolist() == short + [runner.tokenizer.pad] * (T - n)
    assert values(steps[BATCH], "attention_mask").tolist() == [[1] * T, [1] * n + [0] * (T - n)]


def test_the_padding_mask_hides_columns_and_both_broadcast_as_numpy_says(case):
    steps, ids, _ = case
    mask = values(steps[BATCH], "attention_mask")
    assert np.array_equal(values(steps[PADDING], "padding"), mask[:, None, None, :])
    assert np.array_equal(values(steps[PADDING], "rows"), mask[:, None, :, None])
    assert right(steps[PADDING]) == f"(2, 1, 1, {len(ids)})"
    causal = values(steps[CAUSAL], "causal")
    assert np.array_equal(values(steps[BOTH], "mask"), causal * mask[:, None, None, :])
    assert right(steps[BOTH]) == str(np.broadcast_shapes(causal.shape, (2, 1, 1, len(ids))))


def test_hidden_scores_get_what_softmax_gives_them(case):
    steps, ids, short = case
    T, n = len(ids), len(short)
    hidden = ~seen(T, T - n)[T - n + n // 2]
    filled, weights = values(steps[ROW], "filled"), values(steps[ROW], "weights")
    for row, number in zip(filled, (-math.inf, -1e4, -1, 0)):
        assert (row[hidden] == np.float32(number)).all() and np.array_equal(row[~hidden], filled[0][~hidden])
    np.testing.assert_allclose(weights, F.softmax(torch.from_numpy(filled), dim=-1), atol=1e-6)
    assert np.all(weights[0][hidden] == 0) and np.allclose(weights.sum(1), 1, atol=1e-5)
    assert facts(steps[ROW])["hidden keys get, with 0"] == f"{weights[3][hidden].sum():.4f}"
    if steps[ROW].question:
        assert right(steps[ROW]) == f"{weights[3][hidden].sum():.1%}"
    else:
        assert not hidden.any()


def test_visible_scores_are_those_of_the_text_alone(case, runner):
    """Padding shifts nobody: the shown row is the recorded one of the second text run by itself."""
    from llm_core import record

    steps, ids, short = case
    with torch.inference_mode(), record(runner.model, ["blocks.2.attn.scores", "blocks.2.attn.pattern"]) as trace:
        runner.model(torch.tensor([short]))
    n, missing = len(short), len(ids) - len(short)
    row = trace["blocks.2.attn.scores"][0, 5, n // 2]  # (S,)
    shown = values(steps[ROW], "filled")[0][missing:]
    np.testing.assert_allclose(shown, row, atol=1e-4)
    pattern = values(steps[NOTHING], "pattern")
    np.testing.assert_allclose(pattern[missing:, missing:], trace["blocks.2.attn.pattern"][0, 5], atol=1e-5)
    assert np.all(pattern[:missing] == 0)


def test_a_row_that_sees_nothing_is_nan_and_spreads(case):
    steps, ids, short = case
    missing = len(ids) - len(short)
    softmax = values(steps[NOTHING], "softmax")
    assert np.isnan(softmax[:missing]).all() and np.isfinite(softmax[missing:]).all()
    (bars,) = [item for item in steps[NOTHING].show if isinstance(item, Bars)]
    if not missing:
        assert steps[NOTHING].question is None and set(bars.series["share"]) == {0.0}
        return
    assert right(steps[NOTHING]) == "NaN" and torch.full((2,), -math.inf).softmax(-1).isnan().all()
    assert bars.series["share"] == pytest.approx([100 * missing / len(ids)] + [100] * 5)


def test_positions_count_real_tokens_on_either_side(case):
    steps, ids, short = case
    T, n = len(ids), len(short)
    assert values(steps[SIDES], "positions")[1].tolist()[:n] == list(range(n))
    assert values(steps[SIDES], "positions of left")[1].tolist() == [0] * (T - n) + list(range(n))
    assert values(steps[SIDES], "left").tolist()[T - n :] == short
    assert panel(steps[SIDES], "left").columns[T - n :] == panel(steps[SIDES], "right").columns[:n]


def test_alone_and_padded_predict_the_same(case, runner):
    steps, ids, short = case
    with torch.inference_mode():
        alone = runner.model(torch.tensor([short]))[0, -1].softmax(-1)
    (bars,) = [item for item in steps[ALONE].show if isinstance(item, Bars)]
    likely = alone.topk(5)
    for name in ("alone", "padded left"):
        assert bars.series[name] == pytest.approx(likely.values.tolist(), abs=1e-5)
    shown = facts(steps[ALONE])
    assert float(shown["largest difference of a logit, padded left"]) < 1e-3
    if len(short) < len(ids):
        assert float(shown["largest difference of a logit, left, without mask"]) > 0.01
        assert right(steps[ALONE]) == "no"


def test_bad_input_of_each_control_is_one_sentence(runner):
    for given, sentence in [
        ({"second": 3}, "Second text: at most 400 characters"),
        ({"second": "x" * 401}, "Second text: at most 400 characters"),
        ({"layer": 6}, "Layer: 6 is not one of 0, 1, 2, 3, 4, 5"),
        ({"head": True, "layer": "1"}, "Layer: '1' is not one of"),
    ]:
        with pytest.raises(ValueError, match="^" + sentence):
            LESSONS["masks"].scene(runner, BOAT, given)
