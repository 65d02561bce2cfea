"""What the Explore page gets of decoders of other families, beside transformers' own numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.engine.architectures import KINDS, architecture_of
from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.engine.shelf import Shelf
from explorer.live.runs import LIVE
from explorer.questions import compare, explore, writing
from explorer.questions.asker import Asker
from explorer.questions.patch import patch
from llm_core import load_tokenizer
from llm_core.model.families.loading import FAMILIES

from ..model.families import theirs

TEXT = theirs.SENTENCE
NAMES = ("gpt2", "gpt2 scaled by layer", "llama", "mistral", "qwen3", "gpt_neox", "gpt_neo")


@pytest.fixture(scope="module", params=NAMES)
def family(request, tmp_path_factory):
    """transformers' model, our runner, and the ids of TEXT."""
    folder = tmp_path_factory.mktemp(request.param.replace(" ", "-"))
    model = theirs.with_tokenizer(request.param, folder)
    runner = Runner("mine", folder)
    return model, runner, runner.encode(TEXT)


@pytest.fixture(scope="module")
def expected(family):
    model, _, ids = family
    with torch.inference_mode():
        return model(torch.tensor([ids]), output_attentions=True)


def part_of(runner: Runner, name: str, text: str = TEXT):
    return unpack(explore.part(runner, name, text).payload)


def test_attention_and_next_tokens_are_theirs(family, expected):
    _, runner, ids = family
    header, arrays = unpack(runner.run(TEXT).payload)
    attentions = torch.stack(expected.attentions)[:, 0]  # (L, H, T, T)
    assert [token["id"] for token in header["tokens"]] == ids
    assert np.abs(arrays["pattern"] - attentions.numpy()).max() <= 1 / 65535 + 1e-5
    probs = expected.logits[0].softmax(-1)
    best = torch.from_numpy(arrays["next_ids"].astype(np.int64))
    assert np.allclose(arrays["next_probs"], probs.gather(1, best), atol=1e-5)
    assert np.allclose(arrays["actual_probs"], probs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0], atol=1e-5)


def test_what_the_family_does_otherwise_is_said(family):
    model, runner, _ = family
    said = unpack(runner.run(TEXT).payload)[0]["model"]
    config = model.config
    assert said.get("n_kv_head", said["n_head"]) == getattr(config, "num_key_value_heads", config.num_attention_heads)
    assert said.get("norm", "layer") == ("rms" if hasattr(config, "rms_norm_eps") else "layer")
    assert said.get("parallel", False) == getattr(config, "use_parallel_residual", False)
    has_window = any(said.get("windows", []))
    assert has_window == (config.model_type in ("mistral", "gpt_neo"))
    assert json.dumps(said)


