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
    with pytest.raises(ValueError, match="mine puts no token before a text: type at least one character"):
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


ATTENTIONS = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}


def explored(runner: Runner, stack: str = "", masked: int | None = None):
    """Header and arrays of a payload of TWO_LINES, and of what the lens and the residual stream draw."""
    text = unpack(runner.run(TWO_LINES, stack, masked).payload)
    return *text, *unpack(explore.part(runner, "stream", TWO_LINES, (), stack, masked).payload)


def summed(arrays: dict) -> np.ndarray:
    """All shares of logits (T, K)."""
    each = {name: array for name, array in arrays.items() if name.startswith("share_")}
    T, K = arrays["share_ids"].shape
    return sum(a.reshape(-1, T, K).sum(0) for n, a in each.items() if n not in ("share_ids", "share_logit"))


@pytest.mark.parametrize("name", ["bert", "distilbert", "roberta"])
def test_explore_shows_an_encoder(name, tmp_path):
    model, runner = theirs.with_tokenizer(name, tmp_path), Runner("mine", tmp_path)
    header, arrays, _, stream = explored(runner)
    ids = torch.tensor([[token["id"] for token in header["tokens"]]])
    output = model(ids, output_attentions=True)
    assert (header["mask"], header["predicts"], header["stacks"]) == ("none", "own", ["encoder"])
    assert np.abs(arrays["pattern"] - torch.stack(output.attentions)[:, 0].detach().numpy()).max() <= 1 / 65535 + 1e-5
    probs = output.logits[0].softmax(-1)
    assert np.allclose(arrays["actual_probs"], probs.gather(1, ids[0][:, None])[:, 0].detach(), atol=1e-5)
    asked = torch.from_numpy(stream["share_ids"].astype(np.int64))
    assert np.allclose(summed(stream), output.logits[0].gather(1, asked).detach(), atol=1e-3)
    assert np.allclose(stream["lens_probs"][-1], probs.topk(10).values.detach(), atol=1e-5)
    assert len(header["roles"]) >= 6 and set(header["without"]) == {"pipeline", "surgery"}
    for part in ("tensors", "surgery"):
        with pytest.raises(ValueError, match="a stand-alone decoder"):
            explore.part(runner, part, TWO_LINES)


def test_an_encoder_fills_in_a_hidden_token(tmp_path):
    model, runner = theirs.with_tokenizer("bert", tmp_path), Runner("mine", tmp_path)
    seen = explored(runner)[0]
    header, arrays, _, stream = explored(runner, masked=5)
    ids = torch.tensor([[token["id"] for token in seen["tokens"]]])
    hidden = ids.clone()
    hidden[0, 5] = runner.tokenizer.mask
    assert [token["id"] for token in header["tokens"]] == hidden[0].tolist()
    assert (header["masked"], header["hidden"]) == (5, seen["tokens"][5])
    probs = model(hidden).logits[0].softmax(-1)
    assert np.isclose(arrays["actual_probs"][5], probs[5, ids[0, 5]].item(), atol=1e-5)
    assert stream["share_ids"][5, -1] == ids[0, 5]  # whose logit is explained is what was hidden
    with pytest.raises(ValueError, match="masked=99: must be a position in the text, 0 to"):
        runner.run(TWO_LINES, masked=99)
    with pytest.raises(ValueError, match="only a stand-alone encoder"):
        Runner().run(TWO_LINES, masked=1)


