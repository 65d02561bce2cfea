"""The process in which a student's file runs: started by ``sandbox.py``, ended by it or by what the file does.

It reads one line of JSON on its input (what to check, and a token) and tells what it finds, a line at a time, on what
was its output. What the file prints goes to the error output instead. Every line carries the token, so that a file
that writes to everything that is open writes no report.
"""

import faulthandler
import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from .limits import Limits, TimeIsUp, at_most, hold_to

BY_ITSELF = "put what should run only by itself under if __name__ == “__main__”"


def main() -> None:
    job = json.loads(sys.stdin.readline())
    tell, limits, path = _channel(job["token"]), Limits(**job["limits"]), Path(job["file"]).resolve()
    checks, changed = _get_ready(job["checks"], limits)
    tell(kind="ready")
    try:
        with at_most(limits.block_seconds):
            student = checks.load(path)
    except BaseException as error:
        tell(kind="problem", sentence=import_sentence(error, str(path)))
        os._exit(0)
    if name := changed():
        tell(kind="problem", sentence=f"Your file replaces {name}, which the checks need as it was.")
        os._exit(0)
    for block in job["blocks"]:
        tell(kind="start", name=block)
        told, goes_on = _checked(checks, block, student, limits, str(path))
        if name := changed():
            told = _failed(block, f"While it runs, your file replaces {name}, which the checks need as it was.")
            goes_on = False
        tell(kind="result", block=told)
        if not goes_on:
            os._exit(0)  # the other blocks get a fresh process
    tell(kind="done")
    os._exit(0)  # nothing that the file has left for the end runs


def _channel(token: str) -> Callable[..., None]:
    """A function that writes one message; from here on prints are errors, and nothing can be read."""
    out = os.dup(1)  # not inherited
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)

    def tell(**message: object) -> None:
        line = "\n" + json.dumps({"token": token, **message}) + "\n"
        left = line.encode()
        while left:
            left = left[os.write(out, left) :]

    return tell


def _get_ready(checks: str, limits: Limits) -> tuple:
    """The checks, and a function that names what has been replaced. Sizes are limited behind torch, which is large."""
    from .guard import watch
    from .kernel import confine

    folder = os.getcwd()
    confine(folder)
    sys.dont_write_bytecode = True
    faulthandler.enable()
    module = importlib.import_module(checks)

    import torch

    from .course import course
    from .intact import Snapshot

    torch.set_num_threads(1)
    course()
    watch(folder)
    hold_to(limits)
    return module, Snapshot().changed


def _checked(checks, block: str, student, limits: Limits, path: str) -> tuple[dict, bool]:
    """The block's result, and whether this process is fit for another one."""
    try:
        with at_most(limits.block_seconds):
            return checks.check_block(block, student), True
    except TimeIsUp as error:
        return _failed(block, too_slow(limits.block_seconds), error, path), False
    except SystemExit as error:
        return _failed(block, "Your code ends Python (exit) instead of returning.", error, path), False
    except MemoryError as error:
        return _failed(block, out_of_memory(limits.memory), error, path), False
    except BaseException as error:
        told = f"This block could not be checked: {_told(error)}."
        return _failed(block, told, error, path), isinstance(error, Exception)


def _failed(block: str, sentence: str, error: BaseException | None = None, path: str = "") -> dict:
    line = error and _line(error, path)
    return {"name": block, "status": "failed", "points": 0, "sentence": sentence[:2000], "faults": [], "line": line}


def _line(error: BaseException, path: str) -> dict | None:
    """The innermost line of the student's file that the error has passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return {"number": frames[-1].lineno, "text": (frames[-1].line or "")[:500]} if frames else None


def _told(error: BaseException) -> str:
    """Its type and message; the message of a stranger's exception may fail."""
    try:
        message = str(error).strip().split("\n")[0][:300]
    except BaseException:
        message = ""
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def too_slow(seconds: float) -> str:
    return f"This is still running after {seconds:g} seconds: look for a loop that never ends."


def out_of_memory(most: int) -> str:
    return f"Your code asks for more than the {most / 2**30:.2g} GB of memory that it may use."


def import_sentence(error: BaseException, path: str) -> str:
    """Why a file could not be imported, for who wrote it."""
    line = _line(error, path)
    where = f" in line {line['number']}" if line else ""
    if isinstance(error, SyntaxError):
        place = f"line {error.lineno}" if error.lineno else "your file"
        return f"There is a Python syntax error in {place}: {error.msg}."
    if isinstance(error, ModuleNotFoundError):
        return f"Your file imports “{error.name}”{where}, which is not installed here."
    if isinstance(error, ImportError):
        return f"Your file imports something that is not there{where}: {error}."
    if isinstance(error, SystemExit):
        return f"Your file ends Python (exit){where} while it is imported: {BY_ITSELF}."
    if isinstance(error, TimeIsUp):
        return f"Your file is still running{where} when it should only be imported: {BY_ITSELF}."
    if isinstance(error, MemoryError) or "DefaultCPUAllocator" in _told(error):
        return f"Your file asks for more memory than it may use{where} while it is imported."
    return f"Your file stops{where} while it is imported: {_told(error)}."
