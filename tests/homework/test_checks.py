"""The homework companion against a student's file, right and wrong in every way that we know of."""

import io
import json
import re
from pathlib import Path

import pytest
import torch

from explorer.lessons import LESSONS
from llm_core.homework import pipeline
from llm_core.homework.checks import check
from llm_core.homework.diagnosis import solution
from llm_core.homework.diagnosis.diagnose import known, spoken, suspicions
from llm_core.homework.diagnosis.faults import FAULTS, NAMED, faults_of
from llm_core.homework.diagnosis.places import Walk, right_walk
from llm_core.homework.diagnosis.substitution import piece
from llm_core.homework.inside import probes, training
from llm_core.homework.inside.answers import Answers
from llm_core.homework.inside.loading import load
from llm_core.homework.inside.probes import PROBES
from llm_core.homework.inside.worker import import_sentence
from llm_core.homework.report import BLOCKS as ALL
from llm_core.mistakes.known import MISTAKES

from .files import CORRECT, FUSED, PAIRS, RIGHT, SDPA, WRONG, edited

BLOCKS = [name for name in ALL if name != "pipeline"]

# What leaves the training as it is: the losses agree, so the pipeline's points stay.
TRAINS_THE_SAME = {
    "targets-shifted-twice",  # a loss without a cache, which the pipeline has not
    "loop-over-heads",
    "third-dropout",
    *(fault.name for fault in FAULTS if fault.lesson and fault.lesson[0] == "dropout"),
    *(fault.name for fault in faults_of("generate")),
    "encoded-every-time",
}


@pytest.fixture
def file(tmp_path):
    """Writes a file of the given text, and returns its path."""

    def write(source: str) -> Path:
        path = tmp_path / "my_llm_implementation.py"
        path.write_text(source, encoding="utf-8")
        return path

    return write


def lost(report: dict) -> list[str]:
    return [block["name"] for block in report["blocks"] if block["status"] != "passed"]


def block_of(report: dict, name: str) -> dict:
    return next(block for block in report["blocks"] if block["name"] == name)


# --- the table of faults -----------------------------------------------------------------------------------------


def test_every_switch_of_the_solution_is_in_the_table():
    source = Path(solution.__file__).read_text(encoding="utf-8")
    switches = set(re.findall(r'"([a-z]+(?:-[a-z]+)*)" (?:not )?in faults', source))
    switches |= set(re.findall(r'"([a-z-]+)": -?\d', source))
    for several in re.findall(r"\{([^{}]*)\} & faults", source):
        switches |= set(re.findall(r'"([a-z-]+)"', several))
    assert switches == set(NAMED)
    assert len(NAMED) == len(FAULTS) == 67


def test_every_link_to_a_lesson_exists():
    for fault in FAULTS:
        if fault.lesson is None:
            pytest.fail(f"{fault.name} is explained by no lesson")
        else:
            lesson, step = fault.lesson
            assert 1 <= step <= LESSONS[lesson].num_steps, fault.name
    rooms = {
        fault.name: MISTAKES[fault.lesson[1] - 2].name
        for fault in FAULTS
        if fault.lesson and fault.lesson[0] == "museum"
    }
    assert rooms == {
        "no-positions": "no-positions",
        "one-position": "no-positions",
        "one-head": "one-head",
        "scale-by-width": "scale-by-width",
        "mask-inverted": "mask-inverted",
        "mask-means-hidden": "mask-inverted",
        "mask-after-softmax": "mask-after-softmax",
        "softmax-over-queries": "softmax-axis",
        "third-dropout": "third-dropout",
        "norm-in-every-block": "norm-in-every-block",
        "sees-one-ahead": "mask-off-by-one",
    }


def test_every_fault_is_said_in_full():
    for fault in FAULTS:
        assert set(fault.blocks) <= set(PROBES)
        for text in (fault.sentence, fault.effect, fault.idea):
            assert text.endswith(".") and 20 < len(text) < 250, fault.name
    assert len({fault.sentence for fault in FAULTS}) == len(FAULTS)


