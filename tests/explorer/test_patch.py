"""The tab Patch's questions: their numbers, what the ready experiments claim, and each way to ask wrongly."""

import pytest
import torch

from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.examples import PATCHES
from explorer.questions.asker import Asker
from explorer.questions.patch import patch, patch_cell
from llm_core import ids_of
from llm_core.analysis.patching import Patching, logit_difference

SHE, NUMBER, COPY = PATCHES


@pytest.fixture(scope="module")
def runner():
    return Runner()


@pytest.fixture(scope="module")
def asker(runner):
    return Asker(Shelf(runner))


def ask(asker, experiment, **more):
    texts = {name: experiment[name] for name in ("text", "corrupted", "answer", "other")}
    return list(patch(asker, **texts, **more))


def experiment_of(runner, experiment):
    tokenizer = runner.tokenizer
    tokens = [tokenizer.encode(experiment[name])[0] for name in ("answer", "other")]
    texts = [ids_of(experiment[name], tokenizer) for name in ("text", "corrupted")]
    return Patching(runner.model, *texts, logit_difference(*tokens))


def recovered(runner, experiment, site):
    return experiment_of(runner, experiment).exact(site).recovered


def test_the_stream_has_tokens_facts_an_estimate_and_every_layer(runner, asker):
    tokens, facts, *rows = ask(asker, SHE, site="z")
    ours = experiment_of(runner, SHE)
    assert [token["text"] for token in tokens["tokens"]][5] == " she"
    assert [token["text"] for token in tokens["corrupted_tokens"]][5] == " he"
    assert facts["facts"]["clean"] == pytest.approx(ours.clean, abs=1e-4)
    assert facts["facts"]["corrupted"] == pytest.approx(ours.corrupted, abs=1e-4)
    assert [facts["facts"][name]["text"] for name in ("answer", "other")] == [" her", " him"]
    assert facts["facts"]["answer"]["clean"] == pytest.approx(0.80, abs=0.01)
    torch.testing.assert_close(torch.tensor(facts["estimated"]), ours.by_gradients(["z"])["z"].values)
    assert [row["layer"] for row in rows] == list(range(6))
    torch.testing.assert_close(torch.tensor([row["values"] for row in rows]), ours.exact("z").values)


def test_without_tokens_each_text_s_likeliest_is_compared(asker):
    _, facts, *_ = patch(asker, SHE["text"], SHE["corrupted"])
    assert [facts["facts"][name]["text"] for name in ("answer", "other")] == [" her", " him"]
    _, facts, *_ = patch(asker, SHE["text"], "Ask your sister if she can help you. Tell")  # both lead to " her"
    assert facts["facts"]["answer"]["text"] == " her" and facts["facts"]["other"]["text"] != " her"


# what the experiments say of themselves


def test_one_head_carries_she(runner):
    found = recovered(runner, SHE, "z")
    assert found.argmax() == 5 * 8 + 3 and 0.7 < found.max() < 0.8
    stream = recovered(runner, SHE, "resid_pre")
    assert (stream[:5, 5] > 0.97).all()  # at its own place up to layer 4
    assert recovered(runner, SHE, "pattern").abs().max() < 0.1  # it looks where it looked, and finds another word


def test_a_head_moves_the_number_and_the_mlp_behind_it_counts_on(runner):
    found = recovered(runner, NUMBER, "z")
    assert found.argmax() == 5 * 8 + 5 and found.max() > 0.65
    mlps = recovered(runner, NUMBER, "mlp_out")
    assert mlps[5].argmax() == mlps.shape[1] - 1 and mlps[5, -1] > 0.4  # at the end of the text
    assert recovered(runner, SHE, "mlp_out")[5].abs().max() < 0.1  # which copying a pronoun does not need


def test_five_heads_copy_the_word_and_none_does_much_alone(runner):
    found = recovered(runner, COPY, "z")
    assert found.max() < 0.25
    assert (
        sorted(found.flatten().topk(5).indices.tolist()) == [40, 43, 44, 46, 47]
        and found[5].topk(5).values.sum() > 0.75
    )
    attention = recovered(runner, COPY, "attn_out")
    assert attention[5, -1] > 0.85 and attention[:5].abs().max() < 0.1
    assert (recovered(runner, COPY, "resid_pre")[:, 4] > 0.85).all()


@pytest.mark.parametrize("experiment", PATCHES, ids=lambda one: one["name"])
def test_the_experiment_turns_one_likeliest_token_into_another(runner, experiment):
    pair = experiment_of(runner, experiment).logits
    tokens = [runner.tokenizer.piece(logits.argmax().item()) for logits in pair]
    assert tokens == [experiment["answer"], experiment["other"]]


# one cell


def test_a_cell_names_the_likeliest_of_all_three_runs(runner, asker):
    texts = {name: SHE[name] for name in ("text", "corrupted", "answer", "other")}
    told = patch_cell(asker, **texts, layer=5, site="z", head=3)
    ours = experiment_of(runner, SHE)
    patched = ours.one("z", 5, head=3)
    assert told["metric"] == pytest.approx(ours.exact("z").values[5, 3].item(), abs=1e-4)
    runs = {"clean": ours.logits[0], "corrupted": ours.logits[1], "patched": patched}
    for name, logits in runs.items():
        p = logits.softmax(-1)
        best = p.argmax().item()
        assert best in [token["id"] for token in told["tokens"]]
        for token in told["tokens"]:
            assert token[name] == pytest.approx(p[token["id"]].item(), abs=1e-5)


WRONG = [
    ({"corrupted": "Ask your mother"}, "the clean text has 11 tokens and the corrupted one 4"),
    ({"corrupted": "word " * 70}, "at most 64 tokens, and this one has"),
    ({"site": "stream"}, "site='stream': must be one of resid_pre"),
    ({"metric": "loss"}, "metric='loss': must be one of difference"),
    ({"answer": "grandfather clock"}, "is not one token but"),
]


@pytest.mark.parametrize("more, sentence", WRONG, ids=[str(more)[:30] for more, _ in WRONG])
def test_what_cannot_be_compared_is_one_sentence(asker, more, sentence):
    given = {"text": SHE["text"], "corrupted": SHE["corrupted"]} | more
    with pytest.raises(ValueError, match=sentence):
        list(patch(asker, **given))
    with pytest.raises(ValueError, match=sentence):
        patch_cell(asker, **given, layer=0)
