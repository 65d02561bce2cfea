"""docs/API.md: every endpoint stands in it, and every example runs as it is written there."""

import re

import pytest
from gradio_client import Client
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel

from llm_core.paths import ROOT

from ..serving import App

DOCUMENT = ROOT / "docs" / "API.md"
SECTIONS = re.split(r"^## ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
EXAMPLE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def endpoints(app: App) -> dict:
    return Client(app.url, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]


@pytest.fixture
def names(app: App) -> dict:
    """What the document's first examples define, for this app's address; nothing of any other example."""
    names: dict = {}
    for code in EXAMPLE.findall(SECTIONS[0].replace("http://127.0.0.1:7860/", app.url)):
        exec(code, names)
    return names


def test_every_endpoint_stands_in_the_document_and_no_other(endpoints):
    written = [match[1] for section in SECTIONS if (match := re.match(r"`(/\w+)`\n", section))]
    assert sorted(written) == sorted(endpoints)
    assert "http://127.0.0.1:7860/" in SECTIONS[0]  # where the app listens when nothing else is said


def test_every_parameter_is_named(endpoints):
    for section in SECTIONS:
        if match := re.match(r"`(/\w+)`\n", section):
            for parameter in endpoints[match[1]]["parameters"]:
                assert f"`{parameter['parameter_name']}" in section, (match[1], parameter["parameter_name"])


@pytest.fixture
def folder(tmp_path, monkeypatch) -> None:
    """The folder that the document names, with a small GPT-2 of Hugging Face's."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(["The capital of France is Paris."], vocab_size=270, special_tokens=["<|endoftext|>"])
    sizes = GPT2Config(vocab_size=tokenizer.get_vocab_size(), n_positions=64, n_embd=16, n_layer=2, n_head=4)
    GPT2LMHeadModel(sizes).save_pretrained(tmp_path / "path/to/folder")
    tokenizer.save(str(tmp_path / "path/to/folder/tokenizer.json"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("section", SECTIONS[1:], ids=lambda section: section.split("\n")[0].strip("`/"))
def test_examples_run(names, section):
    examples = EXAMPLE.findall(section)
    assert examples
    for code in examples:
        exec(code, names)
