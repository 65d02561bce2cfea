"""The residual stream's panel, and the token that a reader types: how its logit came about."""

import hashlib
import json
from dataclasses import fields

import gradio as gr

from ..components import Residual
from ..engine.runner import MAX_CHARACTERS, Runner
from ..engine.runners import Runners
from ..questions.stream import asked_shares
from .ask import MODEL_WORK, PROBLEMS, QUIET, sentence

LONGEST = 200  # characters of what is typed as a token; the longest tokens are far shorter


def residual_panel(runners: Runners) -> None:
    """Lay out the panel inside the current Blocks."""
    view = Residual(elem_id="residual")

    def answer(evt: gr.EventData) -> str:
        """The page's question, a token as typed or its id -> JSON with its number, and where the payload lies."""
        asked = evt._data
        try:
            runner = runners.get(asked.get("model"))
            token_id = asked["id"] if "id" in asked else token_named(runner.tokenizer, asked["token"])
            url = f"payload/{keep_shares(runner, asked['text'], token_id)}"
            return json.dumps({"seq": asked["seq"], "id": token_id, "url": url})
        except PROBLEMS as error:
            return json.dumps({"seq": asked["seq"], "error": sentence(error)})

    def attribution(text: str, token: str, place: int = -1, model: str = "") -> dict:
        """Split the logit of a token, as the one after ``place`` of ``text``, into what every part of the model adds.

        ``token`` is one token of the vocabulary (a space in front counts; without one, both are tried). Places are
        tokens of the text, 0 the start; negative ones count from the end. Returns id and place, the logit, and in
        logits its parts, which sum to it: token, position, heads (L, H), attention_bias (L), mlps (L), norm_bias.
        """
        from llm_core.analysis.attribution import logit_attribution

        runner = runners.get(model)
        run, token_id = runner.recorded(text[:MAX_CHARACTERS]), token_named(runner.tokenizer, token)
        T = len(run.ids)
        if not -T <= place < T:
            raise ValueError(f"place={place}: this text has {T} tokens, so it must be between {-T} and {T - 1}")
        found = logit_attribution(runner.model, run.trace, place % T, token_id)
        parts = {field.name: getattr(found, field.name) for field in fields(found)}
        return {"id": token_id, "place": place % T} | {
            n: part.tolist() for n, part in parts.items() if part is not None
        }

    view.ask(answer, None, view, api_visibility="private", trigger_mode="multiple", **QUIET, **MODEL_WORK)
    gr.api(attribution, api_name="attribution", **MODEL_WORK)


def token_named(tokenizer, typed: str) -> int:
    """The id of the one token that ``typed`` is, as it stands or with a space in front.

    Raises ``ValueError``, naming the pieces, for what is none or several.
    """
    if not typed.strip():
        raise ValueError("Type a token: a word, or a part of one.")
    typed = typed[:LONGEST]
    tried = [tokenizer.encode(text) for text in (typed, f" {typed}")]
    for ids in tried:
        if len(ids) == 1:
            return ids[0]
    pieces = [f"“{tokenizer.piece(id)}”" for id in min(tried, key=len)]
    shown = ", ".join(pieces[:6]) + (", …" if len(pieces) > 6 else "")
    raise ValueError(f"“{typed}” is not one token but {len(pieces)}: {shown}. Type one of them.")


def keep_shares(runner: Runner, text: str, token_id: int) -> str:
    """The key under which the shares of a token's logits lie. Raises ``ValueError`` for a token that does not exist."""
    text = text[:MAX_CHARACTERS]
    key = hashlib.sha256(json.dumps([runner.id, "shares", text, token_id]).encode()).hexdigest()[:24]
    if runner.payloads.get(key) is None:
        runner.payloads.put(key, asked_shares(runner, runner.recorded(text), token_id))
    return key
