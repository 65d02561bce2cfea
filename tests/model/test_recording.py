"""What is recorded is what was computed, looking changes nothing, and reaching in changes just what was asked."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from llm_core import ids_of, load_tokenizer
from llm_core.model.recording import Trace, hook_points, intervene, record

from ..by_hand import encoder_decoder_by_hand, stack_by_hand
from ..common import DECODER, ENCODER, build

B, S, T, H, D, C = 2, 5, 7, 4, 6, 24
TITLE_MASK = torch.tensor([[0, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()  # padded on the left, and on the right


@pytest.fixture
def decoder():
    return build("decoder")


@pytest.fixture
def ids():
    return torch.randint(DECODER.vocab_size, (B, T))


@pytest.fixture
def title():
    return torch.randint(ENCODER.vocab_size, (B, S))


def causal() -> torch.Tensor:
    return torch.ones(T, T).tril().bool().expand(B, T, T)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def check(trace: Trace, expected: dict[str, torch.Tensor]) -> None:
    assert set(trace) == set(expected)
    for name, tensor in expected.items():
        assert_close(trace[name], tensor, atol=1e-5, rtol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


# --- every number against a forward by hand --------------------------------------------------------------


def test_every_tensor_of_a_decoder(decoder, ids):
    with record(decoder) as trace:
        decoder(ids)
    check(trace, stack_by_hand(decoder, ids, causal()))
    assert trace["blocks.1.attn.q"].shape == (B, H, T, D)
    assert trace["blocks.1.attn.scores"].shape == trace.attention(1).shape == (B, H, T, T)
    assert trace["blocks.1.attn.out"].shape == (B, T, C)
    assert len(trace) == 4 + 3 * 15 + 2


def test_every_tensor_of_an_encoder(title):
    encoder = build("encoder")
    with record(encoder) as trace:
        encoder(title)
    check(trace, stack_by_hand(encoder, title, torch.ones(B, S, S).bool()))


@pytest.mark.parametrize("conditioning", ["prefix", "cross"])
def test_every_tensor_of_an_encoder_decoder(conditioning, title, ids):
    model = build(conditioning)
    with record(model) as trace:
        model(title, ids, TITLE_MASK)
    check(trace, encoder_decoder_by_hand(model, title, ids, TITLE_MASK))
    own = S + T if conditioning == "prefix" else T
    assert trace.attention(0, "encoder").shape == (B, 3, S, S)
    assert trace.attention(2, "decoder").shape == (B, H, own, own)


def test_the_trace_s_attention_names_stack_and_cross(title, ids):
    model = build("cross")
    with record(model) as trace:
        model(title, ids)
    assert trace.attention(2, "decoder") is trace["decoder.blocks.2.attn.pattern"]
    assert trace.attention(1, "decoder", cross=True) is trace["decoder.blocks.1.cross_attn.pattern"]
    assert trace.attention(1, "encoder") is trace["encoder.blocks.1.attn.pattern"]
    with pytest.raises(KeyError, match=r"blocks\.9\.attn\.pattern' was not recorded; near names: .*attn\.pattern"):
        trace.attention(9, "decoder")


def test_names_come_in_the_order_of_the_forward(decoder, ids):
    with record(decoder) as trace:
        decoder(ids)
    attn = [f"attn.{name}" for name in ("q", "k", "v", "scores", "pattern", "z", "out")]
    block = ["resid_pre", "ln_1", *attn, "resid_mid", "ln_2", "mlp.pre", "mlp.post", "mlp.out", "resid_post"]
    blocks = [f"blocks.{i}.{name}" for i in range(3) for name in block]
    embedding = [f"embedding.{name}" for name in ("ids", "token", "position", "sum")]
    assert trace.names() == [*embedding, *blocks, "ln_f", "logits"]


# --- looking changes nothing -----------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["encoder", "decoder", "prefix", "cross"])
def test_logits_are_equal_with_and_without_recording(architecture, title, ids):
    model = build(architecture)
    inputs = {"encoder": (title,), "decoder": (ids,)}.get(architecture, (title, ids, TITLE_MASK))
    plain = model(*inputs)
    with record(model) as trace:
        recorded = model(*inputs)
    with record(model, ["*resid_*", "*.q", "*.z"]):  # nobody watches scores or pattern: the same kernel
        unwatched = model(*inputs)
    assert_close(recorded, plain, atol=1e-5, rtol=1e-5)
    assert torch.equal(unwatched, plain)
    assert torch.equal(trace["logits" if architecture in ("encoder", "decoder") else "decoder.logits"], recorded)


def count_fused(monkeypatch) -> list[int]:
    calls, fused = [], F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *a, **k: calls.append(1) or fused(*a, **k))
    return calls


@pytest.mark.parametrize(
    "names, layers_fused",
    [
        ([], 3),
        (["blocks.*.attn.q", "blocks.*.attn.z", "blocks.*.resid_post", "logits"], 3),
        (["blocks.1.attn.pattern"], 2),
        (["blocks.*.attn.scores"], 0),
        (None, 0),
    ],
)
def test_the_fused_kernel_runs_where_nobody_watches_scores_or_pattern(monkeypatch, decoder, ids, names, layers_fused):
    calls = count_fused(monkeypatch)
    with record(decoder, names):
        decoder(ids)
    assert len(calls) == layers_fused
    decoder(ids)
    assert len(calls) == layers_fused + 3


def test_an_intervention_on_the_pattern_needs_the_explicit_path(monkeypatch, decoder, ids):
    calls = count_fused(monkeypatch)
    with intervene(decoder, {"blocks.0.attn.pattern": lambda x: x, "blocks.1.attn.q": lambda x: x}):
        decoder(ids)
    assert len(calls) == 2


# --- which names -----------------------------------------------------------------------------------------


def test_part_of_the_names_with_wildcards(decoder, ids):
    with record(decoder, ["blocks.*.attn.pattern", "blocks.1.mlp.p*", "ln_f"]) as trace:
        decoder(ids)
    expected = {"blocks.1.mlp.pre", "blocks.1.mlp.post", "ln_f"} | {f"blocks.{i}.attn.pattern" for i in range(3)}
    assert set(trace) == expected
    full = stack_by_hand(decoder, ids, causal())
    check(trace, {name: full[name] for name in expected})


@pytest.mark.parametrize("open_it", [record, lambda model, names: intervene(model, dict.fromkeys(names, lambda x: x))])
def test_a_name_that_does_not_exist_lists_near_ones(decoder, open_it):
    with pytest.raises(KeyError) as error, open_it(decoder, ["ln_f", "blocks.2.attn.patern"]):
        pass
    message = str(error.value)
    assert "'blocks.2.attn.patern' is not a hook point of this model; near names: blocks.2.attn.pattern" in message
    assert hooks(decoder) == 0


def test_a_name_that_was_not_recorded_lists_near_ones(decoder, ids):
    with record(decoder, ["blocks.*.attn.q"]) as trace:
        decoder(ids)
    with pytest.raises(KeyError, match=r"'blocks.1.attn.k' was not recorded; near names: blocks\.\d\.attn\.q"):
        trace["blocks.1.attn.k"]
    assert "blocks.1.attn.k" not in trace


def test_a_wildcard_that_matches_nothing_is_refused(decoder):
    message = r"'blocks\.\*\.cross_attn\.pattern' is not a hook point"
    with pytest.raises(KeyError, match=message), record(decoder, ["blocks.*.cross_attn.pattern"]):
        pass


@pytest.mark.parametrize("model", [
    nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, batch_first=True), 1), nn.Linear(2, 2), nn.LayerNorm(4),
])  # fmt: skip
def test_a_model_without_hook_points_says_what_it_lacks(model):
    with (
        pytest.raises(ValueError, match=f"{type(model).__name__} has no hook points, .* load_model .* show"),
        record(model),
    ):
        pytest.fail("it was recorded")


# --- recorders in and around each other ------------------------------------------------------------------


def test_nested_recorders_each_see_what_runs_inside_them(decoder, ids):
    other = (ids + 1) % DECODER.vocab_size
    with record(decoder, ["logits", "ln_f"]) as outer:
        first = decoder(ids)
        with record(decoder, ["logits", "blocks.0.attn.pattern"]) as inner:
            second = decoder(other)
        assert torch.equal(outer["logits"], second)  # the newest forward
        assert hooks(decoder) == 2
        third = decoder(ids)
    assert set(inner) == {"logits", "blocks.0.attn.pattern"}
    assert torch.equal(inner["logits"], second)
    assert torch.equal(outer["logits"], third) and torch.equal(third, first)
    assert hooks(decoder) == 0


def test_no_hook_is_left_behind(decoder, ids):
    with record(decoder) as trace:
        decoder(ids)
        assert hooks(decoder) == len(hook_points(decoder)) == len(trace)
    assert hooks(decoder) == 0
    before = trace["logits"].clone()
    decoder((ids + 1) % DECODER.vocab_size)
    assert torch.equal(trace["logits"], before)


def test_an_exception_in_the_forward_leaves_no_hook_behind(decoder, ids):
    too_long = torch.zeros(1, DECODER.block_size + 1, dtype=torch.long)
    with pytest.raises(ValueError, match="do not fit"), record(decoder), intervene(decoder, {"ln_f": lambda x: x}):
        decoder(too_long)
    assert hooks(decoder) == 0

    def fail(x):
        raise RuntimeError("in the middle")

    breaks, failing = pytest.raises(RuntimeError, match="in the middle"), intervene(decoder, {"blocks.1.attn.z": fail})
    with breaks, record(decoder) as trace, failing:
        decoder(ids)
    assert hooks(decoder) == 0
    assert "blocks.1.attn.pattern" in trace and "blocks.1.attn.z" not in trace  # so far, and no further


# --- in training -----------------------------------------------------------------------------------------


def test_recording_while_training_keeps_the_gradients(decoder, ids):
    decoder.train()
    gradients = []
    for names in ([], None):
        for module in decoder.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        decoder.zero_grad()
        with record(decoder, names) as trace:
            F.cross_entropy(decoder(ids).flatten(0, 1), ids.flatten()).backward()
        gradients.append({name: p.grad.clone() for name, p in decoder.named_parameters()})
    assert not any(tensor.requires_grad for tensor in trace.values())
    for name, gradient in gradients[0].items():
        assert_close(gradients[1][name], gradient, atol=1e-6, rtol=1e-4)


def test_recording_while_training_keeps_dropout(decoder, ids):
    decoder.train()
    with record(decoder) as first:
        decoder(ids)
    with record(decoder) as second:
        decoder(ids)
    assert torch.equal(first["embedding.sum"], second["embedding.sum"])  # before any dropout
    assert not torch.equal(first["logits"], second["logits"])
    dropped = (first["blocks.0.mlp.out"] == 0).float().mean()
    assert 0.05 < dropped < 0.2  # resid_pdrop is 0.1
    assert_close(first.attention(2).sum(-1), torch.ones(B, H, T))  # the pattern itself is whole


# --- intervening -----------------------------------------------------------------------------------------


def run_with(model, replacements, *inputs) -> tuple[torch.Tensor, Trace]:
    with record(model) as trace, intervene(model, replacements):
        return model(*inputs), trace


def test_zero_ablation_of_a_head_equals_weights_set_to_zero(decoder, ids):
    """A head whose z is zero is a head whose columns of the output projection are zero."""

    def without_head_2(z):
        z = z.clone()
        z[:, 2] = 0
        return z

    logits, trace = run_with(decoder, {"blocks.1.attn.z": without_head_2}, ids)
    assert torch.equal(trace["blocks.1.attn.z"][:, 2], torch.zeros(B, T, D))
    with torch.no_grad():
        decoder.blocks[1].attn.out_proj.weight[:, 2 * D : 3 * D] = 0
    expected = stack_by_hand(decoder, ids, causal())
    assert_close(logits, expected["logits"], atol=1e-5, rtol=1e-4)
    assert_close(trace["blocks.1.attn.out"], expected["blocks.1.attn.out"], atol=1e-5, rtol=1e-4)


def test_zero_ablation_of_an_mlp_equals_weights_set_to_zero(decoder, ids):
    logits, _ = run_with(decoder, {"blocks.*.mlp.out": torch.zeros_like}, ids)
    with torch.no_grad():
        for block in decoder.blocks:
            block.mlp.down_proj.weight.zero_()
            block.mlp.down_proj.bias.zero_()
    assert_close(logits, stack_by_hand(decoder, ids, causal())["logits"], atol=1e-5, rtol=1e-4)


def test_patching_the_last_state_takes_over_the_other_answer(decoder, ids):
    other = (ids + 1) % DECODER.vocab_size
    with record(decoder) as trace:
        theirs = decoder(other)
    logits, _ = run_with(decoder, {"blocks.2.resid_post": lambda x: trace["blocks.2.resid_post"]}, ids)
    assert_close(logits, theirs, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(decoder(ids), theirs, atol=1e-2)


def test_a_frozen_pattern_moves_other_values(decoder, ids):
    """Every query of layer 0 made to look at token 0 alone: z is then v of token 0."""

    def at_token_0(pattern):
        return torch.zeros_like(pattern).index_fill(-1, torch.tensor([0]), 1.0)

    _, trace = run_with(decoder, {"blocks.0.attn.pattern": at_token_0}, ids)
    assert_close(trace["blocks.0.attn.z"], trace["blocks.0.attn.v"][:, :, :1].expand(B, H, T, D))
    assert torch.equal(trace.attention(0)[..., 0], torch.ones(B, H, T))


def test_a_painted_mask_equals_the_forward_with_that_mask(decoder, ids):
    """A window of three tokens, painted into the scores of every layer, is the model with that mask."""
    window = torch.ones(T, T).tril().triu(-2).bool()
    logits, trace = run_with(decoder, {"*.scores": lambda s: s.masked_fill(~window, -math.inf)}, ids)
    expected = stack_by_hand(decoder, ids, window.expand(B, T, T))
    check(trace, expected)
    assert_close(logits, expected["logits"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("architecture", ["encoder", "decoder"])
def test_a_painted_mask_that_hides_a_whole_row(architecture, ids):
    """A query that sees nothing attends to nothing; there and in the gradients no NaN."""
    model = build(architecture)
    visible = torch.ones(B, T, T).bool() if architecture == "encoder" else causal()
    visible = visible.clone()
    visible[:, 4] = False
    logits, trace = run_with(model, {"*.scores": lambda s: s.masked_fill(~visible[:, None], -math.inf)}, ids)
    logits.square().mean().backward()
    check(trace, stack_by_hand(model, ids, visible))
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("recorder_first", [True, False])
def test_a_recorder_sees_the_replaced_tensor_in_either_order(decoder, ids, recorder_first):
    names, zero = ["blocks.0.attn.z", "blocks.0.attn.out"], {"blocks.0.attn.z": torch.zeros_like}
    outside, inside = (record(decoder, names), intervene(decoder, zero))[:: 1 if recorder_first else -1]
    with outside as first, inside as second:
        decoder(ids)
    trace = first if recorder_first else second
    assert torch.equal(trace["blocks.0.attn.z"], torch.zeros(B, H, T, D))
    assert_close(trace["blocks.0.attn.out"], decoder.blocks[0].attn.out_proj.bias.expand(B, T, C))


def test_an_intervention_gets_the_tensor_of_the_forward(decoder, ids):
    with record(decoder) as trace:
        decoder(ids)
    seen = {}
    with intervene(decoder, {"blocks.*.attn.k": lambda x: seen.setdefault(len(seen), x)}):
        decoder(ids)
    assert len(seen) == 3
    for i, k in seen.items():
        assert_close(k, trace[f"blocks.{i}.attn.k"], atol=1e-6, rtol=1e-5)


def test_gradients_flow_through_an_intervention(decoder, ids):
    strength = torch.tensor(1.0, requires_grad=True)
    with intervene(decoder, {"blocks.0.attn.z": lambda z: z * strength}):
        loss = decoder(ids).square().mean()
    loss.backward()
    step = 1e-2
    losses = []
    for factor in (1 + step, 1 - step):
        with torch.no_grad(), intervene(decoder, {"blocks.0.attn.z": lambda z, factor=factor: z * factor}):
            losses.append(decoder(ids).square().mean())
    assert strength.grad.item() == pytest.approx((losses[0] - losses[1]).item() / (2 * step), rel=0.02)


@pytest.mark.parametrize(
    "function, got", [(lambda z: z[:, :1], r"\(2, 1, 7, 6\)"), (lambda z: None, "NoneType"), (lambda z: 0.0, "float")]
)
def test_a_replacement_of_another_shape_is_refused(decoder, ids, function, got):
    message = rf"the intervention on blocks\.2\.attn\.z must return shape \(2, 4, 7, 6\), not {got}"
    with pytest.raises(ValueError, match=message), intervene(decoder, {"blocks.2.attn.z": function}):
        decoder(ids)
    assert hooks(decoder) == 0


def test_after_an_intervention_the_model_is_itself_again(decoder, ids):
    before = decoder(ids)
    with intervene(decoder, {"blocks.*.attn.out": torch.zeros_like}):
        assert (decoder(ids) - before).abs().max() > 0.1
    assert hooks(decoder) == 0
    assert torch.equal(decoder(ids), before)


# --- one file --------------------------------------------------------------------------------------------


def test_a_trace_saved_and_loaded_is_the_same(decoder, ids, tmp_path):
    with record(decoder) as trace:
        decoder(ids)
    trace.metadata["text"] = "How to test ✓"
    trace.save(tmp_path / "trace.safetensors")
    loaded = Trace.load(tmp_path / "trace.safetensors")
    assert loaded.metadata == {"text": "How to test ✓"}
    assert set(loaded) == set(trace)
    for name, tensor in trace.items():
        assert loaded[name].dtype == tensor.dtype and torch.equal(loaded[name], tensor), name
    assert torch.isneginf(loaded["blocks.0.attn.scores"]).sum() == B * H * T * (T - 1) // 2


def test_a_file_that_is_no_trace_is_one_sentence(decoder, ids, tmp_path):
    path = tmp_path / "trace.safetensors"
    with record(decoder) as trace:
        decoder(ids)
    trace.save(path)
    whole = path.read_bytes()
    damages = {
        "empty": b"",
        "cut in the header": whole[:100],
        "cut in the data": whole[:-1],
        "longer": whole + b"\0",
        "no header": b"\xff" * 200,
        "no json": whole[:8] + b"x" + whole[9:],
        "a wrong name": whole.replace(b"F32", b"F99", 1),
        "text": b"How to build a shelf",
    }
    for damage, content in damages.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"trace\.safetensors cannot be read as a trace: \S") as error:
            Trace.load(path)
        assert "\n" not in str(error.value), damage
    for missing in (tmp_path / "missing.safetensors", tmp_path):
        with pytest.raises(ValueError, match="cannot be read as a trace"):
            Trace.load(missing)


def test_other_safetensors_are_no_trace(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(3)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors is a safetensors file, but not a trace"):
        Trace.load(tmp_path / "model.safetensors")


# --- gradients -------------------------------------------------------------------------------------------


def test_gradients_are_those_of_a_small_step_in_every_tensor(decoder, ids):
    def loss_of(logits):
        return F.cross_entropy(logits[0, :-1].double(), ids[0, 1:])

    with record(decoder, gradients=True) as trace:
        loss_of(decoder(ids)).backward()
    found = trace.gradients
    assert set(trace) - set(found) == {"embedding.ids"}
    for name in ("blocks.0.resid_pre", "blocks.1.attn.pattern", "blocks.1.attn.z", "blocks.2.mlp.out", "embedding.sum"):
        assert found[name].shape == trace[name].shape
        step = torch.randn(trace[name].shape, generator=torch.Generator().manual_seed(5)) * 1e-3
        with torch.no_grad():
            losses = []
            for sign in (1, -1):
                with intervene(decoder, {name: lambda x, sign=sign, step=step: x + sign * step}):
                    losses.append(loss_of(decoder(ids)).item())
        assert (losses[0] - losses[1]) / 2 == pytest.approx((found[name] * step).sum().item(), rel=0.02, abs=2e-6)


def test_a_trace_without_gradients_says_how_to_get_them(decoder, ids):
    with record(decoder) as trace:
        decoder(ids)
    assert not trace["logits"].requires_grad
    with pytest.raises(ValueError, match=r"record\(model, gradients=True\), then call backward"):
        _ = trace.gradients
    with record(decoder, gradients=True) as trace:
        decoder(ids)
    assert trace["logits"].requires_grad and not trace.on_cpu()["logits"].requires_grad


def test_the_stream_in_front_of_a_layer_is_what_the_one_before_left(decoder, ids):
    with record(decoder) as trace:
        plain = decoder(ids)
    assert torch.equal(trace["blocks.0.resid_pre"], trace["embedding.sum"])
    assert torch.equal(trace["blocks.2.resid_pre"], trace["blocks.1.resid_post"])
    with intervene(decoder, {"blocks.1.resid_pre": lambda x: x * 2}), record(decoder) as changed:
        assert not torch.equal(decoder(ids), plain)
    assert torch.equal(changed["blocks.1.resid_pre"], 2 * trace["blocks.0.resid_post"])


# --- what a model is called with -------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ["encoder", "decoder", "prefix", "cross"])
def test_a_text_a_list_and_ids_without_a_batch_are_one_sentence(architecture, title, ids):
    model = build(architecture)
    more = () if architecture in ("encoder", "decoder") else (ids,)
    with pytest.raises(ValueError, match=r"'How to' is not a tensor of ids: give model\(ids_of\(text, tokenizer\)\)"):
        model("How to", *more)
    with pytest.raises(ValueError, match="is not a tensor of ids"):
        model([1, 2, 3], *more)
    with pytest.raises(ValueError, match=r"ids of shape \(5,\): must be \(B, T\); of one text, ids\[None\]"):
        model(torch.arange(5), *more)


def test_ids_of_a_text_are_what_every_example_writes_out():
    tokenizer = load_tokenizer()
    found = ids_of("How to make a paper boat", tokenizer)
    assert found.tolist() == [[tokenizer.start, *tokenizer.encode("How to make a paper boat")]]
    assert ids_of("", tokenizer).tolist() == [[tokenizer.start]]
    with pytest.raises(ValueError, match="must be a string"):
        ids_of(["one", "two"], tokenizer)
    with pytest.raises(ValueError, match="give at least one character"):
        ids_of("", Bare())


class Bare:
    prefix = suffix = ()

    def encode(self, text):
        return list(text.encode())
