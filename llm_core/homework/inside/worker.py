"""The process in which a student's file runs: started for ``apart.py``, ended by it or by what the file does.

It reads questions on what was its input, and answers with tensors on what was its output (see ``wire.py``). What the
file prints goes to the error output instead. Every answer carries a token, so that a file that writes to everything
that is open gives none.
"""

import faulthandler
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from . import wire
from .answers import Answers, told
from .course import course
from .guard import watch
from .kernel import confine, installation
from .limits import Limits, TimeIsUp, at_most, hold_to, out_of_memory, too_slow
from .loading import load
from .observations import spoken_error
from .syntax import syntax_sentence

HERE = os.path.dirname(os.path.realpath(__file__))
BY_ITSELF = "put code that should run only by itself under if __name__ == “__main__”"


def main() -> None:
    ask, tell = _channel()
    job = ask()
    limits, file = Limits(**job["limits"]), str(Path(job["file"]).resolve())
    _get_ready(os.path.dirname(file), limits, job["hidden"])
    tell(token=job["token"], kind="ready")
    try:
        with at_most(limits.block_seconds):
            answers = Answers(load(file, job["is_notebook"]))
    except BaseException as error:
        told_of = {"sentence": import_sentence(error, file), "line": _line(error, file)}
        tell(token=job["token"], kind="problem", **told_of)
        os._exit(0)
    tell(token=job["token"], kind="loaded")
    while question := ask():
        answer, goes_on = _answer(answers, question, limits, file)
        tell(token=job["token"], **answer)
        if not goes_on:
            break  # other questions go to a fresh process
    os._exit(0)  # nothing that the file has left for the end runs


def _channel() -> tuple[Callable, Callable]:
    """Functions that read and write one message; from here on prints are errors, and nothing can be read."""
    into, out = os.dup(0), os.dup(1)  # not inherited
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def tell(**message: object) -> None:
        wire.send(lambda part: os.write(out, part), message)

    return lambda: wire.receive(lambda count: os.read(into, count)), tell


def _get_ready(folder: str, limits: Limits, hidden: list[str]) -> None:
    """Behind this the process is at home in ``folder`` and confined. Sizes are limited behind torch, which is large."""
    os.chdir(folder)
    os.environ.update(dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP"), folder))
    tempfile.tempdir = folder  # importing torch has found another one already
    torch.set_num_threads(1)
    sys.dont_write_bytecode = True
    faulthandler.enable()
    course()
    hold_to(limits)
    readable = [*installation(hidden), HERE]
    confine(folder, readable)
    watch(folder, hidden, readable)


def _answer(answers: Answers, question: dict, limits: Limits, file: str) -> tuple[dict, bool]:
    """A message, and whether this process is fit for another question."""
    try:
        with at_most(limits.block_seconds):
            answer = getattr(answers, question["ask"])(**_read(question["with"]))
        return {"kind": "answer", "answer": told(answer)}, True
    except TimeIsUp as error:
        sentence, goes_on = too_slow(limits.block_seconds), False
        line = _line(error, file)
    except SystemExit as error:
        sentence, line, goes_on = "Your code ends Python (exit) instead of returning.", _line(error, file), False
    except MemoryError as error:
        sentence, line, goes_on = out_of_memory(limits.memory), _line(error, file), False
    except BaseException as error:
        sentence, line = f"This block could not be checked: {spoken_error(error)}.", _line(error, file)
        goes_on = isinstance(error, Exception)
    return {"kind": "ended", "sentence": sentence[:2000], "line": line, "goes_on": goes_on}, goes_on


def _read(given: dict) -> dict:
    """JSON's keys are texts."""
    if isinstance(given.get("instead"), dict):
        given["instead"] = {int(step): tensor for step, tensor in given["instead"].items()}
    return given


def _line(error: BaseException, file: str) -> int | None:
    """The innermost line of the student's file that the error has passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return frames[-1].lineno if frames else None


def import_sentence(error: BaseException, file: str) -> str:
    """Why a file could not be imported, for who wrote it."""
    line = _line(error, file)
    where = f" in line {line}" if line else ""
    if isinstance(error, SyntaxError):
        return syntax_sentence(error, error.lineno)
    if isinstance(error, ModuleNotFoundError):
        return f"Your file imports “{error.name}”{where}, which is not installed here."
    if isinstance(error, ImportError):
        return f"Your file imports something that is not there{where}: {error}."
    if isinstance(error, SystemExit):
        return f"Your file ends Python (exit){where} while it is imported: {BY_ITSELF}."
    if isinstance(error, TimeIsUp):
        return f"Your file is still running{where} when it should only be imported: {BY_ITSELF}."
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in spoken_error(error):
        return f"Your file asks for more memory than it may use{where} while it is imported."
    return f"Your file stops{where} while it is imported: {spoken_error(error)}."
