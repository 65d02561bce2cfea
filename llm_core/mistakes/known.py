"""Mistakes that people really make in a Transformer, each as wrong code that runs.

A ``Mistake`` is a few lines of this package's own source and what stands there instead. ``broken`` gives a copy
of a model that runs the wrong lines with the same weights: its classes are compiled from the edited source, and
the model itself, in this thread or another, goes on with the right ones.

    wrong = broken(model, NAMED["no-scale"])
    with record(wrong) as trace:
        wrong(ids)

Most of these raise no error and train to a falling loss: ``measured`` has the losses of models that were trained
from scratch with each of them (see measure_mistakes.py).
"""

import inspect
import json
import linecache
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from textwrap import dedent, indent
from types import CodeType, ModuleType
from typing import Literal

from ..model import architectures, attention, blocks, masks
from ..model.architectures import Decoder
from ..model.packed import hooks_of
from ..paths import ASSETS

MODULES = {"masks": masks, "attention": attention, "blocks": blocks, "architectures": architectures}  # in import order
MEASURED = ASSETS / "mistakes.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """Wrong lines in one function of llm_core.

    An edit is (right, wrong): one or several whole lines, indented only as they are to each other. The right ones
    stand exactly once in the function.
    """

    name: str
    title: str
    module: str  # a key of MODULES
    function: str  # qualified: "split_heads", "MultiHeadAttention.forward"
    edits: tuple[tuple[str, str], ...]
    story: str  # what goes wrong and why, for a student
    mode: Literal["eval", "train"] = "eval"  # the mode in which it shows
    links: tuple[tuple[str, str], ...] = ()  # (address, sentence): where it happened


_SPLIT = "x = x.view(B, T, n_head, C // n_head)  # (B, T, H, D)"
_SCORES = "scores = q @ k.transpose(-2, -1) / math.sqrt(D)  # (B, H, T, S)"
_HIDE = "scores = scores.where(attention_mask, -math.inf)"
_SOFTMAX = "pattern = F.softmax(self.scores(scores), dim=-1)  # (B, H, T, S)"

MISTAKES = (
    Mistake(
        name="wrong-split",
        title="Heads split by a reshape alone",
        module="attention",
        function="split_heads",
        edits=(
            (
                "return x.transpose(1, 2)  # (B, H, T, D)",
                "return x.reshape(B, n_head, T, C // n_head)  # (B, H, T, D)",
            ),
        ),
        story=(
            "The shape is right, so nothing complains. But a reshape reads the numbers in memory order: a head gets "
            "all of a few tokens instead of a part of every token. The rows of a head then no longer stand for "
            "tokens, and through them a token reads later tokens."
        ),
        links=(
            (
                "https://github.com/reczoo/FuxiCTR/issues/30",
                "A library for click prediction viewed q, k and v into heads without a transpose, copied from a blog "
                "post; three of its models were affected.",
            ),
        ),
    ),
    Mistake(
        name="wrong-merge",
        title="Heads merged without the transpose",
        module="attention",
        function="merge_heads",
        edits=(
            (
                "x = x.transpose(1, 2)  # (B, T, H, D)",
                "x = x.contiguous()  # (B, H, T, D)",
            ),
        ),
        story=(
            "The heads are computed correctly but merged wrongly: one token's row becomes H vectors that are "
            "adjacent in memory, mostly those of successive tokens in one head, instead of that token's vector from "
            "each head. The shape is right again. A token gets results that belong to other tokens, even to later "
            "ones."
        ),
        links=(
            (
                "https://github.com/jsbaan/transformer-from-scratch/pull/6",
                "A permute was missing before the reshape of a teaching implementation, and the copy task in its "
                "tests was trained all the same.",
            ),
            (
                "https://github.com/zhouhaoyi/Informer2020/issues/100",
                "The code of a research model for time series merged with a view alone; its authors thanked the "
                "reporter and fixed it.",
            ),
        ),
    ),
    Mistake(
        name="one-head",
        title="One head instead of many",
        module="attention",
        function="split_heads",
        edits=((_SPLIT, "x = x.view(B, T, 1, C)  # (B, T, 1, C)"),),
        story=(
            "The width is never cut, so there is one pattern (B, 1, T, T) where there should be H. Each token can "
            "look in only one way at a time. No later shape changes, because merging one head is as easy as "
            "merging many."
        ),
        links=(
            (
                "https://github.com/kornia/kornia/issues/2186",
                "The class MultiHeadAttention of a vision library turned out to have a single head.",
            ),
            (
                "https://github.com/feevos/ceecnet/issues/6",
                "The author of a published network notes that its attention layer lacks the multiple heads of the "
                "paper.",
            ),
        ),
    ),
    Mistake(
        name="no-scale",
        title="Scores not divided by √D",
        module="attention",
        function="MultiHeadAttention._attend_in_steps",
        edits=((_SCORES, "scores = q @ k.transpose(-2, -1)  # (B, H, T, S)"),),
        story=(
            "A score is a sum of D products, so its spread grows with √D. Without the division the softmax gets "
            "numbers that are √D times too large, and puts far too much weight on a few keys. The wider the heads, "
            "the worse it gets: where one key has all the weight, the slope of the softmax is zero and nothing is "
            "learned."
        ),
        links=(
            (
                "https://github.com/mlc-ai/mlc-llm/pull/3426",
                "A fallback path forgot 1/√D; the embeddings of BERT agreed with the reference to 0.86 instead of "
                "0.99999 in cosine.",
            ),
            (
                "https://github.com/delzac/cntkx/issues/10",
                "The function was called scaled dot-product attention, and did not scale.",
            ),
        ),
    ),
    Mistake(
        name="scale-by-width",
        title="Scores divided by √C instead of √D",
        module="attention",
        function="MultiHeadAttention._attend_in_steps",
        edits=(
            ("D = q.shape[-1]", "C = self.q_proj.in_features"),
            (_SCORES, "scores = q @ k.transpose(-2, -1) / math.sqrt(C)  # (B, H, T, S)"),
        ),
        story=(
            "The sum runs over the width D of one head, not over the width C of the model. The scores become √H times "
            "too small and the patterns too even: every query looks a little everywhere. A model that is trained "
            "this way can make up for it with larger weights, so its loss shows nothing."
        ),
        links=(
            (
                "https://github.com/karpathy/ng-video-lecture/pull/6",
                "The code of a well-known video lecture on GPT scaled by the number of channels of its input; the "
                "lecturer: “you're right”.",
            ),
            (
                "https://github.com/FareedKhan-dev/train-llm-from-scratch/pull/3",
                "A guide to training a language model used the root of the embedding size instead of the root of the "
                "head size.",
            ),
        ),
    ),
    Mistake(
        name="softmax-axis",
        title="Softmax over the queries",
        module="attention",
        function="MultiHeadAttention._attend_in_steps",
        edits=((_SOFTMAX, "pattern = F.softmax(self.scores(scores), dim=-2)  # (B, H, T, S)"),),
        story=(
            "Each column sums to 1 instead of each row: the queries divide a key among themselves, but a query "
            "should divide its attention among the keys. Under the mask, only the last query sees the last key, and "
            "gets all of it; the first query sees one key, and shares it with all others. So the first queries get "
            "too little and the last too much. And as later queries take part in the sum, the future leaks into it."
        ),
        links=(
            (
                "https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/146",
                "“A big bug”, says the author of a diffusion model's annotated code; the reader who found it "
                "trained both ways and could measure no difference.",
            ),
            (
                "https://github.com/PetrochukM/PyTorch-NLP/issues/2",
                "The softmax ran over the batch of queries, so with one query every weight was 1, whatever the input.",
            ),
        ),
    ),
    Mistake(
        name="mask-after-softmax",
        title="Mask after the softmax",
        module="attention",
        function="MultiHeadAttention._attend_in_steps",
        edits=(
            (
                f"if attention_mask is not None:\n    {_HIDE}\n{_SOFTMAX}",
                f"{_SOFTMAX}\nif attention_mask is not None:\n    pattern = pattern.where(attention_mask, 0.0)",
            ),
        ),
        story=(
            "The hidden keys get their share of the softmax first, and lose it afterwards. What is left of a row no "
            "longer sums to 1, least of all in the early rows, which hide the most. How much is missing depends on "
            "the hidden tokens, so they are not quite hidden."
        ),
        links=(
            (
                "https://github.com/huggingface/pytorch-image-models/pull/2236",
                "The attention of EVA in a widely used library of vision models applied its mask after the softmax.",
            ),
            (
                "https://github.com/lucidrains/memory-compressed-attention/issues/2",
                "A reader asks whether masking should not come first; it should, and did from then on.",
            ),
        ),
    ),
    Mistake(
        name="mask-inverted",
        title="Mask the wrong way round",
        module="attention",
        function="MultiHeadAttention._attend_in_steps",
        edits=((_HIDE, "scores = scores.masked_fill(attention_mask, -math.inf)"),),
        story=(
            "In our masks True means visible; masked_fill hides where it finds True, and in some libraries True "
            "means hidden. So each token sees the future and nothing else, not even itself, and the last token sees "
            "nothing at all. Trained this way, the loss falls fast: the token to be predicted is visible."
        ),
        links=(
            (
                "https://github.com/rasbt/LLMs-from-scratch/pull/1062",
                "One of a book's variants of causal attention gave PyTorch's kernel its mask with True and False "
                "exchanged.",
            ),
            (
                "https://github.com/lucidrains/x-transformers/issues/160",
                "The fast path of a library gave its mask, True for hidden, to PyTorch's kernel, which takes True for "
                "visible.",
            ),
        ),
    ),
    Mistake(
        name="mask-off-by-one",
        title="Mask off by one",
        module="masks",
        function="causal_mask",
        edits=(
            (
                "return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T)[None, None]",
                "return torch.ones(T, S, dtype=torch.bool, device=device).tril(S - T + 1)[None, None]",
            ),
        ),
        story=(
            "The triangle reaches one position too far, so each token also sees the next token, which it has to "
            "predict. The loss looks better than it ever should. When the model writes, there is no next token to "
            "see, and what it learned is useless."
        ),
        links=(
            (
                "https://github.com/octo-models/octo/issues/75",
                "In a model for robots, a printed mask lets token 656 see token 657, which it should not; a proposed "
                "repair calls it off by one.",
            ),
        ),
    ),
    Mistake(
        name="no-positions",
        title="Positions never added",
        module="blocks",
        function="Embedding.forward",
        edits=(
            (
                "return self.dropout(self.sum(token + position))  # (B, T, C)",
                "return self.dropout(self.sum(token))  # (B, T, C)",
            ),
        ),
        story=(
            "The positions are looked up and then forgotten. Attention alone knows no order: in the first block, "
            "what a token gets from those before it is the same however they are arranged. The causal mask reveals "
            "some of the order to later blocks, because each token sees one token more than its predecessor."
        ),
        links=(
            (
                "https://github.com/guocheng2025/Transformer-Encoder/issues/1",
                "An encoder came with code for positions that nothing called; two readers noticed.",
            ),
            (
                "https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/133",
                "A forgotten colon added one and the same position to every patch of an image, which is as good as "
                "none.",
            ),
        ),
    ),
    Mistake(
        name="norm-in-every-block",
        title="Final norm inside the loop",
        module="architectures",
        function="Decoder.hidden",
        edits=(
            (
                "return self.ln_f(x[:, -T:])  # (B, T, C)",
                "    x = self.ln_f(x)  # (B, T, C)\nreturn x[:, -T:]  # (B, T, C)",
            ),
        ),
        story=(
            "Indented by one level too many, the norm that belongs after the last block runs after every block. "
            "Blocks should only add to the residual stream; now each block finds the stream brought back to one "
            "length, and what earlier blocks wrote has a different weight."
        ),
        links=(
            (
                "https://github.com/pytorch/pytorch/issues/61165",
                "Not the final norm, but the same damage: PyTorch's first pre-norm layer wrote the normalized input "
                "back into the residual stream.",
            ),
            (
                "https://github.com/lbcb-sci/RiNALMo/issues/9",
                "A model of RNA took the residual path after the norm; its authors keep it, as their weights were "
                "trained with it.",
            ),
        ),
    ),
    Mistake(
        name="third-dropout",
        title="Dropout in a third place",
        module="attention",
        function="MultiHeadAttention._attend_in_steps",
        edits=(
            (
                "return self.attn_dropout(pattern) @ v  # (B, H, T, D)",
                "return self.attn_dropout(self.attn_dropout(pattern) @ v)  # (B, H, T, D)",
            ),
        ),
        story=(
            "GPT-2 drops weights of the pattern and parts of the output after its projection. Here the heads' results "
            "between the two are dropped as well, so the same path is thinned three times and training is noisier "
            "than it was meant to be. In eval mode dropout does nothing, so no test of the finished model shows it."
        ),
        mode="train",
        links=(
            (
                "https://github.com/facebookresearch/xformers/pull/301",
                "Attention that already dropped inside had its output dropped once more, unintended.",
            ),
            (
                "https://github.com/Artaches/SSAN-self-attention-sentiment-analysis-classification/issues/2",
                "The end of one function and the start of the next both dropped, so it happened twice in a row.",
            ),
        ),
    ),
)

NAMED = {mistake.name: mistake for mistake in MISTAKES}


def broken(model: Decoder, mistake: Mistake) -> Decoder:
    """A copy of ``model`` that computes with the mistake. The parameters are the model's own, hooks stay behind.

    Attention always runs in steps, as the fused kernel knows of no mistake. Meant for whole texts: with a
    key-value cache some mistakes act on one token at a time, and "one-head" does not fit into it.
    Raises ``ValueError`` if a right line is not found exactly once.
    """
    classes = _rebuilt_classes(mistake)
    memo = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    memo |= {id(hooks): OrderedDict() for hooks in hooks_of(model)}
    copy = deepcopy(model, memo)
    for part in copy.modules():
        part.__class__ = classes.get(type(part), type(part))
    return copy


def right_source(mistake: Mistake) -> str:
    """The function as it is, without its indentation."""
    return _text(_function_lines(mistake, right=True))


def wrong_source(mistake: Mistake) -> str:
    """The function with the mistake, without its indentation."""
    return _text(_function_lines(mistake, right=False))


def right_lines(mistake: Mistake) -> list[tuple[int, str]]:
    """The lines that the mistake replaces: their numbers in ``right_source``, from 1, and texts."""
    return _edited_lines(_function_lines(mistake, right=True))


def wrong_lines(mistake: Mistake) -> list[tuple[int, str]]:
    """The lines that stand there instead: their numbers in ``wrong_source``, from 1, and texts."""
    return _edited_lines(_function_lines(mistake, right=False))


def measured() -> dict:
    """The losses of models trained with each mistake, as measure_mistakes.py wrote them."""
    return json.loads(MEASURED.read_text(encoding="utf-8"))


Lines = list[tuple[str, bool]]  # of source, each with its newline; True where it belongs to an edit


def _function_lines(mistake: Mistake, right: bool) -> Lines:
    """The mistaken function line by line, with the right or the wrong side of its edits."""
    lines = [(line, False) for line in inspect.getsourcelines(_function(mistake))[0]]
    for edit in mistake.edits:
        start, stop, margin = _find(edit[0], lines, mistake)
        new = indent(edit[0] if right else edit[1], margin)
        lines[start:stop] = [(f"{line}\n", True) for line in new.splitlines()]
    return lines


def _function(mistake: Mistake) -> Callable:
    return attrgetter(mistake.function)(MODULES[mistake.module])


def _find(right: str, lines: Lines, mistake: Mistake) -> tuple[int, int, str]:
    """Where the right lines start and stop, and their indentation."""
    size = right.count("\n") + 1
    texts = [line for line, _ in lines]
    starts = [i for i in range(len(texts)) if dedent("".join(texts[i : i + size])) == f"{right}\n"]
    if len(starts) != 1:
        place = f"{mistake.module}.{mistake.function}"
        raise ValueError(f"{mistake.name}: {right!r} must stand once in {place}, not {len(starts)} times")
    first = texts[starts[0]]
    return starts[0], starts[0] + size, first[: len(first) - len(first.lstrip())]


def _text(lines: Lines) -> str:
    return dedent("".join(line for line, _ in lines))


def _edited_lines(lines: Lines) -> list[tuple[int, str]]:
    texts = _text(lines).splitlines()
    return [(number, text) for number, (text, (_, edited)) in enumerate(zip(texts, lines), 1) if edited]


@cache
def _rebuilt_classes(mistake: Mistake) -> dict[type, type]:
    """Each class of MODULES, and what takes its place.

    That is a subclass of both the rebuilt class, where every method is found, and the original, so that whoever
    asks whether this is a Decoder hears yes.
    """
    rebuilt = _rebuilt_modules(mistake)
    rebuilt["attention"].MultiHeadAttention._needs_steps = lambda self: True
    return {
        original: type(original.__name__, (getattr(rebuilt[name], original.__name__), original), {})
        for name, module in MODULES.items()
        for original in vars(module).values()
        if inspect.isclass(original) and original.__module__ == module.__name__
    }


def _rebuilt_modules(mistake: Mistake) -> dict[str, ModuleType]:
    """MODULES compiled anew, one of them from the edited source; they know each other, and nobody knows them."""
    rebuilt: dict[str, ModuleType] = {}
    for name in MODULES:
        package = MODULES[name].__package__
        module = ModuleType(f"{package}.{name} with {mistake.name}")
        module.__package__ = package  # where "from .masks import" looks
        exec(_compiled(name, mistake), vars(module))
        for earlier in rebuilt.values():  # and what it found there is replaced
            shared = [key for key in vars(earlier) if key in vars(module) and not key.startswith("__")]
            vars(module).update({key: getattr(earlier, key) for key in shared})
        rebuilt[name] = module
    return rebuilt


def _compiled(name: str, mistake: Mistake) -> CodeType:
    """The code of a module, under a file name by which tracebacks and ``inspect`` find its source."""
    source, filename = _module_source(name, mistake), f"<{MODULES[name].__package__}/{name}.py with {mistake.name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    return compile(source, filename, "exec")


def _module_source(name: str, mistake: Mistake) -> str:
    source = inspect.getsource(MODULES[name])
    if name != mistake.module:
        return source
    lines, first = source.splitlines(keepends=True), inspect.getsourcelines(_function(mistake))[1] - 1
    right, wrong = (_function_lines(mistake, right=side) for side in (True, False))
    lines[first : first + len(right)] = [line for line, _ in wrong]
    return "".join(lines)
