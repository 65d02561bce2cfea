"""Lesson 1: every number, stride and tape against torch, and every refusal against torch's own words."""

import numpy as np
import pytest
import torch

from explorer.lessons.course.reshape import example, homework_example, read_chain, read_shape, run_chain
from explorer.lessons.lesson import Message, Panel, as_array

from .common import panel, right, steps_of, values

A = torch.arange(0, 3).repeat(4).reshape(1, 3, 4)


@pytest.fixture(scope="module")
def steps(runner):
    return steps_of(runner, "reshape")


def test_the_homeworks_example_is_what_the_homework_prints(steps):
    assert values(steps[0], "a").tolist() == [[[0, 1, 2, 0], [1, 2, 0, 1], [2, 0, 1, 2]]]
    assert values(steps[1], "swapped").tolist() == [[[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]]
    assert values(steps[2], "refilled").tolist() == [[[0, 1, 2], [0, 1, 2], [0, 1, 2], [0, 1, 2]]]


def test_the_lessons_tensors_are_those_that_the_shown_code_returned():
    for moved, returned in zip(example(), homework_example()):
        assert torch.equal(moved.x, returned) and moved.x.stride() == returned.stride()


def test_tapes_are_torchs_storages_and_strides(steps):
    shown = {p.name: p.tape for step in steps[:7] for p in step.show if isinstance(p, Panel) and p.tape}
    swapped, copied = A.transpose(1, 2), A.transpose(1, 2).contiguous()
    expected = {
        "a": (A, A, 0),
        "swapped": (swapped, A, 0),
        "refilled": (A.reshape(1, 4, 3), A, 0),
        "copied": (copied, copied, 1),
        "copied.view(1, 12)": (copied.view(1, 12), copied, 1),
    }
    for name, (x, memory, block) in expected.items():
        if name in shown:
            assert shown[name].strides == x.stride()
            assert shown[name].offset == 0
            assert as_array(shown[name].storage).tolist() == memory.flatten().tolist()
            assert (shown[name].block > 0) == (block > 0)
    assert {"a", "swapped", "refilled", "copied"} <= set(shown)


def test_a_cell_is_found_on_the_tape_with_its_strides(steps):
    for step in steps:
        for shown in step.show:
            if isinstance(shown, Panel) and shown.tape:
                storage, cells = as_array(shown.tape.storage), as_array(shown.values)
                for index in np.ndindex(cells.shape):
                    place = shown.tape.offset + sum(i * stride for i, stride in zip(index, shown.tape.strides))
                    assert storage[place] == cells[index]


def test_colours_follow_each_number_from_its_first_place(steps):
    """With the origins as values, a transpose keeps a token in one column, and a reshape does not."""
    swapped, refilled = panel(steps[3], "swapped"), panel(steps[3], "refilled")
    token_of = [as_array(p.origin)[0] // p.width for p in (swapped, refilled)]
    assert (token_of[0] == [[0, 1, 2]] * 4).all()
    assert token_of[1].tolist() == [[0, 0, 0], [0, 1, 1], [1, 1, 2], [2, 2, 2]]


def test_right_answers_are_torchs(steps):
    assert right(steps[1]) == str(A.transpose(1, 2).stride())
    assert right(steps[2]) == str(A.reshape(1, 4, 3)[0, 0].tolist())
    assert right(steps[3]) == "B"
    assert right(steps[4]) == "an error"
    assert right(steps[5]) == str(A.transpose(1, 2).contiguous().flatten()[:4].tolist())


def test_the_picture_choice_shows_what_its_answer_says(steps):
    first, second = steps[3].question.before
    assert (first.name, second.name) == ("A", "B")
    assert as_array(second.values).tolist() == A.transpose(1, 2).tolist()
    assert as_array(first.values).tolist() == A.reshape(1, 4, 3).tolist()


def test_the_message_is_torchs_own(steps):
    (message,) = [item for item in steps[4].show if isinstance(item, Message)]
    with pytest.raises(RuntimeError) as caught:
        A.transpose(1, 2).view(1, 12)
    assert message.text == f"RuntimeError: {caught.value}"
    assert "A view never moves numbers" in message.words


# any shape, any chain


@pytest.mark.parametrize(
    ("shape", "chain", "expected"),
    [
        ("2, 3", "", lambda a: a),
        ("(2, 3)", ".transpose(0, 1)", lambda a: a.transpose(0, 1)),
        ("2, 3, 4", "permute(2, 0, 1).contiguous().view(4, 6)", lambda a: a.permute(2, 0, 1).contiguous().view(4, 6)),
        ("2,3,2,2", "a.transpose(-1, 1).reshape(2, -1)", lambda a: a.transpose(-1, 1).reshape(2, -1)),
        ("12", "view((3, 4)).permute((1, 0))", lambda a: a.view((3, 4)).permute((1, 0))),
    ],
)
def test_any_chain_gives_torchs_tensor_strides_and_memory(shape, chain, expected):
    stages = run_chain(read_shape(shape), read_chain(chain))
    first = stages[0].x
    x = expected(first)
    assert torch.equal(stages[-1].x, x) and stages[-1].x.stride() == x.stride()
    assert torch.equal(stages[-1].twin, expected(torch.arange(first.numel()).reshape(first.shape)))
    shares = x.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
    assert (stages[-1].block == 0) == shares


def test_letters_go_with_their_dimensions_and_are_lost_in_a_reshape():
    stages = run_chain((2, 3, 4), read_chain("transpose(1, 2).reshape(2, 12).view(2, 3, 4).permute(1, 0, 2)"))
    assert [stage.letters for stage in stages] == [
        ("B", "T", "C"), ("B", "C", "T"), ("B", ""), ("B", "", ""), ("", "B", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "chain", "words", "said"),
    [
        ("3, 4", "reshape(5, 5)", "must equal the number of elements (12)", "is invalid for input of size 12"),
        ("3, 4", "transpose(0, 1).view(12)", "A view never moves numbers", "view size is not compatible"),
        ("3, 4", "transpose(0, 5)", "There is no such dimension: this tensor has 2", "Dimension out of range"),
        ("3, 4", "permute(0)", "names every dimension exactly once", "permute("),
        ("3, 4", "permute(0, 0)", "one is named twice", "duplicate dims"),
        ("3, 4", "view(-1, -1)", "Only one size can be -1", "only one dimension can be inferred"),
        ("3, 4", "view(-2, 3)", "cannot be negative", "invalid shape dimension"),
        ("3, 4", "view('a')", "not the numbers that the operation takes", "invalid combination of arguments"),
        ("-1, 3", "", "cannot be negative", "negative dimension"),
        ("99999999999, 99999999999", "", "more numbers than a computer", "overflowed"),
        ("99999999999999999999", "", "more numbers than a computer", "verflow"),
    ],
)
def test_what_torch_refuses_is_said_in_plain_words_and_in_torchs(shape, chain, words, said):
    with pytest.raises(ValueError) as caught:
        run_chain(read_shape(shape), read_chain(chain))
    sentence = str(caught.value)
    assert words in sentence and said in sentence.split("torch says: ")[1] and "\n" not in sentence


@pytest.mark.parametrize(
    ("shape", "chain", "sentence"),
    [
        ("x", "", "must be whole numbers with commas between them"),
        ("", "", "between 1 and 4 can be drawn"),
        ("1,1,1,1,1", "", "between 1 and 4 can be drawn"),
        ("0, 4", "", "a size of 0 leaves no number to look at"),
        ("2, 129", "", "258 numbers are more than can be followed by eye"),
        ("3, 4", "__class__()", "must be calls such as"),
        ("3, 4", "numpy()", "must be calls such as"),
        ("3, 4", "view", "must be calls such as"),
        ("3, 4", "view(12).x", "must be calls such as"),
        ("3, 4", "view(*[12])", "must be calls such as"),
        ("3, 4", "view(size=12)", "must be calls such as"),
        ("3, 4", "view(__import__('os'))", "must be calls such as"),
        ("3, 4", "(" * 300, "must be calls such as"),
        ("3, 4", "contiguous()." * 6 + "contiguous()", "at most 6 fit the picture"),
        ("4, 4", "view(2, 2, 2, 2, 1)", "1 to 4 dimensions can be drawn"),
    ],
)
def test_what_is_no_shape_or_chain_is_refused_in_a_sentence(shape, chain, sentence):
    with pytest.raises(ValueError) as caught:
        run_chain(read_shape(shape), read_chain(chain))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_a_head_split_of_a_real_size_fits(runner):
    step = steps_of(runner, "reshape", shape="1, 16, 16", chain="view(1, 16, 4, 4).transpose(1, 2)")[7]
    expected = torch.arange(256).view(1, 16, 4, 4).transpose(1, 2)
    assert torch.equal(torch.as_tensor(values(step, "c")), expected)


def test_the_learners_own_code_is_shown_and_is_what_ran(runner):
    step = steps_of(runner, "reshape", shape="2, 3, 2", chain="transpose(1, 2).reshape(2, 6)")[7]
    source = "\n".join("".join(text for _, text in pieces) for pieces in step.code[0].lines)
    names: dict = {"torch": torch}
    exec(source, names)
    assert torch.equal(names["c"], torch.as_tensor(values(step, "c")))
    assert step.code[0].marked == (2,)
