"""Each mistake changes just what it says, in the copy alone; what it computes is computed again by hand."""

import inspect
import json
import math
import threading
import traceback
from dataclasses import replace
from textwrap import dedent

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core.generation.sampling import generate
from llm_core.mistakes import measure as measure_mistakes
from llm_core.mistakes.known import (
    MISTAKES,
    MODULES,
    NAMED,
    broken,
    measured,
    right_lines,
    right_source,
    wrong_lines,
    wrong_source,
)
from llm_core.model.architectures import Decoder
from llm_core.model.attention import MultiHeadAttention
from llm_core.model.recording import HookPoint, Trace, intervene, record
from llm_core.text.articles import is_held_out

from ..by_hand import norm_by_hand
from ..common import DECODER, build
from ..train.tiny_run import ARTICLES

B, T, H, D, C = 2, 7, 4, 6, 24
SEES_THE_FUTURE = {  # also where nothing is said of it: through mixed-up tokens, or a softmax that counts hidden ones
    *("wrong-split", "wrong-merge", "softmax-axis", "mask-after-softmax", "mask-inverted", "mask-off-by-one")
}
each_mistake = pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)


@pytest.fixture
def decoder():
    return build("decoder")


@pytest.fixture
def ids():
    return torch.randint(DECODER.vocab_size, (B, T))


def run(model: Decoder, ids: Tensor, name: str | None = None) -> Trace:
    """What passes the hook points of the model, or of its copy with a mistake."""
    model = broken(model, NAMED[name]) if name else model
    with record(model) as trace:
        model(ids)
    return trace


def projected(model: Decoder, trace: Trace, part: str) -> Tensor:
    """The queries, keys or values of block 0 before they are split, (B, T, C)."""
    layer = getattr(model.blocks[0].attn, f"{part}_proj")
    return trace["blocks.0.ln_1"] @ layer.weight.T + layer.bias


def cut(x: Tensor) -> Tensor:
    """(B, T, C) -> (B, H, T, D), head by head."""
    return torch.stack([x[..., h * D : (h + 1) * D] for h in range(H)], dim=1)


def softmax_by_hand(scores: Tensor, visible: Tensor) -> Tensor:
    weights = scores.exp() * visible
    return weights / weights.sum(-1, keepdim=True)


def close(tensor: Tensor, expected: Tensor) -> None:
    assert_close(tensor, expected, atol=1e-5, rtol=1e-4)


# --- what is computed, by hand ---------------------------------------------------------------------------


def test_wrong_split(decoder, ids):
    trace = run(decoder, ids, "wrong-split")
    for part in ("q", "k", "v"):
        whole = projected(decoder, trace, part)
        close(trace[f"blocks.0.attn.{part}"], whole.view(B, H, T, D))
        assert (trace[f"blocks.0.attn.{part}"] - cut(whole)).abs().max() > 0.1


def test_wrong_merge(decoder, ids):
    trace, right = run(decoder, ids, "wrong-merge"), run(decoder, ids)
    z, out_proj = trace["blocks.0.attn.z"], decoder.blocks[0].attn.out_proj
    close(z, right["blocks.0.attn.z"])
    numbers = [float(x) for b in range(B) for h in range(H) for t in range(T) for x in z[b, h, t]]
    merged = torch.tensor(numbers).view(B, T, C)
    close(trace["blocks.0.attn.out"], merged @ out_proj.weight.T + out_proj.bias)


def test_one_head(decoder, ids):
    trace = run(decoder, ids, "one-head")
    q, k, v = (projected(decoder, trace, part) for part in ("q", "k", "v"))
    pattern = softmax_by_hand(q @ k.mT / math.sqrt(C), torch.ones(T, T).tril())
    close(trace.attention(0), pattern[:, None])  # (B, 1, T, T)
    close(trace["blocks.0.attn.z"], (pattern @ v)[:, None])
    assert trace.attention(2).shape == (B, 1, T, T)


