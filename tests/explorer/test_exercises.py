"""The nine exercises: cut from the skeleton, right when filled in, and not written while a blank is left."""

import ast
from pathlib import Path

import pytest

from explorer.exercises.exercise import BLANK, exercises, pieces
from explorer.lessons import LESSONS
from llm_core.homework.outline import Outline
from llm_core.homework.report import BLOCKS, PASSED
from llm_core.homework.sandbox import check_file
from llm_core.homework.skeleton import SKELETON

NINE = [block for block in BLOCKS if block != "pipeline"]


def filled(**texts: str) -> str:
    """The file with these definitions in place of the skeleton's."""
    return "".join(texts.get(piece["id"].replace("-", "_"), piece["text"]) for piece in pieces())


def test_the_pieces_are_the_skeleton_and_hold_each_exercise_once():
    assert filled() == SKELETON.read_text(encoding="utf-8")
    assert [piece["id"] for piece in pieces() if piece["id"]] == [one.id for one in exercises()]
    assert [one.block for one in exercises()] == NINE


@pytest.mark.parametrize("one", exercises(), ids=lambda one: one.id)
def test_an_exercise_has_blanks_three_hints_and_one_way_to_write_it(one):
    assert BLANK in one.start and BLANK not in one.solution and "Hint" not in one.start
    assert "NotImplementedError" not in one.solution.split("def forward")[-1]
    first, idea, half = one.hints
    assert first.startswith("Hint") and idea.endswith(".")
    assert 0 < half.count(BLANK) < one.start.count(BLANK) or half.count(BLANK) == one.start.count(BLANK) // 2
    source = filled(**{one.id.replace("-", "_"): one.solution})
    ast.parse(source)
    outline = Outline.of(source)
    assert [block for block in NINE if outline.is_written(block)] == [one.block]


@pytest.mark.parametrize("one", exercises(), ids=lambda one: one.id)
def test_ideas_are_numbered_each_said_once_and_give_no_line_of_the_solution(one):
    lines = one.hints[1].splitlines()
    numbers, ideas = zip(*(line.split(". ", 1) for line in lines))
    assert list(numbers) == [str(i + 1) for i in range(len(lines))] and len(set(ideas)) == len(ideas)
    assert all(len(line.strip()) < 30 or line.strip() not in one.hints[1] for line in one.solution.splitlines())


def test_ideas_come_in_the_order_in_which_the_block_computes():
    """What each idea is about stands in this order in the solution, too."""
    for block, names in (
        ("attention", ["view(", "q @", "√D", "-inf", "softmax over", "attn_dropout comes", "joined", "hidden_dropout"]),
        ("transformer", ["num_tokens", "look-up", "concatenate", "Each block", "ln_f", "lm_head", "logits[:, P-1:-1]"]),
    ):
        idea = next(one for one in exercises() if one.block == block).hints[1]
        assert [idea.index(name) for name in names] == sorted(idea.index(name) for name in names)


def test_what_marks_padding_is_said_where_the_loss_is_computed():
    idea = next(one for one in exercises() if one.block == "transformer").hints[1]
    assert "ignore_index=-1" in idea and "-100 by default" in idea and "-1 marks padding" in idea


def test_the_lessons_that_they_end_exist_as_far_as_they_are_written():
    assert "attention" in {one.lesson for one in exercises()} & set(LESSONS)


def test_all_nine_solutions_are_right_in_the_sandbox(tmp_path: Path):
    """The blocks, each on its own; the pipeline is the checker's own test."""
    file = tmp_path / "my_llm_implementation.py"
    without_pipeline = [one for one in exercises() if one.block != "prefix generate"]
    file.write_text(filled(**{one.id.replace("-", "_"): one.solution for one in without_pipeline}), encoding="utf-8")
    report = check_file(file)
    assert {block.name for block in report.blocks if block.status == PASSED} == {one.block for one in without_pipeline}
