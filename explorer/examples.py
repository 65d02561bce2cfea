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
