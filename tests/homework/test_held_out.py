"""A sample of the held-out set: reasons and lines. ``python -m tests.homework.held_out`` has all of it, and points."""

import pytest

from .held_out.__main__ import checked
from .held_out.faults import PAIRS, SINGLES, faulty

FILES = [faulty(fault) for fault in SINGLES[::11]] + [faulty(*pair) for pair in PAIRS[1::12]]


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_fault_that_nobody_listed_is_explained_in_its_line(file, tmp_path):
    score = checked(file, tmp_path, tuple({fault.block for fault in file.faults}))
    assert (score.missing, score.wrong, score.far) == ([], [], [])
