"""``show`` in a notebook: what the page that it gives is told, against the tensors that it was given."""

import html
import subprocess
import sys

import numpy as np
import pytest
import torch

from explorer import show
from explorer.engine.payload import unpack
from explorer.export.notebook import AttentionPage, pattern_payload, patterns_of
from llm_core import Decoder, Encoder, EncoderDecoder, ModelConfig, load_model, load_tokenizer, record

from .test_standalone import inside, unpacked

T, L, H = 7, 2, 3
SIZES = {"vocab_size": 50, "block_size": 9, "n_layer": L, "n_head": H, "n_embd": 12}
EXACT = 1 / 65535  # weights travel in 16 bits


def told(page: AttentionPage) -> tuple[dict, dict]:
    """Header and arrays of the payload inside the page."""
    return unpack(unpacked(inside(page.html)["run"]))


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
    page = show(pattern, tokens)
    header, arrays = told(page)
    assert np.abs(arrays["pattern"] - pattern.numpy()).max() <= EXACT
    assert [token["text"] for token in header["tokens"]] == tokens
    assert "next_ids" not in arrays
    assert "onerror" not in page.html and page.html.count("</script>") == 1


@pytest.mark.parametrize("wrap", [
    lambda p: p.numpy(),
    lambda p: p[:, None],
    lambda p: list(p),
    lambda p: tuple(layer[None] for layer in p),
    lambda p: [layer.bfloat16().requires_grad_() for layer in p],
])  # fmt: skip
def test_patterns_come_in_many_forms(wrap):
    pattern = causal(L, H, T, T)
    assert np.allclose(patterns_of(wrap(pattern)), pattern.numpy(), atol=4e-3)


def test_places_label_what_is_not_known():
    header, _ = told(show(causal(L, H, T, T)))
    assert [token["text"] for token in header["tokens"]] == [*"0123456"]
    with record(model := Decoder(ModelConfig(**SIZES))) as trace:
        model.eval()(torch.arange(T)[None])
    header, arrays = told(show(trace, model=model))  # 50 ids are not our tokenizer's
    assert [token["text"] for token in header["tokens"]] == [*"0123456"]
    assert "next_ids" not in arrays


def test_ids_of_our_tokenizer_are_written_as_its_pieces():
    ids = load_tokenizer().encode("How to make a cake")
    header, _ = told(show(causal(L, H, len(ids), len(ids)), torch.tensor(ids)))
    assert [token["text"] for token in header["tokens"]] == ["How", " to", " make", " a", " cake"]


def test_a_stack_of_an_encoder_decoder_is_chosen():
    model = EncoderDecoder(config := ModelConfig(**SIZES), config, conditioning="cross").eval()
    with record(model) as trace:
        model(torch.arange(5)[None], torch.arange(T)[None])
    with pytest.raises(ValueError, match="this trace has the stacks decoder and encoder: choose one, stack='decoder'"):
        show(trace)
    header, arrays = told(show(trace, stack="decoder"))
    assert np.abs(arrays["pattern"][1] - trace.attention(1, "decoder")[0].detach().numpy()).max() <= EXACT
    assert header["names"]["pattern"] == "decoder.blocks.{layer}.attn.pattern"


@pytest.mark.parametrize(("given", "tokens", "said"), [
    (torch.rand(H, T, T), None, "must have the shape"),
    (torch.rand(L, H, T, T + 1), None, "must have the shape"),
    (torch.rand(L, 2, H, T, T), None, "not a batch"),
    ([torch.rand(H, T, T), torch.rand(H, T + 1, T + 1)], None, "one shape"),
    ([], None, "none at all"),
    (causal(L, H, T, T) * 3, None, "from 0 to 1"),
    (torch.full((L, H, T, T), torch.nan), None, "from 0 to 1"),
    (torch.zeros(2, 2, 1024, 1024), None, "at most 1000"),
    (causal(L, H, T, T), ["a"], "1 tokens for patterns of 7 places"),
    (causal(L, H, T, T), [10**6] * T, "token 1000000 is not in our vocabulary"),
])  # fmt: skip
def test_what_cannot_be_shown_is_said(given, tokens, said):
    with pytest.raises(ValueError, match=said):
        show(given, tokens)


def test_a_layer_or_head_that_is_not_there_is_said():
    with pytest.raises(ValueError, match="layer=2, head=0: there are 2 layers of 3 heads"):
        show(causal(L, H, T, T), layer=2)


def test_a_trace_without_patterns_says_how_to_record_them(trace):
    with record(model := Encoder(ModelConfig(**SIZES)), ["ln_f"]) as only:
        model(torch.arange(T)[None])
    with pytest.raises(ValueError, match="no attention pattern: record without names"):
        show(only)


def test_a_notebook_gets_a_frame_and_save_writes_the_page(tmp_path):
    page = show(causal(L, H, T, T), height=500)
    frame = page._repr_html_()
    assert frame.startswith('<iframe srcdoc="') and "height: 500px" in frame
    assert html.unescape(frame.split('"')[1]) == page.html
    assert page.save(tmp_path / "view.html").read_text(encoding="utf-8") == page.html


def test_importing_explorer_loads_neither_numpy_nor_torch_nor_gradio_nor_ipython():
    for statement, heavy in (
        ("import explorer", "numpy torch gradio IPython"),
        ("from explorer import show", "torch gradio IPython"),
    ):
        code = f"import sys; {statement}; print(sorted(set(sys.modules) & set('{heavy}'.split())))"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_encoders_header_says_that_nothing_is_masked():
    pattern = torch.rand(L, H, T, T).softmax(-1)
    header, arrays = unpack(pattern_payload(patterns_of(pattern)))
    assert header["mask"] == "none"
    assert np.abs(arrays["pattern"] - pattern.numpy()).max() <= EXACT
