"""What programs may call: each endpoint's arguments are checked as a question's are, and said in words.

How many are served at once; what the pages themselves ask has lanes of its own (``ask.py``).
"""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, get_type_hints

import gradio as gr

from ..engine.problems import PROBLEMS, sentence
from ..questions.question import described, fits

MODEL_WORK: dict[str, Any] = {"concurrency_limit": 8, "concurrency_id": "model"}
LONG_WORK: dict[str, Any] = {"concurrency_limit": 8, "concurrency_id": "long"}  # or who measures would let nobody look
WRITING: dict[str, Any] = {"concurrency_limit": 32, "concurrency_id": "writing"}  # in one batch
ABOUT = {  # what a parameter of this name means, in every endpoint
    "text": "what the model reads, at most 20,000 characters",
    "model": "its name as POST ask/models lists it; empty for the one that the app was started with",
    "name": "what is wanted, or what it should be called",
    "settings": "an object, which may be empty",
    "token": "one token of the vocabulary; a space in front counts",
    "place": "a token of the text, from 0; negative numbers count from the end",
    "edits": 'a list of {"what": …, "how": …, "layer": …, "head": …}',
    "how": '"zero" or "mean"',
    "names": "one to four models",
    "masked": "the position that is hidden from encoders, -1 for the middle",
    "second_text": "null, or another text for one model",
    "count": "the most tokens to write",
    "temperature": "0 takes the likeliest token",
    "top_k": "how many tokens can be drawn, 0 for all",
    "top_p": "of the likeliest tokens those that sum to this, 1 for all",
    "seed": "the same one gives the same text",
    "written": "ids of the tokens that follow the text",
    "task": '"copy", "reverse", "induction", "sorting" or "articles"',
    "steps": "1 to 2,000",
    "choices": "an object, which may be empty; POST ask/live_choices lists what it may hold",
    "code": "a homework file as text",
}


def offer(function: Callable, name: str | None = None, **limits: Any) -> None:
    """Make ``function`` an endpoint of the Blocks that are being built."""
    gr.api(_checked(function), api_name=name or function.__name__, **limits)


class Endpoints(gr.Blocks):
    """Blocks that say what each parameter is called and means."""

    def get_api_info(self, *args: Any, **kwargs: Any) -> Any:
        info = super().get_api_info(*args, **kwargs)
        for endpoint in info["named_endpoints"].values():
            for parameter in endpoint["parameters"]:
                name = parameter["parameter_name"]
                parameter["label"] = name
                parameter["python_type"] = {**parameter["python_type"], "description": ABOUT[name]}
        return info

    def validate_inputs(self, block_fn: Any, inputs: list) -> None:
        if len(inputs) < len(block_fn.inputs):
            raise _said(f"{block_fn.name} takes {len(block_fn.inputs)} arguments, but {len(inputs)} were given.")


def _checked(function: Callable) -> Callable:
    """The same function, whose arguments are of the types that it names; what is wrong is one sentence."""
    kinds = {name: kind for name, kind in get_type_hints(function).items() if name not in ("return", "request")}
    names = list(inspect.signature(function).parameters)

    def check(args: tuple, kwargs: dict) -> None:
        for name, value in {**dict(zip(names, args)), **kwargs}.items():
            if name in kinds and not fits(value, kinds[name]):
                raise _said(f"{name} must be {described(kinds[name])}.")

    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Iterator:
            check(args, kwargs)
            try:
                yield from function(*args, **kwargs)
            except PROBLEMS as error:
                raise _said(sentence(error)) from None

        return steps

    @wraps(function)
    def answer(*args: Any, **kwargs: Any) -> Any:
        check(args, kwargs)
        try:
            return function(*args, **kwargs)
        except PROBLEMS as error:
            raise _said(sentence(error)) from None

    return answer


def _said(text: str) -> gr.Error:
    """For who asked; nothing of it is written into the server's log."""
    return gr.Error(text.encode("utf-8", "replace").decode(), print_exception=False)