def test_the_named_places_are_those_of_the_probe():
    """“Token 3's numbers end up in head 1”, “token 0's row is filled with head 0 of tokens 0, 1 and 2”."""
    T, H, D = probes.T, probes.H, probes.C // probes.H
    token = torch.arange(T)[:, None].expand(T, H * D)[None]  # (1, T, C): whose number it is
    cut = token.reshape(1, H, T, D)
    assert (cut == 3).nonzero()[:, 1].unique().tolist() == [1]
    heads = torch.arange(H)[None, :, None, None].expand(1, H, T, D)
    tokens = torch.arange(T)[None, None, :, None].expand(1, H, T, D)
    first_row = [x.reshape(1, T, H * D)[0, 0].unique().tolist() for x in (heads, tokens)]
    assert first_row == [[0], [0, 1, 2]]


def test_each_fault_is_seen_and_no_two_look_alike():
    for name in PROBES:
        switches = [frozenset(), *(frozenset([fault.name]) for fault in faults_of(name))]
        everything = [[known(name, probe, faults) for probe in PROBES[name]] for faults in switches]
        for i, one in enumerate(everything):
            alike = [j for j, other in enumerate(everything) if all(a.agrees(b) for a, b in zip(one, other))]
            assert alike == [i], (name, i, alike)


def test_single_faults_are_suspected_first():
    names = [fault.name for fault in faults_of("attention")]
    singles, pairs = suspicions("attention")
    assert singles == [(name,) for name in names]
    assert pairs[0] == tuple(names[:2]) and len(pairs) == len(names) * (len(names) - 1) // 2


# --- right files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CORRECT)
def test_a_right_file_has_every_point(name, file):
    """The pipeline of all of them is in ``test_right_files_train_alike``."""
    report = check(file(edited(*CORRECT[name])), only=BLOCKS)
    assert lost(report) == [] and report["points"] == 9


def test_eleven_points(file):
    report = check(file(RIGHT))
    assert (report["points"], report["possible"], report["problem"]) == (11, 11, None)
    assert [block["name"] for block in report["blocks"]] == list(ALL)
    json.dumps(report, allow_nan=False)


def test_right_files_train_alike(file):
    """However it is written, the loss stays within a tenth of what is allowed; faults are far outside."""
    right = pipeline.reference()
    assert right["loss"] < pipeline.unigram_loss() - 0.4 < right["losses"][0] - 2
    for name in ("stacked weights and fused kernel", "several at once"):
        trained = Answers(load(file(edited(*CORRECT[name])))).train(**pipeline.plan())
        pairs = zip([*trained["losses"], trained["loss"]], [*right["losses"], right["loss"]])
        assert max(abs(a - b) for a, b in pairs) < pipeline.CLOSE / 10, name


def test_the_optimizer_is_torchs():
    """By its formula, with the constants that it has by default: torch's own takes seconds to import."""
    ours = [torch.nn.Parameter(probes.numbers(3, 4, seed=i)) for i in range(3)]
    theirs, decays = [p.detach().clone() for p in ours], (0.3, 0.0, 0.3)
    mean, square = [torch.zeros(3, 4) for _ in ours], [torch.zeros(3, 4) for _ in ours]
    optimizer = training.AdamW([{"params": [p], "weight_decay": decay} for p, decay in zip(ours, decays)])
    for t in range(1, 4):
        ((ours[0] ** 3).sum() + (ours[1] ** 2).sum()).backward()
        optimizer.step()
        for i, slope in enumerate((3 * theirs[0] ** 2, 2 * theirs[1])):
            mean[i], square[i] = 0.9 * mean[i] + 0.1 * slope, 0.999 * square[i] + 0.001 * slope**2
            move = mean[i] / (1 - 0.9**t) / ((square[i] / (1 - 0.999**t)).sqrt() + 1e-8)
            theirs[i] -= training.TRAINING.learning_rate * (move + decays[i] * theirs[i])
        assert all(p.grad is None for p in ours)
        torch.testing.assert_close([p.detach() for p in ours], theirs)  # the third has no gradient, and stays


def test_the_files_wishes_for_a_gpu_are_gone_afterwards(file):
    before = torch.cuda.is_available(), torch.get_default_dtype()
    load(file(edited(*CORRECT["written for a GPU"]) + "\ntorch.set_default_dtype(torch.float64)\n"))
    assert (torch.cuda.is_available(), torch.get_default_dtype()) == before
    assert torch.zeros(1).device.type == "cpu"


