"""What a change does to the model: its attention on the learner's text, what it predicts next, and its held-out loss."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..runner import Runner
from .lesson import Bars

ARTICLES = Path(__file__).resolve().parents[2] / "assets" / "sample_articles.jsonl"
HELD_OUT, LONGEST = 8, 96  # articles that no model was trained on, and tokens of each


@dataclass(frozen=True, slots=True)
class Effect:
    """One model on one text."""

    pattern: object  # (L, H, T, S), a list of layers if their H differ
    next: object  # (V,) probabilities behind the last token
    loss: float  # mean over held-out tokens, in nats


def effect_of(runner: Runner, model, ids: list[int]) -> Effect:
    """Run ``model``, whose hooks are nobody else's, on ids and on the held-out sentences."""
    import torch

    from llm_core import record

    with torch.inference_mode(), record(model, ["blocks.*.attn.pattern", "logits"]) as trace:
        model(torch.tensor([ids]))
        pattern = torch.stack([trace.attention(layer)[0] for layer in range(model.config.n_layer)])
        following = trace["logits"][0, -1].softmax(-1)  # (V,)
        loss = held_out_loss(runner, model)
    return Effect(pattern, following, loss)


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
