"""Surgery against hand-made weights, masks and patterns, its effects against plain arithmetic, and its endpoints."""

import copy
import json
import math
import re
from dataclasses import asdict
from statistics import fmean

import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.questions.explore import part
from explorer.questions.surgery import before_and_after, effect, effects_on, read_edits, sweep
from explorer.questions.surgery_part import described, losses, places_to_swap
from llm_core import ids_of, intervene, load_model, load_tokenizer, merge_heads, record
from llm_core.analysis.attribution import logit_attribution
from llm_core.analysis.effects import (
    ARTICLES,
    edited_losses,
    held_out_batches,
    held_out_texts,
    mean_activations,
    paired_effect,
    single_edits,
    t_quantile,
)
from llm_core.analysis.effects import sweep as sweep_of
from llm_core.analysis.surgery import Edit, edits_from, interventions, reach
from llm_core.model.architectures import Decoder
from llm_core.model.config import ModelConfig

from ..common import DECODER, build, randomised

L, H, T, D = DECODER.n_layer, DECODER.n_head, 7, DECODER.n_embd // DECODER.n_head
CAUSAL = torch.ones(T, T, dtype=torch.bool).tril()


@pytest.fixture(scope="module")
def model():
    return build("decoder")


@pytest.fixture(scope="module")
def ids():
    return torch.randint(0, DECODER.vocab_size, (2, T), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def operated(model, ids, *edits, **options):
    """The trace of a forward with the edits."""
    with intervene(model, interventions(model, edits, **options)), record(model) as trace:
        model(ids)
    return trace


def close(a, b):
    torch.testing.assert_close(a, b, atol=2e-5, rtol=1e-5)


# heads and MLPs switched off


@torch.no_grad()
def test_a_head_at_zero_is_a_head_whose_columns_of_the_projection_are_zero(model, ids):
    for layer in range(L):
        for head in range(H):
            other = copy.deepcopy(model)
            other.blocks[layer].attn.out_proj.weight[:, head * D : (head + 1) * D] = 0
            edit = Edit(what="head", layer=layer, head=head, how="zero")
            close(operated(model, ids, edit)["logits"], other(ids))


@torch.no_grad()
def test_attention_of_a_layer_and_of_all_layers_at_zero_leaves_the_bias(model, ids):
    for layers, edit in (
        ([1], Edit(what="attention", layer=1, how="zero")),
        (range(L), Edit(what="everywhere", how="zero")),
    ):
        other = copy.deepcopy(model)
        for layer in layers:
            other.blocks[layer].attn.out_proj.weight[:] = 0
        close(operated(model, ids, edit)["logits"], other(ids))


@torch.no_grad()
def test_an_mlp_at_zero_adds_nothing(model, ids):
    other = copy.deepcopy(model)
    other.blocks[1].mlp.down_proj.weight[:] = 0
    other.blocks[1].mlp.down_proj.bias[:] = 0
    close(operated(model, ids, Edit(what="mlp", layer=1, how="zero"))["logits"], other(ids))


@torch.no_grad()
def test_a_layer_left_out_adds_nothing_not_even_its_bias(model, ids):
    other = copy.deepcopy(model)
    for layer in (other.blocks[1].attn.out_proj, other.blocks[2].mlp.down_proj):
        layer.weight[:], layer.bias[:] = 0, 0
    edits = Edit(what="attention", layer=1, how="absent"), Edit(what="mlp", layer=2, how="absent")
    trace = operated(model, ids, *edits)
    close(trace["logits"], other(ids))
    assert torch.equal(trace["blocks.1.resid_mid"], trace["blocks.0.resid_post"])
    parts = logit_attribution(model, trace, 3, 5)
    assert parts.attentions[1] == parts.mlps[2] == 0
    # a head of it that is set to its mean is there, and the bias with it
    means = {"blocks.1.attn.z": torch.randn(H, D)}
    again = operated(model, ids, edits[0], Edit(what="head", layer=1, head=2, how="mean"), means=means)
    attention = model.blocks[1].attn.out_proj
    alone = attention.weight[:, 2 * D : 3 * D] @ means["blocks.1.attn.z"][2] + attention.bias
    close(again["blocks.1.attn.out"][0, 4], alone)


@torch.no_grad()
def test_a_head_or_mlp_at_its_mean_gives_the_same_for_every_token(model, ids):
    means = {"blocks.1.attn.z": torch.randn(H, D), "blocks.2.mlp.out": torch.randn(DECODER.n_embd)}
    edits = Edit(what="head", layer=1, head=2, how="mean"), Edit(what="mlp", layer=2, how="mean")
    other = copy.deepcopy(model)
    attention, mlp = other.blocks[1].attn, other.blocks[2].mlp
    columns = slice(2 * D, 3 * D)  # of head 2
    attention.out_proj.bias += attention.out_proj.weight[:, columns] @ means["blocks.1.attn.z"][2]
    attention.out_proj.weight[:, columns] = 0
    mlp.down_proj.weight[:] = 0
    mlp.down_proj.bias[:] = means["blocks.2.mlp.out"]
    close(operated(model, ids, *edits, means=means)["logits"], other(ids))


def test_nothing_changed_is_nothing_changed_bit_for_bit(model, ids):
    with torch.no_grad(), record(model) as clean:
        model(ids)
    assert interventions(model, []) == {}
    rows = tuple("1" * (i + 1) + "0" * (T - i - 1) for i in range(T))
    for edits in [], [Edit(what="everywhere", how="painted", rows=rows)], [Edit(what="everywhere", how="window", n=T)]:
        changed = operated(model, ids, *edits)
        assert all(torch.equal(changed[name], clean[name]) for name in clean)


def test_of_two_edits_of_a_head_the_later_counts(model, ids):
    wide, narrow = Edit(what="everywhere", how="uniform"), Edit(what="head", layer=0, head=1, how="diagonal")
    pattern = operated(model, ids, wide, narrow)["blocks.0.attn.pattern"]
    assert torch.equal(pattern[0, 1], torch.eye(T)) and not torch.equal(pattern[0, 0], torch.eye(T))
    assert torch.equal(
        operated(model, ids, narrow, wide)["logits"], operated(model, ids, wide)["logits"]
    )  # the narrow one is covered


# frozen patterns


FROZEN = {
    "uniform": CAUSAL / CAUSAL.sum(1, keepdim=True),
    "diagonal": torch.eye(T),
    "previous": torch.eye(T).roll(-1, 1).tril(-1)
    + F.one_hot(torch.tensor(0), T)[:, None] * F.one_hot(torch.tensor(0), T),
}


@pytest.mark.parametrize("how", FROZEN)
@torch.no_grad()
def test_a_frozen_pattern_carries_the_values_as_plain_torch_does(model, ids, how):
    trace = operated(model, ids, Edit(what="attention", layer=1, how=how))
    attention = model.blocks[1].attn
    out = attention.out_proj(merge_heads(FROZEN[how] @ trace["blocks.1.attn.v"]))
    close(trace["blocks.1.attn.out"], out)
    close(trace["blocks.1.attn.pattern"], FROZEN[how].expand(2, H, T, T))


def test_a_frozen_pattern_keeps_within_a_painted_mask(model, ids):
    mask = Edit(what="everywhere", how="window", n=2)
    uniform = operated(model, ids, mask, Edit(what="everywhere", how="uniform"))["blocks.2.attn.pattern"]
    band = CAUSAL & ~torch.ones(T, T, dtype=torch.bool).tril(-2)
    close(uniform[0, 0], band / band.sum(1, keepdim=True))
    first = Edit(what="everywhere", how="first")
    z = operated(model, ids, first, Edit(what="everywhere", how="diagonal"))["blocks.0.attn.z"]
    assert torch.all(z[:, :, 1:] == 0) and not torch.all(z[:, :, 0] == 0)  # a hidden key: it attends to nothing


# masks


def by_hand(trace, layer: int, visible) -> torch.Tensor:
    """softmax over q·k of the visible cells, (B, H, T, T)."""
    q, k = trace[f"blocks.{layer}.attn.q"], trace[f"blocks.{layer}.attn.k"]
    return F.softmax((q @ k.transpose(-2, -1) / math.sqrt(D)).masked_fill(~visible, -math.inf), -1).nan_to_num()


def test_a_painted_mask_is_what_softmax_sees(model, ids):
    visible = torch.rand(T, T, generator=torch.Generator().manual_seed(5)) < 0.5
    visible[3] = False  # a query that sees nothing attends to nothing
    rows = tuple("".join("1" if cell else "0" for cell in row) for row in visible.tolist())
    trace = operated(model, ids, Edit(what="attention", layer=1, how="painted", rows=rows))
    close(trace["blocks.1.attn.pattern"], by_hand(trace, 1, visible))
    close(trace["blocks.2.attn.pattern"], by_hand(trace, 2, CAUSAL))
    assert torch.all(trace["blocks.1.attn.pattern"][:, :, 3] == 0)


@pytest.mark.parametrize(
    ("edit", "visible"),
    [
        (Edit(what="everywhere", how="open"), torch.ones(T, T, dtype=torch.bool)),
        (Edit(what="everywhere", how="window", n=3), CAUSAL & ~CAUSAL.tril(-3)),
        (Edit(what="everywhere", how="first"), torch.arange(T).expand(T, T) == 0),
    ],
)
def test_presets_are_what_they_say(model, ids, edit, visible):
    trace = operated(model, ids, edit)
    for layer in range(L):
        close(trace[f"blocks.{layer}.attn.pattern"], by_hand(trace, layer, visible))


def test_one_head_sees_the_future_and_the_others_do_not(model, ids):
    trace = operated(model, ids, Edit(what="head", layer=0, head=2, how="open"))
    pattern = trace["blocks.0.attn.pattern"]
    assert torch.all(pattern[:, 2].triu(1).sum(-1)[:, :-1] > 0)
    assert torch.all(pattern[:, [0, 1, 3]].triu(1) == 0)


def test_no_mask_lets_padding_through(model, ids):
    short = ids.clone()
    real = torch.ones_like(ids, dtype=torch.bool)
    real[1, 4:] = False
    edit = Edit(what="everywhere", how="open")
    padded = operated(model, short, edit, is_token=real)["logits"]
    close(padded[1, :4], operated(model, ids[1:, :4], edit)["logits"][0])


def test_a_painted_mask_acts_on_its_own_places(model, ids):
    trace = operated(model, ids, Edit(what="everywhere", how="painted", rows=("11", "11")))
    visible = CAUSAL.clone()
    visible[0, 1] = True
    close(trace["blocks.0.attn.pattern"], by_hand(trace, 0, visible))


def test_a_logit_stays_the_sum_of_its_parts(model, ids):
    means = {f"blocks.{i}.mlp.out": torch.randn(DECODER.n_embd) for i in range(L)}
    edits = [
        Edit(what="head", layer=0, head=1, how="zero"),
        Edit(what="mlp", layer=1, how="mean"),
        Edit(what="attention", layer=2, how="uniform"),
        Edit(what="everywhere", how="open"),
    ]
    trace = operated(model, ids, *edits, means=means)
    found = logit_attribution(model, trace, 4, 11)
    assert found.total() == pytest.approx(trace["logits"][0, 4, 11].item(), abs=1e-4)
    assert found.heads[0, 1] == 0


# what could leak

PAINTED = tuple(("1" * (i + 1)).ljust(T, "0") for i in range(T))  # causal, but place 1 sees place 5
PAINTED = (PAINTED[0], "1100010", *PAINTED[2:])


@torch.no_grad()
def test_reach_is_where_another_token_changes_what_a_place_computes(model):
    """Every token is exchanged in turn; a place whose end state changes knows of it, every other does not."""
    ids = torch.arange(T)[None]
    everywhere = {how: Edit(what="everywhere", how=how) for how in ("open", "zero", "previous")}
    cases = [
        [],
        [Edit(what="head", layer=1, head=2, how="painted", rows=PAINTED)],
        [everywhere["open"]],
        [everywhere["open"], everywhere["zero"]],
        [Edit(what="everywhere", how="window", n=2)],
        [everywhere["open"], everywhere["previous"], Edit(what="attention", layer=2, how="uniform")],
    ]
    for edits in cases:
        direct, known = reach(edits, L, H, T)
        assert torch.all(known[direct])
        before = operated(model, ids, *edits)["ln_f"][0]
        for key in range(T):
            other = ids.clone()
            other[0, key] = 20 + key
            changed = (operated(model, other, *edits)["ln_f"][0] - before).abs().amax(-1) > 1e-6
            assert torch.equal(changed, known[:, key]), (edits, key)


def test_reach_tells_what_is_seen_from_what_is_heard_through_others():
    direct, known = reach([Edit(what="head", layer=0, head=0, how="painted", rows=PAINTED)], L, H, T)
    assert direct.triu(1).nonzero().tolist() == [[1, 5]]
    assert known.triu(1).nonzero().tolist() == [[1, 5], [2, 5], [3, 5], [4, 5]]


# edits that cannot be


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"what": "neuron", "how": "zero"}, "what='neuron'"),
        ({"what": "head", "how": "halve", "layer": 0, "head": 0}, "how='halve'"),
        ({"what": "mlp", "how": "uniform", "layer": 0}, "has no attention"),
        ({"what": "head", "how": "absent", "layer": 0, "head": 0}, "a head has no bias"),
        ({"what": "head", "how": "zero", "layer": 0}, "head=None"),
        ({"what": "head", "how": "zero", "layer": -1, "head": 0}, "layer=-1"),
        ({"what": "head", "how": "zero", "layer": True, "head": 0}, "layer=True"),
        ({"what": "attention", "how": "zero", "layer": 0, "head": 1}, "leave it out"),
        ({"what": "everywhere", "how": "window"}, "n=None"),
        ({"what": "everywhere", "how": "window", "n": 0}, "n=0"),
        ({"what": "everywhere", "how": "painted"}, "rows"),
        ({"what": "everywhere", "how": "painted", "rows": ["10", "1"]}, "rows"),
        ({"what": "everywhere", "how": "painted", "rows": ["1x", "11"]}, "rows"),
        ({"what": "everywhere", "how": "open", "rows": ["1"]}, "rows"),
        ({"what": "everywhere", "how": "open", "more": 1}, "is not an edit"),
        ({"how": "zero"}, "is not an edit"),
        ("zero", "is not an edit"),
    ],
)
def test_what_is_no_edit_is_refused_in_a_sentence(item, said):
    with pytest.raises(ValueError, match=re.escape(said)) as problem:
        edits_from([item])
    assert "\n" not in str(problem.value)


