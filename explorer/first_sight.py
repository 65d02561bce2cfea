"""What the first screen shows: a text whose next token one head copies, and two other heads that it cannot do without.

python -m explorer.first_sight        searches and measures anew, after another model ships

A head that copies (an induction head) attends from the last token to the one that followed its earlier occurrence.
To find that place it needs a head of an earlier layer that wrote into each token which one came before it (a
previous-token head): Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits"; Olsson et al. 2022,
"In-context Learning and Induction Heads". The search runs plain texts with a repetition through the decoder that ships,
with and without its two strongest previous-token heads, and keeps the text whose next token falls furthest.
"""

import json
from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from llm_core.paths import ASSETS

from .engine.runner import ROLES_AHEAD, Recorded, Runner

if TYPE_CHECKING:
    from llm_core.analysis.surgery import Edit

ASSET = ASSETS / "first_sight.json"

TEXTS = (
    "Find the {a} {b}. Open the {a}",
    "Look for the {a} {b}. When you find the {a}",
    "Move the {a} {b} to the left. Move the {a}",
    "Take the {a} {b} home. Clean the {a}",
    "My {a} {b} is lost. Help me find my {a}",
    "Buy a {a} {b}. Paint the {a}",
    "Draw a {a} {b}. Then color the {a}",
    "Put the {a} {b} on the table. Now take the {a}",
    "Wash the {a} {b}. Dry the {a}",
    "Hide the {a} {b}. Nobody can see the {a}",
)
FIRST = ("golden", "silver", "secret", "royal", "pink", "blue", "purple", "yellow", "lucky", "magic", "empty")
SECOND = ("box", "key", "basket", "hat", "ribbon", "bear", "pencil", "bottle", "spoon", "lamp")
SURE = 0.8  # the least probability of the next token in the model as it is
LIKELIEST = 4  # next tokens that are shown
DIGITS = 6


def texts() -> Iterator[tuple[str, str]]:
    """Each text, and the token that should follow."""
    for text, a, b in product(TEXTS, FIRST, SECOND):
        yield text.format(a=a, b=b), f" {b}"


def previous_token_heads() -> list[tuple[int, int]]:
    """The two heads, (layer, head), that attend most to the token before, on the standard tests of roles."""
    roles = json.loads(ROLES_AHEAD.read_text(encoding="utf-8"))
    rows = next(role["scores"] for role in roles if role["name"] == "previous token")
    scores = {(layer, head): score for layer, row in enumerate(rows) for head, score in enumerate(row)}
    return sorted(sorted(scores, key=scores.__getitem__)[-2:])


def without(heads: list[tuple[int, int]]) -> "tuple[Edit, ...]":
    from llm_core.analysis.surgery import Edit

    return tuple(Edit(what="head", how="zero", layer=layer, head=head) for layer, head in heads)


def probability(runner: Runner, text: str, answer: int, edits: tuple = ()) -> float:
    """Of the token ``answer`` after ``text``."""
    import torch

    from llm_core import intervene
    from llm_core.analysis.surgery import interventions

    with torch.inference_mode(), intervene(runner.model, interventions(runner.model, edits)):
        logits = runner.model(torch.tensor([runner.encode(text)]))  # (1, T, V)
    return logits[0, -1].softmax(-1)[answer].item()


def chosen(runner: Runner) -> tuple[str, int]:
    """The text whose next token is surest, and falls furthest without the two heads; and that token."""
    edits = without(previous_token_heads())
    drops = {}
    for text, answer in texts():
        ids = runner.tokenizer.encode(answer)
        if len(ids) != 1 or runner.encode(text).count(ids[0]) != 1:
            continue  # the bar is one token, and the arc leads to one place
        if (before := probability(runner, text, ids[0])) >= SURE:
            drops[text, ids[0]] = before - probability(runner, text, ids[0], edits)
    return max(drops, key=drops.__getitem__)


def measured(runner: Runner, text: str, answer: int) -> dict:
    """Everything that the first screen draws of a text; layers, heads and tokens count from 0."""
    off = previous_token_heads()
    before, after = runner.recorded(text), runner.operated(text, without(off))
    last, target = len(before.ids) - 1, before.ids.index(answer)
    n_layer, n_head = runner.facts.n_layer, runner.facts.n_head
    on_target = [
        [_rounded(before.trace[f"blocks.{layer}.attn.pattern"][0, head, last, target]) for head in range(n_head)]
        for layer in range(n_layer)
    ]
    shown = max(product(range(n_layer), range(n_head)), key=lambda at: on_target[at[0]][at[1]])
    pattern, pattern_after = (_pattern(run, shown) for run in (before, after))
    return {
        "model": str(runner.model_name),
        "text": text,
        "tokens": [{"id": token["id"], "text": token["text"]} for token in before.tokens],
        "target": target,
        "head": shown,
        "off": [[*at, _rounded(_pattern(before, at)[target, target - 1])] for at in off],
        "on_target": on_target,
        "pattern": pattern.tolist(),
        "before": _seen(runner, before, pattern, answer),
        "after": _seen(runner, after, pattern_after, answer),
    }


def _rounded(value) -> float:
    return round(float(value), DIGITS)


def _pattern(run: Recorded, at: tuple[int, int]):
    layer, head = at
    return run.trace[f"blocks.{layer}.attn.pattern"][0, head].double().round(decimals=DIGITS)  # (T, T)


def _seen(runner: Runner, run: Recorded, pattern, answer: int) -> dict:
    """How the last token looks at each, and what comes next: the answer first, then the likeliest others."""
    next_token = run.trace["logits"][0, -1].softmax(-1)  # (V)
    others = [id for id in next_token.topk(LIKELIEST).indices.tolist() if id != answer][: LIKELIEST - 1]
    return {
        "weights": pattern[-1].tolist(),
        "next": [
            {"text": runner.tokenizer.piece(id), "probability": _rounded(next_token[id])} for id in [answer, *others]
        ],
    }


def shipped() -> dict:
    """What was measured of the model that ships."""
    return json.loads(ASSET.read_text(encoding="utf-8"))


def main() -> None:
    runner = Runner()
    asset = measured(runner, *chosen(runner))
    ASSET.write_text(json.dumps(asset) + "\n", encoding="utf-8")
    before, after = (asset[when]["next"][0] for when in ("before", "after"))
    print(f"{ASSET}: “{asset['text']}” {before['text']} {before['probability']:.3f} -> {after['probability']:.3f}")


if __name__ == "__main__":
    main()
