"""Encoder and decoder: masks by their definition, cross-attention against torch's own layer, losses and texts anew."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.lessons.lesson import Bars, Facts, Message, Panel, as_array
from explorer.lessons.teach import teach
from llm_core import generate, load_model, load_tokenizer, record

from .common import ODD_TEXTS, panel, right, steps_of, values

TITLE, ARTICLE, OTHER = "How to Clean a Bike", "Fill a bucket with warm water. Add soap.", "How to Sing"
LAYER, HEAD = 2, 5


@pytest.fixture(scope="module")
def steps(runner):
    return steps_of(runner, "encoder-decoder", title=TITLE, article=ARTICLE, other=OTHER, layer=LAYER, head=HEAD)


class ByHand:
    """The model with cross-attention on title and article; its cross-attention is torch's own layer."""

    def __init__(self, title: str):
        tokenizer, self.model = load_tokenizer(), load_model("encoder-decoder-cross")
        self.ids, self.own = tokenizer.encode(title), [tokenizer.start, *tokenizer.encode(ARTICLE)][:16]
        block = self.model.decoder.blocks[LAYER]
        with torch.inference_mode():
            self.memory = self.model.encoder.hidden(torch.tensor([self.ids]))
            x = self.model.decoder.embed(torch.tensor([self.own]), None)
            for earlier in self.model.decoder.blocks[:LAYER]:
                x = earlier(x, is_causal=True, memory=self.memory)
            self.x = x + block.attn(block.ln_1(x), is_causal=True)
            theirs = torch.nn.MultiheadAttention(x.shape[-1], block.cross_attn.n_head, batch_first=True).eval()
            parts = [getattr(block.cross_attn, f"{name}_proj") for name in "qkv"]
            theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
            theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
            theirs.out_proj.load_state_dict(block.cross_attn.out_proj.state_dict())
            normed = F.layer_norm(self.x, x.shape[-1:], block.ln_cross.weight, block.ln_cross.bias)
            self.out, self.pattern = theirs(normed, self.memory, self.memory, average_attn_weights=False)
            D = x.shape[-1] // block.cross_attn.n_head
            rows = slice(HEAD * D, (HEAD + 1) * D)
            sources = (normed, self.memory, self.memory)
            self.q, self.k, self.v = (
                F.linear(source, part.weight[rows], part.bias[rows])[0] for part, source in zip(parts, sources)
            )
            logits = self.model(torch.tensor([self.ids]), torch.tensor([self.own]))[0]
        self.losses = [float(-logits[i].log_softmax(-1)[self.own[i + 1]]) for i in range(len(self.own) - 1)]


@pytest.fixture(scope="module")
def hand():
    return ByHand(TITLE)


def close(shown: np.ndarray, expected: torch.Tensor, atol: float = 3e-4) -> bool:
    return shown.shape == tuple(expected.shape) and np.allclose(shown, expected.detach().numpy(), atol=atol)


