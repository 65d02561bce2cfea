"""The machinery of lessons: source code, controls, questions, payloads, and what every lesson must keep to."""

import json
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
import torch

from explorer.engine.payload import unpack
from explorer.engine.runner import Runner
from explorer.examples import FIRST
from explorer.lessons import LESSONS
from explorer.lessons.ahead import lesson_file
from explorer.lessons.encode import Store, lesson_payload
from explorer.lessons.lesson import Bars, Control, Facts, Option, Panel, Question, Step, readable
from explorer.lessons.questions import distinct
from explorer.lessons.source import code_from, code_of
from explorer.lessons.teach import catalog, payload_of, teach
from llm_core import Decoder, ModelConfig, save_model
from llm_core.model import attention

from ..common import randomised
from .common import BOAT, CUP, LAST_BITS, ODD_TEXTS

ALL = list(LESSONS)


class Built(NamedTuple):
    steps: list[Step]
    payload: bytes


# every lesson


@pytest.fixture(scope="module", params=ALL)
def id(request) -> str:
    """Of each lesson in its turn: all tests of one come before the next."""
    return request.param


@pytest.fixture(scope="module")
def built(runner, id) -> Callable[[str], Built]:
    """The lesson for a text, built once for all tests."""

    @cache
    def build(text: str) -> Built:
        lesson = LESSONS[id]
        scene = lesson.scene(runner, text, {})
        steps = lesson.build(scene)
        return Built(steps, lesson_payload(lesson, scene, steps))

    return build


def test_a_lesson_is_built_for_any_text(built, id):
    for text in [BOAT, CUP, *ODD_TEXTS]:
        payload = built(text).payload
        header, _ = unpack(payload)
        assert header["lesson"] == id and len(header["steps"]) == LESSONS[id].num_steps
        assert len(payload) < 2_500_000
        json.dumps(header, allow_nan=False)


@pytest.mark.parametrize(
    "sizes",
    [
        {"block_size": 19, "n_layer": 3, "n_head": 2, "n_embd": 12},
        {"block_size": 5, "n_layer": 1, "n_head": 1, "n_embd": 7, "bias": False},
    ],
    ids=["three layers", "one head"],
)
def test_every_lesson_can_be_taught_with_another_model(tmp_path, sizes):
    save_model(randomised(Decoder(ModelConfig(vocab_size=8192, **sizes))), tmp_path)
    other = Runner(str(tmp_path))
    for id in ALL:
        for text in (CUP, "", "a"):
            header, _ = unpack(payload_of(other, LESSONS[id], text))
            assert len(header["steps"]) == LESSONS[id].num_steps
            if header["about"]:
                assert len(header["about"]["tokens"]) <= sizes["block_size"]


def test_every_step_speaks_shows_and_marks_a_line_that_exists(built):
    for step in built(BOAT).steps:
        assert step.title and 20 < len(step.text) < 700 and step.show
        for code in step.code:
            assert all("".join(text for _, text in code.lines[i]).strip() for i in code.marked)


def test_every_question_has_one_right_answer_and_a_reason_for_each(built):
    for text in (BOAT, CUP, "a"):
        for step in built(text).steps:
            if step.question:
                assert sum(option.right for option in step.question.options) == 1
                assert all(len(option.why) > 10 for option in step.question.options)
                assert len(step.question.options) >= 2


def test_every_named_tensor_is_the_recorded_one(runner, built):
    """A panel that says where its numbers were recorded shows exactly those, cell by cell."""
    trace = runner.recorded(BOAT, 16).trace
    for step in built(BOAT).steps:
        for panel in step.show:
            if isinstance(panel, Panel) and panel.where.endswith("]"):  # else it is of a copy with a mistake
                check_against(trace, panel)


def check_against(trace, panel: Panel) -> None:
    shown = np.asarray(panel.values.detach() if hasattr(panel.values, "detach") else panel.values)
    hidden = None if panel.hidden is None else np.asarray(panel.hidden)
    for index in np.ndindex(shown.shape):
        if hidden is not None and hidden[index]:
            continue
        where = panel.where
        for place, number in enumerate(index):
            where = where.replace(f"{{{place}}}", str(number))
        name, inside = where.removesuffix("]").split("[")
        recorded = tensor_of(trace, name)[tuple(int(number) for number in inside.split(", "))]
        assert shown[index] == pytest.approx(float(recorded), abs=1e-5), (panel.name, index, where)