def test_places_that_the_model_lacks_and_means_that_are_missing_are_refused(model):
    for edit, said in (
        (Edit(what="mlp", layer=L, how="zero"), f"layer={L}: this model has {L}"),
        (Edit(what="head", layer=0, head=H, how="zero"), f"head={H}: this model has {H}"),
        (Edit(what="mlp", layer=0, how="mean"), "mean_activations"),
    ):
        with pytest.raises(ValueError, match=said):
            interventions(model, [edit])
    with pytest.raises(ValueError, match="at most"):
        read_edits([{"what": "everywhere", "how": "zero"}] * 1000)


# effects on held-out sentences


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


@pytest.fixture(scope="module")
def small(tokenizer):
    """A model that knows our tokens, small enough to be run a thousand times."""
    config = ModelConfig(vocab_size=tokenizer.n_vocab, block_size=60, n_layer=2, n_head=3, n_embd=12)
    return randomised(Decoder(config), std=0.3)


@pytest.fixture(scope="module")
def batches(small, tokenizer):
    return list(held_out_batches(small, tokenizer))


def test_there_are_a_hundred_sentences_and_texts_are_encoded_as_a_whole(tokenizer):
    texts = held_out_texts()
    sentences = [piece for text in texts for piece, is_sentence in text if is_sentence]
    assert len(sentences) == len(set(sentences)) == 100
    assert all(text[-1][1] and len(sentence.split()) >= 6 for text in texts for sentence in [text[-1][0]])
    for text in texts:
        whole = tokenizer.encode("".join(piece for piece, _ in text))
        assert [id for piece, _ in text for id in tokenizer.encode(piece)] == whole


