"""Induction heads: each number anew, one head and one place at a time; and a text that repeats nothing."""

import json
import random
import re
from itertools import combinations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.lessons import LESSONS
from explorer.lessons.course.induction import SCORE, SEED, Circuit, example
from explorer.lessons.lesson import OWN, Bars, Facts, Message
from llm_core import load_model, load_tokenizer, record
from llm_core.analysis.roles import repeats
from llm_core.paths import ASSETS

from .common import BOAT, panel, right, steps_of, values

HARRY = "Harry Potter met Draco. Harry"
EXAMPLE = example()


@pytest.fixture(scope="module", params=[EXAMPLE, HARRY], ids=["first sight", "Harry"])
def case(request, runner):
    """Steps, model, trace, and the places of the repeated token, of the one that followed, and of the last."""
    model, ids = load_model("decoder").requires_grad_(False), runner.encode(request.param)
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([ids]))
    earlier = max(i for i in range(len(ids) - 1) if ids[i] == ids[-1])
    return steps_of(runner, "induction", request.param), model, trace, ids, (earlier, earlier + 1, len(ids) - 1)


def pattern(trace, layer: int, head: int) -> torch.Tensor:
    return trace[f"blocks.{layer}.attn.pattern"][0, head]


def heads_said(text: str) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in re.findall(r"[Ll]ayer (\d), head (\d)", text)]


def logits_without(model, ids, heads) -> tuple[torch.Tensor, torch.Tensor]:
    """Last logits and patterns (L, H, T, T) with the columns of ``out_proj`` that belong to the heads set to 0."""
    copy = load_model("decoder").requires_grad_(False)
    D = model.config.head_width
    for layer, head in heads:
        copy.blocks[layer].attn.out_proj.weight[:, head * D : (head + 1) * D] = 0
    with torch.inference_mode(), record(copy) as trace:
        logits = copy(torch.tensor([ids]))[0, -1]
    return logits, torch.stack([trace[f"blocks.{layer}.attn.pattern"][0] for layer in range(6)])


def test_the_repetition_is_found_and_what_follows_is_what_the_model_gives(case):
    steps, _, trace, ids, (earlier, after, last) = case
    p = trace["logits"][0, -1].softmax(-1)
    assert {i for (i,) in panel(steps[0], "ids").marks} == {earlier, after, last}
    assert values(steps[0], "ids").tolist() == ids and ids[earlier] == ids[last]
    (bars,) = [item for item in steps[0].show if isinstance(item, Bars)]
    assert bars.series["probability"][0] == pytest.approx(float(p[ids[after]]), abs=1e-5) and float(p.max()) > 0.8
    assert right(steps[0]).strip("“”") == load_tokenizer().piece(ids[after]).strip() == bars.names[0].strip()
    assert f"{float(p.max()):.1%}" in steps[0].text


def test_the_head_that_remembers_looks_one_place_back(case):
    steps, _, trace, ids, (_, after, _) = case
    ((layer, head),) = set(heads_said(steps[1].text))
    own = pattern(trace, layer, head)
    assert np.allclose(values(steps[1], "pattern"), own, atol=1e-6)
    mean = sum(float(own[i, i - 1]) for i in range(1, len(ids))) / (len(ids) - 1)
    assert f"{mean:.2f} on average" in steps[1].text and mean > SCORE
    assert right(steps[1]).endswith(f"(position {int(own[after].argmax())})") and int(own[after].argmax()) == after - 1


def test_the_head_that_finds_has_the_largest_weight_of_all(case):
    steps, _, trace, _, (_, after, _) = case
    weights = {(i, j): float(pattern(trace, i, j)[-1, after]) for i in range(6) for j in range(8)}
    best = max(weights, key=weights.get)
    assert heads_said(steps[2].text) == [best]
    assert np.allclose(values(steps[2], "weights"), pattern(trace, *best)[-1], atol=1e-6)
    assert right(steps[2]).endswith(f"(position {after})")


def test_without_the_heads_that_remember_the_key_is_not_found(case):
    steps, model, trace, ids, (_, after, _) = case
    *off, finder = heads_said(steps[3].text)
    assert len(off) == 2 and all(layer < finder[0] for layer, _ in off)
    back = {(i, j): float(pattern(trace, i, j)[after, after - 1]) for i in range(finder[0]) for j in range(8)}
    candidates = combinations(sorted(back, key=back.get, reverse=True)[:4], 2)
    found = {pair: float(logits_without(model, ids, pair)[1][finder[0], finder[1], -1, after]) for pair in candidates}
    assert tuple(off) == min(found, key=found.get)
    logits, patterns = logits_without(model, ids, off)
    weights = patterns[finder[0], finder[1], -1]
    assert np.allclose(values(steps[3], "without"), weights, atol=1e-5)
    assert right(steps[3]) == "It falls"
    (facts,) = [item for item in steps[5].show if isinstance(item, Facts)]
    alone, _ = logits_without(model, ids, [finder])
    expected = [trace["logits"][0, -1], logits, alone]
    for (_, said, _), found in zip(facts.facts, expected, strict=True):
        assert float(said) == pytest.approx(float(found.softmax(-1)[ids[after]]), abs=1e-4)
    others = sum(float(pattern(trace, i, j)[-1, after]) >= SCORE for i in range(6) for j in range(8)) - 1
    assert f"of the others, {others} put" in steps[5].text


