"""Hand-ins as they come: notebooks, Colab's exports, zips, other encodings; lines as the student knows them."""

import io
import json
import zipfile

import pytest
import torch

from llm_core.homework.inside.limits import Limits
from llm_core.homework.inside.loading import load
from llm_core.homework.inside.probes import TESTED
from llm_core.homework.outline import Outline
from llm_core.homework.reading import Handin, chosen, encoded, of_cells, read, read_bytes
from llm_core.homework.sandbox import check_handin

from .files import RIGHT

PARTS = RIGHT.split("\n\n\n")


def colab(*cells: tuple[str, object]) -> bytes:
    """As Colab writes it: nulls, outputs, sources as lists of lines."""
    told = [
        {
            "cell_type": kind,
            "metadata": {"id": "x", "outputId": None, "colab": {"base_uri": None}},
            "execution_count": None,
            "source": source.splitlines(keepends=True) if isinstance(source, str) else source,
            **(
                {"outputs": [{"output_type": "stream", "name": "stdout", "text": ["hello\n"]}]}
                if kind == "code"
                else {}
            ),
        }
        for kind, source in cells
    ]
    whole = {"nbformat": 4, "nbformat_minor": 0, "metadata": {"accelerator": None, "kernelspec": None}, "cells": told}
    return json.dumps(whole).encode()


WHOLE = colab(
    ("markdown", "# Homework"),
    (
        "code",
        "!pip install -q wandb\n%load_ext autoreload\nimport wandb\nfrom google.colab import drive\ndrive.mount('/x')",
    ),
    ("code", None),
    *(("code", part) for part in PARTS),
    ("code", "%%time\nmodel = Decoder(None)\nfor step in range(10**9):\n    pass"),
    ("code", "files = !ls\nget_ipython().system('ls')\nEmbedding?"),
    ("code", "%%bash\nrm -rf /"),
    ("code", "with open('my_llm_implementation.py', 'w') as f:\n    f.write(In[3])"),
)


def loaded(handin: Handin, folder):
    path = folder / "my_llm_implementation.py"
    path.write_bytes(encoded(handin.source))
    return load(path, handin.is_notebook)


def test_a_notebook_as_colab_writes_it(tmp_path):
    handin = read_bytes(WHOLE, "homework.ipynb")
    module = loaded(handin, tmp_path)
    names = (
        "Embedding",
        "GenericSelfAttention",
        "TransformerBlock",
        "Encoder",
        "Decoder",
        "generate",
        "EncoderDecoder",
    )
    assert all(callable(getattr(module, name)) for name in names)
    assert "rm -rf" not in handin.source and "In[3]" not in handin.source
    line = handin.source.split("\n").index("    def forward(self, idx):") + 1
    cell, inside = handin.place(line)
    assert (cell, inside) == (5, 2) and PARTS[1].lstrip("\n").split("\n")[1] == "    def forward(self, idx):"
    assert handin.told(f"the mistake is in line {line}.") == "the mistake is in cell 5, line 2."


def test_a_notebook_of_colab_has_all_points():
    report = check_handin(read_bytes(WHOLE, "homework.ipynb"), "homework.ipynb", Limits(seconds=500))
    assert (report.points, report.problem) == (11, None)


def test_the_cell_that_writes_the_file_is_the_file(tmp_path):
    handin = of_cells([(1, "x = 1"), (2, "%%writefile my_llm_implementation.py\n" + RIGHT), (3, "y = 2")])
    assert "x = 1" not in handin.source and handin.place(3) == (2, 3)
    assert callable(loaded(handin, tmp_path).Decoder)


def test_a_file_that_is_written_by_several_cells(tmp_path):
    half = len(PARTS) // 2
    first, rest = "\n\n\n".join(PARTS[:half]), "\n\n\n".join(PARTS[half:])
    old = (1, "%%writefile hw/my_llm_implementation.py\nx = 'an old one'")
    cells = [(2, "%%writefile hw/my_llm_implementation.py\n" + first), (3, "ls"), (4, "%%writefile other.py\ny = 1")]
    handin = of_cells([old, *cells, (5, "%%writefile -a hw/my_llm_implementation.py\n" + rest)])
    assert "an old one" not in handin.source and "y = 1" not in handin.source
    assert callable(loaded(handin, tmp_path).prefix_generate) and handin.place(len(handin.lines))[0] == 5


def test_a_cell_may_define_and_write_the_file_at_once(tmp_path):
    saving = "\nfrom google.colab import files\nfiles.download('my_llm_implementation.py')"
    assert callable(loaded(of_cells([(1, RIGHT + saving)]), tmp_path).Decoder)


GIVEN_LATER = """
import torch
if torch.cuda.is_available():
    device = "cuda"
else:
    device = "cpu"
class Embedding(torch.nn.Module):
    pass
def forward(self, idx):
    return idx.to(device) + 1
Embedding.forward = forward
model = Embedding()
"""


def test_a_method_that_a_class_is_given_later(tmp_path):
    """In a cell of its own, with a device that was chosen above; what only tries it out does not run."""
    handin = of_cells([(1, GIVEN_LATER)])
    module = loaded(handin, tmp_path)
    assert module.Embedding()(torch.zeros(1)).item() == 1 and not hasattr(module, "model")
    assert Outline.of(handin.source).is_written("embedding")


