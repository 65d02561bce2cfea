"""The tokenizer inside a .gguf file: its tokens, its merges, and the name of how a text is cut before them."""

from collections.abc import Mapping
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from ..hub import CheckpointError

CONTROL = 3  # the type of a token that is no text
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)


def gguf_tokenizer(path: Path) -> Tokenizer:
    """``CheckpointError`` with one sentence for a file whose tokenizer is of another kind."""
    from gguf import GGUFReader

    told = {name: field.contents() for name, field in GGUFReader(str(path)).fields.items()}
    return tokenizer_of(told, str(path))


def tokenizer_of(told: Mapping, path: str) -> Tokenizer:
    """From the fields of the file at ``path``."""
    kind, cut = told.get("tokenizer.ggml.model"), told.get("tokenizer.ggml.pre", "default")
    if kind != "gpt2" or cut not in (ways := _ways()):
        raise CheckpointError(
            f"{path}: its tokenizer is of the kind {kind!r}, {cut!r}, and is not read from a .gguf file: open a folder "
            "with the model's tokenizer.json instead"
        )
    tokens = told["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in told["tokenizer.ggml.merges"]]
    own = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    own.pre_tokenizer = pre_tokenizers.Sequence(ways[cut])
    own.decoder = decoders.ByteLevel()
    marks = [token for token, kind in zip(tokens, told.get("tokenizer.ggml.token_type", ())) if kind == CONTROL]
    own.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in marks])
    return own


def _ways() -> dict[str, list]:
    """How a text is cut, by the name that llama.cpp gives it."""
    bytes_of_words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    llama_3 = [
        pre_tokenizers.Split(Regex(LLAMA_3), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
    return {
        "default": [bytes_of_words],
        "gpt-2": [bytes_of_words],
        "smollm": [pre_tokenizers.Digits(individual_digits=True), bytes_of_words],
        "llama-bpe": llama_3,
    }
