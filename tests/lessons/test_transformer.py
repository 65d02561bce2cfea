"""What a Transformer does: every number of the walk against torch.nn's own layers with the model's weights."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.first_sight import ASSET
from explorer.lessons.lesson import Bars, Facts, Panel, as_array, written
from explorer.lessons.teach import teach
from llm_core import load_model, load_tokenizer

from .common import BOAT, CUP, panel, right, steps_of, values

PLACES = [(BOAT, 5, 0, 85), (CUP, 0, 7, 0), (CUP, 3, 2, 99)]


class ByHand:
    """A whole forward, written with torch.nn.functional and torch's own attention layer; nothing is recorded."""

    def __init__(self, text: str, layer: int):
        model = load_model("decoder")
        tokenizer = load_tokenizer()
        self.ids = [tokenizer.start, *tokenizer.encode(text)][:16]
        T = len(self.ids)
        with torch.inference_mode():
            self.token = model.embedding.token_table.weight[self.ids]
            self.position = model.embedding.position_table.weight[:T]
            x, self.last = self.token + self.position, []
            self.sum = x
            hidden = torch.ones(T, T, dtype=torch.bool).triu(1)
            for i, block in enumerate(model.blocks):
                self.last.append(x[-1])
                normed = F.layer_norm(x, x.shape[1:], block.ln_1.weight, block.ln_1.bias)
                attended, pattern = torch_attention(block.attn)(
                    normed[None], normed[None], normed[None], attn_mask=hidden, average_attn_weights=False
                )
                mid = x + attended[0]
                normed = F.layer_norm(mid, mid.shape[1:], block.ln_2.weight, block.ln_2.bias)
                neurons = F.gelu(F.linear(normed, block.mlp.up_proj.weight, block.mlp.up_proj.bias), approximate="tanh")
                mlp = F.linear(neurons, block.mlp.down_proj.weight, block.mlp.down_proj.bias)
                if i == layer:
                    self.x, self.attended, self.patterns = x, attended[0], pattern[0]
                    self.mid, self.neurons, self.mlp, self.after = mid, neurons, mlp, mid + mlp
                x = mid + mlp
            self.last.append(x[-1])
            self.logits = self.read(model, x)[-1]
            self.lens = [self.read(model, row[None])[0].softmax(-1) for row in self.last]

    def read(self, model, x):
        normed = F.layer_norm(x, x.shape[1:], model.ln_f.weight, model.ln_f.bias)
        return normed @ model.embedding.token_table.weight.T


def torch_attention(attn):
    """nn.MultiheadAttention with the same weights."""
    C = attn.q_proj.in_features
    theirs = torch.nn.MultiheadAttention(C, attn.n_head, batch_first=True).eval()
    theirs.in_proj_weight.copy_(torch.cat([attn.q_proj.weight, attn.k_proj.weight, attn.v_proj.weight]))
    theirs.in_proj_bias.copy_(torch.cat([attn.q_proj.bias, attn.k_proj.bias, attn.v_proj.bias]))
    theirs.out_proj.weight.copy_(attn.out_proj.weight)
    theirs.out_proj.bias.copy_(attn.out_proj.bias)
    return theirs


@pytest.fixture(scope="module", params=PLACES, ids=str)
def case(request, runner):
    text, layer, head, u = request.param
    return steps_of(runner, "transformer", text, layer=layer, head=head, u=u), ByHand(text, layer), head, u


def close(shown: np.ndarray, expected: torch.Tensor, atol: float = 2e-4) -> bool:
    return shown.shape == tuple(expected.shape) and np.allclose(shown, expected.detach().numpy(), atol=atol)


def test_every_tensor_of_the_walk_is_the_one_computed_by_hand(case):
    steps, hand, head, _ = case
    assert values(steps[1], "ids").tolist() == [hand.ids]
    for name in ("token", "position"):
        assert close(values(steps[2], name), getattr(hand, name), 1e-6)
    assert close(values(steps[2], "x"), hand.sum, 1e-6)
    assert close(values(steps[3], "pattern"), hand.patterns[head])
    assert close(values(steps[4], "patterns"), hand.patterns)
    assert close(values(steps[5], "x"), hand.x) and close(values(steps[5], "attention"), hand.attended)
    assert close(values(steps[5], "x + attention"), hand.mid)
    assert close(values(steps[6], "neurons"), hand.neurons) and close(values(steps[6], "mlp"), hand.mlp)
    assert close(values(steps[6], "x + mlp"), hand.after)
    assert close(values(steps[7], "stream"), torch.stack(hand.last))


def test_logits_and_probabilities_are_those_of_the_whole_vocabulary(case):
    steps, hand, _, _ = case
    best = hand.logits.topk(10)
    assert close(values(steps[8], "logits"), best.values, 1e-3)
    assert close(values(steps[8], "powers"), (best.values - best.values[0]).exp())
    assert close(values(steps[8], "probabilities"), hand.logits.softmax(-1)[best.indices])
    shares = panel(steps[8], "probabilities").formula
    assert as_array(shares.a.values) / shares.number == pytest.approx(values(steps[8], "probabilities"), abs=1e-6)
    products = panel(steps[8], "logits").formula
    assert as_array(products.b.values) @ as_array(products.a.values) == pytest.approx(
        values(steps[8], "logits"), abs=1e-3
    )


