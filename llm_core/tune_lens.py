"""Trains a tuned lens for a decoder that ships, on articles that it was trained on, and says what it gains.

    python -m llm_core.tune_lens --data train-00.jsonl.xz --out assets/lens/decoder.safetensors

The articles that ship are left out of training: on them the logit lens, least squares and the tuned lens are compared.
"""

import argparse
import json
import sys
from itertools import islice
from pathlib import Path

import torch

from .analysis.roles import ARTICLES
from .analysis.tuned_lens import TunedLens, divergences, least_squares, streams_of, train
from .model.checkpoints import load_model
from .paths import ASSETS
from .text.articles import read_articles
from .text.tokenizer import load_tokenizer


def tune(args: argparse.Namespace) -> TunedLens:
    model, tokenizer = load_model(args.model), load_tokenizer()
    model.requires_grad_(False)
    shipped = list(read_articles(str(ARTICLES)))
    known = {article.title for article in shipped}

    def texts(articles, T: int) -> list[list[int]]:
        """Those of at least T tokens, cut there."""
        rows = ([tokenizer.start, *tokenizer.encode(f"{one.title}\n{one.text}")][:T] for one in articles)
        return [row for row in rows if len(row) == T]

    others = (article for article in read_articles(args.data) if article.title not in known)
    streams = streams_of(model, texts(islice(others, args.articles), args.length))
    tested = streams_of(model, texts(shipped, min(args.length, 64)))
    fitted, tuned = least_squares(streams), train(model, streams, args.steps, args.batch, args.learning_rate)
    found = {"logit lens": None, "least squares": fitted, "tuned lens": tuned}
    held_out = {name: [round(kl, 4) for kl in divergences(model, tested, lens)] for name, lens in found.items()}
    about = {
        "model": args.model,
        "tokens": str(streams.shape[1]),
        "articles": str(args.articles),
        "steps": str(args.steps),
        "held_out_tokens": str(tested.shape[1]),
        "held_out_kl": json.dumps(held_out),
    }
    return TunedLens(tuned.weights, tuned.biases, about)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m llm_core.tune_lens", description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", required=True, help="files of articles, as for training")
    parser.add_argument("--model", default="decoder", help="a decoder that ships (%(default)s)")
    parser.add_argument("--out", type=Path, default=ASSETS / "lens" / "decoder.safetensors", help="(%(default)s)")
    for name, default, what in (
        ("articles", 400, "articles that are read"),
        ("length", 128, "tokens of each; shorter ones are left out"),
        ("steps", 200, "steps of training"),
        ("batch", 320, "tokens a step"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{what} (%(default)s)")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="(%(default)s)")
    args = parser.parse_args(arguments)
    torch.manual_seed(0)
    try:
        lens = tune(args)
    except ValueError as error:
        sys.exit(f"error: {error}")
    lens.save(args.out)
    for name, row in json.loads(lens.about["held_out_kl"]).items():
        print(f"{name:<14} {'  '.join(f'{kl:.3f}' for kl in row)}")
    print(f"{args.out}: {args.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