@torch.no_grad()
def test_losses_are_those_of_each_sentence_run_alone(small, tokenizer, batches):
    """Batches, padding and the shortcut past the first layers change nothing."""
    edits = Edit(what="head", layer=1, head=2, how="zero"), Edit(what="attention", layer=1, how="open")
    clean, changed = sorted(by_text(small, tokenizer, ())), sorted(by_text(small, tokenizer, edits))
    assert sorted(loss for b in batches for loss in b.losses.tolist()) == pytest.approx(clean, abs=1e-4)
    found = sorted(loss for b in batches for loss in edited_losses(small, b, edits).tolist())
    assert found == pytest.approx(changed, abs=1e-4)
    assert not math.isclose(fmean(clean), fmean(changed), abs_tol=1e-4)


@torch.no_grad()
def by_text(model, tokenizer, edits) -> list[float]:
    """Each article on its own; the loss of a sentence is the mean over its tokens inside the window."""
    found = []
    for text in held_out_texts():
        ids, spans = [tokenizer.start], []
        for piece, is_sentence in text:
            start = len(ids)
            ids += tokenizer.encode(piece)
            spans += [(start, len(ids))] if is_sentence else []
        ids = torch.tensor([ids[: model.config.block_size]])
        with intervene(model, interventions(model, edits)):
            each = F.cross_entropy(model(ids)[0, :-1], ids[0, 1:], reduction="none")
        found += [each[a - 1 : b - 1].mean().item() for a, b in spans if a < ids.shape[1]]
    return found


