"""What the Generate page asks. The tree of what was written lives in the browser: a question carries the text and the
ids behind it."""

from collections.abc import Iterator

from ..engine.cache import Stored
from . import cache_times as times
from . import strategies as ways
from . import writing
from .asker import Asker


def look(asker: Asker, text: str, written: list[int], model: str = "") -> Stored:
    return writing.look(asker.decoder(model), text, written)


def vocabulary(asker: Asker, model: str = "") -> Stored:
    return writing.vocabulary(asker.decoder(model))


def written(asker: Asker, text: str, written: list[int], model: str = "") -> dict:
    """Tokens that an address names, as the page shows them."""
    return {"tokens": writing.read_again(asker.decoder(model), text, written)}


def random_numbers(asker: Asker, seed: str | int) -> dict:
    return {"numbers": writing.random_numbers(seed)}


def whole_text(asker: Asker, text: str, written: list[int], model: str = "") -> dict:
    """The text with what was written behind it, for the Explore page."""
    runner = asker.decoder(model)
    writing.ids_of(runner, text, written)  # raises for ids that cannot be
    return {"text": writing.whole_text(runner, text, written)}


def cache_times(asker: Asker, text: str, written: list[int], model: str = "") -> dict:
    return times.cache_times(asker.decoder(model), text, written)


def write(
    asker: Asker,
    text: str,
    written: list[int],
    count: int,
    seed: str | int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    model: str = "",
) -> Iterator[dict]:
    """A line per token."""
    settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    yield from writing.write(asker.decoder(model), text, written, count, seed, **settings)


def strategies(
    asker: Asker, text: str, written: list[int], count: int, seed: str | int, model: str = ""
) -> Iterator[dict]:
    """A line per strategy."""
    yield from ways.compare(asker.decoder(model), text, written, min(count, ways.MAX_COUNT), seed)
