"""The tokens that a run learns from and is judged on: ``tokens/train`` and ``tokens/validation`` in its folder.

They are made of articles, or are those of a packed token store that somebody else has made (``RUN/tokens/train``), to
which the run's folder then has a link. What is missing when a run is resumed is made again.
"""

import argparse
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..text.articles import Article, Columns, ReadReport, is_held_out, read_articles
from ..text.tokenizer import Tokenizer
from .data import INFO, TokenStore, replace_folder

PARTS = ("train", "validation")


def make_tokens(args: argparse.Namespace, tokenizer: Tokenizer, anew: bool) -> None:
    """Both parts, in the folder ``args.out``: ``anew``, or what is missing of them. Tells what was read and skipped.

    Raises ``ValueError`` with one sentence if there is too little, or what is there cannot be right.
    """
    for part in PARTS:
        folder = args.out / "tokens" / part
        if not anew and (folder / INFO).exists():
            continue
        source = _packed(args.data if part == "train" else args.validation or args.data)
        if source and not args.validation:
            raise ValueError(f"{source} is packed, so no share of it can be held out: give --validation")
        try:
            print(_link(source, folder, tokenizer) if source else _build(args, tokenizer, part))
        except ValueError as error:
            raise ValueError(f"{part} articles: {error}") from None


def open_tokens(run: Path) -> list[TokenStore]:
    """Training and held-out tokens of a run."""
    return [TokenStore(run / "tokens" / part) for part in PARTS]


def _packed(sources: list[str]) -> Path | None:
    """The token store that is meant: its folder, or its file of tokens."""
    for source in map(Path, sources):
        folder = source if source.is_dir() else source.parent
        if (folder / INFO).exists() and source.name in (folder.name, "tokens.u16"):
            if len(sources) > 1:
                raise ValueError(f"{source} is a packed token store: give it alone")
            return folder
    return None


def _link(source: Path, folder: Path, tokenizer: Tokenizer) -> str:
    store = TokenStore(source)
    if store.info["n_vocab"] != tokenizer.n_vocab:
        raise ValueError(
            f"{source} has tokens of a vocabulary of {store.info['n_vocab']:,}, and the tokenizer {tokenizer.name} one "
            f"of {tokenizer.n_vocab:,}"
        )
    link_tokens(source, folder)
    return f"{folder.name}: {len(store.bounds):,} articles, {len(store):,} tokens (packed, in {source})"


def link_tokens(source: Path, folder: Path) -> None:
    """Let a run have the tokens of another; a copy where the system has no links."""
    if source.resolve() == folder.resolve():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink():
        folder.unlink()
    link = folder.with_name(f"{folder.name}.partial")
    try:
        shutil.rmtree(link, ignore_errors=True)  # of a start that was killed
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(source.resolve(), folder.parent.resolve()), target_is_directory=True)
    except OSError:
        shutil.copytree(source, link, dirs_exist_ok=True)
    replace_folder(link, folder)


def _build(args: argparse.Namespace, tokenizer: Tokenizer, part: str) -> str:
    report, folder = ReadReport(), args.out / "tokens" / part
    if folder.is_symlink():
        folder.unlink()  # what it points to may belong to another run
    try:
        store = TokenStore.build(_articles(args, part, report), tokenizer, folder)
    except ValueError as error:
        reasons = f" ({report})" if report.skipped and str(report) not in str(error) else ""
        hint = "; give --validation, or a larger --held-out" if part == "validation" and report.kept else ""
        raise ValueError(f"{error}{reasons}{hint}") from None
    if args.model.startswith("encoder-decoder") and not store.has_titles:
        raise ValueError(f"none of them has a title, and {args.model} learns to write an article to its title")
    read = f" ({report})" if part == "train" or args.validation else ""  # the same rows are read for both
    return f"{part}: {len(store.bounds):,} articles, {len(store):,} tokens{read}"


def _articles(args: argparse.Namespace, part: str, report: ReadReport) -> Iterator[Article]:
    columns = Columns(text=args.text_column, title=args.title_column)
    if args.validation:
        yield from read_articles(args.data if part == "train" else args.validation, report, columns=columns)
        return
    for article in read_articles(args.data, report, columns=columns):
        if is_held_out(article.title or article.text, args.held_out) == (part == "validation"):
            yield article
