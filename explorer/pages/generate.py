"""The Generate page: the model writes, one token at a time or many, and every choice can be looked at and changed."""

import json
from collections.abc import Iterator

from ..components import Generate
from ..questions.asker import Asker
from ..questions.cache_times import COUNT, cache_times
from ..questions.strategies import MAX_COUNT, STRATEGIES, compare
from ..questions.writing import MAX_NEW_TOKENS, look, next_token, whole_text, write
from .endpoints import LONG_WORK, MODEL_WORK, WRITING, offer


def generate_page(asker: Asker) -> None:
    """Lay out the page inside the current Blocks."""
    limits = {"tokens": MAX_NEW_TOKENS, "strategies": [strategy.name for strategy in STRATEGIES], "most": MAX_COUNT}
    limits["model"] = str(asker.shelf.first.model_name)
    Generate(elem_id="generate", limits=json.dumps(limits))
    _offer_api(asker)


def _offer_api(asker: Asker) -> None:
    """The page's work for programs, under documented names."""

    def generate_text(
        text: str,
        count: int = 60,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 0.95,
        seed: int = 1,
        model: str = "",
    ) -> Iterator[str]:
        """Continue a text by up to ``count`` tokens (at most 256); streams the new text, longer with every token.

        ``temperature`` 0 takes the likeliest token; ``top_k`` 0 keeps all; the same ``seed`` gives the same text.
        """
        ids, runner = [], asker.decoder(model)
        settings = {"temperature": temperature, "top_k": top_k or None, "top_p": top_p}
        for token in write(runner, text, [], count, seed, **settings):
            ids.append(token["id"])
            yield whole_text(runner, "", ids)

    def next_token_of(text: str, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, model: str = "") -> dict:
        """The distribution after a text, by the model and after temperature, top-k and top-p.

        Returns ``tokens``, the 50 likeliest with a probability per step, ``others``, how many tokens are not listed
        and their mass per step, and ``tokens_left``, how many can still be drawn.
        """
        return next_token(asker.decoder(model), text, temperature, top_k or None, top_p)

    def strategies(text: str, count: int = 60, seed: int = 1, model: str = "") -> list[dict]:
        """Seven strategies from one text and seed, up to ``count`` tokens (at most 100) each: greedy, three
        temperatures, top-k, top-p and beam search, with log-probability, repetition and seconds."""
        return list(compare(asker.decoder(model), text, [], count, seed))

    def look_at_step(text: str, written: list[int], model: str = "") -> str:
        """The address, relative to the app, of a binary payload about the newest token after a text and ``written``
        ids: its attention in every head, and the logits of the whole vocabulary, likeliest first."""
        return f"payload/{look(asker.decoder(model), text, written).key}"

    def time_cache(text: str, count: int = COUNT, model: str = "") -> dict:
        """Write ``count`` tokens (at most 100) with and without the KV cache: milliseconds per token of both."""
        return cache_times(asker.decoder(model), text, [], max(1, min(count, MAX_COUNT)))

    offer(generate_text, "generate_text", **WRITING)
    offer(next_token_of, "next_token", **MODEL_WORK)
    offer(strategies, "strategies", **LONG_WORK)
    offer(look_at_step, "look_at_step", **MODEL_WORK)
    offer(time_cache, "cache_times", **LONG_WORK)
