"""The lesson on splitting heads: every tensor against a loop over heads, every loss against one computed apart."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.lessons.course.heads import LESSON, wrong_split
from explorer.lessons.lesson import Bars, Facts, Message, Panel
from explorer.lessons.mistakes.effects import held_out_ids
from explorer.lessons.teach import payload_of
from llm_core import Decoder, ModelConfig, intervene, record, save_model
from llm_core.mistakes.known import NAMED, wrong_source
from llm_core.model.attention import merge_heads, split_heads

from ..common import randomised

TEXT = "How to Make a Paper Boat"
TEXTS = (TEXT, "", "a", "☕🎉 日本", "مرحبا بالعالم", "word " * 20_000)
(WIDE, CUT, TRANSPOSED, WRONG, BESIDE, ATTENTION, WORDS, UNEVEN, BACK, JOINED, FORGOTTEN) = range(11)


def tiny(folder, **sizes) -> Runner:
    torch.manual_seed(1)
    config = ModelConfig(**{"vocab_size": 8192, "block_size": 24, "n_layer": 2, "n_head": 2, "n_embd": 12, **sizes})
    save_model(randomised(Decoder(config)), folder)
    return Runner(str(folder))


@pytest.fixture(scope="module")
def one_head(tmp_path_factory) -> Runner:
    return tiny(tmp_path_factory.mktemp("one_head"), n_head=1)


@pytest.fixture(scope="module")
def two_heads(tmp_path_factory) -> Runner:
    return tiny(tmp_path_factory.mktemp("two_heads"))


def steps(runner: Runner, text: str = TEXT, **given):
    return LESSON.build(LESSON.scene(runner, text, given))


def panels(step) -> dict[str, Panel]:
    return {item.name: item for item in step.show if isinstance(item, Panel)}


def only(step, kind):
    (item,) = [item for item in step.show if isinstance(item, kind)]
    return item


def right(question) -> str:
    (option,) = [option.text for option in question.options if option.right]
    return option


def queries(runner: Runner, layer: int, text: str = TEXT) -> torch.Tensor:
    """What q_proj of a layer gives for the text, (T, C), computed from the residual stream's norm."""
    attention = runner.model.blocks[layer].attn
    trace = runner.recorded(text, 16).trace
    with torch.inference_mode():
        return attention.q_proj(trace[f"blocks.{layer}.ln_1"])[0]


# the split


@pytest.mark.parametrize("layer", [0, 3])
@pytest.mark.parametrize("n_head", [1, 2, 8, 16])
def test_the_right_split_is_a_loop_over_slices_and_the_wrong_one_a_view(runner, layer, n_head):
    built, x = steps(runner, layer=layer, heads=n_head), queries(runner, layer)
    T, C = x.shape
    D = C // n_head
    torch.testing.assert_close(panels(built[WIDE])["x"].values[0], x)
    by_token = panels(built[CUT])["x"].values
    heads = panels(built[TRANSPOSED])["q"].values
    mixed = panels(built[WRONG])["wrong"].values
    assert by_token.shape == (1, T, n_head, D) and heads.shape == mixed.shape == (1, n_head, T, D)
    for h in range(n_head):
        piece = x[:, h * D : (h + 1) * D]
        torch.testing.assert_close(heads[0, h], piece)
        torch.testing.assert_close(by_token[0, :, h], piece)
        torch.testing.assert_close(mixed[0, h].reshape(-1), x.reshape(-1)[h * T * D : (h + 1) * T * D])


@pytest.mark.parametrize("n_head", [2, 8])
def test_origins_tell_from_which_token_and_place_each_number_came(runner, n_head):
    built, x = steps(runner, layer=2, heads=n_head), queries(runner, 2)
    shown = [panels(built[step])[name] for step, name in ((CUT, "x"), (TRANSPOSED, "q"), (WRONG, "wrong"))]
    for panel in (*shown, *panels(built[BESIDE]).values()):
        origin = np.asarray(panel.origin)
        assert sorted(origin.ravel()) == list(range(x.numel())) and panel.width == x.shape[1]
        token, place = np.divmod(origin, panel.width)
        torch.testing.assert_close(panel.values, x[torch.tensor(token), torch.tensor(place)])


