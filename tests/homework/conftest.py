"""One thread, as the command has; and a homework file that pretends to be in Colab: the next test is not."""

import sys
from collections.abc import Iterator

import pytest
import torch

from llm_core.homework.inside.colab import Nothing


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _not_in_colab() -> Iterator[None]:
    yield
    for name in [name for name, module in sys.modules.items() if isinstance(module, Nothing)]:
        del sys.modules[name]