def test_no_edit_has_no_effect(small, batches):
    for batch in batches:
        assert torch.equal(edited_losses(small, batch, ()), batch.losses)


@torch.no_grad()
def test_means_are_the_means(small, tokenizer):
    found = mean_activations(small, tokenizer)
    z, out = [], []
    for line in ARTICLES.read_text(encoding="utf-8").splitlines()[:24]:
        article = json.loads(line)
        ids = [tokenizer.start, *tokenizer.encode(f"{article['title']}\n{article['text']}")][: small.config.block_size]
        with record(small) as trace:
            small(torch.tensor([ids]))
        z.append(trace["blocks.1.attn.z"][0])
        out.append(trace["blocks.0.mlp.out"][0])
    close(found["blocks.1.attn.z"], torch.cat(z, 1).mean(1))
    close(found["blocks.0.mlp.out"], torch.cat(out).mean(0))


def test_a_paired_interval_is_that_of_the_textbook():
    before, after = [3.0, 4.0, 5.5, 2.0, 4.5, 3.5], [3.2, 4.5, 5.6, 2.4, 4.4, 4.1]
    changes = torch.tensor(after, dtype=torch.float64) - torch.tensor(before, dtype=torch.float64)
    half = 2.570582 * changes.std().item() / 6**0.5  # t of five degrees of freedom
    found = paired_effect(before, after)
    assert found.mean == pytest.approx(changes.mean().item())
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), abs=1e-4)
    assert (found.n, found.before) == (6, pytest.approx(3.75))
    for losses_after in [[1.0]], [[1.0, 2.0]]:
        with pytest.raises(ValueError, match="same two or more"):
            paired_effect([1.0], losses_after)


