"""The card beside a trained model: what it learned from, how long, how well, and what it writes, unedited.

    python -m llm_core.model_card runs/decoder

measures the model of a finished run again and writes its card anew. What stands in the run's folder beside the model
goes into the card: ``baselines.json`` (of ``llm_core.train.baselines``) and ``recipe.md``, how the recipe was found.
"""

import argparse
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..model.architectures import Encoder, EncoderDecoder
from ..model.checkpoints import CARD, load_model, num_parameters, tokenizer_name, write_files
from ..text.tokenizer import Tokenizer, load_tokenizer
from .baselines import Baseline, baselines_table, load_baselines
from .data import PairBatches, TokenStore
from .devices import require_present
from .loop import batches_for
from .measures import HeldOut, OnRepeats, UnderOtherTitles, held_out_losses, on_repeats, rows_in_epoch, tokens_in_epoch
from .run_state import HISTORY_FILE, History, read_settings
from .samples import PROMPTS, samples

RECIPE = "recipe.md"
WIKIHOW = (
    "cc-by-nc-sa-3.0",
    "how-to articles in the form of WikiHow (Koupaee & Wang 2018, arXiv:1810.09305): ",
    """\
The weights are shared under the terms of the text that they learned from. WikiHow's is CC BY-NC-SA 3.0 (non-commercial,
name wikiHow, share alike); it was changed here: cleaned, filtered and cut into tokens.""",
)
OTHER_TERMS = "Whoever shares the weights has to keep the terms of the text that they learned from."


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """How a model was trained. ``epochs`` is how often it has read the training text."""

    name: str
    data: str
    num_articles: tuple[int, int]  # for training, and held out
    trained_on: str
    tokens_seen: int
    epochs: float
    steps: int
    seconds: float
    baselines: list[Baseline]
    recipe: str  # Markdown; empty if nobody wrote it down
    is_wikihow: bool = True  # what is said of the data, and under which terms


def write_card(run: Path, trained_on: str = "", device: str = "cpu") -> HeldOut:
    """Measure the model that the finished run left in ``model/`` and write its card there; returns its losses.

    ``trained_on`` says on what (``describe_device``); without it, the card that is replaced does.
    Raises ``ValueError`` if the folder holds no finished run.
    """
    if not (run / "model").is_dir():
        raise ValueError(f"{run} holds no model: give the folder of a run that has reached its last step")
    settings = read_settings(run, "model", "data", "block_size", "seed")
    tokenizer = load_tokenizer(tokenizer_name(run / "model"))
    model = load_model(run / "model", device)
    stores = [TokenStore(run / "tokens" / part) for part in ("train", "validation")]
    train, held_out = (
        batches_for(model, store, settings["block_size"], tokenizer, settings["seed"]) for store in stores
    )
    trained_on = trained_on or _trained_on(run / "model" / CARD)
    facts = _run_facts(run, settings, trained_on, stores, tokens_in_epoch(train))
    losses = held_out_losses(model, held_out, tokenizer, device)
    exchanged = None
    if isinstance(held_out, PairBatches) and rows_in_epoch(held_out) > 1:
        exchanged = held_out_losses(model, UnderOtherTitles(held_out), tokenizer, device)
    card = model_card(model.cpu(), facts, losses, on_repeats(model, tokenizer, PROMPTS[0]), tokenizer, exchanged)
    write_files(run / "model", {CARD: card.encode()})
    return losses


def _run_facts(run: Path, settings: dict, trained_on: str, stores: list[TokenStore], epoch: int) -> RunFacts:
    history = History(run / HISTORY_FILE)
    logged = [entry for entry in history.read() if {"seconds", "tokens"} <= set(entry)]
    if not logged:
        raise ValueError(f"{history.path} has no entry that says how long the run took: put a copy in its place")
    last = logged[-1]
    recipe = run / RECIPE
    return RunFacts(
        name=settings["model"],
        data=_names(settings["data"]),
        num_articles=(len(stores[0].bounds), len(stores[1].bounds)),
        trained_on=trained_on,
        tokens_seen=last["tokens"],
        epochs=last["tokens"] / epoch,
        steps=last["step"],
        seconds=last["seconds"],
        baselines=load_baselines(run),
        recipe=recipe.read_text(encoding="utf-8").strip() if recipe.exists() else "",
        is_wikihow=_is_wikihow(stores[0], load_tokenizer(tokenizer_name(run / "model"))),
    )


