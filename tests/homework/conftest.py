"""A homework file that a test loads here may pretend to be in Colab: the next test is not."""

import sys
from collections.abc import Iterator

import pytest

from llm_core.homework.inside.colab import Nothing


@pytest.fixture(autouse=True)
def _not_in_colab() -> Iterator[None]:
    yield
    for name in [name for name, module in sys.modules.items() if isinstance(module, Nothing)]:
        del sys.modules[name]
