"""The first screen's numbers, each recomputed by a loop over heads; what it claims of them; and its HTML."""

import json
import re

import pytest
import torch
from torch import Tensor

from explorer.first_sight import ASSET, SURE, previous_token_heads, texts
from explorer.pages.start import explore_address, first_screen, percent, start_html
from llm_core import load_model, load_tokenizer

from ..by_hand import stack_by_hand

LIKELY = 1e-4  # what rounding and another order of adding up may change


@pytest.fixture(scope="module")
def asset() -> dict:
    return json.loads(ASSET.read_text(encoding="utf-8"))


def computed(asset: dict, off: list | tuple = ()) -> dict[str, Tensor]:
    """Everything by hand; a head is off when no row of the output projection reads it."""
    model, tokenizer = load_model(asset["model"]), load_tokenizer("wikihow-8k")
    ids = [tokenizer.start, *tokenizer.encode(asset["text"])]
    assert [(token["id"], token["text"]) for token in asset["tokens"]] == [(id, tokenizer.piece(id)) for id in ids]
    D = model.config.n_embd // model.config.n_head
    with torch.no_grad():
        for layer, head, *_ in off:
            model.blocks[layer].attn.out_proj.weight[:, head * D : (head + 1) * D] = 0
        return stack_by_hand(model, torch.tensor([ids]), torch.ones(1, len(ids), len(ids)).tril().bool())


def pattern(seen: dict[str, Tensor], layer: int, head: int) -> Tensor:
    return seen[f"blocks.{layer}.attn.pattern"][0, head]


@pytest.mark.parametrize("when", ["before", "after"])
def test_weights_and_probabilities_are_those_of_a_loop_over_heads(asset, when):
    seen = computed(asset, asset["off"] if when == "after" else ())
    row = pattern(seen, *asset["head"])[-1].tolist()
    assert asset[when]["weights"] == pytest.approx(row, abs=LIKELY)
    probabilities = seen["logits"][0, -1].softmax(-1)
    tokenizer = load_tokenizer("wikihow-8k")
    shown = {one["text"]: one["probability"] for one in asset[when]["next"]}
    by_id = {text: probabilities[tokenizer.encode(text)[0]].item() for text in shown}
    assert shown == pytest.approx(by_id, abs=LIKELY)
    answer, *others = asset[when]["next"]
    assert answer["text"] == asset["tokens"][asset["target"]]["text"]
    likeliest = [p for p in probabilities.topk(4).values.tolist() if abs(p - answer["probability"]) > LIKELY]
    assert [one["probability"] for one in others] == pytest.approx(likeliest[:3], abs=LIKELY)


def test_matrix_all_heads_and_the_two_that_remember_are_those_of_a_loop_over_heads(asset):
    seen, target = computed(asset), asset["target"]
    assert asset["pattern"] == [pytest.approx(row, abs=LIKELY) for row in pattern(seen, *asset["head"]).tolist()]
    for layer, row in enumerate(asset["on_target"]):
        assert row == pytest.approx(seen[f"blocks.{layer}.attn.pattern"][0, :, -1, target].tolist(), abs=LIKELY)
    assert [[layer, head] for layer, head, _ in asset["off"]] == [list(head) for head in previous_token_heads()]
    for layer, head, weight in asset["off"]:
        assert weight == pytest.approx(pattern(seen, layer, head)[target, target - 1].item(), abs=LIKELY)


def test_what_the_screen_says_is_so(asset):
    tokens, target = asset["tokens"], asset["target"]
    layer, head = asset["head"]
    assert asset["text"] in [text for text, _ in texts()]
    assert tokens[target - 1]["id"] == tokens[-1]["id"], "the head looks behind the earlier occurrence"
    assert asset["on_target"][layer][head] == max(map(max, asset["on_target"])) > 0.5
    assert all(weight > 0.5 and at < layer for at, _, weight in asset["off"]), "they remember, in earlier layers"
    before, after = (asset[when]["next"][0]["probability"] for when in ("before", "after"))
    assert before >= SURE and after < 0.45
    assert asset["after"]["weights"][target] < asset["before"]["weights"][target] / 2


def test_the_html_is_a_function_of_the_asset_and_quotes_what_it_says(asset):
    asset = {**asset, "tokens": [*asset["tokens"][:-1], {"id": 1, "text": " <b>&"}]}
    html = first_screen(asset)
    assert "&lt;b&gt;&amp;<small>1</small>" in html and " <b>&<" not in html.split("<script")[0]
    data = json.loads(re.search(r'id="start-data">(.*?)</script>', html)[1])
    assert data["tokens"][-1]["text"] == " <b>&"
    assert start_html() == first_screen(json.loads(ASSET.read_text(encoding="utf-8")))


def test_a_part_is_written_in_percent():
    assert [percent(part) for part in (1.0, 0.838, 0.01, 0.0099)] == ["100%", "84%", "1%", "&lt;1%"]


def test_explore_opens_with_the_very_text_and_head(asset):
    layer, head = asset["head"]
    address = explore_address(asset)
    assert address.startswith(f"?show=explore&layer={layer}&head={head}&query={len(asset['tokens']) - 1}&")
    assert address.endswith("&text=" + asset["text"].replace(" ", "+"))
