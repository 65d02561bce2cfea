"""Articles as tokens on disk, and token batches for each architecture.

The tokens go into one flat file of 16-bit ids that is mapped, not loaded. An article is stored as

    <|startofarticle|> title \\n text <|endoftext|>

and a text that has no title without it and its line end.

What a batch holds is decided by (seed, step) alone: a run that is resumed sees the same data as one that was never
broken.
"""

import json
import os
import shutil
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..model.padding import pad
from ..text.articles import Article
from ..text.tokenizer import Tokenizer

INFO = "info.json"
IGNORE = -100  # a target that the loss leaves out (PyTorch's own default)
CHUNK_CHARACTERS = 2_000_000  # tokenised at a time: a token takes 36 bytes as a Python number


class TokenStore:
    """Tokenised articles on disk: ``tokens`` (N,) uint16, mapped, and ``bounds`` (articles, 3).

    A row of ``bounds`` is where the title starts, where the text starts, and where the article ends.
    ``num_bytes`` counts the UTF-8 bytes behind the tokens, for bits per byte.
    """

    def __init__(self, folder: Path):
        """``ValueError`` if the files are missing, or not those that ``build`` has written together."""
        self.folder = folder
        try:
            self.info = json.loads((folder / INFO).read_text())
            self.tokens = np.memmap(folder / "tokens.u16", dtype=np.uint16, mode="r")
            self.bounds = np.load(folder / "bounds.npy", mmap_mode="r")
            _check_store(self.info, self.tokens, self.bounds)
        except (OSError, ValueError, EOFError, TypeError) as error:
            raise ValueError(
                f"{folder} holds no whole token store ({error}): delete it, and the run it belongs to makes it anew"
            ) from None

    @property
    def num_bytes(self) -> int:
        return self.info["num_bytes"]

    @property
    def has_titles(self) -> bool:
        return bool((self.bounds[:, 1] > self.bounds[:, 0] + 1).any())

    def __len__(self) -> int:
        return len(self.tokens)

    @classmethod
    def build(cls, articles: Iterable[Article], tokenizer: Tokenizer, folder: Path, chunk: int = 256) -> "TokenStore":
        """Tokenise and write. The store appears whole or not at all; ``OSError`` if the disk is full.

        In memory are at most ``chunk`` articles, and fewer where they are long.
        """
        partial = folder.with_name(folder.name + ".partial")
        try:
            _write_tokens(articles, tokenizer, partial, chunk)
            replace_folder(partial, folder)
        except OSError as error:
            raise OSError(f"the tokens could not be written to {folder} ({error.strerror or error})") from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return cls(folder)


def _check_store(info: object, tokens: np.ndarray, bounds: np.ndarray) -> None:
    """``ValueError`` unless the three files tell of the same tokens."""
    if not isinstance(info, dict) or not all(isinstance(info.get(name), int) for name in ("num_bytes", "n_vocab")):
        raise ValueError(f"{INFO} does not say how many bytes and which vocabulary")
    if bounds.ndim != 2 or bounds.shape[1] != 3 or not len(bounds):
        raise ValueError(f"bounds.npy has shape {bounds.shape}")
    if bounds[-1, 2] != len(tokens):
        raise ValueError(f"{len(tokens):,} tokens, and articles that end at {bounds[-1, 2]:,}")


