"""The Generate page: the model writes, one token at a time or many, and every choice can be looked at and changed.

The tree of what was written lives in the browser; a question carries the text and the ids behind it. Long work is
told line by line through ``GenerateRun``, single answers through ``Generate``.
"""

import json
from collections.abc import Iterator

import gradio as gr

from ..components import Generate, GenerateRun, PayloadLink
from ..engine.payload import pack
from ..engine.runner import Runner
from ..engine.runners import Runners
from ..questions.cache_times import COUNT, cache_times
from ..questions.strategies import MAX_COUNT, STRATEGIES, compare
from ..questions.writing import MAX_NEW_TOKENS, look, next_token, random_numbers, write
from ..questions.written import read_again
from .ask import MODEL_WORK, PROBLEMS, QUIET, run_text, sentence

LONG_WORK = {"concurrency_limit": 8, "concurrency_id": "writing"}  # or eight who write would let nobody look


def generate_page(runners: Runners, prompt: gr.Textbox, link: PayloadLink) -> None:
    """Lay out the page inside the current Blocks."""
    limits = {"tokens": MAX_NEW_TOKENS, "strategies": [strategy.name for strategy in STRATEGIES], "most": MAX_COUNT}
    limits["model"] = str(runners.first.model_name)
    page = Generate(elem_id="generate", limits=json.dumps(limits))
    run = GenerateRun(elem_id="generate-run")

    def answer(evt: gr.EventData) -> str:
        """The page's question -> JSON with its number, and the answer or what is wrong in a sentence."""
        asked = evt._data
        try:
            return json.dumps({"seq": asked["seq"], **ANSWERS[asked["kind"]](runners.get(asked.get("model")), asked)})
        except PROBLEMS as error:
            return json.dumps({"seq": asked["seq"], "error": sentence(error)})

    def go(evt: gr.EventData) -> Iterator[str]:
        """Work that takes a while -> one JSON object a line, only ever appended to; the last is done or error."""
        asked = evt._data
        told = json.dumps({"seq": asked["seq"]}) + "\n"
        try:
            for line in RUNS[asked["kind"]](runners.get(asked.get("model")), asked):
                told += json.dumps(line) + "\n"
                yield told
            yield told + json.dumps({"done": True}) + "\n"
        except PROBLEMS as error:
            yield told + json.dumps({"error": sentence(error)}) + "\n"

    def use(evt: gr.EventData) -> tuple[str, str]:
        """Put what was written behind the text that it goes on from, and run both."""
        model = evt._data.get("model") or ""
        whole = whole_text(runners.get(model), evt._data["text"], evt._data["written"])
        return whole, run_text(runners, whole, model)

    private = {"api_visibility": "private", **QUIET}
    page.ask(answer, None, page, trigger_mode="multiple", **private, **MODEL_WORK)
    page.use(use, None, [prompt, link], **private, **MODEL_WORK)
    going = run.go(go, None, run, trigger_mode="multiple", **private, **LONG_WORK)
    run.halt(None, None, None, cancels=[going], **private)
    _offer_api(runners)


def whole_text(runner: Runner, text: str, written: list[int]) -> str:
    """The text with what was written; special tokens are no text."""
    tokenizer = runner.tokenizer
    return tokenizer.decode([*tokenizer.encode(text), *(id for id in written if not tokenizer.is_special(id))])


def _vocabulary(runner: Runner) -> str:
    """The key of the payload with the text of every token, by id, and which are special or part of a character."""
    key = f"vocabulary-{runner.tokenizer_name}"
    if runner.payloads.get(key) is None:
        tokens = runner.describe(list(range(runner.facts.vocab_size)))
        header = {kind: [token["id"] for token in tokens if token[kind]] for kind in ("special", "partial")}
        runner.payloads.put(key, pack({"pieces": [token["text"] for token in tokens], **header}, {}))
    return key


def _settings(asked: dict) -> dict:
    return {name: asked[name] for name in ("temperature", "top_k", "top_p")}


ANSWERS = {  # what is asked -> the answer
    "look": lambda runner, asked: {"url": f"payload/{look(runner, asked['text'], asked['written'])}"},
    "vocabulary": lambda runner, asked: {"url": f"payload/{_vocabulary(runner)}"},
    "written": lambda runner, asked: {"tokens": read_again(runner, asked["text"], asked["written"])},
    "numbers": lambda runner, asked: {"numbers": random_numbers(asked["seed"])},
    "cache": lambda runner, asked: cache_times(runner, asked["text"], asked["written"]),
}
RUNS = {  # what is to be done -> its lines
    "write": lambda runner, asked: write(
        runner, asked["text"], asked["written"], asked["count"], asked["seed"], **_settings(asked)
    ),
    "strategies": lambda runner, asked: compare(
        runner, asked["text"], asked["written"], min(asked["count"], MAX_COUNT), asked["seed"]
    ),
}


def _offer_api(runners: Runners) -> None:
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
        ids, runner = [], runners.get(model)
        settings = {"temperature": temperature, "top_k": top_k or None, "top_p": top_p}
        for token in write(runner, text, [], count, seed, **settings):
            ids.append(token["id"])
            yield whole_text(runner, "", ids)

    def next_token_of(text: str, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, model: str = "") -> dict:
        """The distribution behind a text, by the model and after temperature, top-k and top-p.

        Returns ``tokens``, the 50 likeliest with a probability per step, ``others``, how many tokens are not listed
        and their mass per step, and ``tokens_left``, how many can still be drawn.
        """
        return next_token(runners.get(model), text, temperature, top_k or None, top_p)

    def strategies(text: str, count: int = 60, seed: int = 1, model: str = "") -> list[dict]:
        """Seven strategies from one text and seed, up to ``count`` tokens (at most 100) each: greedy, three
        temperatures, top-k, top-p and beam search, with log-probability, repetition and seconds."""
        return list(compare(runners.get(model), text, [], count, seed))

    def look_at_step(text: str, written: list[int], model: str = "") -> str:
        """The address, relative to the app, of a binary payload about the newest token behind a text and ``written``
        ids: its attention in every head, and the logits of the whole vocabulary, likeliest first."""
        return f"payload/{look(runners.get(model), text, written)}"

    def time_cache(text: str, count: int = COUNT, model: str = "") -> dict:
        """Write ``count`` tokens (at most 100) with and without the KV cache: milliseconds per token of both."""
        return cache_times(runners.get(model), text, [], max(1, min(count, MAX_COUNT)))

    gr.api(generate_text, api_name="generate_text", **LONG_WORK)
    gr.api(next_token_of, api_name="next_token", **MODEL_WORK)
    gr.api(strategies, api_name="strategies", **LONG_WORK)
    gr.api(look_at_step, api_name="look_at_step", **MODEL_WORK)
    gr.api(time_cache, api_name="cache_times", **LONG_WORK)