def test_colours_are_pure_where_it_is_right_and_mixed_where_it_is_wrong(runner):
    built = steps(runner)
    T = queries(runner, 0).shape[0]
    for name, at_home in (("q", True), ("wrong", False)):
        panel = panels(built[BESIDE])[name]
        tokens = np.asarray(panel.origin)[0] // panel.width  # (H, T, D)
        assert (tokens == np.arange(T)[None, :, None]).all() == at_home
    of_token = np.asarray(panels(built[CUT])["x"].origin)[0] // panels(built[CUT])["x"].width
    assert (of_token == np.arange(T)[:, None, None]).all()


def test_the_note_counts_the_rows_that_are_what_they_are_taken_for(runner):
    T, H = queries(runner, 0).shape[0], 8
    at_home = sum((h * T + row) // H == row for h in range(H) for row in range(T))
    assert panels(steps(runner)[WRONG])["wrong"].note.startswith(f"{at_home} of {H * T} rows")


def test_strides_are_those_of_torch_and_the_memory_is_one(runner):
    built, x = steps(runner, heads=4), queries(runner, 0).clone()[None]
    cut = x.view(1, x.shape[1], 4, -1)
    expected = {
        (WIDE, "x"): x, (CUT, "x"): cut, (TRANSPOSED, "q"): cut.transpose(1, 2), (WRONG, "wrong"): wrong_split(x, 4)
    }  # fmt: skip
    for (step, name), tensor in expected.items():
        tape = panels(built[step])[name].tape
        assert (tape.strides, tape.offset, tape.block) == (tensor.stride(), 0, 0)
        torch.testing.assert_close(torch.as_strided(tape.storage, tensor.shape, tape.strides), tensor)


@pytest.mark.parametrize("layer", [0, 5])
def test_cells_name_the_recorded_tensor_that_holds_their_number(runner, layer):
    built = steps(runner, layer=layer)
    trace = runner.recorded(TEXT, 16).trace

    seen = 0
    for step in built:
        for panel in panels(step).values():
            if not panel.where or "wrong" in panel.where:
                continue
            for index in ((0,) * panel.values.dim(), tuple(size - 1 for size in panel.values.shape)):
                written = panel.where.format(*index)
                tensor = trace[written.split("[")[0].removeprefix("merge_heads(").removesuffix(")")]
                tensor = merge_heads(tensor) if written.startswith("merge_heads") else tensor
                place = tuple(map(int, written.split("[")[-1].removesuffix("]").split(", ")))
                assert float(panel.values[index]) == float(tensor[place]), written
                seen += 1
    assert seen >= 16


def test_a_number_of_heads_that_is_not_the_models_names_no_recorded_tensor(runner):
    built = steps(runner, heads=4)
    assert panels(built[TRANSPOSED])["q"].where == panels(built[CUT])["x"].where == ""


# questions


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("given", [{}, {"heads": 2, "layer": 5}, {"heads": 1}, {"heads": 16, "layer": 1}])
def test_questions_have_the_right_answer_for_any_text_and_setting(runner, text, given):
    built = steps(runner, text, **given)
    x = queries(runner, given.get("layer", 0), text)[None]
    (_, T, C), H = x.shape, given.get("heads", 8)
    D = C // H
    assert right(built[CUT].question) == str(x.clone().view(1, T, H, D).stride())
    assert right(built[TRANSPOSED].question) == "a piece of every token"
    assert right(built[UNEVEN].question) == "it raises an error"
    assert right(built[BACK].question) == f"(B, T, H, D) = {(1, T, 8, C // 8)}"
    assert right(built[JOINED].question) == "the pieces of a token lie apart in memory"
    assert right(built[WORDS].question) == "it rises"
    if H == 1 or T == 1:
        assert built[WRONG].question is None and built[BESIDE].question is None
    else:
        assert right(built[WRONG].question) == f"token 0, its numbers {D} to {2 * D - 1}"
        assert right(built[BESIDE].question) == "A"
    if T == 1:
        assert built[ATTENTION].question is None and built[FORGOTTEN].question is None
    else:
        assert right(built[ATTENTION].question) == f"those of token {7 * T // 8}"
        assert right(built[FORGOTTEN].question) == f"token {7 % T}'s, from head {7 // T}"


def test_the_second_row_of_the_wrong_head_holds_the_numbers_that_the_answer_names(runner):
    built, x = steps(runner, heads=4), queries(runner, 0)
    assert right(built[WRONG].question) == "token 0, its numbers 64 to 127"
    torch.testing.assert_close(panels(built[WRONG])["wrong"].values[0, 0, 1], x[0, 64:128])


def test_picture_a_is_the_right_split_and_nothing_gives_it_away(runner):
    a, b = steps(runner, layer=1)[BESIDE].question.before
    x = queries(runner, 1)[None]
    torch.testing.assert_close(a.values, split_heads(x, 8))
    torch.testing.assert_close(b.values, wrong_split(x.clone(), 8))
    plain = {(p.title, p.note, p.where, tuple(p.letters), tuple(p.rows), p.tape) for p in (a, b)}
    assert plain == {("", "", "", ("",) * 4, (), None)}


def test_every_wrong_answer_has_a_reason(runner):
    for step in steps(runner):
        for option in step.question.options if step.question else ():
            assert len(option.why.split()) >= 5, option


# consequences


def losses_apart(runner: Runner, replacements: dict) -> float:
    """Held-out loss by functional cross entropy, the mistake made at the hook points instead of in the code."""
    total, tokens = 0.0, 0
    with torch.inference_mode(), intervene(runner.model, replacements):
        for ids in held_out_ids(runner):
            logits = runner.model(torch.tensor([ids]))[0]
            total += F.cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="sum").item()
            tokens += len(ids) - 1
    return total / tokens


