"""A student's file as a module: with the course's package, on the CPU whatever it asks for, and what it left open."""

import ast
import importlib.util
import inspect
import linecache
import os
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .course import course


class OnTheCPU(TorchFunctionMode):
    """Every device that is named becomes the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if any(map(_is_device, (*args, *kwargs.values()))):
            args = tuple("cpu" if _is_device(x) else x for x in args)
            kwargs = {name: "cpu" if _is_device(x) else x for name, x in kwargs.items()}
        return function(*args, **kwargs)


def _is_device(x: object) -> bool:
    return isinstance(x, torch.device) or (isinstance(x, str) and x.split(":")[0] in ("cuda", "mps"))


@contextmanager
def on_the_cpu() -> Iterator[None]:
    """Within, code that chooses a GPU runs on the CPU, and defaults of torch that it sets are undone behind it."""
    nothing = {"set_default_device": lambda device: None, "set_default_tensor_type": lambda kind: None}
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    with ExitStack() as stack:
        for name, instead in nothing.items():
            stack.enter_context(patch.object(torch, name, instead))
        stack.enter_context(patch.object(torch.cuda, "is_available", lambda: False))
        stack.enter_context(patch.object(Tensor, "cuda", lambda self, *args, **kwargs: self))
        stack.enter_context(patch.object(nn.Module, "cuda", lambda self, *args, **kwargs: self))
        stack.enter_context(patch.dict(os.environ))
        stack.enter_context(OnTheCPU())
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)
            torch.set_grad_enabled(grad)


@on_the_cpu()
def load(path: str | Path) -> ModuleType:
    """The file's module. Raises whatever the file raises, ``SyntaxError`` and ``UnicodeDecodeError`` too."""
    course()
    file = str(Path(path).resolve())
    linecache.checkcache(file)
    spec = importlib.util.spec_from_loader("my_llm_implementation", loader=None, origin=file)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = file
    code = compile(Path(file).read_text(encoding="utf-8-sig"), file, "exec", dont_inherit=True)
    exec(code, vars(module))
    return module


def source_line(file: str | None, number: int | None) -> dict | None:
    """As a report carries it."""
    text = linecache.getline(file, number).strip() if file and number else ""
    return {"number": number, "text": text[:200]} if text else None


def is_written(part: object, method: str | None) -> bool:
    """Whether a class's method (or a function) computes anything: no blank, no ``pass``, no ``return None``."""
    if method is None:
        return callable(part) and _computes(part)
    if not inspect.isclass(part):
        return False
    own = [value for value in vars(part).values() if inspect.isfunction(value)]
    init = vars(part).get("__init__")
    written = getattr(part, method, None)
    return bool(own) and (init is None or _computes(init)) and inspect.isfunction(written) and _computes(written)


def _computes(function: Callable) -> bool:
    function = inspect.unwrap(function)
    with suppress(OSError, TypeError, SyntaxError):
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        raised = {id(part) for raised in ast.walk(tree) if isinstance(raised, ast.Raise) for part in ast.walk(raised)}
        definition: Any = tree.body[0]
        body = [part for statement in definition.body for part in ast.walk(statement)]
        return any(isinstance(part, (ast.Call, ast.BinOp, ast.Subscript)) and id(part) not in raised for part in body)
    return True
