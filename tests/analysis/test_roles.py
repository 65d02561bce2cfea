"""Heads of known behaviour get the scores they must get, uniform attention gets no badge, and seeds repeat."""

import math
import sys

import pytest
import torch
from torch.testing import assert_close

from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, load_model, load_tokenizer
from llm_core.analysis.patterns import uniform
from llm_core.analysis.roles import ROLES, Roles, badges, delimiters, head_roles, repeat_scores, text_scores
from llm_core.model.masks import causal_mask
from llm_core.model.recording import hook_points, intervene

from ..common import DECODER, ENCODER, build, randomised

L, H = 2, 3
NAMES = [role.name for role in ROLES]
tokenizer = load_tokenizer()


def tiny(architecture: type = Decoder, block_size: int = 23, **sizes):
    """Random weights, our vocabulary, and nothing else of a usual size."""
    config = ModelConfig(vocab_size=tokenizer.n_vocab, block_size=block_size, n_layer=L, n_head=H, n_embd=12, **sizes)
    return randomised(architecture(config))


def causal(T: int) -> torch.Tensor:
    return causal_mask(T)[0, 0]


def looking(offset: int, T: int) -> torch.Tensor:
    """(T, T): every query looks at the key ``offset`` places back, at the first key if there is none."""
    pattern = torch.zeros(T, T)
    for i in range(T):
        pattern[i, max(i - offset, 0)] = 1
    return pattern


def at_first_place(T: int) -> torch.Tensor:
    return looking(T, T)


# --- the scores of one pattern ---------------------------------------------------------------------------


def test_text_scores_equal_the_loops_by_hand():
    T, marks = 7, torch.tensor([0, 1, 0, 0, 1, 0, 1]).bool()
    pattern = torch.randn(L, H, T, T).masked_fill(~causal(T), -math.inf).softmax(-1)
    scores = text_scores(pattern, causal(T), marks)
    for layer in range(L):
        for h in range(H):
            p = pattern[layer, h].tolist()
            later = range(1, T)
            expected = {
                "previous token": sum(p[i][i - 1] for i in later) / 6,
                "same token": sum(p[i][i] for i in later) / 6,
                "first token": sum(p[i][0] for i in later) / 6,
                "delimiter": sum(p[i][1] + p[i][4] + p[i][6] for i in later) / 6,
                "broad": sum(-sum(x * math.log(x) for x in p[i] if x) / math.log(i + 1) for i in later) / 6,
            }
            assert scores.keys() == expected.keys()
            for name, value in expected.items():
                assert scores[name][layer, h].item() == pytest.approx(value, abs=1e-6), name


def test_repeat_scores_equal_the_loops_by_hand():
    n = 5
    ids = torch.randperm(40)[:n].repeat(2).tolist()
    pattern = torch.randn(L, H, 2 * n, 2 * n).masked_fill(~causal(2 * n), -math.inf).softmax(-1)
    scores = repeat_scores(pattern)
    for layer in range(L):
        for h in range(H):
            p = pattern[layer, h]
            earlier = {i: ids.index(ids[i]) for i in range(n, 2 * n)}
            matching = sum(p[i, j + 1].item() for i, j in earlier.items()) / n
            duplicate = sum(p[i, j].item() for i, j in earlier.items()) / n
            assert scores["prefix matching"][layer, h].item() == pytest.approx(matching, abs=1e-6)
            assert scores["duplicate token"][layer, h].item() == pytest.approx(duplicate, abs=1e-6)


def test_delimiters_are_punctuation_and_line_ends():
    ids = [tokenizer.start, *tokenizer.encode("How to wait\n1. Sit, don't run ... (yes)  ok"), tokenizer.end]
    found = [tokenizer.piece(id) for id, is_one in zip(ids, delimiters(ids, tokenizer)) if is_one]
    assert found == ["\n", ".", ",", "...", " (", ")"]


# --- heads of known behaviour, in a model ----------------------------------------------------------------


def roles_of(pattern_of, model=None) -> Roles:
    """The roles of a model whose every head has the pattern ``pattern_of(T)``."""
    model = model or tiny()
    with intervene(model, {"blocks.*.attn.pattern": lambda p: pattern_of(p.shape[-1]).expand_as(p)}):
        return head_roles(model, tokenizer)


