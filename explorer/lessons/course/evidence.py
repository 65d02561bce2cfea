"""What *What attention does not tell* measures: every head changed on its own, what is added, and a lens that is fitted.

Heads are changed one at a time, all in one batch: row n of it is the text with head n changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from llm_core.paths import ASSETS

from ...engine.runner import Runner

if TYPE_CHECKING:
    from llm_core.analysis.tuned_lens import TunedLens

FITTED, TESTED, LONGEST = 24, 12, 64  # articles that lenses are fitted and tested on, and tokens of each
TUNED = ASSETS / "lens" / "decoder.safetensors"  # made by llm_core.tune_lens


def with_each_head(model, ids: list[int], change: Callable):
    """Logits after the text with each head changed on its own: ``change(layer, head)`` is its z (T, D) -> (L, H, V)."""
    import torch

    from llm_core import intervene

    L, H = model.config.n_layer, model.config.n_head

    def of_layer(layer: int) -> Callable:
        def replace(z):  # (L H, H, T, D)
            new = z.clone()
            for head in range(H):
                new[layer * H + head, head] = change(layer, head)
            return new

        return replace

    changes = {f"blocks.{layer}.attn.z": of_layer(layer) for layer in range(L)}
    with torch.inference_mode(), intervene(model, changes):
        logits = model(torch.tensor([ids]).expand(L * H, -1))[:, -1]  # (L H, V)
    return logits.view(L, H, -1)


def with_each_token(model, ids: list[int], filler: int):
    """Logits after the text with each token but the first replaced by ``filler``: (T-1, V)."""
    import torch

    rows = torch.tensor([ids]).repeat(len(ids) - 1, 1)  # (T-1, T)
    places = torch.arange(1, len(ids))
    rows[places - 1, places] = filler
    with torch.inference_mode():
        return model(rows)[:, -1]


def contributions(attn, pattern, v):
    """What each head reads of each token: weight times the length of the value as it is added, (H, T, S).

    Kobayashi et al. 2020, "Attention is Not Only a Weight". Pattern (H, T, S), v (K, S, D).
    """
    H, D = pattern.shape[0], v.shape[-1]
    v = v.repeat_interleave(H // len(v), dim=0)  # (H, S, D)
    columns = attn.out_proj.weight.detach().view(-1, H, D).permute(1, 2, 0)  # (H, D, C)
    lengths = (v @ columns).norm(dim=-1)  # (H, S)
    return pattern * lengths[:, None], lengths


@dataclass(frozen=True, slots=True)
class Lenses:
    """Mean KL to the model's own prediction on held-out text, after each layer, in nats: L+1 numbers each."""

    plain: list[float]
    fitted: list[float]
    tuned: list[float] | None  # of the shipped decoder
    fit: "TunedLens"  # by least squares
    lens: "TunedLens | None"
    read: int  # tokens that were fitted
    tested: int  # and tokens that all are tested on


@cache
def lenses(runner: Runner) -> Lenses:
    """The logit lens, one fitted by least squares on some articles, and for the shipped decoder its tuned lens, which
    has read none of these: all tested on others. Belrose et al. 2023."""
    import torch

    from llm_core.analysis.tuned_lens import TunedLens, divergences, least_squares
    from llm_core.text.articles import read_articles

    from ..mistakes.effects import ARTICLES

    articles = list(read_articles(str(ARTICLES)))
    lens = TunedLens.load(TUNED) if runner.is_shipped else None
    with runner.alone(), torch.no_grad():
        seen = [streams(runner, article) for article in articles[: FITTED + TESTED]]
        x, test = (torch.cat(part, dim=1) for part in (seen[:FITTED], seen[FITTED:]))  # (L+1, N, C)
        fitted = least_squares(x)
        plain, by_fit = divergences(runner.model, test), divergences(runner.model, test, fitted)
        tuned = divergences(runner.model, test, lens) if lens else None
    return Lenses(plain, by_fit, tuned, fitted, lens, x.shape[1], test.shape[1])


def streams(runner: Runner, article):
    """The stream of an article in front of every layer and behind the last, (L+1, T, C)."""
    import torch

    from llm_core import record
    from llm_core.analysis.lens import residual_stream, stream_names

    model = runner.model
    ids = runner.encode(f"{article.title}\n{article.text}")[: min(LONGEST, runner.facts.block_size)]
    names = [*stream_names(model), "logits"]
    with record(model, names) as trace:
        model(torch.tensor([ids]))
    return torch.stack([residual_stream(model, trace, row)[0] for row in range(len(names) - 1)])
