"""What a check has found, as Python, and as the JSON file that a page can open.

A report comes from a process that ran a student's code, or from a file that anybody may have written. So reading one
trusts nothing: types, sizes and names are checked, and what is wrong is said in one sentence.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from .schema import list_of, number, one_of, optional, record, text, truth, whole

FORMAT, VERSION = "headscope-homework", 1
LONGEST = 2_000_000  # characters of a report file
SHOWN = 16  # rows and columns of two tensors beside each other
TOKENS = 32  # of a text whose attention is shown

BLOCKS = {  # name: (what it is called in a file, points)
    "embedding": ("Embedding.forward", 1),
    "attention": ("GenericSelfAttention.forward", 1),
    "block": ("TransformerBlock.forward", 1),
    "transformer": ("GenericTransformer.forward", 1),
    "encoder mask": ("Encoder.get_attention_mask", 1),
    "decoder mask": ("Decoder.get_attention_mask", 1),
    "generate": ("generate", 1),
    "encoder-decoder": ("EncoderDecoder.forward", 1),
    "prefix generate": ("prefix_generate", 1),
    "pipeline": ("The whole pipeline", 2),
}
POSSIBLE = sum(points for _, points in BLOCKS.values())  # 11
STATUSES = PASSED, FAILED, NOT_STARTED = "passed", "failed", "not started"


@dataclass(frozen=True, slots=True)
class LessonStep:
    lesson: str
    step: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """A known mistake that explains what a block does."""

    name: str
    title: str
    sentence: str
    effect: str
    idea: str
    lesson: LessonStep | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Of the student's file, counted from 1; of a notebook, in that cell."""

    number: int
    text: str
    cell: int | None = None

    @property
    def place(self) -> str:
        return f"cell {self.cell}, line {self.number}" if self.cell else f"line {self.number}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A cut of two tensors, at most 16 x 16; None in place of a number that is not finite."""

    tensor: str
    where: str
    shape: list[int]
    index: list[int]
    rows: list[str]
    columns: list[str]
    expected: list[list[float | None]]
    found: list[list[float | None]]
    differs: list[list[bool]]


@dataclass(frozen=True, slots=True)
class Patterns:
    """What each token looks at in a trained model, (T, T), with the reference's attention and with the student's."""

    tokens: list[str]
    layer: int
    head: int
    expected: list[list[float | None]]
    found: list[list[float | None]]


@dataclass(frozen=True, slots=True)
class BlockResult:
    name: str
    status: str
    points: int
    sentence: str
    faults: list[Found] = field(default_factory=list)
    line: Line | None = None
    difference: Difference | None = None
    patterns: Patterns | None = None

    @property
    def title(self) -> str:
        return BLOCKS[self.name][0]

    @property
    def possible(self) -> int:
        return BLOCKS[self.name][1]


@dataclass(frozen=True, slots=True)
class Report:
    """``problem`` says in one sentence why the file as a whole could not be run."""

    file: str
    blocks: list[BlockResult]
    seconds: float = 0.0
    problem: str | None = None

    @property
    def points(self) -> int:
        return sum(block.points for block in self.blocks)

    @property
    def is_complete(self) -> bool:
        return self.points == POSSIBLE


# --- JSON --------------------------------------------------------------------------------------------------------


def to_json(report: Report) -> str:
    """Standard JSON (no NaN), as ``from_json`` reads it."""
    blocks = [{"title": block.title, "possible": block.possible, **asdict(block)} for block in report.blocks]
    totals = {"points": report.points, "possible": POSSIBLE}
    told = {"file": report.file, **totals, "seconds": report.seconds, "problem": report.problem, "blocks": blocks}
    return json.dumps({"format": FORMAT, "version": VERSION, **told}, ensure_ascii=False, indent=1, allow_nan=False)


def from_json(source: str | bytes) -> Report:
    """The report in a file, whoever wrote it.

    Raises:
        ValueError: one sentence, if it is not a report, too large, or anything in it is not as it should be.
    """
    if len(source) > LONGEST:
        raise ValueError(f"a report has at most {LONGEST:,} characters, and this has {len(source):,}")
    try:
        told = json.loads(source)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise ValueError("this is not JSON: choose the file that the command wrote with --json") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise ValueError(f"this is JSON, but not a homework report (its “format” would be “{FORMAT}”)")
    if told.get("version") != VERSION:
        raise ValueError(f"this report is of another version; this Headscope reads version {VERSION}")
    report = _REPORT(told, "the report")
    names = [block.name for block in report.blocks]
    if names != list(BLOCKS):
        raise ValueError(f"the report's blocks should be {', '.join(BLOCKS)}, in this order")
    return report


def read_block(told: object) -> BlockResult:
    """One block as the process that checked it told it.

    Raises:
        ValueError: one sentence.
    """
    return _block(told, "the block")


def _table(entry, rows: int):
    return list_of(list_of(entry, rows), rows)


def _patterns(value: object, where: str) -> Patterns:
    patterns = _PATTERNS(value, where)
    _same_shape(where, len(patterns.tokens), len(patterns.tokens), patterns.expected, patterns.found)
    return patterns


def _difference(value: object, where: str) -> Difference:
    found = _DIFFERENCE(value, where)
    _same_shape(where, len(found.rows), len(found.columns), found.expected, found.found, found.differs)
    return found


def _same_shape(where: str, rows: int, columns: int, *tables: list[list]) -> None:
    if any(len(table) != rows or any(len(row) != columns for row in table) for table in tables):
        raise ValueError(f"{where}: every table should have {rows} rows and {columns} columns")


def _block(value: object, where: str) -> BlockResult:
    block = _BLOCK_ITSELF(value, where)
    if block.points > block.possible or (block.status == PASSED) != (block.points == block.possible):
        raise ValueError(f"{where}: {block.points} of {block.possible} points do not match “{block.status}”")
    return block


_NUMBERS = _table(optional(number()), SHOWN)
_DIFFERENCE = record(
    Difference,
    tensor=text(200),
    where=text(400),
    shape=list_of(whole(0, 10**9), 8),
    index=list_of(whole(0, 10**9), 8),
    rows=list_of(text(40), SHOWN),
    columns=list_of(text(40), SHOWN),
    expected=_NUMBERS,
    found=_NUMBERS,
    differs=_table(truth(), SHOWN),
)
_PATTERNS = record(
    Patterns,
    tokens=list_of(text(60), TOKENS),
    layer=whole(0, 1000),
    head=whole(0, 1000),
    expected=_table(optional(number()), TOKENS),
    found=_table(optional(number()), TOKENS),
)
_FOUND = record(
    Found,
    name=text(100),
    title=text(200),
    sentence=text(2000),
    effect=text(2000),
    idea=text(2000),
    lesson=optional(record(LessonStep, lesson=text(40), step=optional(whole(1, 100)))),
)
_BLOCK_ITSELF = record(
    BlockResult,
    name=one_of(BLOCKS),
    status=one_of(STATUSES),
    points=whole(0, 2),
    sentence=text(2000),
    faults=list_of(_FOUND, 4),
    line=optional(record(Line, number=whole(1, 10**6), text=text(500), cell=optional(whole(1, 10**6)))),
    difference=optional(_difference),
    patterns=optional(_patterns),
)
_REPORT = record(
    Report,
    file=text(300),
    blocks=list_of(_block, len(BLOCKS)),
    seconds=number(),
    problem=optional(text(2000)),
)


def in_order(results: Iterable[BlockResult]) -> list[BlockResult]:
    """As they stand in the homework."""
    by_name = {result.name: result for result in results}
    return [by_name[name] for name in BLOCKS if name in by_name]