@pytest.mark.parametrize("name, factor", [("no-scale", math.sqrt(D)), ("scale-by-width", 1 / math.sqrt(H))])
def test_scales(decoder, ids, name, factor):
    trace, right = run(decoder, ids, name), run(decoder, ids)
    scores = right["blocks.0.attn.scores"] * factor
    close(trace["blocks.0.attn.scores"], scores)
    close(trace.attention(0), softmax_by_hand(scores, torch.ones(T, T).tril()))


def test_softmax_axis(decoder, ids):
    trace, right = run(decoder, ids, "softmax-axis"), run(decoder, ids)
    close(trace["blocks.0.attn.scores"], right["blocks.0.attn.scores"])
    close(trace.attention(0), softmax_by_hand(right["blocks.0.attn.scores"].mT, torch.ones(T, T).triu()).mT)
    close(trace.attention(0).sum(-2), torch.ones(B, H, T))
    assert (trace.attention(0).sum(-1) - 1).abs().max() > 0.1


def test_mask_after_softmax(decoder, ids):
    trace = run(decoder, ids, "mask-after-softmax")
    q, k = (cut(projected(decoder, trace, part)) for part in ("q", "k"))
    scores = q @ k.mT / math.sqrt(D)
    close(trace["blocks.0.attn.scores"], scores)
    close(trace.attention(0), softmax_by_hand(scores, torch.ones(T, T)).tril())
    rows = trace.attention(0).sum(-1)
    assert (rows[..., :-1] < 1).all() and rows[..., 0].max() < 0.9
    close(rows[..., -1], torch.ones(B, H))


def test_mask_inverted(decoder, ids):
    trace = run(decoder, ids, "mask-inverted")
    q, k = (cut(projected(decoder, trace, part)) for part in ("q", "k"))
    expected = softmax_by_hand(q @ k.mT / math.sqrt(D), torch.ones(T, T).triu(1)).nan_to_num()
    close(trace.attention(0), expected)
    assert torch.equal(trace.attention(0).tril(), torch.zeros(B, H, T, T))
    assert torch.equal(trace["blocks.0.attn.z"][:, :, -1], torch.zeros(B, H, D))


def test_mask_off_by_one(decoder, ids):
    trace = run(decoder, ids, "mask-off-by-one")
    q, k = (cut(projected(decoder, trace, part)) for part in ("q", "k"))
    close(trace.attention(0), softmax_by_hand(q @ k.mT / math.sqrt(D), torch.ones(T, T).tril(1)))
    for i in range(T - 1):
        assert (trace.attention(0)[..., i, i + 1] > 0).all()
        assert (trace.attention(0)[..., i, i + 2 :] == 0).all()


def test_no_positions(decoder, ids):
    trace = run(decoder, ids, "no-positions")
    close(trace["embedding.sum"], decoder.embedding.token_table.weight[ids])
    assert (trace["embedding.position"] - decoder.embedding.position_table.weight[:T]).abs().max() == 0
    others = torch.cat([ids[:, :-1].flip(1), ids[:, -1:]], dim=1)
    for name, same in {"no-positions": True, None: False}.items():
        last, reordered = (run(decoder, x, name)["blocks.0.attn.z"][:, :, -1] for x in (ids, others))
        assert torch.allclose(last, reordered, atol=1e-5) == same


def test_norm_in_every_block(decoder, ids):
    trace = run(decoder, ids, "norm-in-every-block")

    def norm(layer, x):
        return norm_by_hand(layer.weight, layer.bias, x)

    streams = [norm(decoder.ln_f, trace[f"blocks.{i}.resid_post"]) for i in range(3)]
    for i in (1, 2):
        close(trace[f"blocks.{i}.ln_1"], norm(decoder.blocks[i].ln_1, streams[i - 1]))
        close(trace[f"blocks.{i}.resid_mid"], streams[i - 1] + trace[f"blocks.{i}.attn.out"])
    close(trace["logits"], streams[2] @ decoder.embedding.token_table.weight.T)