def test_what_the_head_adds_to_each_logit_is_its_output_through_the_last_norm(case):
    steps, model, trace, ids, (_, after, _) = case
    layer, head = heads_said(steps[4].text)[0]
    x = trace["blocks.5.resid_post"][0, -1].double()
    written = (
        model.blocks[layer].attn.out_proj.weight[:, head * 32 : head * 32 + 32].double()
        @ trace[f"blocks.{layer}.attn.z"][0, head, -1].double()
    )
    normed = (written - written.mean()) / (x.var(unbiased=False) + model.ln_f.eps).sqrt() * model.ln_f.weight.double()
    (bars,) = [item for item in steps[4].show if isinstance(item, Bars)]
    found = dict(zip(bars.names, bars.series["added"]))
    assert len(found) == len(set(ids[1:]))
    for id in set(ids[1:]):
        expected = float(normed @ model.lm_head.weight[id].double())
        assert found[load_tokenizer().piece(id)] == pytest.approx(expected, abs=1e-4)
    assert bars.names[bars.marks[0]] == load_tokenizer().piece(ids[after]) == max(found, key=found.get)


def test_random_tokens_are_scored_by_hand(case):
    steps, model, *_ = case
    ids = repeats(load_tokenizer(), 256, random.Random(SEED))[0]
    n = len(ids) // 2
    with torch.inference_mode(), record(model) as trace:
        logits = model(torch.tensor([ids]))[0]
    count = 0
    for layer in range(6):
        out = model.blocks[layer].attn.out_proj.weight
        for head in range(8):
            weights = pattern(trace, layer, head)
            matching = sum(float(weights[n + i, i + 1]) for i in range(n)) / n
            assert values(steps[6], "matching")[layer, head] == pytest.approx(matching, abs=1e-5)
            hits = 0
            for i in range(n):
                written = out[:, head * 32 : head * 32 + 32] @ trace[f"blocks.{layer}.attn.z"][0, head, n + i]
                votes = model.lm_head.weight[ids[:n]] @ ((written - written.mean()) * model.ln_f.weight)
                hits += int(votes.argmax()) == (i + 1) % n
            copying = values(steps[6], "copying")[layer, head]
            assert copying == pytest.approx(hits / n, abs=1.5 / n)  # a tie may fall the other way
            count += min(matching, copying) >= SCORE
    assert right(steps[6]) == str(count) and len(panel(steps[6], "matching").marks) == count >= 2
    losses = F.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")
    (facts,) = [item for item in steps[6].show if isinstance(item, Facts)]
    said = [number.split()[0] for _, number, _ in facts.facts]
    assert float(said[0]) == pytest.approx(float(losses[: n - 1].mean()), abs=1e-3)
    assert float(said[1]) == pytest.approx(float(losses[n:].mean()), abs=1e-3) and float(said[1]) < float(said[0])


def test_what_came_first_is_what_was_recorded(case):
    recorded = json.loads((ASSETS / "timeline" / "decoder" / "timeline.json").read_text(encoding="utf-8"))
    first = {}
    for name in ("previous token", "prefix matching"):
        tops = [np.max(scores) for scores in recorded["scores"]["decoder"][name]["scores"]]
        first[name] = next(step for step, top in zip(recorded["steps"], tops) if top >= SCORE)
    step = case[0][7]
    assert right(step) == "the head that remembers" and first["previous token"] < first["prefix matching"]
    for number in first.values():
        assert f"step {number:,}" in step.text


def test_a_text_that_repeats_nothing_gives_way_to_the_example_and_says_so(runner):
    own, other = steps_of(runner, "induction", EXAMPLE), steps_of(runner, "induction", BOAT)
    assert [step.text for step in own] == [step.text for step in other]
    assert own[0].source == OWN and EXAMPLE in other[0].source
    scene = LESSONS["induction"].scene(runner, "go to to", {})
    assert Circuit(scene).after == Circuit(scene).T - 1  # a token that follows itself


def test_a_model_of_other_sizes_is_measured_too(other):
    steps = steps_of(other, "induction", HARRY)
    assert panel(steps[6], "matching").values.shape == (3, 2)
    assert "does that well" in steps[1].text  # random weights remember nothing
    assert not any(isinstance(item, Message) for item in steps[6].show)
