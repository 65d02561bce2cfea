"""Lesson 3: every tensor against one head computed here by hand, from the weights."""

import math

import numpy as np
import pytest
import torch

from explorer.engine.runner import Runner
from explorer.lessons.lesson import Bars, Facts, Panel, as_array
from llm_core import load_model

from .common import BOAT, CUP, panel, right, steps_of, values

PLACES = [(BOAT, 0, 0), (BOAT, 3, 5), (CUP, 5, 7), ("a", 2, 1)]


class ByHand:
    """One head of the shipped model, number by number from its weights; nothing is recorded."""

    def __init__(self, runner: Runner, text: str, layer: int, head: int):
        model = load_model("decoder")
        ids = runner.encode(text)[:16]
        with torch.inference_mode():
            x = model.embed(torch.tensor([ids]), None)
            for block in model.blocks[:layer]:
                x = block(x, is_causal=True)
            block = model.blocks[layer]
            attn, self.x = block.attn, block.ln_1(x)[0]
            D = self.x.shape[1] // attn.n_head
            cut = slice(head * D, head * D + D)
            self.q, self.k, self.v = (
                self.x @ layer.weight[cut].T + layer.bias[cut] for layer in (attn.q_proj, attn.k_proj, attn.v_proj)
            )
            T, self.D = len(ids), D
            self.products = torch.tensor([[float(self.q[i] @ self.k[j]) for j in range(T)] for i in range(T)])
            self.scores = self.products / math.sqrt(D)
            self.pattern = torch.zeros(T, T)
            for i in range(T):
                powers = [math.exp(float(self.scores[i, j])) for j in range(i + 1)]
                self.pattern[i, : i + 1] = torch.tensor([power / sum(powers) for power in powers])
            self.z = self.pattern @ self.v
            self.out = attn(block.ln_1(x), is_causal=True)[0]


@pytest.fixture(scope="module", params=PLACES, ids=str)
def case(request, runner):
    text, layer, head = request.param
    return steps_of(runner, "attention", text, layer=layer, head=head), ByHand(runner, text, layer, head)


def close(shown: np.ndarray, expected: torch.Tensor, atol: float = 2e-4) -> bool:
    return shown.shape == tuple(expected.shape) and np.allclose(shown, expected.numpy(), atol=atol)


def test_every_tensor_of_the_head_is_the_one_computed_by_hand(case):
    steps, hand = case
    assert close(values(steps[0], "x"), hand.x)
    for name in "qkv":
        assert close(values(steps[1], name), getattr(hand, name))
    assert close(values(steps[3], "q @ kᵀ"), hand.products, 2e-3)
    assert close(values(steps[4], "scores"), hand.scores)
    assert close(values(steps[7], "pattern"), hand.pattern, 1e-5)
    assert close(values(steps[9], "z"), hand.z)
    assert close(values(steps[11], "out"), hand.out)


def test_the_dot_product_is_written_out_for_the_pair_that_it_names(case):
    steps, hand = case
    i = len(hand.x) - 1
    j = int(hand.pattern[i].argmax())
    assert close(values(steps[2], "query"), hand.q[i]) and close(values(steps[2], "key"), hand.k[j])
    products = values(steps[2], "products")
    assert close(products, hand.q[i] * hand.k[j], 1e-3)
    (fact,) = [item for item in steps[2].show if isinstance(item, Facts)]
    assert float(fact.facts[0][1]) == pytest.approx(products.sum(), abs=2e-3)
    assert float(fact.facts[0][1]) == pytest.approx(float(hand.products[i, j]), abs=2e-3)


def test_the_mask_hides_exactly_the_future(case):
    steps, hand = case
    T = len(hand.x)
    hidden, scores = as_array(panel(steps[5], "scores").hidden), values(steps[5], "scores")
    assert (hidden == ~np.tril(np.ones((T, T), bool))).all()
    assert (scores[hidden] == -np.inf).all() and np.allclose(scores[~hidden], hand.scores.numpy()[~hidden], atol=2e-4)


