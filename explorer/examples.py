"""The examples: computed ahead with the shipped model, so that the page shows a real one before torch is there.

python -m explorer.examples        computes them anew, after another model ships
"""

import json
from pathlib import Path

from llm_core.paths import ASSETS

from .engine.runner import ROLES_AHEAD, Runner

FOLDER = ASSETS / "examples"

# Each does what its name says: the model continues it so.
EXAMPLES = {
    "A repeated name": "Harry Potter met Draco. Harry",
    "A repeated phrase": "Wash the red cup and dry the red cup. Wash the red",
    "A numbered list": "How to Pack for a Trip\n1. Make a list.\n2. Fold your clothes.\n",
    "Who is she?": "Ask your mother if she can help you. Tell",
    "A title": "How to Make a Paper Boat",
    "Emoji and accents": "How to Say Café ☕ in naïve 日本",
}
# What head surgery begins with: each breaks what the text's name says. Edits are those of llm_core.analysis.surgery.
EXPERIMENTS = (
    {
        "name": "Forget the previous token",
        "says": "Switch off the two heads that look one token back. A head that copies what came after the earlier "
        "“Harry” needs them to find it.",
        "text": EXAMPLES["A repeated name"],
        "edits": [
            {"what": "head", "how": "zero", "layer": 3, "head": 3},
            {"what": "head", "how": "zero", "layer": 4, "head": 3},
        ],
    },
    {
        "name": "Forget who she is",
        "says": "Switch off the two heads that look back at “she” when the model is about to say “her”.",
        "text": EXAMPLES["Who is she?"],
        "edits": [
            {"what": "head", "how": "zero", "layer": 5, "head": 3},
            {"what": "head", "how": "zero", "layer": 4, "head": 6},
        ],
    },
    {
        "name": "See only three tokens",
        "says": "Mask all but the last three tokens in every head: the earlier “Harry” is out of sight.",
        "text": EXAMPLES["A repeated name"],
        "edits": [{"what": "everywhere", "how": "window", "n": 3}],
    },
)
# What the tab Patch begins with: the texts differ in one token, and with it in what comes next.
PATCHES = (
    {
        "name": "Who carries “she”?",
        "says": "“she” becomes “he”. Layer 5, head 3, alone brings three quarters of “ her” back: see Heads.",
        "text": EXAMPLES["Who is she?"],
        "corrupted": "Ask your mother if he can help you. Tell",
        "answer": " her",
        "other": " him",
    },
    {
        "name": "Which number comes next?",
        "says": "Step 2 becomes step 3. One head moves the number to the end (see Heads), and the MLP counts on.",
        "text": EXAMPLES["A numbered list"],
        "corrupted": "How to Pack for a Trip\n1. Make a list.\n3. Fold your clothes.\n",
        "answer": "3",
        "other": "4",
    },
    {
        "name": "Who copies the word?",
        "says": "“button” becomes “key”. Five heads of layer 5 share the copying: none brings back a quarter.",
        "text": "Press the red button. Then press the red",
        "corrupted": "Press the red key. Then press the red",
        "answer": " button",
        "other": " key",
    },
)
EXPLORED = "A repeated name"  # what Explore opens with
TWO_LINES = "How to Grow Tomatoes\n1. Choose a sunny spot.\n"  # Compare: an encoder-decoder reads a title and a text
FIRST = EXAMPLES["A title"]  # what all other pages open with, and the lessons read


def example_file(index: int) -> Path:
    return FOLDER / f"{index}.bin"


def main() -> None:
    runner = Runner()
    FOLDER.mkdir(parents=True, exist_ok=True)
    ROLES_AHEAD.write_text(json.dumps(runner.measured_roles()) + "\n", encoding="utf-8")
    for index, text in enumerate(EXAMPLES.values()):
        example_file(index).write_bytes(runner.payload(text))
        print(f"{example_file(index)}: {example_file(index).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