def bars(step, number: int = 0) -> Bars:
    return [item for item in step.show if isinstance(item, Bars)][number]


def test_the_lens_says_how_far_the_prediction_has_come(case):
    steps, hand, _, _ = case
    best = int(hand.logits.argmax())
    assert bars(steps[7]).series["probability"] == pytest.approx([float(row[best]) for row in hand.lens], abs=1e-4)
    first = next(i for i, row in enumerate(hand.lens) if int(row.argmax()) == best)
    assert list(bars(steps[7]).marks) == [first]
    said = [f"“{written(load_tokenizer().piece(int(row.argmax())))}” {float(row.max()):.3f}" for row in hand.lens]
    shown = [text.rsplit(" ", 1) for text in bars(steps[7]).words["likeliest"]]
    assert [token for token, _ in shown] == [text.rsplit(" ", 1)[0] for text in said]
    assert [float(p) for _, p in shown] == pytest.approx([float(row.max()) for row in hand.lens], abs=1e-3)
    if steps[7].question:
        assert right(steps[7]) == bars(steps[7]).names[first]


def test_the_token_is_drawn_where_u_falls(case):
    steps, hand, _, u = case
    order = hand.logits.softmax(-1).double().sort(descending=True)
    place = int(torch.searchsorted(order.values.cumsum(-1), u / 100, right=True))
    drawn = load_tokenizer().piece(int(order.indices[place]))
    (facts,) = [dict((what, value) for what, value, _ in i.facts) for i in steps[9].show if isinstance(i, Facts)]
    assert facts["drawn"] == drawn and facts["tokens now"] == str(len(hand.ids) + 1)
    model = load_model("decoder")
    with torch.inference_mode():
        after = model(torch.tensor([[*hand.ids, int(order.indices[place])]]))[0, -1].softmax(-1).topk(5)
    assert bars(steps[9], 1).series["probability"] == pytest.approx(after.values.tolist(), abs=1e-4)
    line = bars(steps[9])
    (mark,) = line.marks
    assert line.names[mark] == f"{place + 1:,}. {drawn}" and line.full == 1 and line.decimals >= 3
    sums = line.series["sum so far"]
    assert sums[mark] == pytest.approx(float(order.values[: place + 1].sum()), abs=1e-5)
    assert round(sums[mark], line.decimals) > u / 100  # as it is written
    if place > 0:
        assert line.names[mark - 1].startswith(f"{place:,}. ") and sums[mark - 1] <= u / 100
    if steps[9].question:
        assert right(steps[9]).strip("“”") == written(drawn)
        assert not any(item.marks for item in steps[9].question.before)


def test_right_answers_follow_the_numbers(case):
    steps, hand, head, _ = case
    best = hand.logits.topk(2)
    assert right(steps[0]).strip("“”") == written(load_tokenizer().piece(int(best.indices[0])))
    assert right(steps[3]).endswith(f"(position {int(hand.patterns[head][-1].argmax())})")
    assert right(steps[6]) == "the last one only"
    assert float(right(steps[8]).split()[0]) == pytest.approx(float((best.values[0] - best.values[1]).exp()), abs=0.02)


def test_the_first_screens_text_fits_and_is_continued_as_it_is_there(runner):
    import json

    asset = json.loads(ASSET.read_text(encoding="utf-8"))
    steps = steps_of(runner, "transformer", asset["text"])
    assert values(steps[1], "ids").tolist() == [[token["id"] for token in asset["tokens"]]]
    assert bars(steps[0]).names[0] == asset["before"]["next"][0]["text"]
    assert bars(steps[0]).series["probability"][0] == pytest.approx(asset["before"]["next"][0]["probability"], abs=1e-4)
    layer, head = asset["head"]
    assert panel(steps[3], "pattern").where == f"blocks.{layer}.attn.pattern[0, {head}, {{0}}, {{1}}]"


def test_sums_name_operands_that_give_the_cell(case):
    steps, _, _, _ = case
    sums = [i for step in steps for i in step.show if isinstance(i, Panel) and i.formula and i.formula.kind == "sum"]
    assert len(sums) == 3
    for shown in sums:
        a, b = (as_array(operand.values) for operand in (shown.formula.a, shown.formula.b))
        assert np.allclose(a + b, as_array(shown.values), atol=1e-5)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"layer": 6}, "Layer: 6 is not one of"),
        ({"head": -1}, "Head: -1 is not one of"),
        ({"u": 100}, "u: 100 must be a whole number from 0 to 99"),
        ({"u": 0.5}, "u: 0.5 must be a whole number from 0 to 99"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        teach(runner, "transformer", BOAT, given)
