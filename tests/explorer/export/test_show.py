"""``show`` in a notebook: what the page that it gives is told, against the tensors that it was given."""

import html
import subprocess
import sys

import numpy as np
import pytest
import torch

from explorer import show
from explorer.engine.payload import unpack
from explorer.export.notebook import AttentionPage
from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, load_model, load_tokenizer, record

from .test_standalone import inside, unpacked

T, L, H = 7, 2, 3
SIZES = {"vocab_size": 50, "block_size": 9, "n_layer": L, "n_head": H, "n_embd": 12}
EXACT = 1 / 65535  # weights travel in 16 bits


def told(page: AttentionPage, stack: str = "") -> tuple[dict, dict]:
    """Header and arrays of a stack's payload inside the page."""
    return unpack(unpacked(inside(page.html)["runs"][stack]))


def causal(*shape: int) -> torch.Tensor:
    scores = torch.randn(*shape).masked_fill(torch.ones(shape[-2:]).triu(1).bool(), -torch.inf)
    return scores.softmax(-1)


@pytest.fixture(scope="module")
def trace():
    ids = [load_tokenizer().start, *load_tokenizer().encode("How to make a cake")]
    with torch.inference_mode(), record(model := load_model("decoder")) as trace:
        model(torch.tensor([ids]))
    return trace


def test_a_trace_shows_its_patterns_tokens_and_next_tokens(trace):
    header, arrays = told(show(trace, model="decoder"))
    assert [token["text"] for token in header["tokens"]] == ["<|startofarticle|>", "How", " to", " make", " a", " cake"]
    assert header["tokens"][0]["special"] and not header["tokens"][1]["special"]
    assert (header["model"]["name"], header["mask"]) == ("decoder", "causal")
    for layer in range(6):
        assert np.abs(arrays["pattern"][layer] - trace.attention(layer)[0].numpy()).max() <= EXACT
    probs = trace["logits"][0].softmax(-1)
    assert np.allclose(arrays["next_probs"], probs.topk(20).values.numpy(), atol=1e-7)
    assert np.array_equal(arrays["next_ids"], probs.topk(20).indices.numpy())
    actual = trace["embedding.ids"][0, 1:].tolist()
    assert np.allclose(arrays["actual_probs"], [probs[i, id] for i, id in enumerate(actual)])
    assert arrays["actual_ranks"].tolist() == [1 + int((probs[i] > probs[i, id]).sum()) for i, id in enumerate(actual)]


def test_the_model_is_named_with_its_size(trace):
    model = load_model("decoder")
    facts = told(show(trace, model=model))[0]["model"]
    assert (facts["name"], facts["n_layer"], facts["n_head"], facts["n_embd"]) == ("Decoder", 6, 8, 256)
    assert facts["num_parameters"] == sum(p.numel() for p in model.parameters())


def test_any_patterns_show():
    pattern = causal(L, H, T, T)
    tokens = ["<img src=x onerror=alert(1)>", "", "é", "two words", "🙂", "\x00", "</script>"]
    page = show(pattern, tokens, layers="all")
    header, arrays = told(page)
    assert np.abs(arrays["pattern"] - pattern.numpy()).max() <= EXACT
    assert [token["text"] for token in header["tokens"]] == tokens
    assert "next_ids" not in arrays
    assert "onerror" not in page.html and page.html.count("</script>") == 1


@pytest.mark.parametrize(("wrap", "said"), [
    (lambda p: p.numpy(), {"layers": "all"}),
    (lambda p: p, {"layers": range(L)}),
    (lambda p: p[:, None], {}),
    (lambda p: list(p), {"heads": "all"}),
    (lambda p: tuple(layer[None] for layer in p), {}),
    (lambda p: [layer.bfloat16().requires_grad_() for layer in p], {"heads": range(H)}),
    (lambda p: torch.stack([p.flip(1), p], 1), {"batch": 1}),
    (lambda p: [torch.stack([layer.flip(0), layer]) for layer in p], {"batch": 1}),
])  # fmt: skip
def test_patterns_come_in_many_forms(wrap, said):
    pattern = causal(L, H, T, T)
    page = show(wrap(pattern), **said)
    assert np.allclose(page.patterns[""], pattern.numpy(), atol=4e-3)
    name = told(page)[0]["names"]["pattern"]
    given = wrap(pattern)
    found = eval(name.replace("{layer}", "1"), {"attention": given})[0, 2, 5, 3]  # the index that the page writes
    assert abs(float(found) - float(pattern[1, 2, 5, 3])) < 4e-3