# --- wrong files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block, faults, edits", WRONG + PAIRS, ids=[f"{b}: {f}" for b, f, _ in WRONG + PAIRS])
def test_the_mistake_is_named(block, faults, edits, file):
    source = edited(*edits)
    report = block_of(check(file(source), only=[block]), block)
    assert report["status"] == "failed" and report["points"] == 0
    assert {fault["name"] for fault in report["faults"]} == set(faults.split())
    for name in faults.split():
        assert NAMED[name].sentence in report["sentence"]
    line = report["line"]
    assert source.splitlines()[line["number"] - 1].strip() == line["text"]
    json.dumps(report, allow_nan=False)


def test_the_table_is_long_enough():
    assert len(WRONG) + len(PAIRS) >= 40 and len(CORRECT) >= 10
    pairs_of_block = {(fault.name, block) for fault in FAULTS for block in fault.blocks}
    assert {(fault, block) for block, fault, _ in WRONG} == pairs_of_block


@pytest.mark.parametrize("at", range(0, len(WRONG), 9))
def test_a_mistake_costs_its_own_block_only(at, file):
    block, fault, edits = WRONG[at]
    assert lost(check(file(edited(*edits)), only=BLOCKS)) == [block], fault


@pytest.mark.parametrize("fault", ["no-scale", "third-dropout", "padding-embedded"])
def test_the_pipeline_fails_where_training_differs(fault, file):
    edits = next(edits for _, name, edits in WRONG if name == fault)
    report = block_of(check(file(edited(*edits)), only=["pipeline"]), "pipeline")
    assert (report["points"] == 2) == (fault in TRAINS_THE_SAME)
    if fault == "no-scale":
        assert report["sentence"].startswith("From the same start on the same batches, your losses diverge")
    if fault == "padding-embedded":
        assert (
            report["sentence"].startswith("It stops with IndexError") and report["line"]["number"] == 17
        )  # where the table is asked


def test_a_loop_is_found_by_its_products(file):
    """Its numbers agree, so no tensors are shown, but the line that runs once a head."""
    for edits in [edits for _, fault, edits in WRONG if fault == "loop-over-heads"]:
        report = block_of(check(file(edited(*edits)), only=["attention"]), "attention")
        assert "[:, h]" in report["line"]["text"] and report["difference"] is None


# --- what is shown -----------------------------------------------------------------------------------------------


