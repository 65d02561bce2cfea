"""The bug museum: every wrong picture and every loss against a decoder written out here, with the same mistake."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.lessons.course import museum
from explorer.lessons.course.museum import LESSON
from explorer.lessons.lesson import Bars, Facts, Message, Panel, as_array
from explorer.lessons.mistakes import effects, exhibit, verdict
from explorer.lessons.mistakes.effects import ARTICLES
from explorer.lessons.teach import payload_of
from llm_core import Decoder, ModelConfig, save_model
from llm_core.mistakes.known import MISTAKES, NAMED, right_lines, wrong_lines, wrong_source

from ..common import randomised
from .common import BOAT, CUP, ODD_TEXTS, panel, right, steps_of

NAMES = [mistake.name for mistake in MISTAKES]
EVAL = [mistake.name for mistake in MISTAKES if mistake.mode == "eval"]
LEAKS = {"wrong-split", "wrong-merge", "softmax-axis", "mask-after-softmax", "mask-inverted", "mask-off-by-one"}
STEP = {name: number for number, name in enumerate(NAMES, 1)}
MEASURED = {
    "model": {"n_layer": 2, "n_head": 4, "n_embd": 64, "vocab_size": 8192},
    "num_tokens": 614_400,
    "right": {"loss": [6.0, 5.0], "honest_loss": 5.0},
    "right_other_seeds": [5.03, 4.98],
    "mistakes": {name: {"loss": [6.0, 5.01], "honest_loss": 5.01} for name in NAMES}
    | {
        "third-dropout": {"loss": [6.0, 5.06], "honest_loss": 5.06},
        "mask-off-by-one": {"loss": [3.0, 2.5], "honest_loss": 7.25},
        "no-scale": {"loss": [6.0, 5.09], "honest_loss": 5.5},
        "one-head": {"loss": [6.0, math.nan], "honest_loss": math.nan},
        "no-positions": {"loss": [6.0, 4.92], "honest_loss": 5.0},
    },
}


@pytest.fixture(scope="module")
def steps(runner):
    """The steps of two texts, built once."""
    return {text: steps_of(runner, "museum", text) for text in (BOAT, CUP)}


@pytest.fixture
def nothing_measured(monkeypatch):
    monkeypatch.setattr(verdict, "measurements", lambda: None)
    monkeypatch.setattr(museum, "measurements", lambda: None)


@pytest.fixture
def measured_so(monkeypatch):
    monkeypatch.setattr(verdict, "measurements", lambda: MEASURED)
    monkeypatch.setattr(museum, "measurements", lambda: MEASURED)


def tiny(folder, **sizes) -> Runner:
    torch.manual_seed(1)
    config = ModelConfig(**{"vocab_size": 8192, "block_size": 24, "n_layer": 2, "n_head": 2, "n_embd": 12, **sizes})
    save_model(randomised(Decoder(config)), folder)
    return Runner(str(folder))


# a decoder by hand, with a mistake


def by_hand(model: Decoder, ids: list[int], name: str = "") -> tuple[torch.Tensor, torch.Tensor]:
    """Patterns (L, H, T, T) and logits (T, V), computed with nothing but the weights."""
    ids, T = torch.tensor(ids), len(ids)
    x = model.embedding.token_table.weight[ids]
    if name != "no-positions":
        x = x + model.embedding.position_table.weight[:T]
    patterns = []
    for block in model.blocks:
        mixed, pattern = attention_by_hand(block.attn, norm(block.ln_1, x), 1 if name == "one-head" else 0, name)
        patterns.append(pattern)
        x = x + mixed
        hidden = F.gelu(linear(block.mlp.up_proj, norm(block.ln_2, x)), approximate="tanh")
        x = x + linear(block.mlp.down_proj, hidden)
        if name == "norm-in-every-block":
            x = norm(model.ln_f, x)
    x = x if name == "norm-in-every-block" else norm(model.ln_f, x)
    return torch.stack(patterns), x @ model.embedding.token_table.weight.T


def attention_by_hand(attn, x, n_head, name):
    (T, C), H = x.shape, n_head or attn.n_head
    D = C // H
    wholes = [linear(layer, x) for layer in (attn.q_proj, attn.k_proj, attn.v_proj)]  # (T, C)
    z, patterns = [], []
    for h in range(H):
        q, k, v = (part_by_hand(whole, h, D, name) for whole in wholes)  # (T, D)
        pattern = weights_by_hand(q @ k.T, math.sqrt({"no-scale": 1, "scale-by-width": C}.get(name, D)), name)
        patterns.append(pattern)
        z.append(pattern @ v)
    merged = torch.stack(z).flatten().view(T, C) if name == "wrong-merge" else torch.cat(z, dim=1)
    return linear(attn.out_proj, merged), torch.stack(patterns)


def part_by_hand(whole, h, D, name):
    T = len(whole)
    if name == "wrong-split":
        return whole.flatten()[h * T * D : (h + 1) * T * D].view(T, D)
    return whole[:, h * D : (h + 1) * D]


def weights_by_hand(scores, scale, name):
    T = len(scores)
    i, j = torch.arange(T)[:, None], torch.arange(T)
    visible = {"mask-inverted": j > i, "mask-off-by-one": j <= i + 1}.get(name, j <= i)
    powers = (scores / scale - (scores / scale).max()).double().exp()
    if name == "mask-after-softmax":
        return (powers / powers.sum(1, keepdim=True) * visible).float()
    powers = powers * visible
    return (powers / powers.sum(0 if name == "softmax-axis" else 1, keepdim=True)).nan_to_num().float()


def linear(layer, x):
    return x @ layer.weight.T + layer.bias


def norm(layer, x):
    x = x - x.mean(-1, keepdim=True)
    return x / (x.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias


def loss_by_hand(runner: Runner, name: str = "") -> float:
    losses = []
    for line in ARTICLES.read_text(encoding="utf-8").splitlines()[:8]:
        article = json.loads(line)
        ids = runner.encode(f"{article['title']}\n{article['text']}")[:96]
        shares = by_hand(runner.model, ids, name)[1].log_softmax(-1)
        losses += [-float(shares[i, ids[i + 1]]) for i in range(len(ids) - 1)]
    return sum(losses) / len(losses)


def close(shown, expected, atol=2e-4) -> None:
    np.testing.assert_allclose(as_array(shown), as_array(expected), atol=atol)


def facts(step) -> dict[str, str]:
    return {what: value for item in step.show if isinstance(item, Facts) for what, value, _ in item.facts}


def number(text: str) -> float:
    return float(text.split()[0])


# what is shown


@torch.inference_mode()
@pytest.mark.parametrize("text", [BOAT, CUP])
@pytest.mark.parametrize("name", EVAL)
def test_the_wrong_pattern_is_that_of_a_decoder_with_the_mistake(runner, steps, text, name):
    ids, step = runner.encode(text)[:16], steps[text][STEP[name]]
    expected, logits = by_hand(runner.model, ids, name)
    close(panel(step, "wrong_patterns").values, expected.transpose(0, 1))
    layer, head = place_of(panel(step, "pattern"))
    close(panel(step, "wrong_pattern").values, expected[layer, 0 if name == "one-head" else head])
    bars = next(item for item in step.show if isinstance(item, Bars))
    ids_of_bars = {runner.tokenizer.piece(id): id for id in logits[-1].topk(12).indices.tolist()}
    for piece, share in zip(bars.names, bars.series["wrong"]):
        if piece in ids_of_bars:
            assert share == pytest.approx(float(logits[-1].softmax(-1)[ids_of_bars[piece]]), abs=5e-4)
    assert {runner.tokenizer.piece(int(logits[-1].argmax()))} <= set(bars.names)


def place_of(shown: Panel) -> tuple[int, int]:
    """Layer and head out of "blocks.2.attn.pattern[0, 5, {0}, {1}]"."""
    return int(shown.where.split(".")[1]), int(shown.where.split("[0, ")[1].split(",")[0])


@torch.inference_mode()
@pytest.mark.parametrize("text", [BOAT, CUP])
def test_the_right_column_is_the_model(runner, steps, text):
    ids = runner.encode(text)[:16]
    expected, logits = by_hand(runner.model, ids)
    for name in EVAL:
        step = steps[text][STEP[name]]
        close(panel(step, "right_patterns").values, expected.transpose(0, 1))
        layer, head = place_of(panel(step, "pattern"))
        close(panel(step, "pattern").values, expected[layer, head])
        bars = next(item for item in step.show if isinstance(item, Bars))
        top = int(logits[-1].argmax())
        shown = bars.series["right"][bars.names.index(runner.tokenizer.piece(top))]
        assert shown == pytest.approx(float(logits[-1].softmax(-1)[top]), abs=5e-4)


@pytest.mark.parametrize("name", EVAL)
def test_only_what_the_mask_hides_is_hatched(steps, name):
    step, T = steps[CUP][STEP[name]], 16
    i, j = np.indices((T, T))
    expected = {"mask-inverted": j <= i, "mask-off-by-one": j > i + 1}.get(name, j > i)
    for large, small, hidden in (
        ("pattern", "right_patterns", j > i),
        ("wrong_pattern", "wrong_patterns", expected),
    ):
        np.testing.assert_array_equal(as_array(panel(step, large).hidden), hidden)
        heads = panel(step, small)
        assert (as_array(heads.hidden) == hidden).all() and (as_array(heads.values)[..., hidden] == 0).all()


def test_between_heads_that_changed_alike_the_last_digits_do_not_choose():
    nothing = torch.zeros(2, 3, 4, 4)
    changed = nothing.clone()
    changed[0, 1, 2, 0], changed[1, 2, 3, 1] = 0.5, 0.50001
    show = exhibit.head_to_show(SimpleNamespace(pattern=nothing), SimpleNamespace(pattern=changed), -1, -1)
    assert show == (0, 1)


def test_the_head_is_the_one_that_changed_most_or_the_chosen_one(runner, steps):
    for name in EVAL:
        step = steps[CUP][STEP[name]]
        ours, theirs = (as_array(panel(step, side).values) for side in ("right_patterns", "wrong_patterns"))
        change = np.abs(ours - theirs).sum((2, 3))  # (H, L)
        layer, head = place_of(panel(step, "pattern"))
        layers = [0] if name in exhibit.SCALES else range(change.shape[1])
        assert layer in layers and change[head, layer] == pytest.approx(change[:, layers].max(), rel=1e-5)
    for layer, head in ((0, 0), (3, 5)):
        chosen = steps_of(runner, "museum", CUP, layer=layer, head=head)
        assert all(place_of(panel(chosen[STEP[name]], "pattern")) == (layer, head) for name in EVAL)
    only_layer = steps_of(runner, "museum", CUP, layer=4)
    assert all(place_of(panel(only_layer[STEP[name]], "pattern"))[0] == 4 for name in EVAL)


def test_formulas_give_the_cells(steps):
    """softmax over the letter that the formula names, of the scores it names."""
    for name in EVAL:
        shown = panel(steps[CUP][STEP[name]], "wrong_pattern")
        scores = torch.as_tensor(as_array(shown.formula.a.values)).double()
        expected = scores.softmax(shown.formula.a.letters.index(shown.formula.over)).nan_to_num()
        seen = ~as_array(shown.hidden)
        np.testing.assert_allclose(as_array(shown.values)[seen], expected.numpy()[seen], atol=1e-5)


def test_places_of_a_wrong_split_are_not_named_by_tokens(steps):
    shown = panel(steps[CUP][STEP["wrong-split"]], "wrong_pattern")
    assert [label.strip() for label in shown.rows] == [label.strip() for label in shown.columns]
    assert [label.strip() for label in shown.rows] == [str(i) for i in range(16)]


def test_sums_of_rows_are_told(steps):
    for name in EVAL:
        shown = panel(steps[CUP][STEP[name]], "wrong_pattern")
        sums = as_array(shown.values).sum(1)
        told = [float(word.rstrip(".")) for word in shown.note.split() if word.rstrip(".").replace(".", "").isdigit()]
        assert f"{sums.min():.2f}" == f"{told[0]:.2f}"
        assert (sums.max() - sums.min() < 0.005) or f"{sums.max():.2f}" == f"{told[1]:.2f}"


# losses


@torch.inference_mode()
def test_the_losses_are_those_of_decoders_with_the_mistakes(runner, steps):
    right_loss = loss_by_hand(runner)
    bars = next(item for item in steps[BOAT][0].show if isinstance(item, Bars))
    assert bars.series["switched on"][0] == pytest.approx(right_loss, abs=1e-4)
    for name in NAMES:
        told, expected = facts(steps[BOAT][STEP[name]]), loss_by_hand(runner, name)
        assert number(told["held-out loss, right"]) == pytest.approx(right_loss, abs=6e-4)
        assert number(told["held-out loss, wrong"]) == pytest.approx(expected, abs=2e-3)
        assert bars.series["switched on"][STEP[name]] == pytest.approx(expected, abs=2e-3)
        if name in EVAL:
            assert told["can a token see later ones?"] == ("yes" if name in LEAKS else "no")


def test_losses_are_computed_once(runner, steps, monkeypatch):
    for module in (verdict, effects):
        monkeypatch.setattr(module, "held_out_loss", lambda *_: pytest.fail("computed again"))
    assert len(steps_of(runner, "museum", "another text")) == LESSON.num_steps


@pytest.mark.parametrize(
    ("name", "told", "answer"),
    [
        ("wrong-merge", "5.010", "no"),
        ("third-dropout", "5.060", "no"),
        ("mask-off-by-one", "2.500", "no, it looks better"),
        ("no-positions", "4.920", "no, it looks better"),
        ("no-scale", "5.090", "yes, beside right runs"),
        ("one-head", "not a number", "yes, it is not a number"),
    ],
)
def test_whether_the_loss_would_have_shown_it(runner, measured_so, name, told, answer):
    step = steps_of(runner, "museum")[STEP[name]]
    said = facts(step)
    assert (said["trained right, 3 seeds"], said["trained with it"]) == ("4.980–5.030", told)
    assert said["would the loss have shown it?"] == answer
    words = next(item.words for item in step.show if isinstance(item, Message))
    assert "2 layers, H=4, C=64" in words and "0.6 million tokens" in words
    assert name == "one-head" or "right runs lie 0.050 apart" in words
    honest = said.get("then run by the right code")
    assert (honest is not None) == (name in LEAKS)
    assert name != "mask-off-by-one" or honest == "7.250"


def test_the_overview_counts_what_the_loss_told(runner, measured_so):
    entrance = steps_of(runner, "museum")[0]
    switched, trained = [item for item in entrance.show if isinstance(item, Bars)]  # two models, two charts
    assert switched.names == trained.names == ["No mistake", *(step.title for step in steps_of(runner, "museum")[1:])]
    assert list(switched.series) == ["switched on"] and list(trained.series) == ["trained with it"]
    assert trained.series["trained with it"][0] == 5.0
    assert trained.series["trained with it"][STEP["mask-off-by-one"]] == 2.5
    assert list(facts(entrance).values()) == ["2 of 12", "8 of 12", "2 of 12"]


def test_the_measured_file(runner, steps):
    """Verdicts of the shipped measurements, by the rule that the lesson states."""
    found = verdict.measurements()
    rights = [found["right"]["loss"][-1], *found["right_other_seeds"]]
    for name in NAMES:
        told, wrong = facts(steps[BOAT][STEP[name]]), found["mistakes"][name]["loss"][-1]
        low, high = min(rights), max(rights)
        answer = "no, it looks better" if low - wrong > high - low else "no"
        answer = "yes, beside right runs" if wrong - high > high - low else answer
        assert told["would the loss have shown it?"] == answer
        assert number(told["trained with it"]) == pytest.approx(wrong, abs=6e-4)


def test_a_missing_measurement_is_said(runner, nothing_measured):
    built = steps_of(runner, "museum")
    assert len(built) == LESSON.num_steps
    for step in built:
        assert any("has not been measured yet" in item.words for item in step.show if isinstance(item, Message))
        assert "trained with it" not in facts(step)


# dropout


def test_in_eval_mode_the_third_dropout_does_nothing(steps):
    for built in steps.values():
        told = facts(built[STEP["third-dropout"]])
        assert told["eval mode: largest difference of any logit"] == "0"
        assert told["held-out loss, right"] == told["held-out loss, wrong"]
        assert right(built[STEP["third-dropout"]]) == "not at all"
        eval_bars = [item for item in built[STEP["third-dropout"]].show if isinstance(item, Bars)][1]
        assert eval_bars.series["right"] == eval_bars.series["wrong"]


def test_in_train_mode_a_tenth_of_the_results_is_dropped(runner, steps):
    step = steps[CUP][STEP["third-dropout"]]
    z, wrong = (as_array(panel(step, name).values) for name in ("z", "wrong_z"))
    dropped = wrong == 0
    assert 0.05 < dropped.mean() < 0.16
    np.testing.assert_allclose(wrong[~dropped], z[~dropped] / 0.9, rtol=1e-5)
    assert sorted(map(tuple, panel(step, "wrong_z").marks)) == sorted(map(tuple, np.argwhere(dropped).tolist()))
    assert f"{dropped.sum()} of {dropped.size}" in panel(step, "wrong_z").note
    assert panel(step, "z").limit == panel(step, "wrong_z").limit == pytest.approx(np.abs(wrong).max(), rel=1e-6)
    assert facts(step)["train mode: rate of dropout"] == "p = 0.1"


@torch.inference_mode()
def test_train_mode_starts_from_a_seed(runner, steps):
    """The first layer's values by hand: embedding dropout, then that of the pattern, then the third."""
    ids, step = runner.encode(CUP)[:16], steps[CUP][STEP["third-dropout"]]
    model, block = runner.model, runner.model.blocks[0]
    with torch.random.fork_rng():
        torch.manual_seed(verdict.SEEDS[0])
        x = model.embedding.token_table.weight[torch.tensor([ids])] + model.embedding.position_table.weight[:16]
        x = norm(block.ln_1, F.dropout(x, 0.1))[0]
        pattern = F.dropout(attention_by_hand(block.attn, x, 0, "")[1][None], 0.1)
        D = x.shape[1] // block.attn.n_head
        v = linear(block.attn.v_proj, x).view(16, -1, D).transpose(0, 1)[None]
        z = pattern @ v
        wrong = F.dropout(z, 0.1)
    close(panel(step, "z").values, z[0, 0])
    close(panel(step, "wrong_z").values, wrong[0, 0])


