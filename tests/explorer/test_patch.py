"""The tab Patch's questions: their numbers, what the ready experiments claim, and each way to ask wrongly."""

import pytest
import torch

from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.experiments import PATCHES, patches, shipped, surgeries
from explorer.questions.asker import Asker
from explorer.questions.patch import patch, patch_cell
from llm_core import ids_of, record
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
    her = runner.tokenizer.encode(" her")[0]
    assert facts["facts"]["answer"]["clean"] == pytest.approx(ours.logits[0].softmax(-1)[her].item(), abs=1e-4)
    torch.testing.assert_close(torch.tensor(facts["estimated"]), ours.by_gradients(["z"])["z"].values)
    assert [row["layer"] for row in rows] == list(range(6))
    torch.testing.assert_close(torch.tensor([row["values"] for row in rows]), ours.exact("z").values)


def test_without_tokens_each_text_s_likeliest_is_compared(asker):
    _, facts, *_ = patch(asker, COPY["text"], COPY["corrupted"])
    assert [facts["facts"][name]["text"] for name in ("answer", "other")] == [" button", " key"]
    _, facts, *_ = patch(asker, COPY["text"], COPY["text"].replace("Then", "Now"))  # both lead to " button"
    assert facts["facts"]["answer"]["text"] == " button" and facts["facts"]["other"]["text"] != " button"


# what the experiments say of themselves


def test_the_experiments_are_those_of_the_model_that_ships(runner):
    assert shipped() == {"surgery": surgeries(runner), "patch": patches(runner)}


@pytest.mark.parametrize("experiment", shipped()["patch"], ids=lambda one: one["name"])
def test_what_heads_bring_back_is_as_it_says(runner, experiment):
    """The same by hand: a head's z of the clean text goes into the corrupted run, at all places."""
    model, tokenizer = runner.model, runner.tokenizer
    clean, corrupted = (ids_of(experiment[name], tokenizer) for name in ("text", "corrupted"))
    answer, other = (tokenizer.encode(experiment[name])[0] for name in ("answer", "other"))
    D = model.config.n_embd // model.config.n_head

    def metric(ids):
        logits = model(ids)[0, -1]
        return float(logits[answer] - logits[other])

    def with_one(layer, head, z):
        def put(_module, inputs):
            merged = inputs[0].clone()  # (1, T, C): all heads of a layer, side by side
            merged[0, :, head * D : (head + 1) * D] = z
            return merged

        hook = model.blocks[layer].attn.out_proj.register_forward_pre_hook(put)
        try:
            return metric(corrupted)
        finally:
            hook.remove()

    with torch.no_grad():
        with record(model) as trace:
            model(clean)
        start, end = metric(corrupted), metric(clean)
        shares = {
            (layer, head): (with_one(layer, head, trace[f"blocks.{layer}.attn.z"][0, head]) - start) / (end - start)
            for layer in range(model.config.n_layer)
            for head in range(model.config.n_head)
        }
    (layer, head), most = max(shares.items(), key=lambda one: one[1])
    said = experiment["says"]
    if most >= 0.5:
        assert f"Layer {layer}, head {head}, alone recovers {most:.0%} of the logit difference" in said
    else:
        assert f"; {sum(share >= 0.1 for share in shares.values())} recover a tenth or more" in said


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
