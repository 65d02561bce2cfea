"""What the KV cache saves: the same tokens written with it and without it, and the time of each."""

import time
from collections.abc import Sequence

from ..engine.runner import Runner
from .writing import ids_of

COUNT = 32


def cache_times(runner: Runner, text: str, written: Sequence[int], count: int = COUNT) -> dict:
    """Write ``count`` likeliest tokens twice, taking turns so that a busy moment of the machine meets both.

    ``with_cache`` and ``without_cache`` are milliseconds per token; ``same`` says whether both wrote the same.
    The first token with the cache reads the whole text; each later one reads one token.
    """
    import torch

    from llm_core.generation.sampling import Context

    ids = ids_of(runner, text, written)
    model, block_size = runner.model, runner.facts.block_size
    context = Context(model, torch.tensor([ids], device=model.device), None, room=count)
    plain = list(ids)
    times: dict[str, list[float]] = {"with": [], "without": []}

    def with_cache() -> None:
        logits = context.next_logits()  # (1, V)
        context.append(logits.argmax(-1, keepdim=True))

    def without_cache() -> None:
        hidden = model.hidden(torch.tensor([plain[-block_size:]], device=model.device))  # (1, T, C)
        plain.append(int(model.predict(hidden[:, -1:]).argmax()))

    for _ in range(count):
        for name, step in (("with", with_cache), ("without", without_cache)):
            with runner.alone(), torch.inference_mode():
                start = time.perf_counter()
                step()
                times[name].append(1000 * (time.perf_counter() - start))
    return {
        "tokens": [runner.tokenizer.piece(id) for id in plain[len(ids) :]],
        "with_cache": times["with"],
        "without_cache": times["without"],
        "same": context.ids[0].tolist() == plain,
        "read": min(len(ids), block_size),
        "slid": len(plain) > block_size + 1,
    }