def test_softmax_is_written_out_with_its_largest_and_its_sum(case):
    steps, hand = case
    row = hand.scores[-1].double()
    shown = {item.name: as_array(item.values) for item in steps[6].show if isinstance(item, Panel)}
    assert np.allclose(shown["row - largest"], row - row.max(), atol=2e-4)
    assert np.allclose(shown["e^(row - largest)"], (row - row.max()).exp(), atol=2e-4)
    assert np.allclose(shown["weights"], row.softmax(0), atol=2e-5)
    (facts,) = [dict((what, float(value)) for what, value, _ in i.facts) for i in steps[6].show if isinstance(i, Facts)]
    assert facts["largest"] == pytest.approx(float(row.max()), abs=3e-4)
    assert facts["sum of e^…"] == pytest.approx(float((row - row.max()).exp().sum()), abs=3e-4)


def test_what_the_scale_does_is_measured(case):
    steps, hand = case
    (bars,) = [item for item in steps[4].show if isinstance(item, Bars)]
    assert np.allclose(bars.series["scaled"], hand.scores[-1].softmax(0), atol=1e-4)
    assert np.allclose(bars.series["not scaled"], hand.products[-1].softmax(0), atol=1e-3)
    assert max(bars.series["not scaled"]) >= max(bars.series["scaled"]) - 1e-6


def test_dropout_drops_and_scales_in_training_and_does_nothing_in_eval(runner):
    trained = steps_of(runner, "attention", CUP, layer=1, head=2, mode="train")[8]
    quiet = steps_of(runner, "attention", CUP, layer=1, head=2, mode="eval")[8]
    pattern, dropped = values(quiet, "dropped"), values(trained, "dropped")
    hand = ByHand(runner, CUP, 1, 2)
    assert np.allclose(pattern, hand.pattern, atol=1e-5)
    p = load_model("decoder").blocks[1].attn.attn_dropout.p or 0.1
    visible = np.tril(np.ones_like(pattern, bool))
    gone = {tuple(index) for index in panel(trained, "dropped").marks}
    assert 0 < len(gone) < visible.sum() / 2
    for index in np.argwhere(visible):
        place = tuple(index)
        assert dropped[place] == pytest.approx(0 if place in gone else pattern[place] / (1 - p), abs=1e-6)
    assert not panel(quiet, "dropped").marks


def test_merged_holds_each_head_in_its_own_columns(runner):
    for head in (0, 4, 7):
        steps = steps_of(runner, "attention", BOAT, layer=2, head=head)
        z, merged = panel(steps[10], "z"), panel(steps[10], "merged")
        D = as_array(z.values).shape[1]
        assert np.allclose(as_array(merged.values)[:, head * D : (head + 1) * D], as_array(z.values))
        assert (as_array(merged.origin)[:, head * D : (head + 1) * D] == as_array(z.origin)).all()


def test_formulas_name_operands_that_give_the_cell(case):
    """What the browser multiplies and sums on a click is what the cell holds."""
    steps, _ = case
    checked = 0
    for step in steps:
        for shown in step.show:
            if isinstance(shown, Panel) and shown.formula and shown.formula.kind == "products":
                f = shown.formula
                shape = "".join(shown.letters)
                bias = 0 if f.bias is None else as_array(f.bias.values)
                made = np.einsum(f"{f.a.letters},{f.b.letters}->{shape}", as_array(f.a.values), as_array(f.b.values))
                assert np.allclose(made + bias, as_array(shown.values), atol=2e-3), shown.name
                checked += 1
    assert checked >= 6


def test_right_answers_are_computed_from_the_tensors(case):
    steps, hand = case
    assert right(steps[1]) == str(hand.D)
    assert right(steps[3]) == f"(T={len(hand.x)}, S={len(hand.x)})"
    assert right(steps[5]) == "-∞" and right(steps[6]) == "nothing"
    if steps[9].question:
        added = hand.pattern[-1] * hand.v.norm(dim=-1)  # weight × length: a large weight on a short value adds little
        assert right(steps[9]).endswith(f"(position {int(added.argmax())})")
