"""Check a student's file: nine blocks of one point, the pipeline for two, and what is wrong in words.

    check("my_llm_implementation.py")    a report as a dict, ready for JSON

A block that is not written yet is "not started" and takes nothing from the others: each is tested among our blocks.
This runs the file's code in this very process; ``sandbox`` is for files of others.
"""

import time
from collections.abc import Collection
from pathlib import Path
from types import ModuleType

from . import pipeline
from .diagnosis.diagnose import Diagnosis, diagnose, error_line, locate
from .diagnosis.faults import NAMED, Fault
from .diagnosis.patterns import patterns
from .diagnosis.probes import PROBES, TESTED, NoTensor, with_our_other_blocks
from .diagnosis.shown import difference
from .loading import is_written, load, on_the_cpu, source_line

TITLES = {
    "embedding": "Embedding.forward",
    "attention": "GenericSelfAttention.forward",
    "block": "TransformerBlock.forward",
    "transformer": "GenericTransformer.forward",
    "encoder mask": "Encoder.get_attention_mask",
    "decoder mask": "Decoder.get_attention_mask",
    "generate": "generate",
    "encoder-decoder": "EncoderDecoder.forward",
    "prefix generate": "prefix_generate",
    "pipeline": "The whole pipeline",
}
POINTS = {name: 2 if name == "pipeline" else 1 for name in TITLES}
NOT_STARTED = "Not written yet."
OWN_METHOD = {
    "embedding": "forward",
    "attention": "forward",
    "transformer": "forward",
    "encoder mask": "get_attention_mask",
    "decoder mask": "get_attention_mask",
    "encoder-decoder": "forward",
}


def check(student: ModuleType | str | Path, only: Collection[str] = tuple(TITLES)) -> dict:
    """The report of a file or module, as the JSON has it; ``only`` names blocks, for a part of it."""
    start, problem = time.perf_counter(), None
    file = student.__file__ if isinstance(student, ModuleType) else str(student)
    try:
        module = student if isinstance(student, ModuleType) else load(student)
    except Exception as error:
        module, problem = None, _problem(error, str(Path(file).resolve()))
    blocks = [check_block(name, module) if module else _result(name, "not started") for name in TITLES if name in only]
    return {
        "format": "headscope-homework",
        "version": 1,
        "file": Path(file or "module").name,
        "points": sum(block["points"] for block in blocks),
        "possible": sum(block["possible"] for block in blocks),
        "seconds": round(time.perf_counter() - start, 1),
        "problem": problem,
        "blocks": blocks,
    }


@on_the_cpu()
def check_block(name: str, module: ModuleType) -> dict:
    """One block's part of the report. ``module`` is whole again afterwards."""
    if name == "pipeline":
        return _pipeline(module)
    if not _started(name, module):
        return _result(name, "not started", NOT_STARTED)
    file = module.__file__
    with with_our_other_blocks(module, name):
        found = diagnose(name, module)
        if found.passed:
            return _result(name, "passed")
        if isinstance(found.error, NotImplementedError):
            return _result(name, "not started", NOT_STARTED)
        place, line = locate(name, module, found, file)
        seen = patterns(module) if name == "attention" and not found.error else None
    faults = [NAMED[fault] for fault in found.faults]
    return _result(
        name,
        "failed",
        " ".join(fault.sentence for fault in faults) or _unnamed(found),
        faults=[_told(fault) for fault in faults],
        line=source_line(file, line),
        difference=difference(place) if place else None,
        patterns=seen,
    )


def _started(name: str, module: ModuleType) -> bool:
    part = getattr(module, TESTED[name], None)
    if name == "block":  # its forward is given: a class that is built right is enough
        return part is not None and is_written(part, "__init__")
    return part is not None and is_written(part, OWN_METHOD.get(name))


def _pipeline(module: ModuleType) -> dict:
    if not all(_started(name, module) for name in PROBES if name != "generate"):
        return _result("pipeline", "not started", "It needs every block but generate to be written.")
    try:
        wrong, line = pipeline.verdict(module), None
    except NotImplementedError:
        return _result("pipeline", "not started", "It needs every block but generate to be written.")
    except Exception as error:
        wrong, line = f"It stops with {_spoken(error)}.", error_line(error, module.__file__)
    return _result("pipeline", "failed" if wrong else "passed", wrong or "", line=source_line(module.__file__, line))


def _unnamed(found: Diagnosis) -> str:
    """No known mistake fits: what can be said all the same."""
    if isinstance(found.error, NoTensor):
        return f"{found.error}."
    if found.error:
        return f"It stops with {_spoken(found.error)}."
    name = found.tensor
    mine, right = found.found.tensors.get(name), found.expected.tensors.get(name)
    if mine is not None and right is not None and mine.shape != right.shape:
        return f"No known mistake fits. {name}: the shape is {tuple(mine.shape)} instead of {tuple(right.shape)}."
    if mine is not None and mine.isnan().any() and not (right is not None and right.isnan().any()):
        return f"No known mistake fits. First difference: {name} has NaN in it."
    if name.endswith("in train mode"):
        places = " and ".join(f"on {tuple(shape)} in line {line}" for line, shape in found.dropouts)
        return f"No known mistake fits. In training, dropout runs {places or 'nowhere'}. {NAMED['third-dropout'].idea}"
    return f"No known mistake fits. First difference: {name}."


def _spoken(error: BaseException) -> str:
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _problem(error: Exception, file: str) -> str:
    if isinstance(error, SyntaxError):
        return f"This is not valid Python: {error.msg}, line {error.lineno}."
    if isinstance(error, UnicodeDecodeError) or "null bytes" in str(error):
        return "This is not a text file in UTF-8, so it cannot be Python."
    if isinstance(error, OSError) and error_line(error, file) is None:
        return f"The file cannot be read: {error.strerror or error}."
    line = error_line(error, file)
    return f"The file cannot be imported: {_spoken(error)}" + (f" (line {line})." if line else ".")


def _told(fault: Fault) -> dict:
    lesson = fault.lesson and {"lesson": fault.lesson[0], "step": fault.lesson[1]}
    texts = {key: getattr(fault, key) for key in ("name", "title", "sentence", "effect", "idea")}
    return {**texts, "lesson": lesson}


def _result(name: str, status: str, sentence: str = "", **more) -> dict:
    result = {"name": name, "title": TITLES[name], "possible": POINTS[name]}
    result |= {"points": POINTS[name] if status == "passed" else 0, "status": status, "sentence": sentence}
    return {**result, "faults": [], "line": None, "difference": None, "patterns": None, **more}