def _is_wikihow(store: TokenStore, tokenizer: Tokenizer) -> bool:
    """True if most of the first articles have a title as WikiHow's have."""
    bounds = store.bounds[:100]
    titles = [tokenizer.decode(store.tokens[begin + 1 : text]) for begin, text, _ in bounds]
    return sum(title.startswith("How to") for title in titles) > len(titles) / 2


def _names(sources: list[str]) -> str:
    names = [_name(source) for source in sources]
    return ", ".join(names) if len(names) < 4 else f"{names[0]} … {names[-1]} ({len(names)} files)"


def _name(source: str) -> str:
    """Of a file without its folders, wherever that was; a Hub id stays whole."""
    path = Path(source)
    return path.name if path.is_absolute() or path.exists() else source


def _trained_on(card: Path) -> str:
    found = re.search(r"^\| Trained on \| (.*) \|$", card.read_text(encoding="utf-8"), re.M) if card.exists() else None
    if not found:
        raise ValueError(f"{card} does not say what the model was trained on: give --trained-on")
    return found[1]


def model_card(
    model: nn.Module,
    facts: RunFacts,
    losses: HeldOut,
    repeats: OnRepeats | None,
    tokenizer: Tokenizer,
    under_other_titles: HeldOut | None = None,
) -> str:
    """The card as Markdown. ``under_other_titles`` are the losses of the same articles, titles exchanged."""
    what = "masked token" if isinstance(model, Encoder) else "token"
    parts = (
        _beside_baselines(model, facts, losses),
        _recipe(facts),
        _by_place(model, losses),
        _worth_of_title(losses, under_other_titles) if under_other_titles else "",
        _on_repeats(model, repeats) if repeats else "",
    )
    licence, form, terms = WIKIHOW if facts.is_wikihow else ("other", "", OTHER_TERMS)
    return f"""---
license: {licence}
---
# {facts.name}

A small Transformer ({num_parameters(model) / 1e6:.1f} M parameters), trained by Headscope to be looked into, not to be
relied on.

| | |
|---|---|
| Data | {form}{facts.data} |
| Articles | {facts.num_articles[0]:,} for training, {facts.num_articles[1]:,} held out |
| Tokens seen | {facts.tokens_seen:,} in {facts.steps:,} steps, {facts.epochs:.2f} times the training text |
| Trained on | {facts.trained_on} |
| Wall time | {facts.seconds / 3600:.2f} hours |
| Held-out loss | {losses.loss:.4f} nats per {what} ({losses.num_targets:,} places in articles never trained on) |
{_text_measures(model, losses)}| Vocabulary | our byte-level BPE of {tokenizer.n_vocab:,} tokens |

{"".join(parts)}## What it writes

{samples(model, tokenizer)}

## Licence and limits

{terms} The model is small and has seen
little text: what it says is often wrong, sometimes unsafe to follow, and never advice.
"""


def _text_measures(model: nn.Module, losses: HeldOut) -> str:
    """Bits per byte and perplexity, which only mean something where every token of a text is predicted."""
    if isinstance(model, Encoder):
        return ""
    of = f" of an article's first {len(losses.counts)} tokens, its title given" * isinstance(model, EncoderDecoder)
    return (
        f"| Bits per byte | {losses.bits_per_byte:.4f}{of} |\n| Perplexity | {math.exp(losses.loss):.2f} per token |\n"
    )


def _beside_baselines(model: nn.Module, facts: RunFacts, losses: HeldOut) -> str:
    """Only for a decoder: the others do not predict the whole text."""
    if not facts.baselines or isinstance(model, (Encoder, EncoderDecoder)):
        return ""
    own = Baseline(name=f"**{facts.name}**", tokens=facts.tokens_seen, bits_per_byte=losses.bits_per_byte)
    return f"""## Beside simple methods

On the held-out articles, titles included. The n-gram models pay for the marks between articles too, as the model does;
gzip and xz do not. "Primed" has read as much of the end of the training text as its window holds.

{baselines_table([*facts.baselines, own])}

"""