def test_the_model_stays_in_eval_mode_and_random_numbers_go_on(runner):
    torch.manual_seed(8)
    expected = torch.rand(3)
    torch.manual_seed(8)
    exhibit.noisy_runs.cache_clear()
    steps_of(runner, "museum", "never seen before")
    assert torch.equal(torch.rand(3), expected)
    assert not any(part.training for part in runner.model.modules())
    assert runner.model.blocks[0].attn.attn_dropout.p == runner.model.config.attn_pdrop


# questions


@pytest.mark.parametrize("text", [BOAT, CUP, "", "a", "👩‍👧‍👦 é ☕", "مرحبا بالعالم"])
@pytest.mark.parametrize("given", [{}, {"layer": 0, "head": 0}, {"layer": 5, "head": 7}])
def test_questions_have_the_right_answer(runner, text, given):
    ids = runner.encode(text)[:16]
    built, T = steps_of(runner, "museum", text, **given), len(ids)
    asked = {name: built[STEP[name]] for name in NAMES if built[STEP[name]].question}
    assert {name for name in NAMES if name not in asked} <= ({"no-scale", "scale-by-width", "mask-off-by-one"})
    assert len(asked) == len(NAMES) or T <= 2 or given.get("layer")
    for name in ("wrong-split", "no-positions", "norm-in-every-block"):
        more = number(facts(asked[name])["held-out loss, wrong"]) - number(facts(asked[name])["held-out loss, right"])
        assert right(asked[name]) == f"it rises by {'more' if more > 1 else 'less'} than 1 nat"
    assert right(asked["wrong-merge"]) == ("in layer 1" if T > 1 else "in none: patterns are computed before merging")
    assert right(asked["one-head"]) == f"(1, 1, {T}, {T})"
    assert right(asked["mask-inverted"]) == "nothing at all"
    for name in ("softmax-axis", "mask-after-softmax"):
        first = as_array(panel(asked[name], "wrong_pattern").values)[0].sum()
        expected = "less than 1" if first < 0.9995 else "exactly 1"
        assert right(asked[name]) == expected
    for name in {"no-scale", "scale-by-width", "mask-off-by-one"} & asked.keys():
        check_two_maps(runner, asked[name], name, ids)


