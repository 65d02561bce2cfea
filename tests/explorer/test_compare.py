"""What the Compare page is sent, against torch; which models it offers, and to whom."""

import os
import re

import numpy as np
import pytest
import torch

from explorer.engine.architectures import ARCHITECTURES
from explorer.engine.payload import unpack
from explorer.engine.runner import MODELS as SHIPPED
from explorer.engine.runner import Runner
from explorer.engine.shelf import CAPACITY, Shelf
from explorer.questions.asker import is_owner
from explorer.questions.compare import MOST, SHOWN, WRITTEN, compare
from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, fill_masks, generate, record, save_model
from llm_core.analysis.costs import flops
from llm_core.model.checkpoints import num_parameters

from ..common import ENCODER, randomised

TITLE, REST = "How to Wash a Red Cup", "1. Fill a bowl with warm water.\n2. Add soap"
TEXT = f"{TITLE}\n{REST}"
ENCODER_SIZES = ModelConfig(vocab_size=8192, block_size=31, n_layer=2, n_head=3, n_embd=12)
DECODER_SIZES = ModelConfig(vocab_size=8192, block_size=29, n_layer=3, n_head=2, n_embd=12)
TINY = {
    "encoder": lambda: Encoder(ENCODER_SIZES),
    "decoder": lambda: Decoder(DECODER_SIZES),
    "encoder-decoder-prefix": lambda: EncoderDecoder(ENCODER_SIZES, DECODER_SIZES, "prefix"),
    "encoder-decoder-cross": lambda: EncoderDecoder(ENCODER_SIZES, DECODER_SIZES, "cross"),
}
CARD = """\
| Tokens seen | 1,234,567 in 89 steps |
| Held-out loss | 5.1250 nats per {} (1,024 places in articles never trained on) |
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as assets/models is: each of the four, tiny."""
    shipped = tmp_path_factory.mktemp("shipped")
    for name, build in TINY.items():
        torch.manual_seed(len(name))
        unit = "masked token" if name == "encoder" else "token"
        save_model(randomised(build()), shipped / name, card=CARD.format(unit))
    return shipped


@pytest.fixture(scope="module")
def runner(folder) -> Runner:
    return Runner(str(folder / "decoder"))


@pytest.fixture(scope="module")
def models(runner, folder, tmp_path_factory) -> Shelf:
    return Shelf(runner, folder, tmp_path_factory.mktemp("runs"))


def compared(models, *arguments, **more) -> tuple[dict, dict]:
    return unpack(compare(models, *arguments, **more).payload)


@pytest.fixture(scope="module")
def all_four(runner, models) -> tuple[dict, dict]:
    return compared(models, TEXT, list(ARCHITECTURES), 4)


def ids_of(name: str, tokenizer) -> list[torch.Tensor]:
    """What each architecture reads of TEXT, written down here once more."""
    whole = [tokenizer.start, *tokenizer.encode(TEXT)]
    if name == "encoder":
        return [torch.tensor([[*whole[:4], tokenizer.mask, *whole[5:]]])]
    if name == "decoder":
        return [torch.tensor([whole])]
    return [torch.tensor([tokenizer.encode(TITLE)]), torch.tensor([[tokenizer.start, *tokenizer.encode(REST)]])]


def traced(model, inputs):
    with torch.inference_mode(), record(model) as trace:
        logits = model(*inputs)
    return trace, logits[0]


# numbers


def test_every_pattern_and_mask_is_torchs(runner, models, all_four):
    header, arrays = all_four
    compared = 0
    for i, name in enumerate(ARCHITECTURES):
        trace, _ = traced(models.loaded(name).model, ids_of(name, runner.tokenizer))
        for part in header["columns"][i]["parts"]:
            pattern, mask = arrays[f"{i}.{part['name']}.pattern"], arrays[f"{i}.{part['name']}.mask"]
            assert mask.shape == (len(part["queries"]), len(part["keys"]))
            for layer in range(len(pattern)):
                expected = trace[part["tensor"].format(layer=layer)][0].numpy()  # (H, T, S)
                assert np.abs(pattern[layer] - expected).max() < 1.6e-5
                assert ((expected == 0) == (mask == 0)).all()
                compared += expected.size
    assert compared > 5000


