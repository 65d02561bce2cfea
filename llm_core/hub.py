"""Models and tokenizers by the names that the Hugging Face Hub gives them: what is fetched, and what is said if not."""

import re
from collections.abc import Iterable
from pathlib import Path

MODEL_FILES = (
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "README.md",
)
TOKENIZER_FILES = (
    "tokenizer.tiktoken",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
)
OWNERS = {  # of names that are older than the Hub's owners
    "gpt2": "openai-community",
    "gpt2-medium": "openai-community",
    "gpt2-large": "openai-community",
    "gpt2-xl": "openai-community",
    "distilgpt2": "distilbert",
    "distilbert-base-uncased": "distilbert",
    "distilbert-base-cased": "distilbert",
    "bert-base-uncased": "google-bert",
    "bert-base-cased": "google-bert",
    "bert-large-uncased": "google-bert",
    "roberta-base": "FacebookAI",
    "roberta-large": "FacebookAI",
    "t5-small": "google-t5",
    "t5-base": "google-t5",
}


class CheckpointError(ValueError):
    """A checkpoint that cannot be read or written; the message is one sentence for the user."""


def hub_id(name: str) -> str | None:
    """ "owner/name" for a name that the Hub may know, None for one that cannot be one."""
    if name in OWNERS:
        return f"{OWNERS[name]}/{name}"
    return name if re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", name) else None


def fetch(name: str, files: Iterable[str] = (*MODEL_FILES, *TOKENIZER_FILES)) -> Path:
    """The folder that the Hub's ``files`` of a model were put in: weights, sizes, card and tokenizer.

    Raises ``CheckpointError`` if the Hub gives none, or cannot be reached.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[*files]))
    except Exception as error:  # the Hub's, the network's and the file system's own kinds
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CheckpointError(f"no folder {name}, and the Hub did not give a model of that name ({reason})") from None