@torch.inference_mode()
def check_two_maps(runner, step, name, ids):
    """The picture that is called right is the model's, the other one that of the mistake; no word says which."""
    shown = {item.name: item for item in step.question.before}
    assert sorted(shown) == ["A", "B"]
    (good,), (bad,) = [right(step)], {"A", "B"} - {right(step)}
    ours, theirs = by_hand(runner.model, ids)[0], by_hand(runner.model, ids, name)[0]
    heads = [(i, h) for i in range(len(ours)) for h in range(ours.shape[1]) if near(shown[good].values, ours[i, h])]
    assert place_of(panel(step, "pattern")) in heads, "what is asked about is what is then shown"
    assert any(near(shown[bad].values, theirs[place]) for place in heads)
    assert all(not (item.title or item.where or item.note or item.formula) for item in shown.values())


def near(shown, expected) -> bool:
    return bool(np.allclose(as_array(shown), as_array(expected), atol=2e-4))


def test_the_right_map_is_not_always_the_same_letter(steps):
    names = ("no-scale", "scale-by-width", "mask-off-by-one")
    assert {right(steps[BOAT][STEP[name]]) for name in names} == {"A", "B"}


# code, links, settings, texts, models


@pytest.mark.parametrize("name", NAMES)
def test_both_sides_of_the_code_are_marked(steps, name):
    good, bad = steps[BOAT][STEP[name]].code
    assert (good.tone, bad.tone) == ("right", "wrong")
    for code, lines in ((good, right_lines(NAMED[name])), (bad, wrong_lines(NAMED[name]))):
        assert [i + 1 for i in code.marked] == [number for number, _ in lines]
    listing = "\n".join("".join(text for _, text in pieces) for pieces in bad.lines)
    assert listing == wrong_source(NAMED[name]).rstrip()