@pytest.mark.parametrize(("freedom", "t"), [(5, 2.570582), (9, 2.262157), (29, 2.045230), (99, 1.984217)])
def test_students_t_is_that_of_the_tables(freedom, t):
    assert t_quantile(freedom) == pytest.approx(t, abs=1e-3)


# what the page is sent


class Small(Runner):
    """A runner of the small model."""

    def __init__(self, model, tokenizer):
        super().__init__("small")
        self.given, self.tokenizer = model, tokenizer

    @property
    def model(self):
        return self.given


@pytest.fixture(scope="module")
def runner(small, tokenizer):
    return Small(small, tokenizer)


TEXT = "How to Boil an Egg"
EDITS = [{"what": "attention", "how": "open", "layer": 0}, {"what": "mlp", "how": "mean", "layer": 1}]


def test_the_part_is_the_changed_models_payload_and_both_sides_of_it(runner, small, tokenizer):
    header, arrays = unpack(part(runner, "surgery", TEXT, read_edits(EDITS)).payload)
    ids = torch.tensor([runner.encode(TEXT)])
    clean = operated(small, ids)["logits"][0]
    trace = operated(small, ids, *edits_from(EDITS), means=mean_activations(small, tokenizer))
    changed = trace["logits"][0]
    assert header["edits"] == EDITS and header["text"] == TEXT
    for logits, name in (clean, "loss_before"), (changed, "loss_after"):
        close(torch.tensor(arrays[name]), F.cross_entropy(logits[:-1], ids[0, 1:], reduction="none"))
    pattern = torch.stack([trace.attention(i)[0] for i in range(2)])
    torch.testing.assert_close(torch.tensor(arrays["pattern"]).float(), pattern, atol=1.6e-5, rtol=0)  # as it travels
    top = clean.softmax(-1).topk(20).indices
    close(torch.tensor(arrays["after_probs"]), changed.softmax(-1).gather(1, top))
    close(
        torch.tensor(arrays["before_probs"]), clean.softmax(-1).gather(1, torch.tensor(arrays["next_ids"].astype(int)))
    )
    assert (arrays["reach"] == 2).all()