def test_masks_are_full_causal_and_what_the_prefix_makes_of_it(all_four):
    header, arrays = all_four
    masks = {
        (i, part["name"]): arrays[f"{i}.{part['name']}.mask"]
        for i, c in enumerate(header["columns"])
        for part in c["parts"]
    }
    assert [name for _, name in masks] == ["encoder", "decoder", "encoder", "decoder", "encoder", "decoder", "cross"]
    for key in [(0, "encoder"), (2, "encoder"), (3, "encoder"), (3, "cross")]:
        assert masks[key].all()
    for key in [(1, "decoder"), (2, "decoder"), (3, "decoder")]:
        T = len(masks[key])
        assert (masks[key] == np.tril(np.ones((T, T)))).all()
    parts = header["columns"][2]["parts"]
    P, T = len(parts[0]["queries"]), len(header["columns"][3]["parts"][1]["queries"])
    assert parts[1]["prefix"] == P
    assert len(masks[2, "decoder"]) == P + T
    assert masks[3, "cross"].shape == (T, P)


def test_predictions_are_torchs(runner, models, all_four):
    header, arrays = all_four
    tokenizer = runner.tokenizer
    whole = [tokenizer.start, *tokenizer.encode(TEXT)]
    for i, name in enumerate(ARCHITECTURES):
        inputs = ids_of(name, tokenizer)
        _, logits = traced(models.loaded(name).model, inputs)
        probs = logits.softmax(-1)  # (T, V)
        actual = inputs[-1][0, 1:]
        if name == "encoder":
            probs, actual = probs[4:5], torch.tensor(whole[4:5])
        best = probs.topk(SHOWN)
        assert (arrays[f"{i}.ids"] == best.indices.numpy()).all()
        assert np.allclose(arrays[f"{i}.probs"], best.values.numpy(), atol=1e-6)
        true = torch.stack([row[id] for row, id in zip(probs, actual)])
        assert np.allclose(arrays[f"{i}.actual_probs"], true.numpy(), atol=1e-7)
        ranks = [1 + int((row > p).sum()) for row, p in zip(probs, true)]
        assert arrays[f"{i}.actual_ranks"].tolist() == ranks
        prediction = header["columns"][i]["prediction"]
        assert prediction["actual"] == [tokenizer.piece(id) for id in actual.tolist()]
        assert all(prediction["pieces"][str(id)] == tokenizer.piece(id) for id in best.indices[0].tolist())


def test_the_encoder_agrees_with_fill_masks(runner, models, all_four):
    _, arrays = all_four
    filled = fill_masks(models.loaded("encoder").model, ids_of("encoder", runner.tokenizer)[0], runner.tokenizer.mask)
    assert len(filled) == 1
    assert filled[0].position == 4
    assert arrays["0.ids"][0].tolist() == filled[0].best_ids[:SHOWN].tolist()


def test_continuations_are_the_likeliest_tokens_while_the_window_has_room(runner, models, all_four):
    header, _ = all_four
    assert header["columns"][0]["written"] is None
    for column, name in list(zip(header["columns"], ARCHITECTURES))[1:]:
        model, inputs = models.loaded(name).model, ids_of(name, runner.tokenizer)
        count = min(WRITTEN, DECODER_SIZES.block_size - inputs[-1].shape[1])
        more = {"decoder_ids": inputs[1]} if len(inputs) > 1 else {}
        expected = generate(model, inputs[0], count, temperature=0, stop=runner.tokenizer.end, **more)[0].tolist()
        assert column["written"]["ids"] == expected[-count:]
    full, _ = compared(models, "word " * 60, ["decoder"])
    assert full["columns"][0]["written"] == {"text": "", "ids": [], "ended": False}


def test_costs_are_those_of_this_text(runner, models, all_four):
    header, _ = all_four
    for column, name in zip(header["columns"], ARCHITECTURES):
        model, inputs = models.loaded(name).model, ids_of(name, runner.tokenizer)
        assert sum(column["parameters"].values()) == num_parameters(model)
        sizes = [ids.shape[1] for ids in inputs]
        assert column["flops"] == flops(model, sizes[-1], sizes[0] if len(sizes) > 1 else 0)
        assert column["time"]["milliseconds"] > 0
        assert column["held_out"] == {
            "loss": 5.125,
            "unit": "nats per masked token" if name == "encoder" else "nats per token",
            "tokens": 1_234_567,
        }


