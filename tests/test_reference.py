"""The library as one finds one's way in it: every public name has a sentence, shapes and an example, and the page is
what they say."""

from importlib import import_module

import pytest

from . import reference
from .reference import EXAMPLES, PACKAGES, lacking

NAMES = [(package, name) for package in PACKAGES for name in import_module(package).__all__]


@pytest.fixture(scope="module")
def prelude():
    return reference.prelude()


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_hands_on_what_it_names_and_each_has_an_example(package):
    module = import_module(package)
    examples = [name for of, name in EXAMPLES if of == package]
    assert sorted(module.__all__) == sorted(dir(module)) == sorted(examples)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = module.nothing


def test_no_public_name_lacks_a_sentence_or_a_shape():
    assert len(NAMES) > 50
    assert [what for package, name in NAMES for what in lacking(package, name)] == []


@pytest.mark.parametrize("package, name", NAMES, ids=[f"{package}.{name}" for package, name in NAMES])
def test_every_example_runs(prelude, package, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = reference.run(package, name, prelude)
    if package == "llm_core.figures":
        made, shown = reference.write_picture(names, name, tmp_path), reference.PICTURES / f"{name}.svg"
        assert made.stat().st_size == pytest.approx(shown.stat().st_size, rel=0.1) and shown.stat().st_size > 2000


def test_the_page_is_what_the_docstrings_say_now():
    written = reference.REFERENCE.read_text(encoding="utf-8")
    assert written == reference.document(), "python -m tests.reference writes it anew"