def test_a_part_without_edits_is_the_run_as_it_was(runner):
    plain, changed = unpack(runner.payload(TEXT)), unpack(part(runner, "surgery", TEXT).payload)
    assert changed[0]["edits"] == [] and "reach" not in changed[1]
    assert plain[1].keys() - changed[1].keys() == {"leading", "leading_logits"}  # of the model as it is alone
    for name in plain[1].keys() & changed[1].keys():
        assert (plain[1][name] == changed[1][name]).all()
    assert (changed[1]["loss_before"] == changed[1]["loss_after"]).all()


def test_other_parts_are_of_the_changed_model_too(runner):
    edits = read_edits([{"what": "mlp", "how": "zero", "layer": 0}])
    plain, changed = (unpack(part(runner, "neurons", TEXT, e).payload)[1]["q"] for e in ((), edits))
    assert (plain[0] == changed[0]).all() and not (plain[1] == changed[1]).all()


def test_a_text_is_told_in_numbers(runner, small):
    answer = before_and_after(runner, TEXT, read_edits(EDITS[:1]))
    ids = torch.tensor([runner.encode(TEXT)])
    clean, changed = operated(small, ids)["logits"][0], operated(small, ids, *edits_from(EDITS[:1]))["logits"][0]
    assert answer["token_losses_after"] == pytest.approx(losses(changed, ids[0].tolist()).tolist())
    assert answer["loss_before"] == pytest.approx(F.cross_entropy(clean[:-1], ids[0, 1:]).item(), abs=1e-5)
    assert [one["id"] for one in answer["next_after"]] == changed[-1].topk(10).indices.tolist()
    assert answer["saw_own_answer"] == [{"place": i, "directly": True} for i in range(ids.shape[1] - 1)]
    assert answer["edits"] == EDITS[:1] and described(edits_from(EDITS)) == EDITS


def test_an_effect_streams_and_ends_with_the_paired_one(runner, small, batches):
    edits = edits_from([{"what": "mlp", "how": "zero", "layer": 0}])
    *going, last = effect(runner, edits)
    n = sum(map(len, batches))
    assert [step["done"] for step in going] == sorted({step["done"] for step in going}) and going[-1]["done"] == n
    before = [loss for b in batches for loss in b.losses.tolist()]
    after = [loss for b in batches for loss in edited_losses(small, b, edits).tolist()]
    assert last["effect"] == asdict(paired_effect(before, after))


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_a_sweep_is_every_edit_on_its_own(runner, how):
    parts = list(sweep(runner, how))
    found = [part["one"] for part in parts[1:]]
    edits = single_edits(runner.model, how)
    assert [part["done"] for part in parts] == list(range(len(edits) + 1)) and len(edits) == 2 * 3 + 2
    for edit, one in list(zip(edits, found))[::3]:
        *_, alone = effect(runner, (edit,))
        assert one == {**described((edit,))[0], **alone["effect"]}