def test_the_middle_token_is_hidden_when_none_is_named_and_places_stay_inside(runner, models):
    T = 1 + len(runner.tokenizer.encode(TEXT))
    for masked, place in [(-1, T // 2), (0, 0), (10_000, T - 1)]:
        header, _ = compared(models, TEXT, ["encoder"], masked)
        column = header["columns"][0]
        assert column["prediction"]["place"] == place
        hidden = [i for i, token in enumerate(column["parts"][0]["queries"]) if token["text"] == "<|mask|>"]
        assert hidden == [place]


@pytest.mark.parametrize(
    "text", ["", "\n", "one line", "\n\nno title", "🙂‍↔️ é\u202e\n<img src=x onerror=alert(1)>", "word " * 400]
)
def test_any_text_can_be_compared(runner, models, text):
    header, arrays = compared(models, text, list(ARCHITECTURES))
    for i, column in enumerate(header["columns"]):
        assert column["error"] is None
        for part in column["parts"]:
            rows = arrays[f"{i}.{part['name']}.pattern"].sum(-1)
            assert np.abs(rows - 1).max() < 1e-3
    tokens = 1 + len(runner.tokenizer.encode(text))
    assert header["columns"][1]["used"] == min(tokens, DECODER_SIZES.block_size)
    assert header["columns"][1]["total"] == tokens


def test_a_text_longer_than_the_window_is_cut_where_each_window_ends(runner, models):
    header, _ = compared(models, f"{'long title ' * 40}\n{'and text ' * 60}", list(ARCHITECTURES))
    sizes = {
        (i, part["name"]): (len(part["queries"]), len(part["keys"]))
        for i, c in enumerate(header["columns"])
        for part in c["parts"]
    }
    assert sizes[0, "encoder"] == (31, 31)
    assert sizes[1, "decoder"] == (29, 29)
    assert sizes[2, "encoder"] == (31, 31)
    assert sizes[2, "decoder"] == (60, 60)
    assert sizes[3, "cross"] == (29, 31)
    assert all(column["used"] < column["total"] for column in header["columns"])


# what is asked


def test_the_same_question_is_answered_once(runner, models, monkeypatch):
    stored = compare(models, "asked twice", ["decoder"])
    monkeypatch.setattr("explorer.questions.compare.column", lambda *given: pytest.fail("run again"))
    assert compare(models, "asked twice", ["decoder"]) == stored


def test_two_texts_go_through_one_model(runner, models):
    header, arrays = compared(models, "wash the cup", ["decoder"], second_text="wash the bowl now")
    sizes = [arrays[f"{i}.decoder.pattern"].shape[-1] for i in (0, 1)]
    assert sizes == [1 + len(runner.tokenizer.encode(text)) for text in ("wash the cup", "wash the bowl now")]
    assert header["second_text"] == "wash the bowl now"
    with pytest.raises(ValueError, match="two texts go through one model, not 2"):
        compare(models, "a", ["decoder", "encoder"], second_text="b")


@pytest.mark.parametrize("names", [[], ["decoder"] * (MOST + 1)])
def test_the_number_of_columns_is_bounded(runner, models, names):
    with pytest.raises(ValueError, match="choose from 1 to 4"):
        compare(models, "a", names)


def test_a_model_that_cannot_be_shown_leaves_its_column_with_a_sentence(runner, models):
    header, arrays = compared(models, TEXT, ["nowhere", "decoder"])
    assert header["columns"][0]["error"].startswith("no model nowhere: there are encoder, decoder,")
    assert header["columns"][1]["error"] is None
    assert not any(name.startswith("0.") for name in arrays)


# which models there are


def test_a_model_that_lacks_is_not_offered_and_used_as_soon_as_it_is_there(folder, tmp_path):
    runner = Runner(str(folder / "decoder"))
    models = Shelf(runner, tmp_path / "models", tmp_path / "runs")
    with pytest.raises(ValueError, match="no model encoder: there are "):
        models.loaded("encoder")
    before = models.choices()
    save_model(TINY["encoder"](), tmp_path / "models" / "encoder")
    assert models.choices() == [{"name": "encoder", "title": "Encoder", "architecture": "encoder"}, *before]
    assert models.loaded("encoder").model.config.n_layer == 2


def test_the_four_that_ship_are_of_one_size():
    models = Shelf(Runner())
    assert [choice["name"] for choice in models.choices()[:4]] == list(ARCHITECTURES)
    sizes = [num_parameters(models.loaded(name).model) for name in ARCHITECTURES]
    assert max(sizes) < 1.02 * min(sizes)
    assert all((SHIPPED / name / "model.safetensors").stat().st_size <= 16 * 2**20 for name in ARCHITECTURES)


def test_the_decoder_that_ships_is_the_runners_own_with_its_measured_loss():
    runner = Runner()
    loaded = Shelf(runner).loaded("decoder")
    assert loaded.model is runner.model
    card = (SHIPPED / "decoder" / "README.md").read_text(encoding="utf-8")
    tokens, loss = re.search(r"Tokens seen \| ([\d,]+) .*Held-out loss \| ([\d.]+) nats", card, re.DOTALL).groups()
    assert loaded.card_loss == {"loss": float(loss), "unit": "nats per token", "tokens": int(tokens.replace(",", ""))}


def test_a_checkpoint_that_changes_is_loaded_anew(runner, tmp_path):
    place = tmp_path / "runs" / "mine" / "model"
    models = Shelf(runner, tmp_path / "models", tmp_path / "runs")
    save_model(TINY["decoder"](), place)
    os.utime(place / "model.safetensors", ns=(1, 1))
    first = models.loaded("runs/mine")
    assert models.loaded("runs/mine") is first
    save_model(TINY["encoder"](), place)
    assert models.loaded("runs/mine").architecture == "encoder"


def test_few_models_are_kept(runner, tmp_path):
    models = Shelf(runner, tmp_path / "models", tmp_path / "runs")
    for i in range(9):
        save_model(TINY["decoder"](), tmp_path / "runs" / str(i))
        models.loaded(f"runs/{i}")
    assert len(models._others) == CAPACITY == 6


def test_a_folder_is_opened_only_for_the_machines_owner(runner, models, folder, tmp_path):
    save_model(TINY["encoder-decoder-cross"](), tmp_path / "mine")
    path = str(tmp_path / "mine")
    for name in (path, "/etc", "../shipped/encoder", "runs/../../etc", "runs/."):
        with pytest.raises(ValueError, match="the person who runs this app can open others with “Open another model”"):
            models.loaded(name)
    assert path not in [choice["name"] for choice in models.choices()]
    assert models.loaded(path, any_folder=True).architecture == "encoder-decoder-cross"
    listed = {"name": path, "title": path, "architecture": "encoder-decoder-cross"}
    assert models.choices(any_folder=True)[-1] == listed
    assert listed not in models.choices()  # of nobody else's business
    with pytest.raises(ValueError, match="no model"):
        models.loaded(path)


def test_a_bad_folder_is_one_sentence(runner, models, tmp_path):
    def told(name) -> str:
        with pytest.raises(ValueError) as caught:
            models.loaded(str(tmp_path / name), any_folder=True)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    (tmp_path / "empty").mkdir()
    save_model(randomised(Encoder(ENCODER)), tmp_path / "other")
    save_model(TINY["decoder"](), tmp_path / "cut")
    (tmp_path / "cut" / "model.safetensors").write_bytes(b"cut")
    save_model(Decoder(DECODER_SIZES, "cross"), tmp_path / "half")
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_bytes((tmp_path / "cut" / "config.json").read_bytes())
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    assert "no folder" in told("missing")
    assert "has no config.json" in told("empty")
    assert "has a vocabulary of 31, but its tokenizer, wikihow-8k, of 8192" in told("other")
    assert "damaged" in told("cut")
    assert "only the decoder of an encoder-decoder" in told("half")
    assert "weights in another format are never loaded" in told("pickled")


def test_who_owns_the_machine():
    def asks(host="127.0.0.1:7860", private=True, **headers) -> bool:
        return is_owner(private, {"host": host, **headers})

    assert asks() and asks("localhost:7860") and asks("[::1]:7860")
    assert not asks(private=False)
    assert not asks("headscope.example.org")
    assert not asks("127.example.org:80")
    assert not asks(**{"x-forwarded-for": "10.0.0.7"})