@pytest.mark.parametrize(("wrap", "sizes", "said"), [
    (lambda p: p[0, 0], (1, 1), {}),
    (lambda p: p[0], (1, H), {"heads": "all"}),
    (lambda p: p[0], (1, 1), {"batch": 2}),  # a batch whose heads were averaged
    (lambda p: p, (1, H), {"batch": 1}),  # a batch of one layer
    (lambda p: p[:1], (1, H), {}),
    (lambda p: [p[0, :1], p[1, :1]], (2, 1), {}),
])  # fmt: skip
def test_axes_are_what_is_said(wrap, sizes, said):
    pattern = causal(L, H, T, T)
    page = show(wrap(pattern), **said)
    assert page.patterns[""].shape == (*sizes, T, T)
    name = told(page)[0]["names"]["pattern"].replace("{layer}", "0")
    assert float(eval(name, {"attention": wrap(pattern)})[0, 0, 4, 2]) == page.patterns[""][0, 0, 4, 2]


@pytest.mark.parametrize("given", [
    torch.nn.MultiheadAttention(12, 3, batch_first=True)(*[torch.randn(3, T, 12)] * 3)[1],
    [torch.nn.MultiheadAttention(12, 3, batch_first=True)(*[torch.randn(3, T, 12)] * 3)[1]],
    torch.nn.MultiheadAttention(12, 3, batch_first=True)(*[torch.randn(3, T, 12)] * 3, average_attn_weights=False)[1],
    [causal(3, H, T, T)] * L,
    causal(L, 3, H, T, T),
])  # fmt: skip
def test_what_may_be_a_batch_is_asked_for(given):
    with pytest.raises(ValueError, match="batch=0"):
        show(given)
    with pytest.raises(ValueError, match="batch=3: there are 3 in the batch, counted from 0"):
        show(given, batch=3)
    assert show(given, batch=2).patterns[""].shape[2:] == (T, T)


def test_layers_and_heads_are_chosen_and_keep_their_numbers():
    pattern = causal(6, 5, T, T)
    page = show(pattern[:, None], layers=[4, 2], heads=[3, 0, 1], layer=2, head=0)
    header, arrays = told(page)
    assert (header["layers"], header["heads"]) == ([4, 2], [3, 0, 1])
    assert (header["model"]["n_layer"], header["model"]["n_head"]) == (2, 3)
    assert inside(page.html)["focus"] == {"layer": 1, "head": 1}
    assert np.abs(arrays["pattern"] - pattern[[4, 2]][:, [3, 0, 1]].numpy()).max() <= EXACT
    with pytest.raises(ValueError, match=r"layers=\[6\]: there are 6 layers, counted from 0"):
        show(pattern[:, None], layers=[6])
    with pytest.raises(ValueError, match=r"layer=0, head=0: shown are layers \[4, 2\] and heads \[0, 1, 2, 3, 4\]"):
        show(pattern[:, None], layers=[4, 2], layer=0)


@pytest.mark.parametrize("side", ["left", "right", "middle"])
def test_padding_is_left_out(side):
    kept = {"left": [3, 4, 5, 6], "right": [0, 1, 2, 3], "middle": [0, 2, 3, 6]}[side]
    mask = torch.zeros(2, T, dtype=torch.long)
    mask[1, kept] = 1
    pattern = causal(L, 2, H, T, T)
    page = show(pattern, list("abcdefg"), batch=1, mask=mask)
    assert np.array_equal(page.patterns[""], pattern[:, 1][..., kept, :][..., kept].numpy())
    header, _ = told(page)
    assert [token["text"] for token in header["tokens"]] == ["abcdefg"[place] for place in kept]
    name = header["names"]["pattern"].replace("{layer}", "1")
    assert float(eval(name, {"attention": pattern})[0, 2, 3, 1]) == pattern[1, 1, 2, kept[3], kept[1]]