def tensor_of(trace, name: str) -> torch.Tensor:
    """A recorded tensor by its name, or the heads of one merged."""
    if name.startswith("merge_heads("):
        return attention.merge_heads(trace[name.removeprefix("merge_heads(").removesuffix(")")])
    return trace[name]


def test_bars_and_facts_are_numbers_that_json_can_carry(built):
    for step in built(CUP).steps:
        for item in step.show:
            if isinstance(item, Bars):
                assert all(len(numbers) == len(item.names) for numbers in item.series.values())
                assert all(np.isfinite(numbers).all() for numbers in item.series.values())
            if isinstance(item, Facts):
                assert all(what and value for what, value, _ in item.facts)


def test_what_was_computed_ahead_is_what_the_model_computes_now(built, id):
    (header, arrays), (kept_header, kept) = unpack(built(FIRST).payload), unpack(lesson_file(id).read_bytes())
    assert [step["title"] for step in header["steps"]] == [step["title"] for step in kept_header["steps"]]
    assert header["codes"] == kept_header["codes"]
    assert [c["value"] for c in header["controls"]] == [c["value"] for c in kept_header["controls"]]
    shown, ahead = [listed(h, a) for h, a in ((header, arrays), (kept_header, kept))]
    assert len(shown) == len(ahead)
    for (name, now), (same, then) in zip(shown, ahead):
        assert name == same and now.shape == then.shape
        if name in LAST_BITS:
            continue
        np.testing.assert_allclose(now, then, atol=2e-3, equal_nan=True, err_msg=name)


def listed(header: dict, arrays: dict) -> list[tuple[str, np.ndarray]]:
    """The tensors that are shown, in order."""
    items = [item for step in header["steps"] for item in step["show"] if item["kind"] == "panel"]
    return [(item["name"], arrays[item["values"]]) for item in items]


def test_the_catalog_lists_all_lessons(runner):
    assert [entry["id"] for entry in catalog()] == ALL
    assert ALL[0] == "transformer" and ALL[-1] == "museum"
    assert all(entry["title"] and entry["summary"] for entry in catalog())


# asking for a lesson


def test_a_lesson_is_computed_once_for_a_text_and_settings(runner, monkeypatch):
    stored = teach(runner, "attention", BOAT, {"layer": 1, "head": 2})
    header, _ = unpack(stored.payload)
    assert {c["name"]: c["value"] for c in header["controls"]}["layer"] == 1
    assert header["about"]["text"] == BOAT
    monkeypatch.setattr("explorer.lessons.teach.payload_of", lambda *_: pytest.fail("computed twice"))
    assert teach(runner, "attention", BOAT, {"layer": 1, "head": 2}) == stored