def test_third_dropout(decoder, ids):
    decoder.train()
    torch.manual_seed(5)
    trace = run(decoder, ids, "third-dropout")
    torch.manual_seed(5)
    F.dropout(trace["embedding.sum"], 0.1)
    z = F.dropout(F.dropout(trace.attention(0), 0.1) @ trace["blocks.0.attn.v"], 0.1)
    close(trace["blocks.0.attn.z"], z)
    assert 0.02 < (z == 0).float().mean() < 0.2
    assert not (run(decoder, ids)["blocks.0.attn.z"] == 0).any()


# --- all of them -----------------------------------------------------------------------------------------


@each_mistake
def test_the_logits_differ_in_its_mode(decoder, ids, mistake):
    wrong = broken(decoder, mistake)
    for model in (decoder, wrong):
        model.train(mistake.mode == "train")
    logits = []
    for model in (decoder, wrong):
        torch.manual_seed(3)
        logits.append(model(ids))
    assert logits[1].isfinite().all()
    assert (logits[0] - logits[1]).abs().max() > 0.1


def test_a_mistake_in_train_mode_is_none_in_eval_mode(decoder, ids):
    close(broken(decoder, NAMED["third-dropout"])(ids), decoder(ids))


@each_mistake
def test_who_sees_the_future(decoder, ids, mistake):
    wrong, other = broken(decoder, mistake), ids.clone()
    other[:, -1] = (other[:, -1] + 1) % DECODER.vocab_size
    change = (wrong(ids) - wrong(other))[:, :-1].abs().max()
    assert (change > 1e-2) if mistake.name in SEES_THE_FUTURE else (change == 0)


@each_mistake
def test_padding_and_a_single_token(decoder, ids, mistake):
    wrong = broken(decoder, mistake)
    padded = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0]]).bool()
    assert wrong(ids, padded).isfinite().all()
    assert wrong(ids[:, :1]).shape == (B, 1, DECODER.vocab_size)


@each_mistake
def test_the_copy_has_the_parameters_of_the_model(decoder, ids, mistake):
    wrong = broken(decoder, mistake)
    own, shared = (dict(model.named_parameters(remove_duplicate=False)) for model in (decoder, wrong))
    assert own.keys() == shared.keys()
    assert all(own[name] is shared[name] and own[name].data_ptr() == shared[name].data_ptr() for name in own)
    wrong(ids).square().mean().backward()
    assert decoder.blocks[1].attn.q_proj.weight.grad.abs().max() > 0
    with torch.no_grad():
        before = wrong(ids)
        decoder.lm_head.weight.mul_(2)
        assert not torch.equal(wrong(ids), before)


@each_mistake
def test_the_model_is_unchanged_bit_for_bit(decoder, ids, mistake):
    state = {name: tensor.clone() for name, tensor in decoder.state_dict().items()}
    types = [type(part) for part in decoder.modules()]
    before, seen = decoder(ids), run(decoder, ids)
    wrong = broken(decoder, mistake)
    with record(wrong), intervene(wrong, {"blocks.1.attn.z": torch.zeros_like}):
        wrong(ids)
        assert torch.equal(decoder(ids), before)
    after = run(decoder, ids)
    assert all(torch.equal(after[name], seen[name]) for name in seen)
    assert [type(part) for part in decoder.modules()] == types
    assert all(torch.equal(tensor, state[name]) for name, tensor in decoder.state_dict().items())


def test_model_and_copies_run_at_the_same_time(decoder, ids):
    models = [decoder, *(broken(decoder, mistake) for mistake in MISTAKES)]
    expected, found = [model(ids) for model in models], {}

    def forward(i: int) -> None:
        with torch.no_grad():
            found[i] = [models[i](ids) for _ in range(10)]

    threads = [threading.Thread(target=forward, args=(i,)) for i in range(len(models))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(logits, expected[i]) for i in range(len(models)) for logits in found[i])


