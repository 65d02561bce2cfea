"""The example of the page "Check your code": the report of a file with two mistakes, and one block not yet written.

python -m tests.homework.example        checks it anew, after the checks or their words have changed
"""

import tempfile
from pathlib import Path

from llm_core.homework.report import to_json
from llm_core.homework.sandbox import check_file
from llm_core.paths import ASSETS

from .files import RIGHT, edited

PLACE = ASSETS / "homework" / "example.json"
CUT = "view(B, T, self.n_head, C // self.n_head).transpose(1, 2)"
WRONG_CUT = "reshape(B, self.n_head, T, C // self.n_head)"
NORM = '        x = self.transformer["ln_f"](x)\n'
WRITING = "def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):\n"
WRITTEN = RIGHT.partition(WRITING)[2]  # the last function of the file

MISTAKES = [
    *[(f"{name} = {name}.{CUT}", f"{name} = {name}.{WRONG_CUT}") for name in "qkv"],
    ("            x = block(x, mask)\n" + NORM, "            x = block(x, mask)\n    " + NORM),
    (WRITING + WRITTEN, WRITING + "    raise NotImplementedError\n"),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "my_llm_implementation.py")
        file.write_text(edited(*MISTAKES), encoding="utf-8")
        PLACE.write_text(to_json(check_file(file)) + "\n", encoding="utf-8")
    print(f"{PLACE}: {PLACE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
