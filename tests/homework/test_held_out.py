"""A sample of the held-out set. ``python -m tests.homework.held_out`` has all of it."""

import pytest

from .held_out.__main__ import checked
from .held_out.faults import PAIRS, SINGLES, faulty, files

FILES = [faulty(fault) for fault in SINGLES[::11]] + [faulty(*pair) for pair in PAIRS[1::12]]


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_fault_that_nobody_listed_is_explained_in_its_line(file, tmp_path):
    score = checked(file, tmp_path, tuple({fault.block for fault in file.faults}))
    assert (score.missing, score.wrong, score.far) == ([], [], [])


POINTS = ["verbose: norms-swapped", "sdpa: embedding-detached + zero-is-padding", "objects: softmax-twice"]


@pytest.mark.parametrize("name", POINTS)
def test_a_file_loses_the_points_of_its_faulty_blocks_alone(name, tmp_path):
    """And the pipeline's, unless it trains as if it were right."""
    file = next(file for file in files() if file.name == name)
    assert checked(file, tmp_path, reasons=False).has_right_points
