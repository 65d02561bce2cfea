"""Lens and attribution are exact in every family: the last row is the model's answer, the parts sum to the logit."""

import pytest
import torch
from torch.testing import assert_close

from llm_core.analysis.attribution import logit_attributions
from llm_core.analysis.costs import parameters
from llm_core.analysis.lens import logit_lens, stream_names
from llm_core.analysis.surgery import Edit, interventions, reach
from llm_core.model.checkpoints import num_parameters
from llm_core.model.recording import intervene, record
from llm_core.model.sight import visible

from .theirs import CASES, PAIRS, S, T, ids_of, pair

WITH_HEAD = [name for name in CASES if "without head" not in name and name != "xlm-roberta"]


def recorded(name):
    _, ours = pair(name)
    inputs = [ids_of(name, S, seed=1), ids_of(name)] if name in PAIRS else [ids_of(name)]
    with record(ours) as trace, torch.no_grad():
        logits = ours(*inputs)
    return ours, trace, logits


@pytest.mark.parametrize("name", WITH_HEAD)
def test_a_logit_is_the_sum_of_its_parts(name):
    ours, trace, logits = recorded(name)
    ids = logits[1].topk(3, dim=-1).indices  # (T, K)
    parts = logit_attributions(ours, trace, ids, row=1)
    assert_close(parts.total(), logits[1].gather(1, ids).double(), atol=1e-5, rtol=1e-5)
    config = (ours.decoder if name in PAIRS else ours).config
    assert parts.heads.shape == (config.n_layer, config.n_head, T, 3)
    assert (parts.position is None) == (config.positions != "learned")
    assert (parts.segment is None) == (config.n_segment == 0)


@pytest.mark.parametrize("name", WITH_HEAD)
def test_the_last_row_of_the_lens_is_the_models_prediction(name):
    ours, trace, logits = recorded(name)
    lens = logit_lens(ours, trace, top=4)
    best = logits.log_softmax(-1).topk(4, dim=-1)
    assert torch.equal(lens.tokens[:, -1], best.indices)
    assert_close(lens.probabilities[:, -1], best.values.exp(), atol=1e-5, rtol=1e-4)
    assert len(lens.names) == len(stream_names(ours)) == (ours.decoder if name in PAIRS else ours).config.n_layer + 1


def test_a_model_without_a_head_explains_no_logit():
    _, ours = pair("bert without head")
    with record(ours) as trace, torch.no_grad():
        ours.hidden(ids_of("bert without head"))
    for explain in (
        lambda: logit_lens(ours, trace),
        lambda: logit_attributions(ours, trace, ids_of("bert")[0][:, None]),
    ):
        with pytest.raises(ValueError, match="without a language-model head"):
            explain()
    with pytest.raises(ValueError, match="no language-model head"):
        ours(ids_of("bert without head"))


@pytest.mark.parametrize("name", ["llama", "qwen3", "gpt_neox", "gpt_neo"])
def test_an_opened_mask_shows_the_scores_that_the_model_would_have_had(name):
    """Worked out here from queries and keys as they meet: turned, a key head for its queries, the family's scale."""
    _, ours = pair(name)
    attention, head = ours.blocks[1].attn, 4
    with (
        record(ours) as trace,
        torch.no_grad(),
        intervene(ours, interventions(ours, [Edit(what="head", layer=1, head=head, how="open")])),
    ):
        ours(ids_of(name))
    prefix = "rot_" if hasattr(attention, "rot_q") else ""
    q, k = (trace[f"blocks.1.attn.{prefix}{part}"] for part in "qk")
    k = k[:, head // (attention.n_head // attention.n_kv_head)]  # (B, T, D)
    expected = (q[:, head] @ k.transpose(-2, -1) * attention.scale).softmax(-1)
    assert_close(trace.attention(1)[:, head], expected, atol=1e-6, rtol=1e-5)
    others = [h for h in range(attention.n_head) if h != head]
    assert trace.attention(1)[:, others].triu(1).abs().max() == 0


def test_who_could_know_of_whom_respects_windows():
    _, ours = pair("gpt_neo")  # every other layer sees 4 tokens
    config = ours.config
    with record(ours) as trace, torch.no_grad():
        ours(ids_of("gpt_neo"))
    for layer in range(config.n_layer):
        seen = (trace.attention(layer) > 0).any(1).any(0)  # (T, T)
        assert torch.equal(seen, visible(config, layer, T, is_causal=True))
    off = [Edit(what="attention", layer=layer, how="zero") for layer in (0, 2)]
    direct, known = reach(off, config.n_layer, config.n_head, T, config)
    assert torch.equal(direct, visible(config, 1, T, is_causal=True))
    assert known[9].nonzero().flatten().tolist() == [3, 4, 5, 6, 7, 8, 9]  # two windows of 4, one after the other


@pytest.mark.parametrize("name", CASES)
def test_every_parameter_is_counted_once(name):
    _, ours = pair(name)
    assert sum(parameters(ours).values()) == num_parameters(ours)
