"""Text to token ids and back: a byte-level BPE of 8,192 tokens, trained on WikiHow articles.

The merges are learned by the `tokenizers` library and stored as a rank file (one base64 token and its rank a
line, tiktoken's own format) that travels with the project: loading downloads nothing. Every text has an
encoding, because the 256 bytes are tokens.

    python -m llm_core.tokenizer --data articles.jsonl --out assets/wikihow-8k.tiktoken
"""

import argparse
import base64
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import tiktoken

from ..hub import fetch, hub_id
from ..paths import ASSETS, MODELS
from .articles import read_articles
from .byte_letters import byte_letters
from .pieces import label_of
from .surrogates import join_surrogates

RANK_FILE = ASSETS / "wikihow-8k.tiktoken"
NAMES = (OURS, BYTES) = ("wikihow-8k", "bytes")  # what a checkpoint may name as its tokenizer
GPT2 = "gpt2"  # what tiktoken calls it
VOCAB_SIZE = 8192

# GPT-2's split into words, numbers, punctuation and white space: no token reaches over two of them. White
# space is cut every 1,000 characters, because the regex engine panics when it backtracks over a million.
SPLIT = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s{1,1000}(?!\S)|\s"""
SPECIAL_TOKENS = ("<|endoftext|>", "<|padding|>", "<|mask|>", "<|startofarticle|>")


class Tokenizer(Protocol):
    """Text to ids and back, whoever made the vocabulary.

    ``end``, ``pad``, ``mask`` and ``start`` are ids, or None where the vocabulary has no such token; ``prefix`` and
    ``suffix`` stand around every text, and ``decoder_start`` is what an encoder-decoder's decoder starts from, None
    for ``start``. Special tokens never come out of user text.
    """

    @property
    def name(self) -> str: ...
    @property
    def end(self) -> Any: ...  # these four are int or None, and who needs one knows that the vocabulary has it
    @property
    def pad(self) -> Any: ...
    @property
    def mask(self) -> Any: ...
    @property
    def start(self) -> Any: ...
    @property
    def prefix(self) -> tuple[int, ...]: ...
    @property
    def suffix(self) -> tuple[int, ...]: ...
    @property
    def decoder_start(self) -> int | None: ...
    @property
    def n_vocab(self) -> int: ...

    def encode(self, text: str) -> list[int]: ...
    def encode_batch(self, texts: list[str], num_threads: int = 2) -> list[list[int]]: ...
    def decode(self, ids: Iterable[int]) -> str: ...
    def token_bytes(self, id: int) -> bytes: ...
    def is_special(self, id: int) -> bool: ...
    def piece(self, id: int) -> str: ...


class BytePairTokenizer:
    """A ``tiktoken.Encoding`` with names for its special tokens.

    "<|mask|>" typed by a user is eight ordinary characters.
    """

    suffix: tuple[int, ...] = ()  # what stands behind every text: nothing
    decoder_start: int | None = None

    def __init__(self, encoding: tiktoken.Encoding):
        self.encoding = encoding
        special = encoding._special_tokens
        self.end, self.pad, self.mask, self.start = (special.get(name) for name in SPECIAL_TOKENS)
        self._special_names = {id: name for name, id in special.items()}

    @property
    def name(self) -> str:
        return self.encoding.name

    @property
    def prefix(self) -> tuple[int, ...]:
        """What stands in front of every text."""
        return () if self.start is None else (self.start,)

    @property
    def n_vocab(self) -> int:
        """V."""
        return self.encoding.n_vocab

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``. Half a surrogate pair is no character: it becomes U+FFFD; a whole pair is joined."""
        return self.encoding.encode_ordinary(join_surrogates(text))

    def encode_batch(self, texts: list[str], num_threads: int = 2) -> list[list[int]]:
        return self.encoding.encode_ordinary_batch([join_surrogates(text) for text in texts], num_threads=num_threads)

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ``ids``; bytes that are no UTF-8 (half a character at the cut) become U+FFFD."""
        return self.encoding.decode(list(map(int, ids)), errors="replace")

    def token_bytes(self, id: int) -> bytes:
        return self.encoding.decode_single_token_bytes(int(id))

    def is_special(self, id: int) -> bool:
        return int(id) in self._special_names

    def piece(self, id: int) -> str:
        """One token as text for a label: bytes that are no whole character are written ``\\xE2\\x9C``."""
        if self.is_special(id):
            return self._special_names[int(id)]
        return label_of(self.token_bytes(id))


@lru_cache
def load_tokenizer(name: str | Path = RANK_FILE) -> Tokenizer:
    """Our tokenizer (the default, also called "wikihow-8k"), "bytes" (each byte of the text is a token), the rank file
    at a path, one that tiktoken knows, such as "gpt2", or that of a model, by any name that ``load_model`` takes.

    Raises ``ValueError`` with one sentence if a file is damaged, or the ranks or the Hub cannot be reached.
    """
    if name == OURS:
        return load_tokenizer()
    if name == BYTES:
        return BytePairTokenizer(_encoding(BYTES, {bytes([byte]): byte for byte in range(256)}))
    if (path := Path(name).expanduser()).suffix == ".tiktoken":
        return BytePairTokenizer(_encoding_from_file(path))
    if re.fullmatch(r"[\w-][\w.-]*", str(name)) and (MODELS / name).is_dir():
        return _of_folder(MODELS / name)
    if path.is_dir():
        return _of_folder(path)
    if path.suffix == ".gguf" and path.is_file():
        return _of_file(path)
    if path.suffix == ".pt" and path.is_file():
        return load_tokenizer(GPT2)  # nanoGPT's
    if name not in tiktoken.list_encoding_names() and (id := hub_id(str(name))):
        return _of_folder(fetch(id))
    if name not in tiktoken.list_encoding_names():
        known = ", ".join([*NAMES, *tiktoken.list_encoding_names()])
        raise ValueError(f"no tokenizer {str(name)!r}: give a .tiktoken rank file, a model's folder, or one of {known}")
    try:
        return BytePairTokenizer(tiktoken.get_encoding(str(name)))
    except Exception as error:  # requests', urllib3's and the file system's own kinds
        raise ValueError(
            f"tiktoken could not get the ranks of {name!r} ({type(error).__name__}); they are downloaded once: "
            "connect to the internet, or set TIKTOKEN_CACHE_DIR to a folder that has them"
        ) from None


def _of_file(path: Path) -> Tokenizer:
    from .family_tokenizer import FamilyTokenizer

    return FamilyTokenizer(path)


def _of_folder(folder: Path) -> Tokenizer:
    """A model of ours names its tokenizer; other people's lies beside the weights."""
    from .family_tokenizer import FamilyTokenizer, read_object

    described = read_object(folder / "config.json")
    if "architecture" not in described:
        return FamilyTokenizer(folder)
    name = str(described.get("tokenizer", OURS))
    return load_tokenizer(folder / Path(name).name if name.endswith(".tiktoken") else name)


