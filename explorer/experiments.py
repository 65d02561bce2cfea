"""What head surgery and the tab Patch begin with: each breaks, or brings back, what the name of its text says.

python -m explorer.experiments        chooses the heads and measures anew, after another model ships

The texts are written here; which heads an experiment switches off, and what patching finds, the shipped model says.
"""

import json
from itertools import combinations
from typing import TYPE_CHECKING

from llm_core.paths import ASSETS

from . import first_sight
from .engine.runner import Runner
from .examples import EXAMPLES
from .first_sight import probability, without

if TYPE_CHECKING:
    from llm_core.analysis.patching import Patching

ASSET = ASSETS / "experiments.json"
WHO = EXAMPLES["Who is she?"]
SHE, HER = " she", " her"
LOOKERS = 6  # heads that attend most to “she”: two of them are chosen
MUCH, SOME = 0.5, 0.1  # of the logit difference, recovered by a head

# Two texts that differ in one token, and with it in what comes next.
PATCHES = (
    {
        "name": "Who carries “she”?",
        "says": "“she” becomes “he”.",
        "text": WHO,
        "corrupted": WHO.replace(SHE, " he"),
        "answer": HER,
        "other": " him",
    },
    {
        "name": "Which number comes next?",
        "says": "Step 2 becomes step 3.",
        "text": EXAMPLES["A numbered list"],
        "corrupted": EXAMPLES["A numbered list"].replace("2.", "3."),
        "answer": "3",
        "other": "4",
    },
    {
        "name": "Who copies the word?",
        "says": "“button” becomes “key”.",
        "text": "Press the red button. Then press the red",
        "corrupted": "Press the red key. Then press the red",
        "answer": " button",
        "other": " key",
    },
)


def surgeries(runner: Runner) -> list[dict]:
    """Name, one sentence, text and edits (those of ``llm_core.analysis.surgery``) of each. The first is that of the
    first screen."""
    sight = first_sight.shipped()
    repeated = sight["tokens"][-1]["text"].strip()
    return [
        {
            "name": "Forget the previous token",
            "says": "Switch off the two heads that look one token back. A head that copies what came after the earlier "
            f"“{repeated}” needs them to find it.",
            "text": sight["text"],
            "edits": switched_off([(layer, head) for layer, head, _ in sight["off"]]),
        },
        {
            "name": "Forget who she is",
            "says": "Switch off two heads that look back at “she” when the model is about to say “her”.",
            "text": WHO,
            "edits": switched_off(lookers(runner)),
        },
        {
            "name": "See only three tokens",
            "says": f"Mask all but the last three tokens in every head: the earlier “{repeated}” is out of sight.",
            "text": sight["text"],
            "edits": [{"what": "everywhere", "how": "window", "n": 3}],
        },
    ]


def switched_off(heads: list[tuple[int, int]]) -> list[dict]:
    return [{"what": "head", "how": "zero", "layer": layer, "head": head} for layer, head in heads]


def lookers(runner: Runner) -> list[tuple[int, int]]:
    """Of the heads, (layer, head), that attend most from the last token to “she”, the two without which “her” is
    least likely."""
    she, her = (runner.tokenizer.encode(token)[0] for token in (SHE, HER))
    run = runner.recorded(WHO)
    weights = {
        (layer, head): float(run.trace[f"blocks.{layer}.attn.pattern"][0, head, -1, run.ids.index(she)])
        for layer in range(runner.facts.n_layer)
        for head in range(runner.facts.n_head)
    }
    most = sorted(weights, key=weights.__getitem__)[-LOOKERS:]
    pairs = combinations(sorted(most), 2)
    return list(min(pairs, key=lambda pair: probability(runner, WHO, her, without(list(pair)))))


def patches(runner: Runner) -> list[dict]:
    return [patch | {"says": f"{patch['says']} {carried(runner, patch)}"} for patch in PATCHES]


def carried(runner: Runner, patch: dict) -> str:
    """A sentence: how much single heads recover."""
    found = patching(runner, patch).exact("z").recovered  # (L, H)
    layer, head = divmod(int(found.argmax()), found.shape[1])
    if (most := float(found.max())) >= MUCH:
        return f"Layer {layer}, head {head}, alone recovers {most:.0%} of the logit difference: see Heads."
    some = int((found >= SOME).sum())
    return f"No single head recovers half of the logit difference; {some} recover a tenth or more: see Heads."


def patching(runner: Runner, patch: dict) -> "Patching":
    """The logit of the answer over that of the other token, in both texts."""
    import torch

    from llm_core.analysis.patching import Patching, logit_difference

    answer, other = (runner.tokenizer.encode(patch[name])[0] for name in ("answer", "other"))
    clean, corrupted = (torch.tensor([runner.encode(patch[name])]) for name in ("text", "corrupted"))
    return Patching(runner.model, clean, corrupted, logit_difference(answer, other))


def shipped() -> dict[str, list[dict]]:
    """The experiments of "surgery" and of "patch"."""
    return json.loads(ASSET.read_text(encoding="utf-8"))


def main() -> None:
    runner = Runner()
    found = {"surgery": surgeries(runner), "patch": patches(runner)}
    ASSET.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for experiment in found["surgery"] + found["patch"]:
        print(f"{experiment['name']}: {experiment['says']}")


if __name__ == "__main__":
    main()
