"""One Runner of the shipped model for all lessons: what is kept for it (losses of mistakes, runs) is computed once."""

import pytest

from explorer.engine.runner import Runner
from llm_core import Decoder, ModelConfig, save_model

from ..common import randomised


@pytest.fixture(scope="session")
def runner() -> Runner:
    return Runner()


@pytest.fixture(scope="session")
def other(tmp_path_factory) -> Runner:
    """A small random model of other sizes: T, H, D and the number of layers differ from ours."""
    folder = tmp_path_factory.mktemp("other")
    sizes = {"block_size": 19, "n_layer": 3, "n_head": 2, "n_embd": 12}
    save_model(randomised(Decoder(ModelConfig(vocab_size=8192, **sizes))), folder)
    return Runner(str(folder))