@pytest.mark.parametrize(
    "name, pattern_of",
    [
        ("previous token", lambda T: looking(1, T)),
        ("same token", lambda T: looking(0, T)),
        ("first token", at_first_place),
    ],
)
def test_a_pure_head_scores_1_and_wears_its_badge_alone(name, pattern_of):
    roles = roles_of(pattern_of)
    assert_close(roles.scores[name], torch.ones(L, H))
    assert badges(roles) == [[[name]] * H] * L


@pytest.mark.parametrize("name, shift", [("prefix matching", 1), ("duplicate token", 0)])
def test_a_head_that_finds_the_repeat_scores_1_and_one_of_fixed_distance_does_not(name, shift):
    """On a text, T is 23; the random sequences are even, so each pattern is told by its length."""
    roles = roles_of(lambda T: uniform(causal(T)) if T == 23 else looking(T // 2 - shift, T))
    assert_close(roles.scores[name], torch.ones(L, H))
    assert badges(roles) == [[[name, "broad"]] * H] * L
    fixed = roles_of(lambda T: looking(11 - shift, T))  # right for the longest of the four lengths only
    assert_close(fixed.scores[name], torch.full((L, H), 0.25), atol=0.13, rtol=0)
    assert name not in badges(fixed)[0][0]


def test_a_head_on_delimiters_scores_1():
    model = tiny(block_size=60)
    seen = {}

    def keep(token):
        return seen.setdefault("token", token)

    def on_delimiters(pattern):
        T = pattern.shape[-1]
        table = model.embedding.token_table.weight
        ids = [int((table == vector).all(-1).nonzero()[0]) for vector in seen.pop("token")[0]]
        marks = delimiters(ids, tokenizer)
        visible = causal(T) & marks
        seeing = torch.where(visible.any(-1, keepdim=True), visible, causal(T))
        before.append((~visible.any(-1))[1:].float().mean().item())
        return uniform(seeing).expand_as(pattern)

    before = []
    with intervene(model, {"embedding.token": keep, "blocks.0.attn.pattern": on_delimiters}):
        roles = head_roles(model, tokenizer)
    texts = before[:8]  # where no delimiter stands before, a query has to look elsewhere
    assert 0 < sum(texts) / 8 < 0.4
    assert_close(roles.scores["delimiter"][0], torch.full((H,), 1 - sum(texts) / 8))
    assert all("delimiter" in worn for worn in badges(roles)[0])


@pytest.mark.parametrize("block_size", [2, 3, 5, 6, 7, 23, 140])
@pytest.mark.parametrize("architecture", [Decoder, Encoder])
def test_uniform_attention_scores_its_baseline_and_wears_no_badge_but_broad(architecture, block_size):
    def pattern_of(T):
        return uniform(causal(T) if architecture is Decoder else torch.ones(T, T))

    roles = roles_of(pattern_of, tiny(architecture, block_size))
    repeated = ["prefix matching", "induction", "duplicate token"] if architecture is Decoder else NAMES[3::2][:2]
    assert set(roles.scores) - {"delimiter"} == set(NAMES[:3] + ["broad"] + (repeated if block_size > 5 else []))
    for name, score in roles.scores.items():
        baseline = roles.baselines[name]
        if name == "induction":  # the values decide what is copied: the lower of two may be lower
            assert (score <= baseline + 1e-5).all() and baseline == roles.baselines["prefix matching"]
            continue
        assert_close(score, torch.full((L, H), float(baseline)), atol=1e-5, rtol=0)
    assert badges(roles) == [[["broad"]] * H] * L


def test_baselines_are_what_chance_gives():
    baselines = roles_of(lambda T: uniform(causal(T))).baselines
    mean = sum(1 / (i + 1) for i in range(1, 23)) / 22  # each text fills the window of 23
    for name in ("previous token", "same token", "first token"):
        assert baselines[name] == pytest.approx(mean, abs=1e-6)
    lengths = [5, 7, 9, 11]
    repeats = sum(sum(1 / (i + 1) for i in range(n, 2 * n)) / n for n in lengths) / 4
    for name in ("prefix matching", "induction", "duplicate token"):  # to copy by chance, 1 / n, is likelier
        assert baselines[name] == pytest.approx(repeats, abs=1e-6)
    assert 0 < baselines["delimiter"] < 0.3 and baselines["broad"] == pytest.approx(1, abs=1e-5)


def test_lifts_put_chance_at_0_and_purity_at_1():
    roles = Roles(scores={"induction": torch.tensor([[0.2, 0.6, 1.0]])}, baselines={"induction": 0.2})
    assert_close(roles.lifts["induction"], torch.tensor([[0.0, 0.5, 1.0]]))
    broad = torch.tensor([[0.2, 1.0]])  # what uniform attention does is the role itself
    assert_close(Roles(scores={"broad": broad}, baselines={"broad": 1.0}).lifts["broad"], broad)
    assert badges(roles) == [[[], ["induction"], ["induction"]]]


# --- models ----------------------------------------------------------------------------------------------


def test_a_seed_repeats_and_another_one_draws_anew():
    model = tiny()
    first, again, other = (head_roles(model, tokenizer, seed) for seed in (0, 0, 1))
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert all(torch.equal(first.scores[name], again.scores[name]) for name in NAMES)
    assert first.baselines == again.baselines
    assert not torch.equal(first.scores["prefix matching"], other.scores["prefix matching"])
    assert not torch.equal(first.scores["delimiter"], other.scores["delimiter"])
    head_roles(model, tokenizer)
    assert torch.equal(torch.get_rng_state(), state)  # nobody else's random numbers are used up
    assert all(not module._forward_hooks for module in hook_points(model).values())


def test_an_encoder_sees_the_keys_behind_it():
    roles = roles_of(lambda T: torch.eye(T).roll(1, dims=1), tiny(Encoder))  # everybody looks at the next token
    assert_close(roles.scores["previous token"], torch.zeros(L, H))
    assert roles.baselines["first token"] == pytest.approx(1 / 23)
    measured = head_roles(tiny(Encoder), tokenizer)
    assert set(measured.scores) == set(NAMES) - {"induction"}  # it predicts no next token
    assert all(((score >= 0) & (score <= 1)).all() for score in measured.scores.values())


def test_what_cannot_be_measured_is_one_sentence():
    with pytest.raises(ValueError, match="give an Encoder, or a Decoder that needs no encoder's states"):
        head_roles(build("cross"), tokenizer)
    with pytest.raises(ValueError, match="give an Encoder, or a Decoder that needs no encoder's states"):
        head_roles(EncoderDecoder(ENCODER, DECODER, "prefix").eval().decoder, tokenizer)
    with pytest.raises(ValueError, match=r"without dropout: call model\.eval\(\) first"):
        head_roles(tiny().train(), tokenizer)
    with pytest.raises(ValueError, match="the model knows 29 tokens and the tokenizer makes 8192"):
        head_roles(build("decoder"), tokenizer)
    with pytest.raises(ValueError, match="block_size=1: head roles need a window of at least 2"):
        head_roles(tiny(block_size=1), tokenizer)


def test_roles_are_defined_in_one_sentence_with_a_source():
    assert len(set(NAMES)) == len(NAMES) == 8
    for role in ROLES:
        assert role.sentence.endswith(".") and role.sentence[:-1].count(". ") == 0
        assert any(year in role.source for year in ("2019", "2022", "2023"))
        assert 0 < role.threshold < 1


def test_the_shipped_decoder():
    model = load_model("decoder")
    roles, again = (head_roles(model, tokenizer) for _ in range(2))
    assert list(roles.scores) == list(roles.baselines) == NAMES
    for name, score in roles.scores.items():
        assert score.shape == (6, 8)
        assert score.isfinite().all() and score.min() >= 0 and score.max() <= 1
        assert torch.equal(score, again.scores[name])
    worn = badges(roles)
    assert len(worn) == 6 and all(len(layer) == 8 for layer in worn)
    lifts, thresholds = roles.lifts, {role.name: role.threshold for role in ROLES}
    for i, layer in enumerate(worn):
        for h, names in enumerate(layer):
            assert set(names) == {name for name in NAMES if lifts[name][i, h] >= thresholds[name]}


def test_the_scores_of_all_heads_are_a_table_with_pandas_and_rows_without(monkeypatch):
    roles = Roles(scores={"induction": torch.tensor([[0.25, 0.5]])}, baselines={"induction": 0.1})
    frame = roles.table()
    assert frame.to_dict("list") == {"layer": [0, 0], "head": [0, 1], "induction": [0.25, 0.5]}
    monkeypatch.setitem(sys.modules, "pandas", None)  # as if it were not installed
    assert roles.table() == [
        {"layer": 0, "head": 0, "induction": 0.25},
        {"layer": 0, "head": 1, "induction": 0.5},
    ]
