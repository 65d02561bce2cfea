"""A config that cannot work is refused when it is written down, in a sentence that says what would be right."""

import dataclasses

import pytest

from llm_core.model.config import ModelConfig

SIZES = dict(vocab_size=29, block_size=11, n_layer=3, n_head=4, n_embd=24)


@pytest.mark.parametrize("field", SIZES)
@pytest.mark.parametrize("value", [0, -3, 2.0, True, "4", None])
def test_a_size_is_a_whole_number_of_at_least_one(field, value):
    with pytest.raises(ValueError) as error:
        ModelConfig(**{**SIZES, field: value})
    assert str(error.value) == f"{field}={value!r}: must be a whole number of at least 1"


@pytest.mark.parametrize("field", ["attn_pdrop", "resid_pdrop", "embd_pdrop"])
@pytest.mark.parametrize("value", [-0.1, 1, 1.5, float("nan"), "0.1", None, False])
def test_a_dropout_rate_is_a_probability_below_one(field, value):
    with pytest.raises(ValueError) as error:
        ModelConfig(**SIZES, **{field: value})
    assert str(error.value) == f"{field}={value!r}: must be a probability, at least 0 and below 1"


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_bias_is_true_or_false(value):
    with pytest.raises(ValueError) as error:
        ModelConfig(**SIZES, bias=value)
    assert str(error.value) == f"bias={value!r}: must be True or False"


def test_the_heads_divide_the_width():
    with pytest.raises(ValueError, match=r"n_head=5 .* n_embd=24.* allowed here are 1, 2, 3, 4, 6, 8, 12, 24$"):
        ModelConfig(**{**SIZES, "n_head": 5})


@pytest.mark.parametrize("n_head, head_width", [(1, 24), (3, 8), (24, 1)])
def test_the_borders_are_allowed(n_head, head_width):
    config = ModelConfig(vocab_size=1, block_size=1, n_layer=1, n_head=n_head, n_embd=24, attn_pdrop=0, embd_pdrop=0.99)
    assert config.head_width == head_width


def test_defaults_are_those_of_gpt2():
    config = ModelConfig(**SIZES)
    assert (config.attn_pdrop, config.resid_pdrop, config.embd_pdrop, config.bias) == (0.1, 0.1, 0.1, True)


def test_it_is_frozen():
    config = ModelConfig(**SIZES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.n_head = 2
    assert config.n_head == 4


def test_it_is_keyword_only():
    with pytest.raises(TypeError, match="positional"):
        ModelConfig(29, 11, 3, 4, 24)


def test_to_dict_and_back():
    config = ModelConfig(**SIZES, attn_pdrop=0.2, resid_pdrop=0.3, embd_pdrop=0.4, bias=False)
    values = config.to_dict()
    assert values == {**SIZES, "attn_pdrop": 0.2, "resid_pdrop": 0.3, "embd_pdrop": 0.4, "bias": False}
    assert ModelConfig.from_dict(values) == config


def test_from_dict_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"unknown config field 'n_heads'; known are .*n_head"):
        ModelConfig.from_dict({**SIZES, "n_heads": 4})


def test_from_dict_names_what_is_missing():
    with pytest.raises(ValueError, match=r"incomplete config: .*'n_layer'"):
        ModelConfig.from_dict({name: value for name, value in SIZES.items() if name != "n_layer"})


def test_from_dict_checks_the_values():
    with pytest.raises(ValueError, match="n_layer=0"):
        ModelConfig.from_dict({**SIZES, "n_layer": 0})
