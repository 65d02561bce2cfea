"""What the examples and the experiments of head surgery are said to show, by the shipped model."""

import pytest
import torch

from explorer.examples import EXAMPLES, EXPLORED
from explorer.experiments import shipped
from llm_core import intervene, load_model, load_tokenizer, record
from llm_core.analysis.attribution import leading_heads
from llm_core.analysis.surgery import edits_from, interventions

CONTINUES = {  # as its name says -> the likeliest next token, and at least how likely
    "A repeated name": (" Pot", 0.9),
    "A repeated phrase": (" cup", 0.5),
    "A numbered list": ("3", 0.2),
    "Who is she?": (" her", 0.7),
    "A title": ("\n", 0.5),  # a title ends its line
}
BROKEN = {"Forget the previous token": 0.5, "Forget who she is": 0.1, "See only three tokens": 0.05}


@pytest.fixture(scope="module")
def model():
    return load_model("decoder")


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer()


def run(model, tokenizer, text: str, edits=()):
    ids = torch.tensor([[tokenizer.start, *tokenizer.encode(text)]])  # (1, T)
    with torch.inference_mode(), intervene(model, interventions(model, tuple(edits), None)), record(model) as trace:
        model(ids)
    return trace, ids[0].tolist()


@pytest.mark.parametrize("name", CONTINUES)
def test_every_example_does_what_its_name_says(model, tokenizer, name):
    trace, _ = run(model, tokenizer, EXAMPLES[name])
    p, id = trace["logits"][0, -1].softmax(-1).max(-1)
    piece, least = CONTINUES[name]
    assert tokenizer.piece(id.item()) == piece and p > least


def test_explore_opens_on_a_head_that_looks_at_what_it_predicts(model, tokenizer):
    trace, ids = run(model, tokenizer, EXAMPLES[EXPLORED])
    layer, head = leading_heads(model, trace)[0][-1].tolist()
    row = trace.attention(layer)[0, head, -1]
    assert ids[row.argmax()] == trace["logits"][0, -1].argmax() and row.max() > 0.7
    assert "\n" not in tokenizer.piece(trace["logits"][0, -1].argmax().item())


@pytest.mark.parametrize("experiment", shipped()["surgery"], ids=lambda one: one["name"])
def test_every_experiment_breaks_what_the_model_predicted(model, tokenizer, experiment):
    edits = edits_from(experiment["edits"])
    before, after = (run(model, tokenizer, experiment["text"], e)[0]["logits"][0, -1].softmax(-1) for e in ((), edits))
    assert before.max() > 0.7
    assert after[before.argmax()] < BROKEN[experiment["name"]]


def test_the_heads_that_are_said_to_look_back_at_she_do(model, tokenizer):
    experiment = next(one for one in shipped()["surgery"] if one["name"] == "Forget who she is")
    trace, ids = run(model, tokenizer, experiment["text"])
    she = ids.index(tokenizer.encode(" she")[0])
    weights = [trace.attention(edit["layer"])[0, edit["head"], -1, she].item() for edit in experiment["edits"]]
    assert len(weights) == 2 and min(weights) > 0.2, weights