def test_an_encoder_without_a_head_shows_its_attention_alone(tmp_path):
    model, runner = theirs.with_tokenizer("bert without head", tmp_path), Runner("mine", tmp_path)
    header, arrays = unpack(runner.run(TWO_LINES).payload)
    output = model(torch.tensor([[token["id"] for token in header["tokens"]]]), output_attentions=True)
    assert np.abs(arrays["pattern"] - torch.stack(output.attentions)[:, 0].detach().numpy()).max() <= 1 / 65535 + 1e-5
    assert header["predicts"] is None and set(arrays) == {"pattern"}
    assert header["without"]["lens"].startswith("This model was saved without a language-model head")


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_explore_shows_an_encoder_decoder(name, tmp_path):
    model, runner = theirs.with_tokenizer(name, tmp_path), Runner("mine", tmp_path)
    shown = {stack: unpack(runner.run(TWO_LINES, stack).payload) for stack in ATTENTIONS}
    ids = {s: torch.tensor([[token["id"] for token in header["tokens"]]]) for s, (header, _) in shown.items()}
    output = model(ids["encoder"], decoder_input_ids=ids["decoder"], output_attentions=True)
    for stack, attribute in ATTENTIONS.items():
        pattern = torch.stack(getattr(output, attribute))[:, 0].detach().numpy()
        header, arrays = shown[stack]
        assert np.abs(arrays["pattern"] - pattern).max() <= 1 / 65535 + 1e-5, stack
        assert (header["stack"], header["mask"]) == (stack, "causal" if stack == "decoder" else "none")
        assert bool(header["roles"]) == (stack != "cross")
        assert header["total"] == len(header["tokens"])
    assert [token["id"] for token in shown["cross"][0]["keys"]] == ids["encoder"][0].tolist()
    probs = output.logits[0].softmax(-1)
    for stack in ("decoder", "cross"):
        _, arrays, _, stream = explored(runner, stack)
        assert np.allclose(arrays["next_probs"], probs.topk(20).values.detach(), atol=1e-5)
        asked = torch.from_numpy(stream["share_ids"].astype(np.int64))
        assert np.allclose(summed(stream), output.logits[0].gather(1, asked).detach(), atol=1e-3)
        layers = len(output.cross_attentions)
        assert stream["share_cross_heads"].shape[0] == layers and stream["norm_stream"].shape[0] == 3 * layers + 1
    with pytest.raises(ValueError, match="hands its states to the decoder and predicts no token"):
        explored(runner, "encoder")
    with pytest.raises(ValueError, match="stack='nobody': this model has encoder, decoder, cross"):
        runner.run(TWO_LINES, "nobody")


@pytest.mark.parametrize(("name", "stack"), [("bert", ""), ("bart", "encoder"), ("bart", "decoder")])
def test_their_queries_and_keys_multiply_to_the_attention(name, stack, tmp_path):
    theirs.with_tokenizer(name, tmp_path)
    runner = Runner("mine", tmp_path)
    pattern = unpack(runner.run(TWO_LINES, stack).payload)[1]["pattern"]
    header, arrays = unpack(explore.part(runner, "neurons", TWO_LINES, (), stack).payload)
    scores = arrays["q"] @ arrays["k"].swapaxes(-1, -2) * np.array(header["scale"])[:, None, None, None]
    T = scores.shape[-1]
    if header["causal"]:
        scores = np.where(np.tri(T, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    assert np.abs(weights / weights.sum(-1, keepdims=True) - pattern).max() <= 1 / 65535 + 1e-5


def test_distances_that_are_added_to_scores_are_said_where_products_are_shown(tmp_path):
    theirs.with_tokenizer("t5", tmp_path)
    with pytest.raises(ValueError, match="adds to each score a learned number for the distance"):
        explore.part(Runner("mine", tmp_path), "neurons", TWO_LINES)


def test_a_prefix_predicts_nothing_and_what_follows_it_is_predicted():
    runner = Runner("encoder-decoder-prefix")
    header, arrays = unpack(runner.run(TWO_LINES).payload)
    P, run = header["prefix"], runner.recorded(TWO_LINES)
    assert len(run.given.ids) == P and len(header["tokens"]) == P + len(run.ids) == arrays["pattern"].shape[-1]
    probs = run.trace["decoder.logits"][0].softmax(-1)
    assert not arrays["next_probs"][:P].any()
    assert np.allclose(arrays["next_probs"][P:, 0], probs.max(-1).values, atol=1e-6)
    with pytest.raises(ValueError, match="as a prefix"):
        explore.part(runner, "stream", TWO_LINES)


def test_the_owner_opens_a_folder_which_is_a_choice_from_then_on(tmp_path):
    theirs.with_tokenizer("gpt2", tmp_path / "mine")
    name, shelf = str(tmp_path / "mine"), Shelf(Runner(), runs=tmp_path / "none")
    owner = replace(Asker(shelf, LIVE), is_owner=True)
    with pytest.raises(ValueError, match="Only the person who started this app"):
        explore.open_model(Asker(shelf, LIVE), name)
    with pytest.raises(ValueError, match="no model"):
        shelf.decoder(name)
    assert explore.open_model(owner, f" {name} ") == {"name": name, "architecture": "decoder"}
    assert {"name": name, "title": name, "architecture": "decoder"} in explore.models(owner)
    assert owner.decoder(name).facts.n_head == 5 and name not in str(explore.models(Asker(shelf, LIVE)))
    for wrong, said in {"": "Type the folder", "no/where/at/all": "no folder no/where/at/all"}.items():
        with pytest.raises(ValueError, match=said):
            explore.open_model(owner, wrong)


def test_the_list_knows_of_each_family_what_it_is_before_it_is_loaded():
    assert set(KINDS) == set(FAMILIES) - {"nanogpt"}  # which has no config.json
    for name, case in theirs.CASES.items():
        kind = theirs.make(name).config.model_type
        assert architecture_of(theirs.pair(name)[1]) == KINDS[kind], case