def test_what_is_cut_is_said(runner):
    header, _ = unpack(payload_of(runner, LESSONS["attention"], CUP))
    ids = runner.encode(CUP)
    assert header["about"]["total"] == len(ids) and [t["id"] for t in header["about"]["tokens"]] == ids[:16]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("nonsense", "", {}), "there is no lesson 'nonsense'; the lessons are transformer, vectors, "),
        (("attention", "", {"layer": 6}), "Layer: 6 is not one of 0, 1, 2, 3, 4, 5"),
        (("attention", "", {"head": "0"}), "Head: '0' is not one of"),
        (("reshape", "", {"shape": 3}), "Shape: at most 400 characters"),
        (("reshape", "", {"shape": "1," * 400}), "Shape: at most 400 characters"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(runner, given, sentence):
    with pytest.raises(ValueError) as caught:
        teach(runner, *given)
    assert str(caught.value).startswith(sentence) and "\n" not in str(caught.value)


def test_controls_check_what_they_are_given():
    slider = Control(name="n", label="Number", kind="slider", value=3, least=1, most=5)
    assert slider.read(5) == 5
    for wrong in (0, 6, 2.5, True, "3", None):
        with pytest.raises(ValueError, match=r"Number: .* must be a whole number from 1 to 5"):
            slider.read(wrong)
    with pytest.raises(ValueError, match="Go: 1 must be true or false"):
        Control(name="go", label="Go", kind="action", value=False).read(1)


# source code


def test_the_code_is_the_function_as_it_stands_in_its_file():
    code = code_of(attention.split_heads, "x = x.view(", "return x.transpose(")
    lines = ["".join(text for _, text in pieces) for pieces in code.lines]
    with open(attention.__file__, encoding="utf-8") as file:
        in_file = file.read().splitlines()
    assert lines == in_file[code.first - 1 : code.first - 1 + len(lines)]
    assert [lines[i].strip().split("(")[0] for i in code.marked] == ["x = x.view", "return x.transpose"]
    assert code.title == "llm_core/model/attention.py · split_heads"


def test_a_mark_that_fits_no_line_or_several_is_an_error():
    with pytest.raises(ValueError, match=r"has 0 lines with 'x\.gone'"):
        code_of(attention.split_heads, "x.gone")
    with pytest.raises(ValueError, match=r"has [2-9] lines with 'x'"):
        code_of(attention.split_heads, "x")


def test_pieces_have_kinds_and_lose_no_character():
    source = 'def f(x):\n    """Two\n    lines."""\n    return len(x) + 1.5  # why\n'
    code = code_from(source, "test", "return")
    assert "\n".join("".join(text for _, text in pieces) for pieces in code.lines) == source.rstrip()
    kinds = {text: kind for pieces in code.lines for kind, text in pieces}
    assert (kinds["def"], kinds["f"], kinds["len"], kinds["1.5"], kinds["# why"]) == (
        "keyword", "name", "builtin", "number", "comment",
    )  # fmt: skip
    assert kinds['    lines."""'] == "string" and code.marked == (3,)


def test_an_f_string_is_one_string_in_every_python():
    source = """x = f"a {b['c']:>{n}} {f'{d}'}" + rf'{e}' + "g"  # h"""
    pieces = [(kind, text) for kind, text in code_from(source, "test").lines[0] if kind]
    strings = [text for kind, text in pieces if kind == "string"]
    assert strings == ["""f"a {b['c']:>{n}} {f'{d}'}\"""", "rf'{e}'", '"g"']
    assert [text for kind, text in pieces if kind != "string"] == ["x", "# h"]


# questions and labels


def test_a_question_needs_exactly_one_right_answer():
    wrong, also = Option("a", False, "because of this"), Option("b", False, "because of that")
    with pytest.raises(ValueError, match="needs one right answer"):
        Question(prompt="?", options=[wrong, also])
    with pytest.raises(ValueError, match="needs one right answer"):
        Question(prompt="?", options=[Option("a", True, "it is so"), wrong])


def test_options_that_read_alike_are_dropped_and_never_the_right_one():
    options = [Option("3", False, "no"), Option("3", True, "yes"), Option("4", False, "no")]
    assert [(option.text, option.right) for option in distinct(*options)] == [("3", True), ("4", False)]


def test_the_order_of_options_is_the_same_each_time_and_not_the_written_one():
    first = [right_place(f"question {i}") for i in range(40)]
    assert first == [right_place(f"question {i}") for i in range(40)]
    assert 5 < first.count(0) < 30


def right_place(prompt: str) -> int:
    options = [Option("one", True, "yes"), Option("two", False, "no"), Option("three", False, "no")]
    shown = Store().question(Question(prompt=prompt, options=options))["options"]
    return [option["right"] for option in shown].index(True)


@pytest.mark.parametrize(
    ("text", "special", "label"),
    [
        ("<|startofarticle|>", True, "start"),
        (" to", False, "to"),
        (" ", False, "␣"),
        ("\n", False, "⏎"),
        ("\x1b[", False, "U+001B["),
        ("a`b", False, "aˋb"),
        ("\u202eabc", False, "U+202Eabc"),
        ("x" * 40, False, "x" * 13 + "…"),
    ],
)
def test_labels_can_be_read(text, special, label):
    assert readable({"text": text, "special": special}) == label


# payloads


def test_equal_arrays_travel_once_and_kinds_survive():
    store = Store()
    a = store.array(torch.tensor([[1.5, -2.0]]))
    assert store.array(np.array([[1.5, -2.0]])) == a
    assert store.array(np.array([[1.5], [-2.0]])) != a
    whole, flags = store.array(torch.arange(3)), store.array(torch.tensor([True, False]))
    assert [store.arrays[key][0] for key in (a, whole, flags)] == ["float32", "int32", "uint8"]
    assert store.array(None) is None


def test_a_panel_that_breaks_the_contract_fails_by_name():
    with pytest.raises(ValueError, match="panel q: 1 letters for the shape"):
        Store().shown(Panel(name="q", values=np.ones((2, 3)), letters="T"))
    with pytest.raises(ValueError, match="panel q: origin has the shape"):
        Store().shown(Panel(name="q", values=np.ones((2, 3)), letters="TC", origin=np.ones((3, 2), int)))
    with pytest.raises(ValueError, match='panel q: the color "origin" needs origins'):
        Store().shown(Panel(name="q", values=np.ones((2, 3)), letters="TC", color="origin"))