def test_the_two_tensors_of_a_wrong_split(file):
    """Beside each other, with the differing cells marked: computed here again."""
    edits = next(edits for _, fault, edits in WRONG if fault == "split-by-reshape")
    report = block_of(check(file(edited(*edits)), only=["attention"]), "attention")
    shown, (B, T, H, D) = report["difference"], (probes.B, probes.T, probes.H, probes.C // probes.H)
    layer = probes.randomised(solution.solution().GenericSelfAttention(probes.config()))
    with torch.no_grad():
        q = layer.q(probes.numbers(B, T, probes.C))
    right, wrong = q.view(B, T, H, D).transpose(1, 2)[0, 0], q.reshape(B, H, T, D)[0, 0]
    assert shown["tensor"] == "queries cut into heads (B, H, T, D)"
    assert (shown["shape"], shown["index"]) == ([B, H, T, D], [0, 0, 1, 0])
    torch.testing.assert_close(torch.tensor(shown["expected"]), right, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.tensor(shown["found"]), wrong, atol=1e-5, rtol=1e-4)
    assert shown["differs"] == [[False] * D] + [[True] * D] * (T - 1)
    assert shown["rows"] == [str(i) for i in range(T)] and shown["columns"] == [str(i) for i in range(D)]
    assert report["line"]["text"].startswith("q = q.reshape(")


def test_patterns_of_the_trained_model(file):
    """Both are patterns of the same head; the expected one is the model's own."""
    edits = next(edits for _, fault, edits in WRONG if fault == "softmax-over-queries")
    shown = block_of(check(file(edited(*edits)), only=["attention"]), "attention")["patterns"]
    T = len(shown["tokens"])
    expected, found = torch.tensor(shown["expected"]), torch.tensor(shown["found"])
    assert expected.shape == found.shape == (T, T)
    torch.testing.assert_close(expected.sum(1), torch.ones(T), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.sum(0), torch.ones(T), atol=1e-4, rtol=0)

    fused = next(edits for _, fault, edits in WRONG if fault == "no-scale" and edits[0] in SDPA)
    shown = block_of(check(file(edited(*fused)), only=["attention"]), "attention")["patterns"]
    assert max(map(max, shown["found"])) <= 1.0 and shown["found"] != shown["expected"]


def test_an_unknown_mistake_is_shown_all_the_same(file):
    source = edited(("att / math.sqrt(k.size(-1))", "att / math.sqrt(k.size(-1)) + att.flip(-1)"))
    report = block_of(check(file(source), only=["attention"]), "attention")
    assert report["faults"] == [] and report["sentence"].startswith("No known mistake fits.")
    assert report["difference"]["tensor"] == "what goes into the softmax (B, H, T, T)"
    assert report["line"]["number"] == 32 and "att.flip(-1)" in report["line"]["text"]
    assert re.search(
        r"replaced by the right one, all .* comes out right: .* in lines? 32( to 33)?\.$", report["sentence"]
    )


HELPED = """def weights(scores, drop):
    scores = drop(scores)
    return scores.softmax(-1)


@functools.lru_cache
def triangle(T):
    return torch.tril(torch.ones(T, T, dtype=torch.bool), 1)


class GenericSelfAttention(Dummy"""
HELPERS = [
    ("import math\n", "import functools\nimport math\n"),
    ("class GenericSelfAttention(Dummy", HELPED),
    (
        "        att = F.softmax(att, dim=-1)\n        att = self.attn_dropout(att)\n",
        "        att = weights(att, lambda x: x)\n",
    ),
    ("causal = torch.tril(torch.ones(T, T, dtype=torch.bool))", "causal = triangle(T)"),
]


def test_lines_in_functions_that_are_called(file):
    """What a function keeps of earlier calls hides no line; two that stand apart are told in the order they run."""
    source = edited(*HELPERS)
    report = block_of(check(file(source), only=["decoder mask"]), "decoder mask")
    assert "Query i sees key i+1" in report["sentence"] and report["line"]["text"].startswith("return torch.tril(")
    twice = source.replace("lambda x: x", "lambda x: x + x.flip(-1)")
    lines = twice.split("\n")
    call, last = (1 + next(i for i, line in enumerate(lines) if part in line) for part in ("x.flip", "scores.softmax"))
    student = Answers(load(file(twice)))
    found = piece("attention", student, Walk(student.run("attention")), right_walk("attention"))
    assert found.lines == [call, last] and spoken(found.lines) == f"line {call}, then line {last}"


def test_a_wrong_merge_is_where_it_merges(file):
    """Not where the values come from."""
    merge = "        y = y.transpose(1, 2).reshape(B, T, C)\n"
    source = edited(("        y = att @ v\n" + merge, "        y = att @ v\n\n\n\n        y = y.reshape(B, T, C)\n"))
    report = block_of(check(file(source), only=["attention"]), "attention")
    assert [fault["name"] for fault in report["faults"]] == ["merge-by-reshape"]
    assert report["line"]["text"] == "y = y.reshape(B, T, C)"


def test_dropout_in_a_place_that_no_fault_has(file):
    """The grammar has words for it."""
    source = edited(("q = self.q(x)", "q = self.attn_dropout(self.q(x))"))
    report = block_of(check(file(source), only=["attention"]), "attention")
    assert [fault["name"] for fault in report["faults"]] == ["extra=q"]
    assert report["sentence"] == "There is a third dropout: on the queries."


def test_an_error_is_told_with_its_line(file):
    report = block_of(check(file(edited(("y = att @ v", "y = att @ w"))), only=["attention"]), "attention")
    assert report["sentence"] == "It stops with NameError: name 'w' is not defined."
    assert report["line"] == {"number": 36, "text": "y = att @ w"}


SENTENCES = [
    ("attention", "return self.hidden_dropout(y)", "return [y]", "there should be a tensor, and there is a list of 1"),
    ("attention", "y = self.c_proj(y)", "y = self.c_proj(y)[:, :-1]", "the shape is (4, 6, 24) instead of (4, 7, 24)"),
    ("transformer", "        return logits, loss\n", "", "there is None (is a return missing?)"),
    ("transformer", "logits = self.lm_head(x)", "logits = self.lm_head(x)[:, 1:]", "(4, 6, 31) instead of (4, 7, 31)"),
    (
        "block",
        "        return x\n\n\nclass GenericT",
        "        input()\n\n\nclass GenericT",
        "input(), and nobody is there",
    ),
    ("block", "x = x + self.attn(", "x += self.attn(", "changed in place"),
    ("generate", "    return idx\n", "    return idx[:, -max_new_tokens:]\n", "You return the new tokens alone"),
    (
        "embedding",
        "return tok_emb + pos_emb",
        "return tok_emb.detach() + pos_emb",
        "no gradient reaches vocab_embeddings",
    ),
]


@pytest.mark.parametrize("block, old, new, sentence", SENTENCES)
def test_each_slip_has_its_own_sentence(block, old, new, sentence, file, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    report = block_of(check(file(edited((old, new))), only=[block]), block)
    assert report["status"] == "failed" and sentence in report["sentence"], report["sentence"]


def test_what_fails_only_for_more_rows_is_said_to_be_that(file):
    source = edited(
        ("torch.zeros(prefix.size(0), 0, dtype=torch.long)\n    for", "torch.zeros(1, 0, dtype=torch.long)\n    for")
    )
    report = block_of(check(file(source), only=["prefix generate"]), "prefix generate")
    assert report["sentence"].endswith("With one row it works: it fails only with more.")


def test_an_encoder_in_the_loop_is_named(file):
    """n calls, not n + 1."""
    hidden = "    hidden = model.encoder(prefix, return_hidden=True)\n"
    loop = "        logits, _ = model.decoder(new, hidden_cache=hidden)"
    source = edited((hidden, ""), (loop, f"    {hidden}{loop}"))
    report = block_of(check(file(source), only=["prefix generate"]), "prefix generate")
    assert [fault["name"] for fault in report["faults"]] == ["encoded-every-time"]


def test_a_forgotten_return(file):
    source = edited(("        return self.hidden_dropout(y)\n", "        y = self.hidden_dropout(y)\n"))
    report = block_of(check(file(source), only=["attention"]), "attention")
    assert report["status"] == "failed" and "is a return missing?" in report["sentence"]


# --- files that are not finished ---------------------------------------------------------------------------------

BLANKS = [
    "raise NotImplementedError",
    "pass",
    "...",
    "return None",
    '"""To do."""',
    "raise NotImplementedError('later')",
]


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_is_not_started_and_takes_nothing_from_the_others(blank, file):
    body = RIGHT[RIGHT.index("        B, T, C = x.size()") : RIGHT.index("\n\nclass TransformerBlock")]
    report = check(file(edited((body, f"        {blank}\n"))))
    assert lost(report) == ["attention", "pipeline"]
    assert [block_of(report, name)["status"] for name in lost(report)] == ["not started"] * 2


def test_missing_names(file):
    """The first class alone."""
    report = check(file(RIGHT[: RIGHT.index("class GenericSelfAttention")]))
    assert report["points"] == 1 and lost(report) == list(ALL)[1:]
    assert {block["status"] for block in report["blocks"][1:]} == {"not started"}


def test_masks_are_tested_before_the_transformer_is_written(file):
    init = RIGHT[
        RIGHT.index("        super().__init__(config, TransformerBlock") : RIGHT.index("    def get_attention_mask")
    ]
    forward = RIGHT[RIGHT.index("        num_tokens = (idx") : RIGHT.index("\n\nclass Encoder(")]
    report = check(file(edited((init, "        pass\n"), (forward, "        pass\n"))), only=BLOCKS)
    assert lost(report) == ["transformer"]


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("def f(:\n", "There is a Python syntax error in line 1: invalid syntax."),
        (
            "import nothing_of_that_name\n",
            "Your file imports “nothing_of_that_name” in line 1, which is not installed here.",
        ),
        ("x = 1\ny = 1 / 0\n", "Your file stops in line 2 while it is imported: ZeroDivisionError: division by zero."),
    ],
)
def test_a_file_that_cannot_be_run(source, sentence, file):
    report = check(file(source))
    assert report["problem"].startswith(sentence) and report["points"] == 0 and len(report["blocks"]) == 10


def test_syntax_of_a_later_python_is_no_error_of_the_students():
    for text in ("type Tokens = list[int]\n", "def first[T](x: list[T]) -> T:\n"):
        told = import_sentence(SyntaxError("invalid syntax", ("f.py", 7, 1, text)), "f.py")
        assert told.startswith("What stands in line 7 needs a later Python than the 3.")


def test_the_module_is_whole_again(file):
    module = load(file(edited(*FUSED)))
    before = dict(vars(module))
    check(module, only=["attention", "encoder mask"])
    assert dict(vars(module)) == before
