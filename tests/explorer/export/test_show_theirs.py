"""``show`` of models of transformers: what is drawn, against the numbers of their own outputs."""

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from explorer import show
from explorer.export.notebook import AttentionPage
from llm_core import load_model, load_tokenizer

from ...model.families import theirs
from .test_show import EXACT, told

TEXT = "Pour the vinegar into the purple bucket"
PAIR = f"{TEXT}\nThen clean the purple"


@pytest.fixture(scope="module", params=["gpt2", "llama", "mistral", "gpt_neox", "bert"])
def single(request, tmp_path_factory):
    """A model that is one stack, loaded as people load it: with attention in a fused kernel; and its tokenizer."""
    return opened(request.param, tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module", params=["t5", "bart"])
def pair(request, tmp_path_factory):
    return opened(request.param, tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    return opened("gpt2", tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def t5(tmp_path_factory):
    return opened("t5", tmp_path_factory.mktemp("t5"))


@pytest.fixture(scope="module")
def bart(tmp_path_factory):
    return opened("bart", tmp_path_factory.mktemp("bart"))


def opened(name: str, folder):
    theirs.with_tokenizer(name, folder)
    pad = {"t5": "<pad>", "bart": "<pad>", "bert": "[PAD]"}.get(name, "<|endoftext|>")
    own = Tokenizer.from_file(str(folder / "tokenizer.json"))
    marks = [token.content for token in own.get_added_tokens_decoder().values() if token.special]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=own, pad_token=pad, additional_special_tokens=marks)
    tokenizer.save_pretrained(folder)
    model = getattr(transformers, theirs.CASES[name].kind).from_pretrained(folder, attn_implementation="sdpa").eval()
    if hasattr(model, "generation_config") and model.generation_config is not None:
        model.generation_config.eos_token_id = None  # it writes as much as is asked for
    return model, tokenizer


def run(model, **inputs):
    """Its own output with all attentions."""
    model.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            return model(**inputs, output_attentions=True)
    finally:
        model.set_attn_implementation("sdpa")


def generated(model, ids, **settings):
    model.set_attn_implementation("eager")
    try:
        return model.generate(
            ids, max_new_tokens=5, do_sample=False, output_attentions=True, return_dict_in_generate=True,
            output_logits=True, pad_token_id=1, **settings
        )  # fmt: skip
    finally:
        model.set_attn_implementation("sdpa")


def is_drawn(page: AttentionPage, stack: str, attentions, batch: int = 0) -> bool:
    """Whether a stack is what these say, in the page as well."""
    wanted = torch.stack([layer[batch] for layer in attentions]).numpy()  # (L, H, T, S)
    assert page.patterns[stack].shape == wanted.shape
    assert np.abs(page.patterns[stack] - wanted).max() < 1e-6
    return np.abs(told(page, stack)[1]["pattern"] - wanted).max() <= EXACT + 1e-6


def texts(tokens: list[dict]) -> list[str]:
    return [token["text"] for token in tokens]


def test_a_text_through_a_model_whose_tokenizer_is_found_by_its_name(single):
    model, tokenizer = single
    model.train()
    page = show(model, TEXT)
    assert model.training and model.config._attn_implementation == "sdpa"
    model.eval()
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    output = run(model, input_ids=ids)
    assert is_drawn(page, "", output.attentions)
    header, arrays = told(page)
    assert header["mask"] == ("none" if "Bert" in type(model).__name__ else "causal")
    assert "".join(token["text"] for token in header["tokens"] if not token["special"]).strip() == TEXT
    assert not any("Ġ" in token["text"] for token in header["tokens"])
    assert header["model"]["name"] == type(model).__name__
    if header["mask"] == "causal":
        probs = output.logits[0].softmax(-1)
        assert np.allclose(arrays["next_probs"], probs.topk(20).values.numpy(), atol=1e-6)


def test_a_tokenizer_can_be_given(gpt2):
    model, tokenizer = gpt2
    wanted = show(model, TEXT).html
    for given in (tokenizer, tokenizer.backend_tokenizer, model.name_or_path, load_tokenizer(model.name_or_path)):
        assert show(model, TEXT, tokenizer=given).html == wanted


def test_a_model_without_a_name_asks_for_its_tokenizer():
    with pytest.raises(ValueError, match=r"no tokenizer was found for this GPT2LMHeadModel .*: give tokenizer="):
        show(theirs.make("gpt2"), TEXT)


def test_a_text_through_an_encoder_decoder(pair):
    model, tokenizer = pair
    page = show(model, PAIR)
    assert model.config._attn_implementation == "sdpa"
    first, rest = PAIR.split("\n")
    ids = tokenizer(first, return_tensors="pt")["input_ids"]
    start = model.config.decoder_start_token_id if "Bart" in type(model).__name__ else model.config.pad_token_id
    own = [start, *tokenizer(rest, add_special_tokens=False)["input_ids"]]
    output = run(model, input_ids=ids, decoder_input_ids=torch.tensor([own]))
    assert is_drawn(page, "encoder", output.encoder_attentions)
    assert is_drawn(page, "decoder", output.decoder_attentions)
    assert is_drawn(page, "cross", output.cross_attentions)
    header, arrays = told(page, "cross")
    assert [token["id"] for token in header["tokens"]] == own
    assert [token["id"] for token in header["keys"]] == ids[0].tolist()
    assert "next_ids" not in arrays and "next_ids" not in told(page, "encoder")[1]
    probs = output.logits[0].softmax(-1)
    assert np.allclose(told(page, "decoder")[1]["next_probs"], probs.topk(20).values.numpy(), atol=1e-6)


def test_a_whole_output_is_shown_with_all_its_stacks(t5):
    model, tokenizer = t5
    ids, own = tokenizer(TEXT, return_tensors="pt"), torch.tensor([[0, 9, 12, 30]])
    output = run(model, **{"input_ids": ids["input_ids"]}, decoder_input_ids=own)
    page = show(output, ids, decoder_tokens=own, tokenizer=tokenizer)
    assert [*page.patterns] == ["encoder", "decoder", "cross"]
    assert is_drawn(page, "cross", output.cross_attentions)
    assert (
        texts(told(page, "encoder")[0]["tokens"])[0].strip()
        == "Pour"[: len(texts(told(page, "encoder")[0]["tokens"])[0].strip())]
    )
    assert told(page, "cross")[0]["names"]["pattern"] == "output.cross_attentions[{layer}]"
    assert "next_ids" in told(page, "decoder")[1]
    alone = show(output.cross_attentions, own, tokenizer=tokenizer)  # these are of the queries: their number says so
    assert [token["id"] for token in told(alone, "cross")[0]["tokens"]] == own[0].tolist()
    assert texts(told(show(output), "encoder")[0]["tokens"])[:3] == ["0", "1", "2"]


def test_attention_of_a_fused_kernel_is_explained(gpt2):
    model, _ = gpt2
    output = model(torch.tensor([[3, 4, 5]]), output_attentions=True)
    for given in (output, output.attentions):
        with pytest.raises(ValueError, match=r'empty: .*SDPA.* load the model with attn_implementation="eager"'):
            show(given)
    with pytest.raises(ValueError, match="call the model with output_attentions=True"):
        show(model(torch.tensor([[3, 4, 5]])))


def test_a_row_of_a_padded_batch(gpt2):
    model, tokenizer = gpt2
    tokenizer.padding_side = "left"
    batch = tokenizer([TEXT, "Then clean"], return_tensors="pt", padding=True)
    batch = {name: batch[name] for name in ("input_ids", "attention_mask")}
    output = run(model, **batch)
    with pytest.raises(ValueError, match="this is a batch of 2: say which; batch=0 is the first"):
        show(output.attentions)
    mask = batch["attention_mask"]
    kept = mask[1].bool()
    page = show(output.attentions, batch["input_ids"], tokenizer=tokenizer, batch=1, layers=[2, 1], mask=mask)
    wanted = torch.stack([output.attentions[i][1] for i in (2, 1)])[..., kept, :][..., kept]
    assert np.abs(page.patterns[""] - wanted.numpy()).max() < 1e-7
    header, _ = told(page)
    assert header["mask"] == "causal" and header["layers"] == [2, 1]
    assert "".join(texts(header["tokens"])) == "Then clean"
    whole = show(output, batch, tokenizer=tokenizer, batch=1)  # without a mask padding is there, and named
    assert told(whole)[0]["tokens"][0] == {"id": 0, "text": "<|endoftext|>", "special": True, "partial": False}
    masked = show(output, batch, tokenizer=tokenizer, batch=1, mask=mask)
    probs = output.logits[1][kept].softmax(-1)
    assert np.allclose(told(masked)[1]["next_probs"], probs.topk(20).values.numpy(), atol=1e-6)


@pytest.mark.parametrize("cache", [True, False])
def test_the_steps_of_a_decoder_are_one_triangle(gpt2, cache):
    model, tokenizer = gpt2
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    written = generated(model, ids, use_cache=cache)
    read = written.sequences[:, :-1]
    output = run(model, input_ids=read)
    for page in (
        show(written, tokenizer=tokenizer),
        show(written.attentions, written.sequences, tokenizer=tokenizer),
        show(written.attentions, read, tokenizer=tokenizer),
    ):
        assert np.abs(page.patterns[""] - torch.stack(output.attentions)[:, 0].numpy()).max() < 1.6e-5
        header, _ = told(page)
        assert [token["id"] for token in header["tokens"]] == read[0].tolist() and header["mask"] == "causal"


def test_the_steps_behind_a_padded_prompt(gpt2):
    model, tokenizer = gpt2
    tokenizer.padding_side = "left"
    batch = tokenizer([TEXT, "Then clean"], return_tensors="pt", padding=True)
    mask = batch["attention_mask"]
    written = generated(model, batch["input_ids"], attention_mask=mask)
    page = show(written, tokenizer=tokenizer, batch=1, mask=mask)
    real = written.sequences[1:, :-1][:, (mask[1] == 0).sum() :]
    output = run(model, input_ids=real)
    assert np.abs(page.patterns[""] - torch.stack(output.attentions)[:, 0].numpy()).max() < 1.6e-5
    assert [token["id"] for token in told(page)[0]["tokens"]] == real[0].tolist()


@pytest.mark.parametrize("beams", [1, 3])
def test_what_an_encoder_decoder_wrote(bart, beams):
    model, tokenizer = bart
    ids = tokenizer([TEXT, TEXT[:-7] + " bucket"], return_tensors="pt", padding=True)["input_ids"]
    written = generated(model, ids, num_beams=beams)
    page = show(written, ids, tokenizer=tokenizer, batch=1)
    own = written.sequences[1:, :-1]
    output = run(model, input_ids=ids[1:], decoder_input_ids=own)
    for stack, attentions in (
        ("encoder", output.encoder_attentions),
        ("decoder", output.decoder_attentions),
        ("cross", output.cross_attentions),
    ):
        wanted = torch.stack(attentions)[:, 0].numpy()
        assert page.patterns[stack].shape == wanted.shape
        assert np.abs(page.patterns[stack] - wanted).max() < 1.6e-5
    assert [token["id"] for token in told(page, "cross")[0]["tokens"]] == own[0].tolist()
    with pytest.raises(ValueError, match="batch=0 is the first"):
        show(written)


def test_a_family_that_we_open_is_shown_by_its_name(gpt2):
    model, _ = gpt2
    ours = load_model(model.name_or_path)
    page = show(model.name_or_path, TEXT)
    assert np.abs(page.patterns[""] - show(model, TEXT).patterns[""]).max() < 1.6e-5
    again = show(ours, TEXT, tokenizer=model.name_or_path)
    assert texts(told(again)[0]["tokens"]) == texts(told(page)[0]["tokens"])
