"""The first screen, as HTML: a pure function of what was measured ahead (``first_sight.py``). It needs no Gradio.

Everything that moves is done by ``web/start/press.js``, which travels with it.
"""

import json
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlencode

from ..export.standalone import STATIC
from ..first_sight import shipped
from ..lessons.teach import catalog

ROOM = STATIC / "start"
SPECIAL = {"<|startofarticle|>": "start"}

WORDS: dict[str, Any] = {
    "question": "What does a Transformer look at when it says “{answer}”?",
    "buttons": {"on": "Switch two heads off", "off": "Switch them back on"},
    "on": "{head} looks for an earlier “{last}”, attends to the token that followed it, and copies that token: "
    "“{answer}”, {percent}.",
    "off": "“{answer}” falls from {percent} to {percent_off}. A head that copies needs a head that remembers the "
    "previous token: {off} had marked “{answer}” as the token after “{before}”.",
    "heads": ("{count} heads, three marked: ", "one copies", ", ", "two remember the previous token"),
    "ask": "Or try your own text",
    "go": "Look inside",
    "steps": {
        "text": ("It starts as text", "A language model has one task: given a text, predict what comes next."),
        "tokens": (
            "The text becomes {count} tokens",
            "Each token is an entry of the vocabulary, a word or a piece of one; the model sees only its number. "
            "“start” marks the beginning.",
        ),
        "head": (
            "One head looks back",
            "At the last token, “{last}”, {one_head} asks: what followed this token last time? It puts {weight} of its "
            "attention on “{answer}”.",
        ),
        "matrix": (
            "Every token looks back",
            "The arc is one cell of a matrix: row “{last}”, column “{answer}”. Each row shows how one token spreads "
            "its attention over itself and the tokens before it, and sums to 1.",
        ),
        "heads": (
            "All {count} heads look at once",
            "{n_layer} layers of {n_head} heads, both counted from 0. The stronger a dot’s color, the more attention "
            "that head pays from “{last}” to “{answer}”: {finders} heads put more than half of theirs there.",
        ),
        "prediction": (
            "What they find becomes a prediction",
            "Every head adds what it found to the vector of the last token. Turned into a probability for each token "
            "of the vocabulary, that vector gives “{answer}” {percent}.",
        ),
    },
}
LESSON = ("id", "title", "num_steps")  # what "Continue" needs to know of each


@lru_cache(maxsize=1)
def start_html() -> str:
    """The element that is the first screen, its data, and its script."""
    return first_screen(shipped())


def first_screen(asset: dict) -> str:
    """The same of any asset of ``first_sight.measured``."""
    said = facts(asset)
    sentences = {state: WORDS[state].format(**said) for state in ("on", "off")}
    data = {
        **asset,
        "buttons": WORDS["buttons"],
        "sentences": sentences,
        "lessons": [{key: one[key] for key in LESSON} for one in catalog()],
    }
    return f"""
<main id="start">
  <div class="hs-start-first">
    <h1>{escape(WORDS["question"].format(**said))}</h1>
    {_stage(asset, said)}
    <div class="hs-start-press">
      <button type="button" class="hs-start-switch" aria-pressed="false">{WORDS["buttons"]["on"]}</button>
      <p aria-live="polite">{escape(WORDS["on"].format(**said))}</p>
    </div>
    <form action="./" method="get">
      <input type="hidden" name="show" value="explore">
      <label for="start-text">{WORDS["ask"]}</label>
      <input id="start-text" name="text" required maxlength="1000" autocomplete="off">
      <button type="submit">{WORDS["go"]}</button>
    </form>
    <nav aria-label="What to do next">
      <a href="{escape(lesson_address(asset))}">Show me how</a>
      <a href="{escape(explore_address(asset))}">Look at all heads</a>
      <a href="?show=train">Watch it learn</a>
      <a href="?show=check">Check my code</a>
      <a class="hs-start-continue" hidden></a>
    </nav>
  </div>
  <div class="hs-start-steps">{_steps(asset, said)}</div>
</main>
<script type="application/json" id="start-data">{json.dumps(data).replace("<", chr(92) + "u003c")}</script>
<script>{(ROOM / "press.js").read_text(encoding="utf-8")}</script>
"""


def facts(asset: dict) -> dict[str, str]:
    """What the sentences say of an asset."""
    tokens = asset["tokens"]
    layer, head = asset["head"]
    return {
        "answer": shown(tokens[asset["target"]]),
        "last": shown(tokens[-1]),
        "head": f"Layer {layer} head {head}",
        "one_head": f"layer {layer} head {head}",
        "weight": f"{asset['before']['weights'][asset['target']]:.2f}",
        "percent": f"{asset['before']['next'][0]['probability']:.0%}",
        "percent_off": f"{asset['after']['next'][0]['probability']:.0%}",
        "off": " and ".join(f"layer {layer} head {head}" for layer, head, _ in asset["off"]),
        "before": shown(tokens[asset["target"] - 1]),
        "count": str(len(asset["on_target"]) * len(asset["on_target"][0])),
        "finders": str(sum(weight > 0.5 for row in asset["on_target"] for weight in row)),
        "n_layer": str(len(asset["on_target"])),
        "n_head": str(len(asset["on_target"][0])),
    }