def _write_tokens(articles: Iterable[Article], tokenizer: Tokenizer, folder: Path, chunk: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    bounds, position, num_bytes = array("q"), 0, 0
    with open(folder / "tokens.u16", "wb") as file:
        for batch in _chunks(articles, chunk):
            titles = tokenizer.encode_batch([_heading(a) for a in batch])
            texts = tokenizer.encode_batch([a.text for a in batch])
            for article, title, text in zip(batch, titles, texts):
                ids = [tokenizer.start, *title, *text, tokenizer.end]
                file.write(np.asarray(ids, dtype=np.uint16).tobytes())
                bounds.extend((position, position + 1 + len(title), position + len(ids)))
                position += len(ids)
                num_bytes += len(f"{_heading(article)}{article.text}".encode("utf-8", "replace"))
    if not bounds:
        raise ValueError("no article with a text in the data")
    np.save(folder / "bounds.npy", np.asarray(bounds, dtype=np.int64).reshape(-1, 3))
    (folder / INFO).write_text(json.dumps({"num_bytes": num_bytes, "n_vocab": tokenizer.n_vocab}))


def _heading(article: Article) -> str:
    return f"{article.title}\n" if article.title else ""


def _chunks(articles: Iterable[Article], size: int) -> Iterator[list[Article]]:
    batch, room = [], CHUNK_CHARACTERS
    for article in articles:
        batch.append(article)
        room -= len(article.title) + len(article.text)
        if len(batch) == size or room <= 0:
            yield batch
            batch.clear()  # the caller is done with it: two batches are never in memory
            room = CHUNK_CHARACTERS
    if batch:
        yield batch


def replace_folder(new: Path, folder: Path) -> None:
    """In two moves, so that a kill between them leaves no folder rather than half of one."""
    old = folder.with_name(folder.name + ".old")
    if folder.exists():
        if strange := {file.name for file in folder.iterdir()} - {file.name for file in new.iterdir()}:
            raise FileExistsError(f"{min(strange)} in it is not part of a token store")
        shutil.rmtree(old, ignore_errors=True)
        os.replace(folder, old)
    os.replace(new, folder)
    shutil.rmtree(old, ignore_errors=True)


@dataclass(frozen=True)
class Batch:
    """What one step of training needs; each tensor's first dimension is B.

    Decoder: ids, targets. Encoder: ids with masks in them, targets only where masked. Encoder-decoder: ids are
    the titles, with the mask of their padding, decoder_ids the articles.
    """

    ids: Tensor
    targets: Tensor
    attention_mask: Tensor | None = None
    decoder_ids: Tensor | None = None

    def to(self, device: torch.device | str) -> "Batch":
        moved = {name: None if x is None else x.to(device, non_blocking=True) for name, x in vars(self).items()}
        return Batch(**moved)

    @property
    def num_targets(self) -> int:
        """Places that the loss counts."""
        return int((self.targets != IGNORE).sum())

    @property
    def num_tokens(self) -> int:
        """Tokens the model reads, padding not counted."""
        count = self.ids.numel() if self.attention_mask is None else int(self.attention_mask.sum())
        return count if self.decoder_ids is None else count + self.num_targets


class PackedBatches:
    """Decoder: windows of T tokens cut from the stream of articles, no padding.

    ``batch(step)`` is a pure function of (seed, step): each epoch cuts at another offset and shuffles.
    """

    def __init__(self, store: TokenStore, T: int, seed: int = 0):
        if len(store) <= T:
            raise ValueError(f"{len(store)} tokens are too few for a window of {T} and the token after it")
        self.store, self.T, self.seed = store, T, seed
        self.num_windows = (len(store) - 1) // T - 1 or 1

    def batch(self, index: int, B: int) -> Batch:
        """Windows index*B .. index*B+B-1 of the endless shuffled sequence."""
        starts = [self._start(index * B + row) for row in range(B)]
        windows = np.stack([self.store.tokens[s : s + self.T + 1] for s in starts]).astype(np.int64)
        windows = torch.from_numpy(windows)  # (B, T+1)
        return Batch(ids=windows[:, :-1].contiguous(), targets=windows[:, 1:].contiguous())

    def _start(self, i: int) -> int:
        epoch, place = divmod(i, self.num_windows)
        order, offset = _epoch(self.num_windows, self.T, self.seed, epoch)
        room = len(self.store) - self.T - 1 - (self.num_windows - 1) * self.T
        return int(order[place]) * self.T + min(offset, room)


class MaskedBatches:
    """Encoder: the decoder's windows, 15 % of the places chosen: 80 % masked, 10 % another token, 10 % kept.

    Devlin et al. 2018 (BERT), section 3.1. The loss counts the chosen places only.
    """

    def __init__(self, store: TokenStore, T: int, tokenizer: Tokenizer, seed: int = 0, rate: float = 0.15):
        self.windows, self.tokenizer, self.seed, self.rate = PackedBatches(store, T, seed), tokenizer, seed, rate

    def batch(self, index: int, B: int) -> Batch:
        ids = self.windows.batch(index, B).ids
        random = torch.Generator().manual_seed(mix_seed(self.seed, index))
        chosen = torch.rand(ids.shape, generator=random) < self.rate
        chosen[:, 0] |= ~chosen.any(1)  # every row teaches something
        action = torch.rand(ids.shape, generator=random)
        other = torch.randint(self.tokenizer.n_vocab, ids.shape, generator=random)
        shown = torch.where(chosen & (action < 0.8), self.tokenizer.mask, ids)
        shown = torch.where(chosen & (action >= 0.9), other, shown)
        return Batch(ids=shown, targets=ids.masked_fill(~chosen, IGNORE))


class PairBatches:
    """Encoder-decoder: (title -> article). The decoder starts from <|startofarticle|>.

    Every batch has one shape, so a model is compiled once. Padding stands on the right, where the decoder's causal
    mask hides it; only the encoder needs a mask.
    """

    def __init__(self, store: TokenStore, T: int, tokenizer: Tokenizer, seed: int = 0, title_length: int = 32):
        self.store, self.T, self.tokenizer, self.seed = store, T, tokenizer, seed
        self.title_length = min(title_length, T)

    def batch(self, index: int, B: int) -> Batch:
        rows = [self._article(index * B + row) for row in range(B)]
        ids, attention_mask = pad([title for title, _ in rows], self.tokenizer.pad, length=self.title_length)
        decoder_ids, _ = pad([text[:-1] for _, text in rows], self.tokenizer.pad, length=self.T)
        targets, _ = pad([text[1:] for _, text in rows], IGNORE, length=self.T)
        return Batch(ids, targets, attention_mask, decoder_ids)

    def _article(self, i: int) -> tuple[list[int], list[int]]:
        """Title without its line end, and <|start|> text <|end|> cut to T+1."""
        epoch, place = divmod(i, len(self.store.bounds))
        order, _ = _epoch(len(self.store.bounds), 1, self.seed, epoch)
        begin, text, end = self.store.bounds[order[place]]
        title = self.store.tokens[begin + 1 : text - 1][: self.title_length].tolist()
        body = self.store.tokens[text:end][: self.T].tolist()
        return title or [self.tokenizer.start], [self.tokenizer.start, *body]


_EPOCHS: dict[tuple, tuple[np.ndarray, int]] = {}


def _epoch(count: int, T: int, seed: int, epoch: int) -> tuple[np.ndarray, int]:
    """The order of one epoch and the offset of its cuts; only the newest two are kept."""
    key = (count, T, seed, epoch)
    if key not in _EPOCHS:
        random = np.random.default_rng((seed, epoch))
        while len(_EPOCHS) > 1:
            _EPOCHS.pop(next(iter(_EPOCHS)))
        _EPOCHS[key] = random.permutation(count), int(random.integers(T))
    return _EPOCHS[key]


def mix_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)[0] >> 1)