def _recipe(facts: RunFacts) -> str:
    return f"## How the recipe was found\n\n{facts.recipe}\n\n" if facts.recipe else ""


def _by_place(model: nn.Module, losses: HeldOut) -> str:
    if isinstance(model, Encoder):
        meaning = "Masked tokens by their place in the window; the model sees all the others, before and after."
    elif isinstance(model, EncoderDecoder):
        meaning = "Place n is the article's n-th token, predicted from the title and the n - 1 tokens before it."
    else:
        meaning = "Place n is predicted from the n tokens before it: the more it has read, the better it predicts."
    rows = [(_span(a, b), f"{nats:.4f}") for a, b, nats in losses.by_place()]
    return f"""## Held-out loss by place

{meaning}

{_columns("Place", rows, "Nats per token")}

"""


def _span(first: int, last: int) -> str:
    return f"{first}–{last}" if last > first else f"{first}"


def _worth_of_title(losses: HeldOut, others: HeldOut) -> str:
    pairs = zip(losses.by_place(), others.by_place(), strict=True)
    rows = [(_span(a, b), f"{other - own:+.4f}") for (a, b, own), (_, _, other) in pairs]
    loss, more = others.loss, others.loss - losses.loss
    return f"""## What the title is worth

Each held-out article once more, under the title of another: {loss:.4f} nats per token, {more:+.4f} against its own.

{_columns("Place", rows, "Difference in nats per token")}

"""


def _columns(head: str, rows: list[tuple[str, str]], name: str) -> str:
    """A short list of pairs as a table that lies on its side."""
    labels, values = zip(*rows)
    return "\n".join(
        f"| {' | '.join(cells)} |" for cells in ((head, *labels), ["--:"] * (len(rows) + 1), (name, *values))
    )


def _on_repeats(model: nn.Module, repeats: OnRepeats) -> str:
    matching, duplicate = repeats.scores["prefix matching"], repeats.scores["duplicate token"]  # (L, H)
    lines = [
        f"| {layer} | {_best(a)} | {a.mean():.3f} | {_best(b)} | {b.mean():.3f} |"
        for layer, (a, b) in enumerate(zip(matching, duplicate))
    ]
    chance = [f"{repeats.chance[name]:.3f}" for name in ("prefix matching", "duplicate token")]
    return f"""## What its heads do with repeats

Random tokens written twice, so that only the repetition is predictable. Prefix matching is the mean attention from a
repeated token to the one that came next the first time: what an induction head copies from (Olsson et al. 2022).
Duplicate is the attention to the same token's first occurrence. Layers and heads count from 0.{_who_reads(model)}

| Layer | Matching: highest | mean | Duplicate: highest | mean |
|--:|--:|--:|--:|--:|
{chr(10).join(lines)}
| chance | {chance[0]} | {chance[0]} | {chance[1]} | {chance[1]} |

{_copying(repeats)}"""


def _best(scores: torch.Tensor) -> str:
    return f"{scores.max():.3f} (head {int(scores.argmax())})"


def _who_reads(model: nn.Module) -> str:
    if isinstance(model, Encoder):
        return " An encoder sees both copies at once and predicts no next token, so it has little need to match."
    if isinstance(model, EncoderDecoder):
        return f' It is the decoder\'s attention to its own tokens, after the title "{PROMPTS[0]}".'
    return ""


def _copying(repeats: OnRepeats) -> str:
    if repeats.losses is None:
        return ""
    first, second = repeats.losses
    return f"Its loss there is {first:.2f} nats per token the first time, and {second:.2f} the second.\n\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure the model of a finished run again and rewrite its card.")
    parser.add_argument("run", type=Path, help="the folder that training was given as --out")
    parser.add_argument("--trained-on", default="", help="the machine, in words; default: what the card says now")
    parser.add_argument("--device", default="cpu", help="to measure on (%(default)s)")
    args = parser.parse_args(arguments)
    try:
        require_present(args.device)
        losses = write_card(args.run, args.trained_on, args.device)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(f"held-out loss {losses.loss:.4f} nats per target; the card is {args.run / 'model' / CARD}")