def split_wrongly(q: torch.Tensor) -> torch.Tensor:
    return merge_heads(q).reshape(q.shape)


def merge_wrongly(z: torch.Tensor) -> torch.Tensor:
    """What merged rightly gives the wrong merge of z."""
    return split_heads(z.reshape(z.shape[0], z.shape[2], -1), z.shape[1])


WRONG_SPLIT = {f"blocks.*.attn.{name}": split_wrongly for name in "qkv"}
WRONG_MERGE = {"blocks.*.attn.z": merge_wrongly}


@pytest.mark.parametrize(("step", "mistake"), [(WORDS, WRONG_SPLIT), (FORGOTTEN, WRONG_MERGE)])
def test_losses_are_those_computed_apart(runner, step, mistake):
    (_, right_loss, _), (_, wrong_loss, _), (_, guess, _) = only(steps(runner)[step], Facts).facts
    values = [float(text.removesuffix(" nats")) for text in (right_loss, wrong_loss, guess)]
    expected = [losses_apart(runner, {}), losses_apart(runner, mistake), math.log(8192)]
    assert values == pytest.approx(expected, abs=6e-4)  # as written, and what float32 does to the order of sums
    assert values[0] + 1 < values[1] < values[2]


def test_attention_and_next_tokens_are_those_of_a_model_split_wrongly_at_its_hooks(runner):
    built = steps(runner, layer=4)
    ids = runner.recorded(TEXT, 16).ids
    both = []
    for mistake in ({}, WRONG_SPLIT):
        with torch.inference_mode(), record(runner.model) as trace, intervene(runner.model, mistake):
            runner.model(torch.tensor([ids]))
        both.append((trace["blocks.4.attn.pattern"][0], trace["logits"][0, -1].softmax(-1)))
    shown = panels(built[ATTENTION])
    for panel, (pattern, _) in zip((shown["pattern"], shown["wrong_pattern"]), both, strict=True):
        torch.testing.assert_close(panel.values, pattern, atol=1e-5, rtol=1e-4)
        assert not pattern[torch.as_tensor(panel.hidden)].any()
        torch.testing.assert_close(panel.formula.a.values.softmax(-1), panel.values)
    bars = only(built[WORDS], Bars)
    pieces = [runner.tokenizer.piece(id) for id in range(8192)]
    for name, (_, probabilities) in zip(("right split", "wrong split"), both, strict=True):
        found = [float(probabilities[pieces.index(piece)]) for piece in bars.names]
        assert bars.series[name] == pytest.approx(found, abs=1e-5)
        assert float(probabilities.max()) == pytest.approx(max(bars.series[name]), abs=1e-5)