def test_queries_and_keys_multiply_to_the_attention(family, expected):
    _, runner, ids = family
    header, arrays = part_of(runner, "neurons")
    scale = np.array(header["scale"])[:, None, None, None]
    scores = arrays["q"] @ arrays["k"].swapaxes(-1, -2) * scale  # (L, H, T, T)
    T = len(ids)
    back = np.arange(T)[:, None] - np.arange(T)  # how far a key lies before a query
    for layer, window in enumerate(header["windows"]):
        hidden = (back < 0) | (back >= (window or T))
        seen = np.where(hidden, -np.inf, scores[layer])
        weights = np.exp(seen - seen.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        assert np.allclose(weights, expected.attentions[layer][0], atol=1e-5)


def test_the_shares_of_a_logit_sum_to_theirs(family, expected):
    _, runner, ids = family
    _, arrays = part_of(runner, "stream")
    of = torch.from_numpy(arrays["share_ids"].astype(np.int64))  # (T, K)
    layers = sum(arrays[f"share_{name}"].sum(0) for name in ("attention_bias", "mlps")) + arrays["share_heads"].sum(
        (0, 1)
    )
    names = ("token", "position", "norm_bias", "head_bias")
    single = sum(arrays[f"share_{name}"] for name in names if f"share_{name}" in arrays)
    assert np.allclose(layers + single, expected.logits[0].gather(1, of), atol=1e-3)
    L, rows = runner.facts.n_layer, arrays["norm_stream"].shape[0]
    assert rows == (L + 1 if runner.facts.family.get("parallel") else 2 * L + 1)
    assert ("norm_position" in arrays) == (runner.facts.family.get("positions", "learned") == "learned")
    assert arrays["lens_probs"].shape[:2] == (L + 1, len(ids))


def test_every_tensor_of_the_pipeline_has_its_shape(family):
    _, runner, ids = family
    header, arrays = part_of(runner, "tensors")
    said, T = runner.facts.shown, len(ids)
    C, H = said["n_embd"], said["n_head"]
    K, D, F = said.get("n_kv_head", H), said.get("head_dim", C // H), said.get("mlp_width", 4 * C)
    widths = {"attn.q": (H, T, D), "attn.k": (K, T, D), "attn.v": (K, T, D), "mlp.post": (T, F), "resid_post": (T, C)}
    for name, shape in widths.items():
        assert arrays[name].shape[1:] == shape, name
    assert ("attn.rot_q" in arrays) == (said.get("positions") == "rotary")
    assert ("mlp.gate" in arrays) == (said.get("mlp") == "swiglu")
    assert ("resid_mid" in arrays) == (not said.get("parallel", False))
    assert ("ln_1.bias" in arrays) == (said.get("norm", "layer") == "layer")
    assert len(header["scale"]) == said["n_layer"]


def test_patching_brings_all_back_in_every_family(family):
    _, runner, _ids = family
    given = {"text": "Pour the bucket", "corrupted": "Pour bu bucket", "site": "resid_pre", "metric": "kl"}
    clean, corrupted = (runner.encode(given[name]) for name in ("text", "corrupted"))
    (differing,) = [i for i, (one, other) in enumerate(zip(clean, corrupted, strict=True)) if one != other]
    _, told, *rows = patch(Asker(Shelf(runner)), **given)
    assert told["facts"]["clean"] == pytest.approx(0, abs=1e-5) and told["facts"]["corrupted"] > 1e-6
    assert len(rows) == runner.facts.n_layer
    assert rows[0]["values"][differing] == pytest.approx(0, abs=1e-5)
    for place, value in enumerate(rows[0]["values"]):
        assert place == differing or value == pytest.approx(told["facts"]["corrupted"], rel=1e-2, abs=1e-5)


def test_generate_writes_what_they_write(family):
    model, runner, _ = family
    prompt = runner.encode("Pour the vinegar")
    with torch.inference_mode():
        theirs_ids = model.generate(torch.tensor([prompt]), max_new_tokens=6, do_sample=False, pad_token_id=0)
    written = [step["id"] for step in writing.write(runner, "Pour the vinegar", [], 6, 1, temperature=0)]
    new = theirs_ids[0, len(prompt) :].tolist()
    assert written == new[: len(written)] and written
    header, arrays = unpack(writing.look(runner, "Pour the vinegar", written).payload)
    assert header["cache_bytes"] == writing.cache_bytes(runner.model) > 0
    assert arrays["ids"].shape == (model.config.vocab_size,)


def test_a_text_of_nothing_is_a_sentence_where_no_token_stands_before_it(family):
    _, runner, _ = family
    with pytest.raises(ValueError, match="mine has no token that stands before a text: type at least one character"):
        runner.encode("")


TWO_LINES = "Pour the vinegar\ninto the purple bucket. Then clean it"


@pytest.mark.parametrize("name", ["bert", "t5", "bart"])
def test_compare_shows_their_attention(name, tmp_path):
    model = theirs.with_tokenizer(name, tmp_path / name)
    shelf = Shelf(Runner(), runs=tmp_path / "none")
    found = compare.compare(shelf, TWO_LINES, [str(tmp_path / name)], 3, any_folder=True)
    header, arrays = unpack(found.payload)
    (column,) = header["columns"]
    assert column["error"] is None
    ids = {part["name"]: torch.tensor([[t["id"] for t in part["queries"]]]) for part in column["parts"]}
    if name == "bert":
        ids["encoder"][0, 3] = load_tokenizer(tmp_path / name).mask
        assert ids["encoder"][0, [0, -1]].tolist() == [1, 2]  # [CLS] and [SEP]
        output = model(ids["encoder"], output_attentions=True)
        expected = {"encoder": output.attentions}
        best = output.logits[0, 3].softmax(-1).max()
        assert np.isclose(arrays["0.probs"].max(), best.item(), atol=1e-5)
    else:
        assert ids["decoder"][0, 0] == {"t5": 0, "bart": 2}[name]
        output = model(ids["encoder"], decoder_input_ids=ids["decoder"], output_attentions=True)
        own = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}
        expected = {part: getattr(output, attribute) for part, attribute in own.items()}
    assert set(expected) == set(ids)
    for part, attentions in expected.items():
        pattern = torch.stack(attentions)[:, 0].detach().numpy()
        assert np.abs(arrays[f"0.{part}.pattern"] - pattern).max() <= 1 / 65535 + 1e-5, part


def test_the_owner_opens_a_folder_which_is_a_choice_from_then_on(tmp_path):
    theirs.with_tokenizer("gpt2", tmp_path / "mine")
    name, shelf = str(tmp_path / "mine"), Shelf(Runner(), runs=tmp_path / "none")
    owner = replace(Asker(shelf, LIVE), is_owner=True)
    with pytest.raises(ValueError, match="Only the person who started this app"):
        explore.open_model(Asker(shelf, LIVE), name)
    with pytest.raises(ValueError, match="no model"):
        shelf.decoder(name)
    assert explore.open_model(owner, f" {name} ") == {"name": name, "architecture": "decoder"}
    assert {"name": name, "title": name, "architecture": "decoder"} in shelf.choices()
    assert shelf.decoder(name).facts.n_head == 5
    for wrong, said in {"": "Type the folder", "no/where/at/all": "no folder no/where/at/all"}.items():
        with pytest.raises(ValueError, match=said):
            explore.open_model(owner, wrong)


def test_the_list_knows_of_each_family_what_it_is_before_it_is_loaded():
    assert set(KINDS) == set(FAMILIES) - {"nanogpt"}  # which has no config.json
    for name, case in theirs.CASES.items():
        kind = theirs.make(name).config.model_type
        assert architecture_of(theirs.pair(name)[1]) == KINDS[kind], case