def test_a_row_that_sees_nothing_is_explained_and_a_mask_leaves_it_out():
    scores = torch.randn(L, 1, H, T, T).masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
    scores[..., :2] = -torch.inf  # padding on the left
    pattern = scores.softmax(-1)
    with pytest.raises(
        ValueError, match=r"row of query 0 in layer 0, head 0 is not a number .* mask= leaves padding out"
    ):
        show(pattern)
    page = show(pattern, mask=[0, 0, 1, 1, 1, 1, 1])
    assert np.array_equal(page.patterns[""], pattern[:, 0, :, 2:, 2:].numpy())


def test_attention_between_two_sequences():
    pattern = torch.rand(L, 1, H, 4, T).softmax(-1)
    page = show(pattern, list("abcdefg"), decoder_tokens=["<s>", "x", "y", "z"])
    header, arrays = told(page, "cross")
    assert np.abs(arrays["pattern"] - pattern[:, 0].numpy()).max() <= EXACT
    assert [token["text"] for token in header["tokens"]] == ["<s>", "x", "y", "z"]
    assert [token["text"] for token in header["keys"]] == [*"abcdefg"]
    assert header["mask"] == "none"
    assert [token["text"] for token in told(show(pattern, [*"wxyz"]), "cross")[0]["tokens"]] == [*"wxyz"]
    masked = show(pattern, list("abcdefg"), mask=[1, 1, 1, 1, 1, 0, 0])
    assert np.array_equal(masked.patterns["cross"], pattern[:, 0, ..., :5].numpy())


def test_the_steps_of_generate_are_joined_to_one_triangle():
    whole = causal(L, 1, H, T, T)
    steps = [tuple(layer[..., :4, :4] for layer in whole)]
    steps += [tuple(layer[..., row : row + 1, : row + 1] for layer in whole) for row in range(4, T)]
    assert np.array_equal(show(tuple(steps), [*"abcdefg"]).patterns[""], whole[:, 0].numpy())
    assert np.array_equal(show(tuple(steps), [*"abcdefgh"]).patterns[""], whole[:, 0].numpy())  # and what came last
    anew = [tuple(layer[..., :n, :n] for layer in whole) for n in range(4, T + 1)]  # without a cache
    assert np.array_equal(show(tuple(anew)).patterns[""], whole[:, 0].numpy())
    kept = [tuple(torch.nn.functional.pad(layer, (0, 12 - layer.shape[-1])) for layer in step) for step in steps]
    assert np.array_equal(show(tuple(kept)).patterns[""], whole[:, 0].numpy())  # with a cache of fixed length


def test_places_label_what_is_not_known():
    header, _ = told(show(causal(L, H, T, T), layers="all"))
    assert [token["text"] for token in header["tokens"]] == [*"0123456"]
    with record(model := Decoder(ModelConfig(**SIZES))) as trace:
        model.eval()(torch.arange(T)[None])
    header, arrays = told(show(trace, model=model))  # 50 ids are not our tokenizer's
    assert [token["text"] for token in header["tokens"]] == [*"0123456"]
    assert "next_ids" not in arrays


def test_ids_of_our_tokenizer_are_written_as_its_pieces():
    ids = load_tokenizer().encode("How to make a cake")
    header, _ = told(show(causal(L, 1, H, len(ids), len(ids)), torch.tensor([ids])))
    assert [token["text"] for token in header["tokens"]] == ["How", " to", " make", " a", " cake"]


