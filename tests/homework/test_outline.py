"""What a file defines, read from its text: written, blank, and what has slipped, with its line."""

import pytest

from llm_core.homework.checks import check
from llm_core.homework.inside.probes import TESTED
from llm_core.homework.outline import Outline
from llm_core.homework.skeleton import SKELETON

from .files import RIGHT, edited

MASK = "    def get_attention_mask(self, num_tokens):\n        T = int(num_tokens.max())\n        cols = torch"
SLIPS = {  # edits of a right file: the block, what is said, what stands in the line
    "a misspelt method": (
        [("def forward(self, idx):", "def foward(self, idx):")],
        ("embedding", "Embedding has a method foward and no forward", "def foward(self, idx):"),
    ),
    "a misspelt function": (
        [("def generate(", "def genarate(")],
        ("generate", "There is no function generate, but one that is called genarate", "def genarate("),
    ),
    "a renamed class": (
        [
            ("class GenericSelfAttention(", "class SelfAttention("),
            ("config, GenericSelfAttention", "config, SelfAttention"),
        ],
        ("attention", "SelfAttention", "class SelfAttention("),
    ),
    "a method beside its class": (
        [
            (
                "    def forward(self, x, attention_mask):\n        B, T, C = x.size()\n",
                "    pass\n\ndef forward(self, x, attention_mask):\n        B, T, C = x.size()\n",
            )
        ],
        (
            "attention",
            "forward is not in GenericSelfAttention, by its indentation",
            "def forward(self, x, attention_mask):",
        ),
    ),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_said_to_be_one(name):
    edits, (block, sentence, line) = SLIPS[name]
    source = edited(*edits)
    outline = Outline.of(source)
    assert not outline.is_written(block)
    slip = outline.slip(block)
    assert sentence in slip.sentence and source.splitlines()[slip.line - 1].lstrip().startswith(line)


def test_a_right_file_is_written_and_a_new_one_is_not():
    right, blank = Outline.of(RIGHT), Outline.of(SKELETON.read_text(encoding="utf-8"))
    assert all(map(right.is_written, TESTED)) and not any(map(right.slip, TESTED))
    assert not any(map(blank.is_written, [name for name in TESTED if name != "block"])) and not any(
        map(blank.slip, TESTED)
    )


@pytest.mark.parametrize("source", ["", "def f(:", "x = 1"])
def test_nothing_is_written_in_what_is_no_homework(source):
    assert not any(map(Outline.of(source).is_written, TESTED))


BOTH = """        cols = (torch.arange(T)[None, :] < num_tokens[:, None])
        mask = cols[:, None, None, :].expand(-1, 1, T, T)
        causal = torch.tril(torch.ones(T, T, dtype=torch.bool))
        return (mask & causal).long()
"""
FROM_ENCODER = (BOTH, "        return torch.tril(super().get_attention_mask(num_tokens))\n")
WRONG_ENCODER = ("cols = torch.arange(T)[None, :] < num", "cols = torch.arange(T)[None, :] <= num")
BLANK_ENCODER = (
    RIGHT[RIGHT.index(MASK) : RIGHT.index("\n\nclass Decoder")],
    "    def get_attention_mask(self, num_tokens):\n        raise NotImplementedError\n",
)


@pytest.mark.parametrize("encoder", [WRONG_ENCODER, BLANK_ENCODER], ids=["wrong", "blank"])
def test_a_decoder_is_not_tested_on_the_students_encoder(encoder, tmp_path):
    path = tmp_path / "a.py"
    path.write_text(edited(encoder, FROM_ENCODER), encoding="utf-8")
    report = check(path, only=["encoder mask", "decoder mask"])
    assert [block["status"] == "passed" for block in report["blocks"]] == [False, True]


def test_a_decoder_that_calls_a_blank_of_its_base_is_told_so(tmp_path):
    base = (
        "        T = int(num_tokens.max())\n        return torch.ones(num_tokens.size(0), T, T)\n",
        "        raise NotImplementedError\n",
    )
    path = tmp_path / "a.py"
    path.write_text(
        edited(base, FROM_ENCODER, ("class Decoder(Encoder)", "class Decoder(GenericTransformer)")), encoding="utf-8"
    )
    block = check(path, only=["decoder mask"])["blocks"][0]
    assert block["status"] == "failed" and "a blank" in block["sentence"] and block["line"]
