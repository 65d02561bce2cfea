"""A block: the stream against sums of what was recorded, norm and GELU against torch, norms as they were trained."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from explorer.engine.runner import Runner
from explorer.lessons import LESSONS
from explorer.lessons.lesson import Bars, Facts
from explorer.lessons.training import norms
from llm_core import Decoder, ModelConfig, save_model

from .common import BOAT, CUP, panel, right, steps_of, values

ROAD, ADD, NORM, ORDER, MLP, GELU, FINAL, TIED = range(8)


@pytest.fixture(scope="module", params=["ours", "other"])
def case(request, runner):
    """Steps, the model, what was recorded, and the layer."""
    one = runner if request.param == "ours" else request.getfixturevalue("other")
    text, layer = (BOAT, 4) if request.param == "ours" else (CUP, 0)
    return steps_of(one, "block", text, layer=layer), one.model, one.recorded(text, 16).trace, layer


def bars(step) -> list[Bars]:
    return [item for item in step.show if isinstance(item, Bars)]


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def test_the_stream_is_the_embedding_and_all_that_was_added(case):
    steps, model, trace, layer = case
    x = trace["embedding.sum"][0]
    np.testing.assert_allclose(values(steps[ROAD], "x"), x, atol=1e-6)
    lengths = bars(steps[ROAD])[0].series["stream"]
    for i, block in enumerate(model.blocks):
        if i == layer:
            np.testing.assert_allclose(values(steps[ADD], "x"), x, atol=1e-3)
        x = x + trace[f"blocks.{i}.attn.out"][0]
        if i == layer:
            np.testing.assert_allclose(values(steps[ADD], "x + out"), x, atol=1e-3)
        with torch.inference_mode():
            x = x + block.mlp(block.ln_2(x))
        assert lengths[i] == pytest.approx(float(x.norm(dim=-1).mean()), rel=1e-4)
    assert right(steps[ROAD]) == str(2 * len(model.blocks))
    t, c = panel(steps[ADD], "x + out").marks[0]
    assert right(steps[ADD]) == f"{values(steps[ADD], 'x + out')[t, c]:.2f}"


@torch.inference_mode()
def test_the_norm_is_torchs(case):
    steps, model, trace, layer = case
    step, norm = steps[NORM], model.blocks[layer].ln_1
    row = (trace["embedding.sum"] if layer == 0 else trace[f"blocks.{layer - 1}.resid_post"])[0, -1]
    bare = nn.functional.layer_norm(row, row.shape)
    n = len(values(step, "row"))
    np.testing.assert_allclose(values(step, "normed"), bare[:n], atol=1e-4)
    np.testing.assert_allclose(values(step, "ln_1"), norm(row).detach()[:n], atol=1e-4)
    assert float(right(step)) == pytest.approx(float(bare.norm()), abs=0.06)
    assert float(right(step)) == pytest.approx(math.sqrt(len(row)), abs=0.06)
    assert float(facts(step)["mean"]) == pytest.approx(float(row.mean()), abs=1e-4)


@torch.inference_mode()
def test_the_mlp_is_torchs_and_its_parameters_are_counted(case):
    steps, model, trace, layer = case
    step, mlp = steps[MLP], model.blocks[layer].mlp
    neurons = [int(name) for name in panel(step, "pre").columns]
    pre = nn.functional.linear(trace[f"blocks.{layer}.ln_2"][0], mlp.up_proj.weight, mlp.up_proj.bias).detach()
    np.testing.assert_allclose(values(step, "pre"), pre[:, neurons], atol=1e-4)
    post = nn.functional.gelu(pre, approximate="tanh")
    np.testing.assert_allclose(values(step, "post"), post[:, neurons], atol=1e-4)
    assert set(neurons) == set(post[-1].abs().topk(24).indices.tolist())
    C = pre.shape[1] // 4
    assert right(step) == f"{8 * C * C + 5 * C:,}"


def test_gelu_is_x_times_the_normal_distribution(case):
    steps, *_ = case
    x = np.array([float(name) for name in panel(steps[GELU], "exact").columns])
    phi = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])
    np.testing.assert_allclose(values(steps[GELU], "exact"), x * phi, atol=1e-6)
    tanh = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    np.testing.assert_allclose(values(steps[GELU], "tanh"), tanh, atol=1e-6)
    assert right(steps[GELU]) == f"{-0.5 * (1 + math.erf(-1 / math.sqrt(2))):.3f}"


def test_with_the_exact_gelu_the_logits_change_as_is_said(case, runner):
    steps, model, *_ = case
    if model is not runner.model:
        return
    ids = torch.tensor([runner.encode(BOAT)])
    with torch.inference_mode():
        before = model(ids)
        hooks = [
            block.mlp.activation.register_forward_hook(lambda _m, inputs, _out: nn.functional.gelu(inputs[0]))
            for block in model.blocks
        ]
        off = float((model(ids) - before).abs().max())
        for hook in hooks:
            hook.remove()
    (shown,) = facts(steps[GELU]).values()
    assert float(shown) == pytest.approx(off, abs=2e-4) and off > 1e-4


@torch.inference_mode()
def test_the_final_norm_is_what_the_head_reads(case):
    steps, model, trace, _ = case
    stream = trace[f"blocks.{len(model.blocks) - 1}.resid_post"][0, -1]
    with torch.inference_mode():
        without = nn.functional.linear(stream, model.lm_head.weight).softmax(-1)
    lengths, tokens = bars(steps[FINAL])
    assert max(tokens.series["without"]) == pytest.approx(float(without.max()), abs=1e-4)
    assert lengths.series["length"][-2] == pytest.approx(float(stream.norm()), rel=1e-4)
    assert lengths.series["length"][-1] == pytest.approx(float(model.ln_f(stream).detach().norm()), rel=1e-4)
    larger = without.max() > trace["logits"][0, -1].softmax(-1).max()
    assert right(steps[FINAL]) == ("larger" if larger else "smaller")


def test_a_logit_is_the_dot_product_with_the_row_of_the_table(case):
    steps, model, trace, _ = case
    step, weight = steps[TIED], model.embedding.token_table.weight.detach()
    assert weight is not None and model.lm_head.weight.data_ptr() == weight.data_ptr()
    likely = trace["logits"][0, -1].topk(6)
    assert np.array_equal(values(step, "table"), weight[likely.indices])
    np.testing.assert_allclose(values(step, "table") @ values(step, "hidden"), values(step, "logits"), atol=2e-3)
    np.testing.assert_allclose(values(step, "logits"), likely.values, atol=1e-5)
    assert right(step) == f"{weight.numel():,}"


def test_norm_before_and_after_are_shown_as_they_were_trained(case):
    steps, *_ = case
    runs = norms.measured()
    assert list(runs) == [f"{rate:g}" for rate in norms.RATES]
    low = next(iter(runs))
    on_the_way, ends = bars(steps[ORDER])
    assert on_the_way.series == {name: run["loss"] for name, run in runs[low].items()}
    assert ends.series["loss"] == [run["loss"][-1] for orders in runs.values() for run in orders.values()]
    final = {name: run["loss"][-1] for name, run in runs[low].items()}
    assert right(steps[ORDER]) == min(final, key=final.get)


def test_the_two_orders_have_the_same_parameters_but_for_the_final_norm():
    before, after = (Decoder(norms.sizes(post_norm)) for post_norm in (False, True))
    count = [sum(p.numel() for p in model.parameters()) for model in (before, after)]
    assert count[0] - count[1] == 2 * 32 and isinstance(after.ln_f, nn.Identity)


def test_a_model_of_another_kind_and_bad_input_are_refused_in_a_sentence(runner, tmp_path):
    save_model(Decoder(ModelConfig(vocab_size=8192, block_size=8, n_layer=1, n_head=1, n_embd=4, norm="rms")), tmp_path)
    with pytest.raises(ValueError, match="is built differently from GPT-2: this lesson shows blocks with LayerNorm"):
        steps_of(Runner(str(tmp_path)), "block", BOAT)
    with pytest.raises(ValueError, match="Layer: 7 is not one of 0, 1, 2, 3, 4, 5"):
        LESSONS["block"].scene(runner, BOAT, {"layer": 7})
