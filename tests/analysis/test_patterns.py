"""Rollout and received attention, against loops written here."""

import pytest
import torch
from torch.testing import assert_close

from llm_core.analysis.patterns import received, rollout, uniform
from llm_core.model.masks import causal_mask
from llm_core.model.recording import record

from ..common import DECODER, ENCODER, build

T, L, H = 7, 3, 4


@pytest.fixture
def patterns():
    """(L, H, T, T), causal, of no model in particular."""
    return torch.randn(L, H, T, T).masked_fill(~causal_mask(T), float("-inf")).softmax(-1)


def rollout_by_hand(patterns: torch.Tensor) -> list[list[list[float]]]:
    """Entry by entry in Python numbers: the share of input j in place i after each layer."""
    so_far = [[float(i == j) for j in range(T)] for i in range(T)]
    steps = []
    for layer in patterns.tolist():
        mixed = [[(sum(head[i][j] for head in layer) / H + (i == j)) / 2 for j in range(T)] for i in range(T)]
        so_far = [[sum(mixed[i][k] * so_far[k][j] for k in range(T)) for j in range(T)] for i in range(T)]
        steps.append(so_far)
    return steps


def test_rollout_equals_the_sums_by_hand(patterns):
    result = rollout(patterns)
    assert result.shape == (L, T, T)
    assert_close(result, torch.tensor(rollout_by_hand(patterns)), atol=1e-6, rtol=1e-5)


def test_rollout_stays_causal_and_its_rows_sum_to_1(patterns):
    result = rollout(patterns)
    assert torch.equal(result.triu(1), torch.zeros(L, T, T))
    assert_close(result.sum(-1), torch.ones(L, T))
    assert result[:, 0, 0].tolist() == pytest.approx([1] * L)  # the first place has nothing else to come from


def test_rollout_of_heads_that_look_back_by_one():
    """Half stays, half comes from the place before: after L layers the shares are binomial."""
    previous = torch.diag(torch.ones(T - 1), -1)
    previous[0, 0] = 1
    last = rollout(previous.expand(L, H, T, T))[-1, T - 1]
    assert_close(last, torch.tensor([0, 0, 0, 1, 3, 3, 1]) / 8)


def test_rollout_of_a_query_that_sees_nothing_is_itself(patterns):
    patterns[1, :, 4] = 0
    result = rollout(patterns)
    assert_close(result[1, 4], result[0, 4])
    assert_close(result.sum(-1), torch.ones(L, T))


@pytest.mark.parametrize("architecture, config", [("encoder", ENCODER), ("decoder", DECODER)])
def test_rollout_of_a_model(architecture, config):
    model = build(architecture)
    with record(model) as trace:
        model(torch.randint(config.vocab_size, (2, T)))
    patterns = torch.stack([trace.attention(i)[1] for i in range(config.n_layer)])
    result = rollout(patterns)
    assert_close(result.sum(-1), torch.ones(config.n_layer, T))
    assert (result.triu(1).max() == 0) == (architecture == "decoder")


@pytest.mark.parametrize("shape", [(H, T, T), (2, L, H, T, T), (L, H, T, T + 1)])
def test_rollout_refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"rollout needs \(L, H, T, T\)"):
        rollout(torch.ones(shape))


def test_received_is_the_mean_over_the_queries_that_see_the_key(patterns):
    result = received(patterns, causal_mask(T))
    assert result.shape == (L, H, T)
    for j in range(T):
        column = sum(patterns[:, :, i, j] for i in range(j, T)) / (T - j)
        assert_close(result[..., j], column)


def test_received_of_uniform_attention():
    both_ways = torch.ones(5, T, dtype=torch.bool)
    assert_close(received(uniform(both_ways), both_ways), torch.full((T,), 1 / T))
    causal = causal_mask(3)[0, 0]
    # key 0: 1, 1/2, 1/3; key 1: 1/2, 1/3; key 2: 1/3
    assert_close(received(uniform(causal), causal), torch.tensor([11 / 18, 5 / 12, 1 / 3]))


def test_nothing_is_received_where_nobody_looks_and_no_row_divides_by_zero():
    visible = torch.ones(T, T, dtype=torch.bool)
    visible[:, 2] = False
    visible[4] = False
    pattern = uniform(visible)
    assert torch.equal(pattern[4], torch.zeros(T))
    assert_close(pattern[0], torch.tensor([1, 1, 0, 1, 1, 1, 1]) / 6)
    assert received(pattern, visible)[2] == 0
    assert_close(received(pattern, visible)[3], torch.tensor(1 / 6))
