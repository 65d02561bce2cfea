"""From GPT-2 to Llama: norms and gates against torch, numbers against the tensors and the cache themselves."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.lessons.course import llama
from explorer.lessons.course.llama import CHANGES, config_of, counted, tiny, train, windows
from explorer.lessons.lesson import Bars, Facts, Panel, as_array
from explorer.lessons.teach import teach
from llm_core import record

from .common import BOAT, right, steps_of, values


@pytest.fixture(scope="module")
def steps(runner):
    return steps_of(runner, "llama")


def test_each_change_is_one_and_the_last_is_llamas():
    first, last = config_of(0), config_of(len(CHANGES) - 1)
    assert (first.positions, first.norm, first.mlp, first.kv_heads, first.bias) == (
        "learned",
        "layer",
        "gelu_tanh",
        4,
        True,
    )
    assert (last.positions, last.norm, last.mlp, last.kv_heads, last.bias) == ("rotary", "rms", "swiglu", 2, False)
    for number in range(1, len(CHANGES)):
        before, after = config_of(number - 1), config_of(number)
        changed = {name for name in type(before).__slots__ if getattr(before, name) != getattr(after, name)}
        assert changed == set(CHANGES[number][1])


def test_costs_are_those_of_the_models(steps):
    from torch.utils.flop_counter import FlopCounterMode

    for number in range(len(CHANGES)):
        model, found = tiny(number), counted(number)
        assert found["parameters"] == sum(p.numel() for p in model.parameters())
        cache = model.new_cache(1)
        model.hidden(torch.zeros(1, 4, dtype=torch.long), cache=cache)
        kept = sum(x.numel() * x.element_size() for own, _ in cache.layers for x in own.filled())
        assert found["cache"] == kept / 4
        steps_counted = record(model, ["blocks.*.attn.pattern"])  # a fused kernel would not be counted
        with FlopCounterMode(display=False) as counter, torch.no_grad(), steps_counted:
            model(torch.zeros(1, 64, dtype=torch.long))
        assert found["FLOPs"] == pytest.approx(counter.get_total_flops(), rel=0.01)
    bars = [item for item in steps[0].show if isinstance(item, Bars)]
    assert bars[0].series["parameters"] == [counted(number)["parameters"] for number in range(len(CHANGES))]
    assert right(steps[0]) == "fewer key heads" and right(steps[4]) == str(counted(4)["cache"])


def test_norms_are_torchs(steps):
    x = torch.tensor(values(steps[2], "x"))
    assert np.allclose(values(steps[2], "layer_norm"), F.layer_norm(x, x.shape), atol=1e-4)
    assert np.allclose(values(steps[2], "rms_norm"), F.rms_norm(x, x.shape, eps=1e-5), atol=1e-4)
    (facts,) = [
        dict((what, float(number)) for what, number, _ in i.facts) for i in steps[2].show if isinstance(i, Facts)
    ]
    assert facts["mean"] == pytest.approx(float(x.mean()), abs=1e-4)
    assert torch.allclose(F.layer_norm(x + 5, x.shape), F.layer_norm(x, x.shape), atol=1e-2)  # float32, x is small
    assert not torch.allclose(F.rms_norm(x + 5, x.shape), F.rms_norm(x, x.shape), atol=0.1)
    assert right(steps[2]) == "LayerNorm"


def test_the_gate_is_silu_of_one_version_times_the_other(steps, runner):
    model, ids = tiny(3), [259, *BOAT.encode()][:16]
    assert ids[1:] == llama.Tiny(3, BOAT).ids[1:]
    block = model.blocks[0]
    with torch.inference_mode():
        x = model.embed(torch.tensor([llama.Tiny(3, BOAT).ids]), None)
        normed = block.ln_2(x + block.attn(block.ln_1(x), is_causal=True))[0]
        gate, up = F.silu(block.mlp.gate_proj(normed)), block.mlp.up_proj(normed)
    assert np.allclose(values(steps[3], "gate"), gate, atol=1e-5)
    assert np.allclose(values(steps[3], "post"), gate * up, atol=1e-5)
    assert right(steps[3]) == "85"


def test_keys_have_fewer_heads_and_queries_all(steps):
    assert [len(values(steps[4], name)) for name in ("q", "k before", "k")] == [4, 4, 2]
    assert np.allclose(values(steps[1], "q")[:, 0], values(steps[1], "rot_q")[:, 0]) and right(steps[1]) == "the first"


def test_biases_that_go_are_all_there_were(steps):
    (bars,) = [item for item in steps[5].show if isinstance(item, Bars)]
    assert sum(bars.series["numbers"]) == counted(4)["parameters"] - counted(5)["parameters"]


def test_formulas_name_operands_that_give_the_cell(steps):
    made = 0
    for shown in (item for step in steps for item in step.show if isinstance(item, Panel) and item.formula):
        f, a = shown.formula, as_array(shown.formula.a.values)
        other = f.number if f.kind == "quotient" else as_array(f.b.values)
        result = {"quotient": np.divide, "difference": np.subtract, "product": np.multiply}[f.kind](a, other)
        assert np.allclose(result, as_array(shown.values), atol=1e-5)
        made += 1
    assert made == 4


def test_training_is_done_when_asked_for_and_learns(runner, monkeypatch):
    monkeypatch.setattr(llama, "TRAINED", 3)
    step = steps_of(runner, "llama", train=True)[6]
    losses = next(item for item in step.show if isinstance(item, Bars)).series
    assert set(losses) == {"seed 1", "seed 2"} and all(
        loss < math.log(260) for some in losses.values() for loss in some
    )
    data, held_out = windows()
    assert train(0, data, held_out, 1) == pytest.approx(losses["seed 1"][0], abs=1e-3)
    monkeypatch.setattr(llama, "TRAINED", 20)
    assert train(0, data, held_out, 1) < losses["seed 1"][0]


def test_what_is_no_press_is_one_sentence(runner):
    with pytest.raises(ValueError, match="Train all six: 1 must be true or false"):
        teach(runner, "llama", BOAT, {"train": 1})