BROKEN = [
    "for i in range(3:\n    print(i)",
    "only words",
    's = """never closed',
    "class Embedding(DummyEmbedding):\n  x\n y",
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_cell_takes_nothing_from_the_others(broken):
    handin = of_cells(list(enumerate([*PARTS[:2], broken, *PARTS[2:]], 1)))
    outline = Outline.of(handin.code, handin.broken)
    assert all(map(outline.is_written, TESTED))
    assert [handin.place(cell.line)[0] for cell in handin.broken] == [3]
    assert handin.code.count("\n") == handin.source.count("\n")


def test_a_block_in_a_broken_cell_is_said_to_be_there():
    parts = [
        part.replace("def forward(self, x, attention_mask):", "def forward(self, x, attention_mask)", 1)
        for part in PARTS
    ]
    handin = of_cells(list(enumerate(parts[:3] + PARTS[3:], 1)))
    outline = Outline.of(handin.code, handin.broken)
    assert [name for name in TESTED if not outline.is_written(name)] == ["attention"]
    slip = outline.slip("attention")
    assert handin.told(slip.sentence) == "There is a Python syntax error in cell 3, line 2: expected ':'."
    assert handin.place(slip.line) == (3, 2)


def test_an_export_of_colab(tmp_path):
    text = (
        '"""Automatically generated by Colab."""\n\n!pip install wandb\n# %load_ext x\n'
        + RIGHT
        + "\n%matplotlib inline\nexit()\n"
    )
    handin = read_bytes(text.encode(), "homework.py")
    assert handin.is_notebook and handin.source.split("\n")[2] == "pass"
    assert callable(loaded(handin, tmp_path).Decoder)


def test_plain_python_stays_as_it_is(tmp_path):
    handin = read_bytes(RIGHT.encode(), "a.py")
    assert (handin.source, handin.is_notebook, handin.place(7)) == (RIGHT, False, (None, 7))
    assert handin.told("line 3") == "line 3"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252"])
def test_encodings_that_python_accepts(encoding, tmp_path):
    first = "" if encoding.startswith("utf") else f"# -*- coding: {encoding} -*-\n"
    handin = read_bytes((first + "name = 'Zoë'\r\n").encode(encoding), "a.py")
    assert loaded(handin, tmp_path).name == "Zoë"


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), content)
    return file.getvalue()


def test_a_zip_has_the_homework_and_its_helpers():
    told = zipped(mine__my_llm_implementation_dot_py=RIGHT.encode(), mine__tools_dot_py=b"x = 1", mine__a_dot_txt=b"?")
    handin = read_bytes(told, "mine.zip")
    assert handin.source == RIGHT and handin.helpers == {"tools.py": b"x = 1"}
    assert read_bytes(zipped(h_dot_ipynb=WHOLE), "h.zip").is_notebook


def test_a_zip_in_a_zip_is_opened_where_no_file_is_the_homework():
    inner = zipped(my_llm_implementation_dot_py=RIGHT.encode(), tools_dot_py=b"x = 1")
    handin = read_bytes(zipped(hw__notes_dot_py=b"y = 1", hw__code_dot_zip=zipped(final_dot_zip=inner)), "mine.zip")
    assert handin.source == RIGHT and handin.helpers == {"tools.py": b"x = 1"}
    beside = zipped(my_llm_implementation_dot_py=b"class GenericSelfAttention: pass", old_dot_zip=inner)
    assert "pass" in read_bytes(beside, "mine.zip").source  # an older version in a zip is no second homework
    assert chosen({"hw/readme.py": b"", "hw/code.ZIP": inner}).source == RIGHT


def damaged(content: bytes) -> bytes:
    """In the middle of what it has."""
    return content[:60] + b"\xff" * 30 + content[90:]


def nested(times: int, content: bytes) -> bytes:
    for _ in range(times):
        content = zipped(inner_dot_zip=content)
    return content


@pytest.mark.parametrize(
    "content, name, sentence",
    [
        (b" \n", "a.py", "Your file is empty."),
        (bytes(range(256)), "a.py", "contains bytes that are not text"),
        (b"#" * 2_000_000, "a.py", "larger than 1 MB"),
        (b"{", "a.ipynb", "not the JSON that .ipynb files are"),
        (b'{"cells": [null]}', "a.ipynb", "not the JSON"),
        (colab(("markdown", "no code")), "a.ipynb", "no cell with code"),
        (b"PK\x03\x04 damaged", "a.zip", "cannot be opened"),
        (zipped(a_dot_zip=b"PK\x03\x04 damaged"), "a.zip", "cannot be opened"),
        (damaged(zipped(a_dot_py=RIGHT.encode())), "a.zip", "cannot be opened"),
        (nested(9, RIGHT.encode()), "a.zip", "Your zip contains too much"),
        (zipped(**{f"a{i}_dot_zip": zipped(b_dot_py=b"") for i in range(300)}), "a.zip", "Your zip contains too much"),
        (nested(1, zipped(a_dot_txt=b"?")), "a.zip", "No .py file and no notebook"),
        (
            zipped(a_dot_py=b"x = 1", b_dot_py=b"y = 2"),
            "a.zip",
            "No .py file and no notebook contains the homework's classes",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(content, name, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_bytes(content, name)


def test_two_that_could_be_it():
    with pytest.raises(ValueError, match=r"Several files could be the homework: a\.py, b\.py"):
        chosen({"a.py": RIGHT.encode(), "b.py": RIGHT.encode()})


def test_a_file_is_read_by_its_path(tmp_path):
    path = tmp_path / "homework.ipynb"
    path.write_bytes(WHOLE)
    assert read(path).is_notebook
    with pytest.raises(OSError):
        read(tmp_path / "gone.py")
