"""The Compare page: one view, which asks for a comparison and gets the address of its payload."""

import json
from ipaddress import ip_address

import gradio as gr

from ..components import Comparison
from ..engine.runner import Runner
from ..engine.runners import Runners
from ..questions.compare import compare
from .ask import MODEL_WORK, PROBLEMS, QUIET, sentence

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def compare_page(runners: Runners) -> None:
    """Lay out the page inside the current Blocks."""
    runner, models = runners.first, runners.models
    view = Comparison(elem_id="compare", choices=json.dumps(models.choices()))

    def answer(evt: gr.EventData, request: gr.Request) -> str:
        """The page's question -> JSON with its number, and the payload's address or what is wrong in a sentence."""
        asked, any_folder = evt._data, is_owner(runner, request)
        try:
            given = (asked["text"], asked["models"], asked["masked"], asked["second"])
            key = compare(runner, models, *given, any_folder)
            return json.dumps({"seq": asked["seq"], "url": f"payload/{key}", "any_folder": any_folder})
        except PROBLEMS as error:
            return json.dumps({"seq": asked["seq"], "error": sentence(error)})

    def compared(text: str, names: list[str], masked: int, second_text: str | None, request: gr.Request) -> str:
        """Run a text through 1 to 4 models, or two texts through one; returns the address of the binary payload,
        relative to the app, which explorer.engine.payload.unpack reads.

        names: "encoder", "decoder", "encoder-decoder-prefix", "encoder-decoder-cross", "runs/NAME", or the path of a
        folder if the app runs on your own machine. masked: the place of the token hidden from encoders, -1 for the
        middle. second_text: null, or another text for the one model in names.
        """
        key = compare(runner, models, text, names, masked, second_text, is_owner(runner, request))
        return f"payload/{key}"

    view.ask(answer, None, view, api_visibility="private", trigger_mode="multiple", **QUIET, **MODEL_WORK)
    gr.api(compared, api_name="compare", **MODEL_WORK)


def is_owner(runner: Runner, request: gr.Request) -> bool:
    """Whether the question comes from the machine that the app runs on: only then may it name any folder.

    The app must listen to this machine alone, without a public link, and no proxy may stand in between.
    """
    host = (request.headers.get("host") or "").rsplit(":", 1)[0].strip("[]")
    return runner.is_private and is_loopback(host) and not any(request.headers.get(name) for name in FORWARDED)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # another name
        return False
