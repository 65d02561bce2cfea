"""One Runner of the shipped model for all lessons: what is kept for it (losses of mistakes, runs) is computed once."""

import pytest

from explorer.engine.runner import Runner


@pytest.fixture(scope="session")
def runner() -> Runner:
    return Runner()