def test_stories_and_links_are_the_mistakes_own(steps):
    for mistake in MISTAKES:
        step = steps[BOAT][STEP[mistake.name]]
        assert (step.title, step.text) == (mistake.title, mistake.story)
        links = [item.links for item in step.show if isinstance(item, Message) and item.links]
        assert links == ([mistake.links] if mistake.links else [])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layer": 6}, "Layer: 6 is not one of auto, 0, 1, 2, 3, 4, 5"),
        ({"head": 8}, "Head: 8 is not one of auto, 0, 1, 2, 3, 4, 5, 6, 7"),
        ({"layer": "auto"}, "Layer: 'auto' is not one of"),
    ],
)
def test_bad_settings_are_one_sentence(runner, given, message):
    with pytest.raises(ValueError, match=message):
        LESSON.scene(runner, BOAT, given)


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_any_text(runner, text):
    payload = payload_of(runner, LESSON, text)
    header, arrays = unpack(payload)
    assert len(header["steps"]) == 13 and len(payload) < 1_500_000
    json.dumps(header, allow_nan=False)
    patterns = [arrays[item["values"]] for step in header["steps"] for item in step["show"] if item["kind"] == "panel"]
    assert all(np.isfinite(array).all() for array in patterns)


def test_other_models(tmp_path):
    for sizes in ({}, {"n_layer": 1, "n_head": 1}, {"n_head": 3, "bias": False}, {"attn_pdrop": 0.3}):
        other = tiny(tmp_path / str(len(str(sizes))), **sizes)
        built = steps_of(other, "museum", CUP)
        assert len(built) == 13
        L, H = (other.facts.n_layer, other.facts.n_head)
        assert as_array(panel(built[1], "wrong_patterns").values).shape == (H, L, 16, 16)
        assert as_array(panel(built[STEP["one-head"]], "wrong_patterns").values).shape == (1, L, 16, 16)
        rate = facts(built[STEP["third-dropout"]])["train mode: rate of dropout"]
        assert rate == f"p = {other.model.config.attn_pdrop or 0.1:g}"
        if L == 1:
            assert right(built[STEP["wrong-merge"]]) == "in none: patterns are computed before merging"


def test_a_softmax_over_queries_gives_the_first_ones_too_little_and_the_last_too_much(steps):
    step = steps[CUP][STEP["softmax-axis"]]
    sums = as_array(panel(step, "wrong_pattern").values).sum(1)  # of rows: each should be 1
    assert sums[0] < 1 < sums[-1]
    assert "the first queries get too little and the last too much" in step.text
