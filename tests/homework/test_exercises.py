"""What a newcomer writes into the exercises of the app, and what the answer is: its sentence, and exactly its line."""

from pathlib import Path

import pytest

from explorer.exercises.exercise import exercises, pieces
from llm_core.homework.checks import check

EXERCISES = {one.id: one for one in exercises()}
PLAIN = [  # exercise, edits, what the sentence says, the line in the exercise
    ("attention", [('float("-inf")', "0")], "A hidden score is 0 in your code, not -inf", 'float("-inf")'),
    ("embedding", [("torch.arange(T,", "torch.arange(B,")], "made from the batch's size", "torch.arange(T,"),
    (
        "block",
        [
            ("self.attn(self.ln_1(x), attention_mask)", "self.ln_1(self.attn(x, attention_mask))"),
            ("self.mlpf(self.ln_2(x))", "self.ln_2(self.mlpf(x))"),
        ],
        "norms come after the layers",
        "self.attn(",
    ),
    (
        "block",
        [("self.mlpf(self.ln_2(x))", "self.ln_2(self.mlpf(x))")],
        "ln_2 comes after the MLP",
        "self.mlpf(",
    ),
    (
        "block",
        [("self.attn(self.ln_1(x), attention_mask)", "self.ln_1(self.attn(x, attention_mask))")],
        "ln_1 comes after attention",
        "self.attn(",
    ),
    ("block", [(", attention_mask)  #", ")  #")], "TypeError: GenericSelfAttention.forward() missing", "self.attn("),
    ("transformer", [("ignore_index=-1", "ignore_index=-100")], "ignore_index must be -1", "ignore_index"),
    (
        "encoder-decoder",
        [("return_hidden=True", "return_hidden=False")],
        "encoder(...) is called without return_hidden=True: it returns (logits, loss)",
        "return_hidden=True",
    ),
    (
        "encoder-decoder",
        [
            ("Encoder(encoder_config)", "Encoder(decoder_config)"),
            ("Decoder(decoder_config)", "Decoder(encoder_config)"),
        ],
        "The configs are exchanged",
        "Encoder(encoder_config)",
    ),
    (
        "prefix-generate",
        [("return_hidden=True", "return_hidden=False")],
        "encoder(...) is called without return_hidden=True: it returns (logits, loss)",
        "return_hidden=True",
    ),
    (
        "prefix-generate",
        [("prefix.new_empty(len(prefix), 0)", "prefix.new_empty(0)")],
        "starts with shape (0,), and the model takes (B, T)",
        "new_empty",
    ),
]
LINES = [  # a line that is right is not blamed: exercise, edits, the line in the exercise
    ("attention", [("self.attn_dropout(pattern)", "pattern")], "self.attn_dropout(pattern)"),
    ("attention", [("z.transpose(1, 2).reshape", "z.reshape")], "z.transpose"),
    ("transformer", [("num_tokens + P", "num_tokens")], "num_tokens + P"),
    ("transformer", [("masked_fill(is_padding, 0)", "masked_fill(is_padding, -1)")], "masked_fill"),
    ("transformer", [('self.transformer["ln_f"](x)', "x")], 'x = self.transformer["ln_f"]'),
    ("embedding", [("token + position", "token")], "token + position"),
    ("encoder-mask", [("columns <", "columns >=")], "columns <"),
    ("decoder-mask", [("torch.tril(real)", "real")], "torch.tril"),
    ("generate", [("last / temperature", "last")], "last / temperature"),
    ("generate", [("torch.cat([idx, new], dim=1)", "new")], "[idx, new]"),
    ("encoder-decoder", [("hidden_cache=hidden", "hidden_cache=hidden.detach()")], "hidden_cache=hidden"),
    ("prefix-generate", [("prefix.new_empty(len(prefix), 0)", "prefix")], "new_empty"),
    ("prefix-generate", [("hidden_cache=hidden", "hidden_cache=None")], "hidden_cache=hidden"),
]


def solved(number: str, edits: list[tuple[str, str]]) -> tuple[str, int]:
    """The whole file with these edits in one exercise, and how many lines stand before that."""
    texts, before = [], 0
    for piece in pieces():
        text = EXERCISES[piece["id"]].solution if piece["id"] in EXERCISES else piece["text"]
        if piece["id"] == number:
            before = "".join(texts).count("\n")
            for old, new in edits:
                assert old in text, old
                text = text.replace(old, new)
        texts.append(text)
    return "".join(texts), before


def line_with(number: str, part: str) -> int:
    return next(n for n, line in enumerate(EXERCISES[number].solution.split("\n"), 1) if part in line)


def answer(number: str, edits: list[tuple[str, str]], folder: Path) -> tuple[dict, int | None]:
    """The report of the exercise's block, and the line counted in the exercise."""
    source, before = solved(number, edits)
    path = folder / "my_llm_implementation.py"
    path.write_text(source, encoding="utf-8")
    block = check(path, only=[EXERCISES[number].block])["blocks"][0]
    return block, block["line"] and block["line"]["number"] - before


@pytest.mark.parametrize("number, edits, sentence, at", PLAIN, ids=[f"{n}: {s}" for n, _, s, _ in PLAIN])
def test_a_newcomers_mistake_is_said_in_its_line(number, edits, sentence, at, tmp_path):
    block, line = answer(number, edits, tmp_path)
    assert block["status"] == "failed" and sentence in block["sentence"], block["sentence"]
    assert "locals" not in block["sentence"]
    assert line == line_with(number, at), block["line"]


@pytest.mark.parametrize("number, edits, at", LINES, ids=[f"{n}: {at}" for n, _, at in LINES])
def test_a_newcomers_line_is_exact(number, edits, at, tmp_path):
    block, line = answer(number, edits, tmp_path)
    assert block["status"] == "failed" and line == line_with(number, at), (block["sentence"], block["line"])