def shown(token: dict) -> str:
    """A token as the picture writes it."""
    return SPECIAL.get(token["text"], token["text"].strip() or "␣")


def explore_address(asset: dict) -> str:
    """The very text and head on the Explore page."""
    layer, head = asset["head"]
    query = {"layer": layer, "head": head, "query": len(asset["tokens"]) - 1, "model": asset["model"]}
    return "?" + urlencode({"show": "explore", **query, "text": asset["text"]})


def lesson_address(asset: dict) -> str:
    """The very text in the first lesson."""
    return "?" + urlencode({"lesson": catalog()[0]["id"], "text": asset["text"]})


def _stage(asset: dict, said: dict[str, str]) -> str:
    """The picture: tokens under an arc, what comes next, and all heads; the script places what is drawn."""
    about = f"{said['head']} attends from the last “{said['last']}” to “{said['answer']}” with weight {said['weight']}."
    words = "".join(_token(i, token, asset) for i, token in enumerate(asset["tokens"]))
    return f"""<div class="hs-start-stage">
      <figure class="hs-start-sentence">
        <svg aria-hidden="true"></svg>
        <p class="hs-start-name" aria-hidden="true">{said["one_head"]} · weight <b>{said["weight"]}</b></p>
        <p class="hs-start-tokens">{words}</p>
        <figcaption>{escape(about)}</figcaption>
      </figure>
      <ol class="hs-start-next" aria-label="What comes next">{_bars(asset)}</ol>
      <div class="hs-start-matrix" aria-hidden="true"></div>
      <div class="hs-start-heads">
        <p>{_lit(said)}</p>
        <div aria-hidden="true">{_heads(asset)}</div>
      </div>
    </div>"""


def _token(place: int, token: dict, asset: dict) -> str:
    kinds = {0: "hs-special", asset["target"]: "hs-target", len(asset["tokens"]) - 1: "hs-last"}
    space = " " if token["text"].startswith(" ") else ""
    text = f"{escape(shown(token))}<small>{token['id']}</small>"
    return f'{space}<span class="{kinds.get(place, "")}">{text}</span>'


def _bars(asset: dict) -> str:
    return "".join(
        f'<li style="--part:{one["probability"]}"><b>{escape(shown(one))}</b><i><i></i></i>'
        f"<span>{percent(one['probability'])}</span></li>"
        for one in asset["before"]["next"]
    )


def percent(part: float) -> str:
    """As ``press.js`` writes it."""
    return f"{part:.0%}" if part >= 0.01 else "&lt;1%"


def _lit(said: dict[str, str]) -> str:
    """What the three heads that are lit do, each in its color."""
    count, copies, comma, remember = WORDS["heads"]
    return f"{count.format(**said)}<b>{copies}</b>{comma}<b>{remember}</b>"


def _heads(asset: dict) -> str:
    """A dot for each head, a row for each layer."""
    lit = {tuple(asset["head"]): "hs-copies", **{(layer, head): "hs-remembers" for layer, head, _ in asset["off"]}}
    return "".join(
        "<p>"
        + "".join(
            f'<i class="{lit.get((layer, head), "")}" style="--part:{weight}" title="layer {layer} head {head}: '
            f'{weight:.2f}"></i>'
            for head, weight in enumerate(row)
        )
        + "</p>"
        for layer, row in enumerate(asset["on_target"])
    )


def _steps(asset: dict, said: dict[str, str]) -> str:
    count = {"tokens": str(len(asset["tokens"]))}
    steps = []
    for name, (title, text) in WORDS["steps"].items():
        about = {**said, "count": count.get(name, said["count"])}
        steps.append(
            f'<section data-step="{name}"><h2>{escape(title.format(**about))}</h2>'
            f"<p>{escape(text.format(**about))}</p>{_onward(name, asset)}</section>"
        )
    return "".join(steps)


def _onward(name: str, asset: dict) -> str:
    """Where a step leads."""
    explore = f'<a href="{escape(explore_address(asset))}">{{}}</a>'
    if name == "prediction":
        lessons = f'<a href="{escape(lesson_address(asset))}">Start the lessons</a>'
        return f"<p>{explore.format('Explore this text')} {lessons}</p>"
    more = explore.format("Open this matrix in Explore") if name == "matrix" else ""
    return f'<p><button type="button" class="hs-start-on">Next ▸</button> {more}</p>'