@pytest.mark.parametrize(("tokens", "texts"), [
    (["How", "Ġto", "Ġbake", "Ċ", "åĮĹ", "<|endoftext|>"], ["How", " to", " bake", "\n", "北", "<|endoftext|>"]),
    (["[CLS]", "how", "to", "bak", "##ing", "[SEP]"], ["[CLS]", " how", " to", " bak", "ing", "[SEP]"]),
    (["<s>", "▁How", "▁to", "ing", "<0xE5>", "</s>"], ["<s>", " How", " to", "ing", "\\xE5", "</s>"]),
    (["#", "##", "a<b>", "[x", "G", "!"], ["#", "##", "a<b>", "[x", "G", "!"]),
])  # fmt: skip
def test_pieces_are_shown_as_text(tokens, texts):
    assert [token["text"] for token in told(show(causal(1, 1, H, 6, 6), tokens))[0]["tokens"]] == texts


def test_all_stacks_of_an_encoder_decoder_are_shown_or_one():
    model = EncoderDecoder(config := ModelConfig(**SIZES), config, conditioning="cross").eval()
    with record(model) as trace:
        model(torch.arange(5)[None], torch.arange(T)[None])
    page = show(trace, [*"abcde"], decoder_tokens=[*"tuvwxyz"])
    assert {name: pattern.shape[2:] for name, pattern in page.patterns.items()} == {
        "encoder": (5, 5), "decoder": (T, T), "cross": (T, 5),
    }  # fmt: skip
    for stack, of, cross in (("encoder", "encoder", False), ("decoder", "decoder", False), ("cross", "decoder", True)):
        header, arrays = told(page, stack)
        assert np.abs(arrays["pattern"][1] - trace.attention(1, of, cross)[0].detach().numpy()).max() <= EXACT
        assert header["names"]["pattern"] == f"{of}.blocks.{{layer}}.{'cross_attn' if cross else 'attn'}.pattern"
        assert [token["text"] for token in header["tokens"]] == ([*"abcde"] if of == "encoder" else [*"tuvwxyz"])
    assert set(inside(show(trace, stack="decoder").html)["runs"]) == {"decoder"}
    with pytest.raises(ValueError, match="stack='both': there is 'encoder' and 'decoder' and 'cross'"):
        show(trace, stack="both")


def test_a_prefix_stands_before_the_decoders_own_tokens():
    model = load_model("encoder-decoder-prefix")
    page = show(model, "How to bake\nPreheat the oven")
    header, arrays = told(page, "decoder")
    words = ["How", " to", " bake", "<|startofarticle|>", "P", "re", "heat", " the", " oven"]
    assert "".join(token["text"] for token in header["tokens"]) == "".join(words)
    assert arrays["pattern"].shape[2] == len(header["tokens"])
    assert "".join(token["text"] for token in told(page, "encoder")[0]["tokens"]) == "How to bake"


def test_some_recorded_layers_keep_their_numbers():
    with record(model := load_model("decoder"), ["blocks.[35].attn.pattern", "embedding.ids"]) as trace:
        model(torch.tensor([[4, 5, 6]]))
    header, arrays = told(show(trace))
    assert header["layers"] == [3, 5]
    assert np.abs(arrays["pattern"][1] - trace.attention(5)[0].detach().numpy()).max() <= EXACT


@pytest.mark.parametrize(("given", "tokens", "said"), [
    (torch.rand(T), None, r"have the shape \(H, T, S\) or \(B, H, T, S\), not \(7,\)"),
    ([torch.rand(1, T, T), torch.rand(1, T + 1, T + 1)], None, "one shape"),
    ([], None, 'empty: .* attn_implementation="eager"'),
    ((None, None), None, 'empty: .* attn_implementation="eager"'),
    ("What", None, "no model 'What'"),
    (7, None, "int holds no attention: give a model and a text"),
    (causal(1, 1, T, T) * 3, None, "from 0 to 1"),
    (torch.full((1, H, T, T), torch.nan), None, "not a number"),
    (torch.zeros(1, 4, 1024, 1024), None, "at most 1000, or choose at most 3 heads with layers= and heads="),
    (torch.zeros(12, 1, 12, 167, 167), None, "167 tokens are too many to draw in 144 heads: give at most 166"),
    (causal(1, H, T, T), ["a"], "1 tokens for patterns of 7 positions"),
    (causal(1, H, T, T), "How to", "tokens is a text"),
    (causal(1, H, T, T), [10**6] * T, "token 1000000 is not in our vocabulary"),
])  # fmt: skip
def test_what_cannot_be_shown_is_said(given, tokens, said):
    with pytest.raises(ValueError, match=said):
        show(given, tokens)