def test_heads_of_a_text_are_switched_off_one_by_one(runner, small):
    ids = torch.tensor([runner.encode(TEXT)])
    first, *rows = effects_on(runner, TEXT)

    def loss(*edits):
        return F.cross_entropy(operated(small, ids, *edits)["logits"][0, :-1], ids[0, 1:]).item()

    assert first == {"loss": pytest.approx(loss(), abs=1e-5), "of": 2}
    assert [row["layer"] for row in rows] == [0, 1]
    for layer, row in enumerate(rows):
        off = [loss(Edit(what="head", layer=layer, head=head, how="zero")) for head in range(3)]
        assert row["changes"] == pytest.approx([one - loss() for one in off], abs=1e-5)
    with pytest.raises(ValueError, match="A loss needs a next token to predict"):
        list(effects_on(runner, ""))


def test_a_sweep_that_is_dropped_leaves_the_model_free(runner):
    going = sweep(runner, "zero")
    next(going), next(going)
    going.close()
    with runner.alone():
        pass


# what leaks


def test_the_answer_is_swapped_for_another_token_and_nothing_else_changes(runner):
    text = "How to make a paper boat"
    edits = read_edits([{"what": "everywhere", "how": "open"}])
    _, arrays = unpack(part(runner, "surgery", text, edits).payload)
    ids = runner.recorded(text).ids
    places, found = arrays["swapped_places"].tolist(), arrays["swapped_losses"]
    assert places == list(range(len(ids) - 1))
    shift = torch.randint(1, runner.tokenizer.n_vocab, (len(places),), generator=torch.Generator().manual_seed(0))
    for place in places[::2]:
        other = list(ids)
        other[place + 1] = int(ids[place + 1] + shift[place]) % runner.tokenizer.n_vocab
        logits = operated(runner.model, torch.tensor([other]), *edits)["logits"][0, place]
        assert found[place] == pytest.approx(-logits.log_softmax(-1)[ids[place + 1]].item(), abs=1e-3)
        assert other[place + 1] != ids[place + 1]


def test_of_many_places_those_that_are_swapped_are_spread_over_the_text():
    known = torch.ones(256, 256, dtype=torch.uint8).numpy()
    places = places_to_swap(known)
    assert len(places) == 8 and places[0] == 0 and places[-1] == 254
    assert list(places_to_swap(known * 0)) == []


# a sweep over one's own texts


def test_a_sweep_over_one_s_own_texts_is_each_head_switched_off_and_averaged():
    model, tokenizer = load_model("decoder"), load_tokenizer()
    texts = ["Wash the red cup.", "Ask your mother if she can help you.", "Open the door."]
    found = sweep_of(model, tokenizer, texts)
    assert found.heads.shape == (6, 8) and found.mlps.shape == (6,)

    def loss(text, *edits):
        ids = ids_of(text, tokenizer)
        with torch.no_grad(), intervene(model, interventions(model, edits)):
            return F.cross_entropy(model(ids)[0, :-1], ids[0, 1:]).item()

    for edit, value in (
        (Edit(what="head", layer=5, head=3, how="zero"), found.heads[5, 3]),
        (Edit(what="mlp", layer=0, how="zero"), found.mlps[0]),
    ):
        changes = [loss(text, edit) - loss(text) for text in texts]
        assert value.item() == pytest.approx(fmean(changes), abs=1e-4)
        assert found.effects[edit].n == 3 and found.effects[edit].low <= value <= found.effects[edit].high
    table = found.table()
    assert list(table.columns[:4]) == ["layer", "what", "head", "mean"] and len(table) == 6 * 9
    assert table["mean"].is_monotonic_decreasing


def test_a_sweep_needs_two_texts():
    for texts, sentence in (("Wash", "texts is one string: give a list"), (["Wash"], "two or more texts")):
        with pytest.raises(ValueError, match=sentence):
            sweep_of(load_model("decoder"), load_tokenizer(), texts)
