"""Which steps of the lessons have given words, as they were computed ahead: by another name of what they teach, in
their title, text or question, or in their code."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ..engine.payload import unpack
from . import LESSONS
from .ahead import lesson_file
from .names import OTHER_NAMES

MOST = 12
SHORTEST_BEGINNING = 3  # letters that begin another name
SIGNS = str.maketrans({"√": "sqrt ", "−": "-", "–": "-", "∞": "inf", "`": "", "(": " ", ")": " "})


@dataclass(frozen=True, slots=True)
class Step:
    where: dict  # lesson, step and title
    said: str  # in its title, text and question, plain; the first of a lesson also has the lesson's own title
    code: str


def steps_with(words: str) -> list[dict]:
    """The first steps that have all of ``words``: lesson, step and title. None for no words.

    Those that teach it under another name come first, then those that say it; where there are neither, those whose
    other name begins so, then those with it in their code, and last those that have it inside of words.
    """
    wanted = plain(words).split()
    if not wanted:
        return []
    asked, steps = " ".join(wanted), _steps()
    named = _teaching((name for name in OTHER_NAMES if f" {name} " in f" {asked} "), steps)
    saying = [step for step in steps if step not in named and _begin_words(wanted, step.said)]
    begun = (name for name in OTHER_NAMES if len(asked) >= SHORTEST_BEGINNING and name.startswith(asked))
    coded = (step for step in steps if _begin_words(wanted, step.code))
    within = (step for step in steps if all(word in step.said for word in wanted))
    found = named + saying or _teaching(begun, steps) or list(coded) or list(within)
    return [step.where for step in found[:MOST]]


def plain(text: str) -> str:
    """Lower case, signs as they are typed, and no hyphen between letters: "Top-K, √D, −∞" -> "top k, sqrt d, -inf"."""
    return " ".join(re.sub(r"(?<=\w)-(?=\w)", " ", text.translate(SIGNS).lower()).split())


def _teaching(names: Iterable[str], steps: Iterable[Step]) -> list[Step]:
    """The steps that say what the lessons say for these other names."""
    ours = {plain(OTHER_NAMES[name]) for name in names}
    return [step for step in steps if any(words in step.said for words in ours)]


def _begin_words(wanted: list[str], text: str) -> bool:
    return all(re.search(rf"(?<!\w){re.escape(word)}", text) for word in wanted)


@cache
def _steps() -> tuple[Step, ...]:
    steps = []
    for lesson in LESSONS.values():
        header, _ = unpack(lesson_file(lesson.id).read_bytes())
        codes = [_code(code["lines"]) for code in header["codes"]]
        for i, step in enumerate(header["steps"]):
            own = [] if i else [lesson.title, lesson.summary]
            said = " ".join([*own, step["title"], step["text"], (step["question"] or {}).get("prompt", "")])
            where = {"lesson": lesson.id, "step": i, "title": step["title"]}
            steps.append(Step(where, plain(said), plain("\n".join(codes[n] for n in step["code"]))))
    return tuple(steps)


def _code(lines: list[list[list[str]]]) -> str:
    """Words and their kinds -> the text."""
    return "\n".join("".join(text for _, text in line) for line in lines)
