"""What a mistake does to the model: what it predicts next and its held-out loss, and the lines that differ."""

import json
from functools import cache
from operator import attrgetter

from llm_core.paths import ASSETS

from ...engine.runner import Runner
from ..lesson import Bars
from ..source import Code, code_from, code_of

ARTICLES = ASSETS / "sample_articles.jsonl"
HELD_OUT, LONGEST = 8, 96  # articles that no model was trained on, and tokens of each


@cache
def broken_model(runner: Runner, name: str):
    """A copy of the model that runs a mistake's wrong lines; the weights are the model's own."""
    from llm_core.mistakes.known import NAMED, broken

    return broken(runner.model, NAMED[name])


@cache
def loss_with(runner: Runner, name: str | None = None) -> float:
    """Held-out loss of the model, or of its copy with a mistake, in nats per token; it depends on no learner's text."""
    import torch

    model = broken_model(runner, name) if name else runner.model
    with runner.alone(), torch.inference_mode():
        return held_out_loss(runner, model)


def right_and_wrong(name: str) -> list[Code]:
    """The function as it is, and as it ran with the mistake; the lines that differ are marked."""
    from llm_core.mistakes.known import MODULES, NAMED, right_lines, wrong_lines, wrong_source

    mistake = NAMED[name]
    right, wrong = ([text for _, text in lines(mistake)] for lines in (right_lines, wrong_lines))
    title = f"llm_core/model/{mistake.module}.py · {mistake.function}, with the mistake"
    return [
        code_of(attrgetter(mistake.function)(MODULES[mistake.module]), *right, tone="right"),
        code_from(wrong_source(mistake), title, *wrong, tone="wrong"),
    ]


def held_out_loss(runner: Runner, model) -> float:
    """Mean negative log-likelihood per token, in nats, of sample articles written for this project."""
    import torch
    from torch.nn import functional as F

    losses = []
    for ids in held_out_ids(runner):
        logits = model(torch.tensor([ids]))[0, :-1]  # (T-1, V)
        losses.append(F.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none"))
    return torch.cat(losses).mean().item()


@cache
def held_out_ids(runner: Runner) -> list[list[int]]:
    articles = [json.loads(line) for line in ARTICLES.read_text(encoding="utf-8").splitlines()[:HELD_OUT]]
    texts = [f"{article['title']}\n{article['text']}" for article in articles]
    return [runner.encode(text)[: min(LONGEST, runner.facts.block_size)] for text in texts]


def next_token_bars(runner: Runner, series: dict, count: int = 8, title: str = "Next token") -> Bars:
    """The tokens that are likeliest in any of ``series``, name -> probabilities (V,)."""
    likely: list[int] = []
    for probabilities in series.values():
        likely += [id for id in probabilities.topk(count // len(series)).indices.tolist() if id not in likely]
    return Bars(
        title=title,
        names=[runner.tokenizer.piece(id) for id in likely],
        series={name: [float(probabilities[id]) for id in likely] for name, probabilities in series.items()},
    )
