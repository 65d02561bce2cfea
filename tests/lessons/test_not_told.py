"""What attention does not tell: every measurement anew, one head and one forward at a time."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch.nn import functional as F

from explorer.lessons.course.evidence import FITTED, LONGEST, TESTED, TUNED, lenses
from explorer.lessons.lesson import Bars, Facts, Message, as_array
from explorer.lessons.mistakes.effects import ARTICLES
from explorer.lessons.teach import teach
from llm_core import intervene, load_model, load_tokenizer, record
from llm_core.analysis.surgery import Edit, interventions
from llm_core.analysis.tuned_lens import TunedLens, divergences, fit, streams_of, train
from llm_core.text.articles import read_articles

from ..common import build, randomised
from .common import BOAT, CUP, panel, right, steps_of, values

HEADS = [(0, 2), (1, 4), (3, 3), (5, 7)]  # enough of the 48 to tell one that is changed wrongly


@pytest.fixture(scope="module", params=[BOAT, CUP], ids=["boat", "cup"])
def case(request, runner):
    """Steps, model, ids and clean logits."""
    model, ids = load_model("decoder").requires_grad_(False), runner.encode(request.param)[:16]
    with torch.inference_mode(), record(model) as trace:
        model(torch.tensor([ids]))
    return steps_of(runner, "beyond-attention", request.param, layer=2, head=4), model, ids, trace


def log_p(logits, answer: int) -> float:
    return float(logits.log_softmax(-1)[answer])


def logits_with(model, ids, edits=(), means=None, more=None):
    with torch.inference_mode(), intervene(model, {**interventions(model, edits, means), **(more or {})}):
        return model(torch.tensor([ids]))[0, -1]


def test_what_is_carried_is_weight_times_the_length_of_what_is_added(case):
    steps, model, ids, trace = case
    attn, D = model.blocks[2].attn, 32
    lengths = []
    for s in range(len(ids)):
        written = attn.out_proj.weight[:, 4 * D : 5 * D] @ trace["blocks.2.attn.v"][0, 4, s]
        lengths.append(math.sqrt(sum(float(number) ** 2 for number in written)))
    weights = trace["blocks.2.attn.pattern"][0, 4, -1]
    assert np.allclose(values(steps[0], "weights"), weights, atol=1e-6)
    assert np.allclose(values(steps[0], "lengths"), lengths, rtol=1e-4)
    assert np.allclose(values(steps[0], "carried"), weights * torch.tensor(lengths), rtol=1e-4, atol=1e-5)
    assert right(steps[0]).endswith(f"(position {int((weights * torch.tensor(lengths)).argmax())})")


def test_where_weight_and_effect_part_is_counted(case):
    steps, model, _, trace = case
    count, place = 0, values(steps[1], "place")
    for layer, block in enumerate(model.blocks):
        for head in range(8):
            columns = block.attn.out_proj.weight[:, head * 32 : head * 32 + 32]
            lengths = F.linear(trace[f"blocks.{layer}.attn.v"][0, head], columns).norm(dim=1)
            weights = trace[f"blocks.{layer}.attn.pattern"][0, head, -1]
            assert place[layer, head] == int((weights * lengths).argmax())
            count += int(weights.argmax()) != place[layer, head]
    assert right(steps[1]) == str(count) and len(panel(steps[1], "place").marks) == count


def test_shares_of_the_logit_are_what_each_head_adds(case):
    """A head's share: its output through the final norm at the scale it had, times the answer's row."""
    steps, model, _, trace = case
    x, answer = trace["blocks.5.resid_post"][0, -1].double(), int(trace["logits"][0, -1].argmax())
    scale = (x.var(unbiased=False) + model.ln_f.eps).sqrt()
    row = model.lm_head.weight[answer].double() * model.ln_f.weight.double()
    for layer, head in HEADS:
        columns = model.blocks[layer].attn.out_proj.weight[:, head * 32 : head * 32 + 32].double()
        written = columns @ trace[f"blocks.{layer}.attn.z"][0, head, -1].double()
        share = float((written - written.mean()) @ row / scale)
        assert values(steps[2], "added")[layer, head] == pytest.approx(share, abs=1e-4)
    assert right(steps[2]) == str(int((values(steps[2], "added") < 0).sum()))


def test_ablations_are_those_of_surgery_one_head_at_a_time(case, runner):
    steps, model, ids, trace = case
    answer = int(trace["logits"][0, -1].argmax())
    clean = log_p(trace["logits"][0, -1], answer)
    for layer, head in HEADS:
        for name, step in (("zero", 3), ("mean", 4)):
            edit = Edit(what="head", how=name, layer=layer, head=head)
            change = log_p(logits_with(model, ids, [edit], runner.means), answer) - clean
            assert values(steps[step], name)[layer, head] == pytest.approx(change, abs=2e-4)
        even = logits_with(model, ids, [Edit(what="head", how="uniform", layer=layer, head=head)])
        moved = float((even.softmax(-1) - trace["logits"][0, -1].softmax(-1)).abs().sum() / 2)
        assert values(steps[6], "moved")[layer, head] == pytest.approx(moved, abs=1e-4)
    assert right(steps[3]) == "layer {}, head {}".format(*divmod(int(values(steps[3], "zero").argmin()), 8))


def test_the_change_of_the_others_adds_up_to_the_fall(case):
    steps, model, ids, trace = case
    (facts,) = [
        dict((what, float(number)) for what, number, _ in i.facts) for i in steps[5].show if isinstance(i, Facts)
    ]
    ((layer, head),) = panel(steps[5], "others").marks
    answer = int(trace["logits"][0, -1].argmax())
    after = logits_with(model, ids, [Edit(what="head", how="zero", layer=layer, head=head)])
    fell = float(trace["logits"][0, -1, answer] - after[answer])
    assert facts["the logit fell by"] == pytest.approx(fell, abs=2e-4)
    assert facts["the head added"] == pytest.approx(values(steps[2], "added")[:5].max(), abs=1e-4)
    assert facts["other heads changed by"] == pytest.approx(values(steps[5], "others").sum(), abs=2e-4)
    rest = (
        facts["other heads changed by"] + facts["MLPs changed by"] + facts["embeddings and biases, by the norm's scale"]
    )
    assert facts["the head added"] - rest == pytest.approx(fell, abs=1e-3)
    difference = fell - facts["the head added"]
    expected = "by just that" if abs(difference) < 0.01 else "by less" if difference < 0 else "by more"
    assert right(steps[5]) == expected


def test_patching_puts_back_what_one_head_said(case, runner):
    steps, model, ids, trace = case
    answer = int(trace["logits"][0, -1].argmax())
    clean = log_p(trace["logits"][0, -1], answer)
    filler = runner.encode(" thing")[-1]
    broken = [[*ids[:place], filler, *ids[place + 1 :]] for place in range(1, len(ids))]
    worst = min(broken, key=lambda row: log_p(logits_with(model, row), answer))
    low = log_p(logits_with(model, worst), answer)
    (facts,) = [dict((what, number) for what, number, _ in i.facts) for i in steps[7].show if isinstance(i, Facts)]
    best = divmod(int(values(steps[7], "restored").argmax()), 8)
    assert facts["by"] == "layer {}, head {}".format(*best)
    assert float(facts["most restored"]) == pytest.approx(values(steps[7], "restored")[best], abs=1e-3)
    assert float(facts["ln p, whole text"]) == pytest.approx(clean, abs=2e-4)
    assert float(facts["ln p, token replaced"]) == pytest.approx(low, abs=2e-4)
    for layer, head in HEADS:

        def put_back(z, layer=layer, head=head):
            new = z.clone()
            new[:, head] = trace[f"blocks.{layer}.attn.z"][:, head]
            return new

        patched = log_p(logits_with(model, worst, more={f"blocks.{layer}.attn.z": put_back}), answer)
        expected = (patched - low) / (clean - low)
        assert values(steps[7], "restored")[layer, head] == pytest.approx(expected, abs=1e-3)


def test_a_lens_is_the_best_affine_map_of_its_kind():
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(1))
    truth = torch.randn(6, 6, generator=torch.Generator().manual_seed(2))
    y = x @ truth + 3
    A, b = fit(x, y)
    with_ones = np.concatenate([x, np.ones((300, 1))], axis=1)
    best = np.linalg.lstsq(with_ones, y.numpy(), rcond=None)[0]
    assert np.allclose(A + torch.eye(6), best[:6], atol=0.06) and np.allclose(b, best[6], atol=0.06)


def test_lenses_are_measured_on_texts_that_they_were_not_fitted_on(case, runner):
    steps, model, _, trace = case
    (line,) = ARTICLES.read_text(encoding="utf-8").splitlines()[FITTED : FITTED + 1]
    article, found = json.loads(line), lenses(runner)
    ids = runner.encode(f"{article['title']}\n{article['text']}")[:LONGEST]
    with torch.inference_mode(), record(model, ["blocks.2.resid_post", "logits"]) as other:
        model(torch.tensor([ids]))
    own, stream = other["logits"][0].log_softmax(-1), other["blocks.2.resid_post"][0]
    with safe_open(TUNED, "pt") as file:
        trained = [file.get_tensor(name)[3].float() for name in ("weights", "biases")]
    maps = [(found.fit.weights[3], found.fit.biases[3]), trained]
    with torch.inference_mode():
        rows = [stream, *(stream + stream @ A + b for A, b in maps)]
        plain, mapped, tuned = ((model.ln_f(x) @ model.lm_head.weight.T).log_softmax(-1) for x in rows)
    far, near, nearest = (
        float(F.kl_div(read, own, log_target=True, reduction="batchmean")) for read in (plain, mapped, tuned)
    )
    assert near < 0.7 * far and nearest < near  # on one of the tested texts, as in the mean
    assert found.fitted[3] < 0.7 * found.plain[3] and found.plain[-1] == pytest.approx(0, abs=1e-5)
    assert all(fitted <= plain for fitted, plain in zip(found.fitted, found.plain))
    assert all(tuned < fitted for tuned, fitted in zip(found.tuned[1:-1], found.fitted[1:-1]))  # behind any layer
    bars = [item for item in steps[8].show if isinstance(item, Bars)]
    assert bars[0].series["logit lens"] == found.plain and bars[0].series["tuned lens"] == found.tuned
    assert right(steps[8]) == "the tuned lens" and bars[0].by_row
    said = [item.words for item in steps[8].show if isinstance(item, Message)]
    if found.fitted[0] < found.tuned[0]:  # and there alone, as is said between the charts
        nearer = f"nearer at: embedding ({found.fitted[0]:.3f} against {found.tuned[0]:.3f})."
        assert nearer in said[0] and len(said) == 2
    else:
        assert len(said) == 1
    assert (found.read, found.tested) == (FITTED * LONGEST, TESTED * LONGEST)
    answer = int(trace["logits"][0, -1].argmax())
    last = float(trace["logits"][0, -1].softmax(-1)[answer])
    assert [series[-1] for series in bars[1].series.values()] == pytest.approx([last] * 3, abs=1e-4)


def test_what_the_tuned_lens_gains_is_what_its_file_says():
    """A row of the figures that came with it, anew: on the articles that ship, which it has not read."""
    model, lens, tokenizer = load_model("decoder").requires_grad_(False), TunedLens.load(TUNED), load_tokenizer()
    told = json.loads(lens.about["held_out_kl"])
    rows = [[tokenizer.start, *tokenizer.encode(f"{one.title}\n{one.text}")] for one in read_articles(str(ARTICLES))]
    streams = streams_of(model, [row[:64] for row in rows if len(row) >= 64])
    assert streams.shape[1] == int(lens.about["held_out_tokens"])
    assert divergences(model, streams, lens) == pytest.approx(told["tuned lens"], abs=2e-3)  # it ships as float16
    assert divergences(model, streams) == pytest.approx(told["logit lens"], abs=1e-3)
    gains = np.array(told["least squares"][:-1]) - np.array(told["tuned lens"][:-1])
    assert gains.min() > 0 and TUNED.stat().st_size < 2**20


def test_training_a_lens_gets_nearer_than_least_squares():
    model = randomised(build("decoder")).requires_grad_(False)
    ids = torch.randint(29, (12, 7), generator=torch.Generator().manual_seed(3)).tolist()
    streams = streams_of(model, ids)
    start, after = (divergences(model, streams, train(model, streams, steps, 32, 1e-2)) for steps in (0, 40))
    assert sum(after) < sum(start) and after[-1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "sentence"), [({"layer": 6}, "Layer: 6 is not one of"), ({"head": "1"}, "Head: '1' is not one of")]
)
def test_settings_that_cannot_be_are_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        teach(runner, "beyond-attention", BOAT, given)


def test_products_name_operands_that_give_the_cell(case):
    carried = panel(case[0][0], "carried")
    a, b = as_array(carried.formula.a.values), as_array(carried.formula.b.values)
    assert np.allclose(a * b, as_array(carried.values), atol=1e-5)