def test_a_layer_or_head_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="layer=2, head=0: there are 2 layers of 3 heads"):
        show(causal(L, 1, H, T, T), layer=2)


def test_a_trace_without_patterns_says_how_to_record_them(trace):
    with record(model := Encoder(ModelConfig(**SIZES)), ["ln_f"]) as only:
        model(torch.arange(T)[None])
    with pytest.raises(ValueError, match="no attention pattern: record without names"):
        show(only)


def test_a_notebook_gets_a_frame():
    page = show(causal(L, 1, H, T, T), height=500)
    frame = page._repr_html_()
    assert frame.startswith('<iframe srcdoc="') and "height: 500px" in frame
    assert html.unescape(frame.split('"')[1]) == page.html


@pytest.mark.parametrize(("name", "start"), [
    ("view.html", b"<!doctype html>"), ("view.SVG", b"<?xml"), ("view.png", b"\x89PNG"), ("view.pdf", b"%PDF"),
])  # fmt: skip
def test_a_file_is_what_its_name_says(tmp_path, name, start):
    page = show(causal(L, 1, H, T, T), ["a", "$x_1$", "\x00", "<&>", " e", "\n", "北"], head=2)
    assert page.save(tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize("name", ["view.bmp", "view", "view.html.gz"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"the name must end with \.html, \.svg, \.png, \.pdf"):
        show(causal(L, 1, H, T, T)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_picture_names_head_and_tokens_and_writes_the_weights(tmp_path):
    pattern = causal(L, 1, H, T, T)
    svg = show(pattern, [*"abcdefg"], layer=1, head=2).save(tmp_path / "a.svg").read_text()
    assert "layer 1, head 2" in svg and all(f">{letter}<" in svg for letter in "abcdefg")
    assert f">{pattern[1, 0, 2, 6, 3]:.2f}<".replace(">0", ">") in svg


def test_importing_explorer_loads_neither_numpy_nor_torch_nor_gradio_nor_ipython():
    for statement, heavy in (
        ("import explorer", "numpy torch gradio IPython"),
        ("from explorer import show", "torch gradio IPython"),
    ):
        code = f"import sys; {statement}; print(sorted(set(sys.modules) & set('{heavy}'.split())))"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_encoders_header_says_that_nothing_is_masked():
    pattern = torch.rand(L, 1, H, T, T).softmax(-1)
    header, arrays = told(show(pattern))
    assert header["mask"] == "none"
    assert np.abs(arrays["pattern"] - pattern[:, 0].numpy()).max() <= EXACT


def test_our_model_runs_a_text_and_is_left_as_it_was(trace):
    model = load_model("decoder").train()
    page = show(model, "How to make a cake")
    header, arrays = told(page)
    assert model.training and all(part.training for part in model.modules())
    assert np.abs(page.patterns[""][3] - trace.attention(3)[0].numpy()).max() < 1e-6
    assert [token["text"] for token in header["tokens"]] == ["<|startofarticle|>", "How", " to", " make", " a", " cake"]
    assert np.allclose(arrays["next_probs"], trace["logits"][0].softmax(-1).topk(20).values.numpy(), atol=1e-6)
    assert np.array_equal(show("decoder", "How to make a cake").patterns[""], page.patterns[""])


@pytest.mark.parametrize(("model", "text", "said"), [
    (torch.nn.Linear(2, 2), "a", "for a Linear, give the attention weights"),
    (torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(8, 2), 1), "a", "for a TransformerEncoder, give"),
    (Decoder(ModelConfig(**SIZES)), "a", "give tokenizer="),
    (Decoder(ModelConfig(**SIZES)), None, "needs a text"),
])  # fmt: skip
def test_a_model_that_cannot_be_run_says_what_it_needs(model, text, said):
    with pytest.raises(ValueError, match=said):
        show(model, text)