def test_hooks_stay_with_the_model(decoder, ids):
    with record(decoder) as trace, intervene(decoder, {"blocks.0.attn.z": torch.zeros_like}):
        wrong = broken(decoder, NAMED["no-scale"])
        wrong(ids)
    assert not trace and not any(part._forward_hooks for part in wrong.modules())
    with record(wrong) as trace:
        wrong(ids)
    assert list(trace) == list(run(decoder, ids)) and trace["blocks.0.attn.z"].abs().max() > 0


def test_recording_changes_nothing(decoder, ids):
    wrong = broken(decoder, NAMED["no-scale"])
    with record(wrong) as trace:
        recorded = wrong(ids)
    assert torch.equal(wrong(ids), recorded) and torch.equal(trace["logits"], recorded)


def test_the_copy_is_a_decoder_of_other_classes(decoder):
    wrong = broken(decoder, NAMED["no-scale"])
    assert isinstance(wrong, Decoder) and type(wrong).__name__ == "Decoder" and type(wrong) is not Decoder
    for part, twin in zip(decoder.modules(), wrong.modules(), strict=True):
        assert isinstance(twin, type(part)) and twin is not part
        is_ours = type(part).__module__.startswith("llm_core") and type(part) is not HookPoint
        assert (type(twin) is type(part)) != is_ours
    assert type(broken(decoder, NAMED["no-scale"])) is type(wrong)  # compiled once


def test_generate_writes_with_the_mistake(decoder, ids):
    wrong, text = broken(decoder, NAMED["no-scale"]), ids[:1, :3]
    expected = text
    for _ in range(4):
        expected = torch.cat([expected, wrong(expected)[:, -1:].argmax(-1)], dim=1)
    assert torch.equal(generate(wrong, text, 4, temperature=0), expected)


# --- the lines -------------------------------------------------------------------------------------------


def function_of(mistake):
    function = MODULES[mistake.module]
    for name in mistake.function.split("."):
        function = getattr(function, name)
    return function


@each_mistake
def test_the_right_lines_stand_once_in_the_source(mistake):
    source = [line.strip() for line in inspect.getsource(function_of(mistake)).splitlines()]
    lines = [line.strip() for right, _ in mistake.edits for line in right.splitlines()]
    assert [source.count(line) for line in lines] == [1] * len(lines)
    assert [text.strip() for _, text in right_lines(mistake)] == lines


@each_mistake
def test_the_wrong_source_is_the_right_one_but_for_its_lines(mistake):
    right, wrong = right_source(mistake).splitlines(), wrong_source(mistake).splitlines()
    assert right == dedent(inspect.getsource(function_of(mistake))).splitlines()
    for lines, marked in ((right, right_lines(mistake)), (wrong, wrong_lines(mistake))):
        assert all(lines[number - 1] == text for number, text in marked)
    numbers = [{number for number, _ in lines(mistake)} for lines in (right_lines, wrong_lines)]
    rest = [
        [text for number, text in enumerate(lines, 1) if number not in marked]
        for lines, marked in zip((right, wrong), numbers)
    ]
    assert rest[0] == rest[1] and right != wrong
    assert [text.strip() for _, text in wrong_lines(mistake)] == [
        line.strip() for _, new in mistake.edits for line in new.splitlines()
    ]


def test_numbers_of_lines():
    mistake = NAMED["norm-in-every-block"]
    (number, line), *none = right_lines(mistake)
    assert line == "    return self.ln_f(x[:, -T:])  # (B, T, C)" and not none
    assert wrong_lines(mistake) == [
        (number, "        x = self.ln_f(x)  # (B, T, C)"),
        (number + 1, "    return x[:, -T:]  # (B, T, C)"),
    ]


def test_a_right_line_that_does_not_stand_once(decoder):
    there_is_none = replace(NAMED["wrong-split"], edits=(("return x.transpose(2, 1)", "return x"),))
    message = r"wrong-split: 'return x.transpose\(2, 1\)' must stand once in attention.split_heads, not 0 times"
    for function in (wrong_source, right_lines, lambda mistake: broken(decoder, mistake)):
        with pytest.raises(ValueError, match=message):
            function(there_is_none)
    two = replace(NAMED["no-scale"], edits=(("D = q.shape[-1]", "D = 1\nD = 1"), ("D = 1", "D = 2")))
    with pytest.raises(ValueError, match="not 2 times"):
        wrong_source(two)


