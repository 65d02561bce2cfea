"""Every figure, on what the shipped decoder gives: it saves as a PDF, and shows the numbers that it was given."""

import io
import json

import numpy as np
import pytest
import torch

from llm_core import figures, ids_of, load_model, load_tokenizer, record
from llm_core.analysis import Patching, Roles, Sweep, logit_attribution, logit_difference, logit_lens
from llm_core.paths import ASSETS

TEXT = "Ask your mother if she can help you. Tell"


@pytest.fixture(scope="module")
def given():
    """Arguments of every figure, by name, and what one number of its picture must be."""
    model, tokenizer = load_model("decoder"), load_tokenizer()
    ids = ids_of(TEXT, tokenizer)
    with torch.no_grad(), record(model) as trace:
        model(ids)
    tokens = [tokenizer.piece(id) for id in ids[0].tolist()]
    her, him = (tokenizer.encode(token)[0] for token in (" her", " him"))
    shares = logit_attribution(model, trace, len(tokens) - 1, her)
    patched = Patching(model, ids, ids_of(TEXT.replace("she", "he"), tokenizer), logit_difference(her, him)).exact("z")
    roles = json.loads((ASSETS / "roles.json").read_text())
    named = {role["name"]: torch.tensor(role["scores"]) for role in roles}
    effects = torch.linspace(-0.1, 0.4, 48).view(6, 8)
    curve = [
        {"step": i, "tokens": 100 * i, "loss": 9 / (i + 1), **({"held_out_loss": 1.0} if i else {})} for i in (0, 1, 2)
    ]
    rows = model.embedding.token_table.weight[ids[0]].detach()
    attention = trace.attention(5)[0]
    return {
        "attention": ((attention[3], tokens), attention[3]),
        "attention_grid": ((torch.stack([trace.attention(i)[0] for i in range(2)]),), trace.attention(0)[0, 0]),
        "lens": ((logit_lens(model, trace), tokenizer, tokens), logit_lens(model, trace).probabilities[0, ..., 0]),
        "attribution": ((shares,), torch.cat([shares.heads, shares.mlps[:, None]], 1)),
        "roles": ((Roles(scores=named, baselines={}),), named["previous token"]),
        "ablation": ((Sweep(heads=effects, mlps=effects[:, 0], effects={}),), torch.cat([effects, effects[:, :1]], 1)),
        "patching": ((patched,), patched.recovered),
        "training_curves": (({"mine": curve},), torch.tensor([9, 4.5, 3])),
        "embedding_map": ((rows, tokens), None),
    }


FIGURES = [name for name in figures.__all__ if name != "curves"]  # which training_curves is made of


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_for_paper_is_a_pdf_with_its_numbers(given, name, tmp_path):
    arguments, expected = given[name]
    figure = getattr(figures, name)(*arguments)
    figure.savefig(tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    assert content.startswith(b"%PDF-") and content.rstrip().endswith(b"%%EOF") and len(content) > 4000
    assert b"/Type3" not in content  # letters that can be edited
    width, height = figure.get_size_inches()
    assert 1 < width <= 12 and 1 < height <= 12
    if name in ("attention", "lens", "embedding_map"):
        figure.savefig(file := io.BytesIO(), format="svg")
        drawing = file.getvalue().decode()
        assert "mother" in drawing and "Tell" in drawing
        assert name != "lens" or f">{arguments[0].pieces(load_tokenizer())[-1][-1].strip()}<" in drawing
    axes = figure.axes[0]
    if name == "training_curves":
        assert axes.lines[0].get_ydata().tolist() == expected.tolist() and axes.lines[1].get_linestyle() == "--"
    elif name != "embedding_map":
        np.testing.assert_allclose(np.asarray(axes.images[0].get_array()), expected.numpy(), atol=1e-6)
    if name == "ablation":
        assert figure._repr_png_().startswith(b"\x89PNG")  # what a notebook shows


@pytest.mark.parametrize("name", FIGURES)
def test_an_interactive_figure_has_the_same_numbers(given, name):
    arguments, expected = given[name]
    figure = getattr(figures, name)(*arguments, interactive=True)
    trace = figure.data[0]
    if name == "training_curves":
        assert list(trace.y) == expected.tolist() and [line.name for line in figure.data] == ["mine", "mine, held out"]
    elif name != "embedding_map":
        np.testing.assert_allclose(np.asarray(trace.customdata), expected.numpy(), atol=1e-6)
    page = figure.to_html(include_plotlyjs=False)
    assert "mother" in page or name in (
        "attention_grid",
        "attribution",
        "roles",
        "ablation",
        "patching",
        "training_curves",
    )


def test_an_embedding_map_keeps_what_is_near(given):
    vectors, names = given["embedding_map"][0]
    figure = figures.embedding_map(vectors, names)
    at = np.asarray(figure.axes[0].collections[0].get_offsets())
    centered = vectors - vectors.mean(0)
    u, s, _ = torch.linalg.svd(centered, full_matrices=False)
    np.testing.assert_allclose(np.abs(at), (u * s)[:, :2].abs().numpy(), atol=1e-3)
    deep = figures.embedding_map(vectors, names, dims=3, interactive=True)
    assert deep.data[0].type == "scatter3d" and len(deep.data[0].z) == len(names)


def test_curves_by_name():
    figure = figures.curves({"L5 H6": ([1, 2, 4], [0, 0.5, 0.75])}, across="step", up="induction score")
    (line,) = figure.axes[0].lines
    assert line.get_xdata().tolist() == [1, 2, 4] and line.get_ydata().tolist() == [0, 0.5, 0.75]
    assert figure.axes[0].get_xlabel() == "step" and figure.axes[0].get_ylabel() == "induction score"


def test_what_cannot_be_drawn_is_one_sentence(given):
    (pattern, tokens), _ = given["attention"]
    for wrong, sentence in (
        (lambda: figures.attention(pattern[None], tokens), r"pattern of shape \(1, 11, 11\): must be \(T, S\)"),
        (lambda: figures.attention(pattern, tokens[1:]), "10 tokens for a pattern of shape"),
        (lambda: figures.attention_grid(pattern), r"must be \(L, H, T, S\)"),
        (lambda: figures.training_curves({"mine": [{"step": 1}]}), "no line of these histories has a loss"),
        (lambda: figures.embedding_map(pattern, tokens, dims=4), "dims=4: must be 2 or 3"),
        (lambda: figures.embedding_map(pattern, tokens[1:]), "10 names for 11 vectors"),
    ):
        with pytest.raises(ValueError, match=sentence):
            wrong()