def _encoding_from_file(path: Path) -> tiktoken.Encoding:
    try:
        lines = [line.split() for line in path.read_bytes().splitlines() if line]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in lines}
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as a rank file: {error}") from None
    if sorted(ranks.values()) != list(range(len(ranks))):
        raise ValueError(f"{path} is damaged: {len(ranks)} tokens whose ranks do not count from 0")
    if missing := [byte for byte in range(256) if bytes([byte]) not in ranks]:
        raise ValueError(f"{path} is damaged: there is no token for the byte {missing[0]}")
    return _encoding(path.stem, ranks)


def _encoding(name: str, ranks: dict[bytes, int]) -> tiktoken.Encoding:
    """With the special tokens behind the others."""
    special = {token: len(ranks) + i for i, token in enumerate(SPECIAL_TOKENS)}
    return tiktoken.Encoding(name, pat_str=SPLIT, mergeable_ranks=ranks, special_tokens=special)


def train_ranks(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> list[bytes]:
    """Learn a byte-level BPE; returns the tokens in rank order, leaving room for the special tokens."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL_TOKENS), initial_alphabet=sorted(byte_letters()), show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    letters = byte_letters()
    by_id = sorted(bpe.get_vocab().items(), key=lambda item: item[1])
    return [bytes(letters[letter] for letter in token) for token, _ in by_id]


def save_ranks(tokens: list[bytes], path: Path) -> None:
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(tokens)]
    path.write_text("".join(lines))


def _texts(sources: list[str], limit: int) -> Iterator[str]:
    for count, article in enumerate(read_articles(sources)):
        if count == limit:
            return
        yield f"{article.title}\n{article.text}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the byte-level BPE on how-to articles.")
    parser.add_argument("--data", nargs="+", required=True, help="Hub id or files with title, headline, text")
    parser.add_argument("--out", type=Path, default=RANK_FILE, help="rank file to write")
    parser.add_argument("--articles", type=int, default=30_000, help="how many articles to learn from")
    args = parser.parse_args()
    tokens = train_ranks(_texts(args.data, args.articles))
    save_ranks(tokens, args.out)
    print(f"{args.out}: {len(tokens)} tokens and {len(SPECIAL_TOKENS)} special ones")