def test_the_text_names_the_token_that_leaks(runner):
    T = queries(runner, 0).shape[0]
    assert f"numbers of token {7 * T // 8}, so token 0 reads a later token" in steps(runner)[ATTENTION].text


def test_the_wrong_code_shown_computes_the_wrong_tensors_shown(runner):
    built = steps(runner)
    names: dict = {"Tensor": torch.Tensor}
    for mistake in ("wrong-split", "wrong-merge"):
        exec(wrong_source(NAMED[mistake]), names)
    x = panels(built[WIDE])["x"].values
    torch.testing.assert_close(names["split_heads"](x, 8), panels(built[WRONG])["wrong"].values)
    z = runner.recorded(TEXT, 16).trace["blocks.0.attn.z"]
    torch.testing.assert_close(names["merge_heads"](z), panels(built[FORGOTTEN])["wrong"].values)
    for step in (ATTENTION, WORDS, FORGOTTEN):
        assert [code.tone for code in built[step].code] == ["right", "wrong"]
        assert all(code.marked for code in built[step].code)


# a width that cannot be cut


@pytest.mark.parametrize("n_head", [3, 5, 7, 12])
def test_a_number_that_does_not_divide_the_width_is_one_sentence(runner, n_head):
    with pytest.raises(ValueError) as said:
        steps(runner, heads=n_head)
    assert str(said.value) == f"Heads: n_head={n_head} does not divide the width C=256; 1, 2, 4, 8 and 16 would work"


@pytest.mark.parametrize("given", [{"heads": 0}, {"heads": 17}, {"heads": 2.0}, {"heads": "8"}, {"layer": 6}])
def test_what_the_controls_cannot_be_is_refused(runner, given):
    with pytest.raises(ValueError, match=r"^(Heads|Layer): .*"):
        steps(runner, **given)


def test_the_errors_shown_are_the_real_ones(runner):
    step = steps(runner)[UNEVEN]
    ours, torchs = [item.text for item in step.show if isinstance(item, Message)]
    x = queries(runner, 0)[None].clone()
    with pytest.raises(ValueError) as said:
        split_heads(x, 3)
    with pytest.raises(RuntimeError) as refused:
        x.view(1, x.shape[1], 3, 85)
    assert (ours, torchs) == (f"ValueError: {said.value}", f"RuntimeError: {refused.value}")
    assert panels(step)["x"].marks == [(0, t, 255) for t in range(x.shape[1])]


# the merge


@pytest.mark.parametrize("layer", [0, 5])
def test_the_merge_is_a_loop_that_puts_heads_side_by_side(runner, layer):
    built = steps(runner, layer=layer, heads=4)  # the slider leaves the merge alone
    z = runner.recorded(TEXT, 16).trace[f"blocks.{layer}.attn.z"]  # (1, H, T, D)
    _, H, T, D = z.shape
    by_hand = torch.cat([z[0, h] for h in range(H)], dim=-1)  # (T, C)
    torch.testing.assert_close(panels(built[JOINED])["merged"].values[0], by_hand)
    x = panels(built[BACK])["x"].values
    wrong = panels(built[FORGOTTEN])["wrong"]
    slots = [z[0, h, t] for h in range(H) for t in range(T)]
    for t in range(T):
        torch.testing.assert_close(x[0, t], z[0, :, t])
        torch.testing.assert_close(wrong.values[0, t], torch.cat(slots[t * H : (t + 1) * H]))
    origin = np.asarray(wrong.origin)
    token, place = np.divmod(origin, H * D)
    torch.testing.assert_close(wrong.values, by_hand[torch.tensor(token), torch.tensor(place)])
    assert len(set(token[0, 0])) > 1


