"""How many bits a byte of held-out text costs simple methods: what a trained model has to beat.

    python -m llm_core.baselines --data articles.jsonl --validation held-out.jsonl --tokens 20000000 --out runs/decoder

Unigram, bigram and 5-gram models are fitted on the first ``--tokens`` tokens of the training articles, and pay for
every token of the held-out ones, the marks between articles too. gzip and xz see the same bytes without these marks.
"Primed" means that xz has read the end of the training text before, as much of it as its window holds. With ``--out``
the figures are kept in ``baselines.json`` of a run's folder, where the model card finds them.
"""

import argparse
import gzip
import json
import lzma
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..model.checkpoints import write_files
from ..text.articles import read_articles
from ..text.tokenizer import Tokenizer, load_tokenizer
from .data import TokenStore
from .ngrams import NGramModel

FILE = "baselines.json"
ORDERS = {1: "unigram", 2: "bigram", 5: "5-gram, Kneser-Ney"}
XZ_PRESET = 9 | lzma.PRESET_EXTREME
XZ_WINDOW = 64 * 2**20  # bytes, of preset 9
CHUNK = 2**20  # tokens that are text at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """``tokens`` is how many of the training text it has seen; 0 for a packer that starts from nothing."""

    name: str
    tokens: int
    bits_per_byte: float


def ngram_baselines(train: TokenStore, held_out: TokenStore, num_tokens: int, V: int) -> Iterator[Baseline]:
    """N-gram models of the first ``num_tokens`` training tokens, or of all if there are fewer."""
    tokens = train.tokens[:num_tokens]
    for order, name in ORDERS.items():
        bits = NGramModel(tokens, order, V).bits(held_out.tokens)
        yield Baseline(name=name, tokens=len(tokens), bits_per_byte=bits / held_out.num_bytes)


def packer_baselines(
    train: TokenStore, held_out: TokenStore, num_tokens: int, tokenizer: Tokenizer
) -> Iterator[Baseline]:
    """gzip and xz at their strongest, and xz primed with the end of the first ``num_tokens`` training tokens."""
    text = b"".join(text_chunks(held_out.tokens, tokenizer))
    before, seen = ending(train.tokens[:num_tokens], tokenizer, max(0, XZ_WINDOW - len(text)))
    sizes = {
        ("gzip -9", 0): len(gzip.compress(text, 9)),
        ("xz -9e", 0): xz_size(text),
        ("xz -9e, primed", seen): xz_size(before + text) - xz_size(before),
    }
    for (name, tokens), size in sizes.items():
        yield Baseline(name=name, tokens=tokens, bits_per_byte=8 * size / len(text))


def text_chunks(tokens: np.ndarray, tokenizer: Tokenizer) -> Iterator[bytes]:
    """The text behind ``tokens`` piece by piece, the marks between articles left out."""
    marks = [tokenizer.start, tokenizer.end]
    for begin in range(0, len(tokens), CHUNK):
        ids = tokens[begin : begin + CHUNK]
        yield b"".join(map(tokenizer.token_bytes, ids[~np.isin(ids, marks)].tolist()))


def ending(tokens: np.ndarray, tokenizer: Tokenizer, most: int) -> tuple[bytes, int]:
    """The text at the end of ``tokens``, at most so many bytes; and how many tokens, at most, it was taken from."""
    text, begin = b"", len(tokens)
    while len(text) < most and begin > 0:
        end, begin = begin, max(0, begin - CHUNK)
        text = b"".join(text_chunks(tokens[begin:end], tokenizer)) + text
    return text[len(text) - min(most, len(text)) :], len(tokens) - begin


def xz_size(text: bytes) -> int:
    return len(lzma.compress(text, preset=XZ_PRESET))


def baselines_table(baselines: list[Baseline]) -> str:
    """As Markdown, the worst first."""
    rows = sorted(baselines, key=lambda b: -b.bits_per_byte)
    lines = [f"| {b.name} | {f'{b.tokens:,}' if b.tokens else 'none'} | {b.bits_per_byte:.4f} |" for b in rows]
    return "\n".join(["| Baseline | Training tokens seen | Bits per byte |", "|---|--:|--:|", *lines])


def save_baselines(baselines: list[Baseline], folder: Path) -> None:
    write_files(folder, {FILE: json.dumps([asdict(b) for b in baselines], indent=2).encode()})


def load_baselines(folder: Path) -> list[Baseline]:
    """What ``save_baselines`` left in a run's folder; none if nobody measured."""
    path = folder / FILE
    try:
        return [Baseline(**entry) for entry in json.loads(path.read_text())] if path.exists() else []
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no baselines ({error}): measure them again, or take it away") from None


def open_store(sources: list[str], tokenizer: Tokenizer, folder: Path) -> TokenStore:
    """The tokens of articles, made in ``folder``; or those that a run has made: ``RUN/tokens/train``."""
    if Path(sources[0], "info.json").exists():
        return TokenStore(Path(sources[0]))
    return TokenStore.build(read_articles(sources), tokenizer, folder)


def measure(args: argparse.Namespace) -> list[Baseline]:
    tokenizer, measured = load_tokenizer(), list[Baseline]()
    with tempfile.TemporaryDirectory() as folder:
        train = open_store(args.data, tokenizer, Path(folder, "train"))
        held_out = open_store(args.validation, tokenizer, Path(folder, "validation"))
        for num_tokens in args.tokens or [len(train)]:
            measured += ngram_baselines(train, held_out, num_tokens, tokenizer.n_vocab)
        measured += packer_baselines(train, held_out, max(args.tokens or [len(train)]), tokenizer)
    return measured


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Bits per byte of n-gram models, gzip and xz on held-out articles.")
    parser.add_argument("--data", nargs="+", required=True, help="training articles, or the folder RUN/tokens/train")
    parser.add_argument("--validation", nargs="+", required=True, help="held-out ones, or RUN/tokens/validation")
    parser.add_argument("--tokens", nargs="+", type=int, help="how many training tokens to fit on, one or more (all)")
    parser.add_argument("--out", type=Path, help=f"folder of a run, for {FILE}")
    args = parser.parse_args(arguments)
    try:
        found = measure(args)
        if args.out:
            save_baselines(found, args.out)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(baselines_table(found))
