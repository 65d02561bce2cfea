"""The part that the picture of the pipeline is drawn from: every tensor of the pass, as the model computed it."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import TOP, unpack
from explorer.engine.runner import Runner
from explorer.questions.explore import PARTS
from llm_core import Decoder, ModelConfig, save_model

from ..common import randomised

# T, H, D, C and L all differ
TINY = {"vocab_size": 8192, "block_size": 19, "n_layer": 3, "n_head": 2, "n_embd": 12}
TEXT = "How to wash a red cup"
ONCE = ["embedding.token", "embedding.position", "embedding.sum", "ln_f"]


class Part:
    """The part of a tiny model for TEXT, beside the trace it was made from."""

    def __init__(self, folder, **more):
        torch.manual_seed(1)
        save_model(randomised(Decoder(ModelConfig(**TINY, **more))), folder)
        runner = Runner(str(folder))
        self.run, self.piece = runner.recorded(TEXT), runner.tokenizer.piece
        self.trace, self.model = self.run.trace, runner.model
        self.header, self.arrays = unpack(PARTS["tensors"](runner, self.run))


@pytest.fixture(scope="module")
def part(tmp_path_factory) -> Part:
    return Part(tmp_path_factory.mktemp("tiny"))


def test_every_named_tensor_is_the_traces_bit_for_bit(part):
    compared = []
    for name, written in part.header["names"].items():
        if name in ("attn.scores", "attn.pattern"):
            continue
        for layer in range(TINY["n_layer"]) if "{layer}" in written else [0]:
            expected = part.trace[written.format(layer=layer)]
            expected = expected if name == "embedding.position" else expected[0]
            found = part.arrays[name] if name in ONCE else part.arrays[name][layer]
            assert np.array_equal(found, expected.numpy()), written
            compared.append(written.format(layer=layer))
    elsewhere = (
        "attn.scores",
        "attn.pattern",
        "embedding.ids",
        "logits",
        "resid_pre",
    )  # the last: resid_post of the layer before
    points = {name for name in part.trace.names() if not name.endswith(elsewhere)}
    assert set(compared) == points  # nothing that the model passes through is left out


def test_scores_and_pattern_are_those_that_the_mask_leaves(part):
    T = len(part.run.ids)
    places = [(query, key) for query in range(T) for key in range(query + 1)]
    for layer in range(TINY["n_layer"]):
        expected = part.trace[f"blocks.{layer}.attn.scores"][0]  # (H, T, T)
        assert expected.isinf().sum() == TINY["n_head"] * (T * T - len(places))
        for head in range(TINY["n_head"]):
            for name in ("scores", "pattern"):
                whole = part.trace[f"blocks.{layer}.attn.{name}"][0, head]
                numbers = torch.stack([whole[query, key] for query, key in places])
                assert np.array_equal(part.arrays[f"attn.{name}"][layer, head], numbers.numpy())


def test_logits_give_torchs_probabilities(part):
    best = part.trace["logits"][0].softmax(-1).topk(TOP)
    ids = part.arrays["logits_ids"]
    assert np.array_equal(ids, best.indices.numpy())
    found = np.exp(part.arrays["logits"] - part.arrays["log_sum_exp"][:, None])
    assert np.abs(found - best.values.numpy()).max() < 1e-6
    assert part.header["pieces"] == {str(id): part.piece(int(id)) for id in np.unique(ids)}


NORMS = [
    ("ln_1", "embedding.sum", 0),
    ("ln_1", "blocks.1.resid_post", 2),
    ("ln_2", "blocks.1.resid_mid", 1),
    ("ln_f", "blocks.2.resid_post", None),
]


@pytest.mark.parametrize("name, source, layer", NORMS)
def test_weights_and_biases_of_the_norms_give_what_the_model_computed(part, name, source, layer):
    weight, bias = (torch.from_numpy(np.copy(part.arrays[f"{name}.{kind}"])) for kind in ("weight", "bias"))
    if layer is not None:
        weight, bias = weight[layer], bias[layer]
    found = F.layer_norm(part.trace[source], (TINY["n_embd"],), weight, bias, part.header["epsilon"])
    expected = part.trace[name if layer is None else f"blocks.{layer}.{name}"]
    assert (found - expected).abs().max() < 1e-5


def test_a_model_without_biases_has_none(tmp_path):
    part = Part(tmp_path, bias=False)
    assert "ln_1.weight" in part.arrays and "ln_f.weight" in part.arrays
    assert not any(name.endswith(".bias") for name in part.arrays)


def test_a_text_of_one_token_has_all_of_it(tmp_path):
    torch.manual_seed(1)
    save_model(randomised(Decoder(ModelConfig(**TINY))), tmp_path)
    runner = Runner(str(tmp_path))
    _, arrays = unpack(PARTS["tensors"](runner, runner.recorded("")))
    assert arrays["attn.scores"].shape == (3, 2, 1)
    assert arrays["mlp.post"].shape == (3, 1, 48)


def test_64_tokens_of_the_shipped_model_stay_below_9_mb():
    runner = Runner()
    run = runner.recorded("wash the red cup and the blue cup " * 12)
    size = len(PARTS["tensors"](runner, run))
    assert size / len(run.ids) * 64 < 9e6  # float32; almost all of it grows with T, the scores with T²