def test_masks_are_those_of_the_definition(steps, hand):
    tokenizer = load_tokenizer()
    N = 1 + len(tokenizer.encode(f"{TITLE}\n{ARTICLE}"))
    S, T = len(hand.ids), len(hand.own)
    expected = {
        "encoder": torch.ones(N, N),
        "decoder": torch.ones(N, N).tril(),
        "prefix": torch.ones(S + T, S + T).tril(),
        "own": torch.ones(T, T).tril(),
        "across": torch.ones(T, S),
    }
    for name, mask in expected.items():
        assert close(values(steps[0], name), mask)
        assert (as_array(panel(steps[0], name).hidden) == (mask == 0).numpy()).all()
    assert right(steps[0]) == str(N * (N + 1) // 2)


def test_the_masked_token_is_what_the_encoder_fills_in(steps):
    tokenizer, encoder = load_tokenizer(), load_model("encoder")
    shown = values(steps[1], "ids")[0].tolist()
    place = shown.index(tokenizer.mask)
    whole = [tokenizer.start, *tokenizer.encode(f"{TITLE}\n{ARTICLE}")]
    assert shown[:place] == whole[:place] and shown[place + 1 :] == whole[place + 1 :]
    (bars,) = [item for item in steps[1].show if isinstance(item, Bars)]
    with torch.inference_mode():
        both = encoder(torch.tensor([shown]))[0, place].softmax(-1)
        left = load_model("decoder")(torch.tensor([whole[:place]]))[0, -1].softmax(-1)
    for i, name in enumerate(bars.names):
        (id,) = [id for id in range(tokenizer.n_vocab) if tokenizer.piece(id) == name][:1]
        assert bars.series["encoder"][i] == pytest.approx(float(both[id]), abs=1e-4)
        assert bars.series["decoder"][i] == pytest.approx(float(left[id]), abs=1e-4)
    assert right(steps[1]).replace("␣", " ") == tokenizer.piece(int(both.argmax()))


def test_cross_attention_is_torchs_own(steps, hand):
    assert close(values(steps[2], "memory"), hand.memory[0])
    for name in "qkv":
        assert close(values(steps[3], name), getattr(hand, name))
    assert close(values(steps[5], "pattern"), hand.pattern[0, HEAD])
    assert close(values(steps[5], "scores"), hand.q @ hand.k.T / hand.q.shape[1] ** 0.5)
    assert close(values(steps[6], "z"), hand.pattern[0, HEAD] @ hand.v)
    assert close(values(steps[6], "out"), hand.out[0], 1e-3)
    assert close(values(steps[6], "x + out"), hand.x[0] + hand.out[0], 1e-3)
    assert right(steps[3]) == f"({len(hand.own)}, {len(hand.ids)})"


def test_one_score_is_written_out_for_the_pair_that_it_names(steps, hand):
    i, j = divmod(int(hand.pattern[0, HEAD].argmax()), len(hand.ids))
    assert close(values(steps[4], "query"), hand.q[i]) and close(values(steps[4], "key"), hand.k[j])
    (facts,) = [item.facts for item in steps[4].show if isinstance(item, Facts)]
    total = float(hand.q[i] @ hand.k[j])
    assert [float(value) for _, value, _ in facts] == pytest.approx([total, total / 32**0.5], abs=3e-3)
    assert right(steps[5]).endswith(f"(position {j})")


def test_formulas_name_operands_that_give_the_cell(steps):
    made = 0
    for step in steps:
        for shown in step.show:
            if isinstance(shown, Panel) and shown.formula and shown.formula.kind in ("products", "sum"):
                f, shape = shown.formula, "".join(shown.letters)
                a, b = as_array(f.a.values), as_array(f.b.values)
                bias = 0 if f.bias is None else as_array(f.bias.values)
                result = a + b if f.kind == "sum" else np.einsum(f"{f.a.letters},{f.b.letters}->{shape}", a, b) + bias
                assert np.allclose(result, as_array(shown.values), atol=1e-3), shown.name
                made += 1
    assert made >= 6


def test_the_prefix_stands_in_front_and_is_read(steps, hand):
    model = load_model("encoder-decoder-prefix")
    with torch.inference_mode(), record(model, ["decoder.blocks.*.attn.pattern"]) as trace:
        model(torch.tensor([hand.ids]), torch.tensor([hand.own]))
    pattern, S = trace[f"decoder.blocks.{LAYER}.attn.pattern"][0, HEAD], len(hand.ids)
    assert close(values(steps[7], "pattern"), pattern)
    (facts,) = [item.facts for item in steps[7].show if isinstance(item, Facts)]
    assert float(facts[0][1]) == pytest.approx(float(pattern[S:, :S].sum(-1).mean()), abs=6e-4)
    assert right(steps[7]) == f"({S + len(hand.own)}, {S + len(hand.own)})"


def test_another_title_changes_attention_and_loss(steps, hand):
    other = ByHand(OTHER)
    assert close(values(steps[8], "pattern"), hand.pattern[0, HEAD])
    assert close(values(steps[8], "pattern, other title"), other.pattern[0, HEAD])
    (bars,) = [item for item in steps[8].show if isinstance(item, Bars)]
    assert bars.series["its title"] == pytest.approx(hand.losses, abs=1e-3)
    assert bars.series["other title"] == pytest.approx(other.losses, abs=1e-3)
    (facts,) = [dict((what, float(value)) for what, value, _ in i.facts) for i in steps[8].show if isinstance(i, Facts)]
    assert facts["cross, its title"] == pytest.approx(np.mean(hand.losses), abs=1e-3)
    assert facts["cross, other title"] == pytest.approx(np.mean(other.losses), abs=1e-3)
    change = np.mean(other.losses) - np.mean(hand.losses)
    assert right(steps[8]) == ("it rises" if change > 0.005 else "it falls" if change < -0.005 else "it stays")


def test_what_is_written_is_what_the_models_write(steps, hand):
    words = [item.words for item in steps[9].show if isinstance(item, Message)]
    assert len(words) == 4
    tokenizer = load_tokenizer()
    for name in ("encoder-decoder-cross", "encoder-decoder-prefix"):
        (ids,) = generate(
            load_model(name), [hand.ids], 20, temperature=0, stop=tokenizer.end, decoder_ids=[[tokenizer.start]]
        )
        text = tokenizer.decode([id for id in ids if id != tokenizer.end]).strip().replace("\n", " ⏎ ")
        assert any(said.endswith(text) and TITLE in said for said in words)
    assert right(steps[9]) == "once"


def test_any_title_and_article_can_be_typed(runner):
    for text in ["", "\n", ODD_TEXTS[3], "to to " * 60]:
        built = steps_of(runner, "encoder-decoder", title=text, article=text, other="")
        assert len(built) == 10


def test_the_models_come_from_the_shelf_that_is_given(runner):
    asked = []

    def shelf(name):
        from explorer.lessons.lesson import shipped

        asked.append(name)
        return shipped(name)

    teach(runner, "encoder-decoder", "", {"title": "How to Ask"}, shelf)
    assert sorted(asked) == ["decoder", "encoder", "encoder-decoder-cross", "encoder-decoder-prefix"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"layer": 3}, "Layer: 3 is not one of 0, 1, 2"),
        ({"head": 8}, "Head: 8 is not one of"),
        ({"title": "x" * 401}, "Title: at most 400 characters"),
        ({"article": 5}, "Article: at most 400 characters"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError, match=sentence):
        teach(runner, "encoder-decoder", "", given)