def test_the_merge_copies_and_a_view_is_refused_in_torchs_words(runner):
    built = steps(runner)
    z = runner.recorded(TEXT, 16).trace["blocks.0.attn.z"]
    with pytest.raises(RuntimeError) as refused:
        z.transpose(1, 2).view(1, z.shape[2], -1)
    assert only(built[JOINED], Message).text == f"RuntimeError: {refused.value}"
    assert panels(built[BACK])["x"].tape.block == 0 and panels(built[JOINED])["merged"].tape.block == 1
    assert panels(built[BACK])["x"].tape.strides == z.transpose(1, 2).stride()


def test_with_one_token_a_view_is_enough_and_no_error_is_invented(runner):
    step = steps(runner, "")[JOINED]
    assert not [item for item in step.show if isinstance(item, Message)]
    assert "a view is enough" in step.text and panels(step)["merged"].tape.block == 0


# any text, any model


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_gives_a_payload_of_its_own_numbers(runner, text):
    header, arrays = unpack(payload_of(runner, LESSON, text))
    assert len(header["steps"]) == LESSON.num_steps
    panel = header["steps"][TRANSPOSED]["show"][0]
    x = queries(runner, 0, text)
    np.testing.assert_allclose(arrays[panel["values"]], split_heads(x[None].clone(), 8).numpy(), atol=1e-6)
    assert sum(array.nbytes for array in arrays.values()) < 1_000_000


@pytest.mark.parametrize("text", TEXTS)
def test_with_one_head_nothing_is_mixed_and_nothing_asked_about_it(one_head, text):
    built = steps(one_head, text)
    assert torch.equal(*[panel.values for panel in panels(built[BESIDE]).values()])
    assert [built[step].question for step in (WRONG, BESIDE, ATTENTION, WORDS, FORGOTTEN)] == [None] * 5
    (_, first, _), (_, second, _), _ = only(built[WORDS], Facts).facts
    assert first == second
    payload_of(one_head, LESSON, text)


def test_another_model_has_its_own_sizes(two_heads):
    built = steps(two_heads, TEXT, heads=3)
    x = queries(two_heads, 0)
    torch.testing.assert_close(panels(built[TRANSPOSED])["q"].values[0, 2], x[:, 8:12])
    assert panels(built[ATTENTION])["pattern"].values.shape[0] == 2  # its own heads
    assert only(built[UNEVEN], Panel).marks[0] == (0, 0, 10)  # 12 = 5 x 2 + 2
    expected = [losses_apart(two_heads, {}), losses_apart(two_heads, WRONG_SPLIT)]
    shown = [float(value.removesuffix(" nats")) for _, value, _ in only(built[WORDS], Facts).facts[:2]]
    assert shown == pytest.approx(expected, abs=6e-4)
    rises = {True: "it rises", False: "it falls"}[expected[1] > expected[0]]
    assert right(built[WORDS].question) == rises
    with pytest.raises(
        ValueError, match="Heads: n_head=8 does not divide the width C=12; 1, 2, 3, 4, 6 and 12 would work"
    ):
        steps(two_heads, heads=8)


@pytest.mark.parametrize(("text", "title"), [(TEXT, "the text"), ("word " * 99, "the first 16 tokens")])
def test_the_bars_say_what_was_read(runner, text, title):
    assert only(steps(runner, text)[WORDS], Bars).title == f"What comes after {title}"