def test_tracebacks_show_the_wrong_line(decoder, ids):
    edits = (("D = q.shape[-1]", 'raise RuntimeError("here")'),)
    wrong = broken(decoder, replace(NAMED["no-scale"], name="raises", edits=edits))
    with pytest.raises(RuntimeError, match="here") as error:
        wrong(ids)
    last = traceback.extract_tb(error.tb)[-1]
    assert last.line == 'raise RuntimeError("here")' and "attention.py with raises" in last.filename
    function = type(wrong.blocks[0].attn)._attend_in_steps
    assert 'raise RuntimeError("here")' in inspect.getsource(function)
    assert "D = q.shape[-1]" in inspect.getsource(MultiHeadAttention._attend_in_steps)


def test_every_mistake_is_told():
    assert len(MISTAKES) == len(NAMED) == 12
    for mistake in MISTAKES:
        assert mistake.title and mistake.story.endswith(".") and mistake.mode in ("eval", "train")
        assert 2 <= len(mistake.story.split(". ")) <= 4
        assert all(url.startswith("https://github.com/") and text.endswith(".") for url, text in mistake.links)


# --- what the loss showed --------------------------------------------------------------------------------


def test_measured_losses():
    found = measured()
    runs = {"right": found["right"], **found["mistakes"]}
    assert list(found["mistakes"]) == [mistake.name for mistake in MISTAKES]
    for run in runs.values():
        assert len(run["steps"]) == len(run["loss"]) == 8 and run["steps"] == runs["right"]["steps"]
        assert all(0 < loss < math.log(found["model"]["vocab_size"]) + 1 for loss in run["loss"])
    assert found["num_tokens"] == runs["right"]["steps"][-1] * 8 * found["model"]["block_size"]
    assert runs["right"]["honest_loss"] == runs["right"]["loss"][-1]
    for name in ("mask-inverted", "mask-off-by-one"):
        assert runs[name]["loss"][-1] < runs["right"]["loss"][-1] - 1
        assert runs[name]["honest_loss"] > runs["right"]["loss"][-1] + 1


def test_measuring_again(monkeypatch, tmp_path):
    chosen = [NAMED["no-scale"], NAMED["mask-inverted"]]
    for name, value in {"MISTAKES": chosen, "EVAL_BATCHES": 1, "POINTS": 2, "OTHER_SEEDS": 1}.items():
        monkeypatch.setattr(measure_mistakes, name, value)
    files = {"--data": tmp_path / "train.jsonl", "--validation": tmp_path / "held-out.jsonl"}
    for file, held_out in zip(files.values(), (False, True)):
        lines = [line for line in ARTICLES.read_text().splitlines() if is_held_out(title(line), 0.2) == held_out]
        file.write_text("\n".join(lines))
    arguments = [*(str(word) for pair in files.items() for word in pair), "--steps", "3"]
    measure_mistakes.main([*arguments, "--out", str(tmp_path / "out.json")])
    measure_mistakes.main([*arguments, "--out", str(tmp_path / "again.json")])
    found = json.loads((tmp_path / "out.json").read_text())
    assert (tmp_path / "again.json").read_text() == (tmp_path / "out.json").read_text()
    assert found["data"] == ["train.jsonl"] and found["num_tokens"] == 3 * 8 * 64
    assert found["right"]["steps"] == [2, 3] and list(found["mistakes"]) == ["no-scale", "mask-inverted"]
    assert len({run["loss"][0] for run in (found["right"], *found["mistakes"].values())}) == 3
    assert found["right_other_seeds"][0] != found["right"]["loss"][-1]


def title(line: str) -> str:
    return json.loads(line)["title"]
