"""The library as one finds one's way in it: every public name is there, with a sentence."""

import inspect
from importlib import import_module

import pytest

PACKAGES = ("llm_core", "llm_core.analysis", "llm_core.figures", "llm_core.live")
NAMES = [(package, name) for package in PACKAGES for name in import_module(package).__all__]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_hands_on_what_it_names(package):
    module = import_module(package)
    assert sorted(module.__all__) == sorted(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package, name", NAMES, ids=[f"{package}.{name}" for package, name in NAMES])
def test_every_public_name_has_a_sentence(package, name):
    found = getattr(import_module(package), name)
    said = found.__dict__.get("__doc__") if isinstance(found, type) else found.__doc__
    assert said and not said.startswith(f"{name}("), "a dataclass without a docstring gets its own signature as one"
    assert len(said.strip().splitlines()[0]) > 15
    methods = inspect.getmembers(found, inspect.isfunction) if isinstance(found, type) else []
    bare = [method for method, code in methods if method in found.__dict__ and method[0] != "_" and not code.__doc__]
    assert not [method for method in bare if method != "forward"]
