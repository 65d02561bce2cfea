"""A student's file as a module: with the course's package, on the CPU whatever it asks for, and what it left open."""

import ast
import importlib.util
import linecache
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .colab import get_ipython, pretend
from .course import course

NAME = "my_llm_implementation"


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


def _as_it_is(model: Callable | None = None, **_) -> Callable:
    """In place of ``torch.compile``, which decorates with arguments and without."""
    return _as_it_is if model is None else model


@contextmanager
def on_the_cpu() -> Iterator[None]:
    """Within, code that chooses a GPU runs on the CPU, nothing is compiled (it takes minutes, and starts programs), and
    defaults of torch that it sets are undone behind it."""
    nothing = {
        "set_default_device": lambda device: None,
        "set_default_tensor_type": lambda kind: None,
        "compile": _as_it_is,
    }
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
def load(path: str | Path, is_notebook: bool = False) -> ModuleType:
    """The file's module. Raises whatever the file raises, ``SyntaxError`` too.

    Of a notebook imports, definitions and plain assignments run; what only tests, trains or draws does not.
    """
    course()
    file = str(Path(path).resolve())
    linecache.checkcache(file)
    spec = importlib.util.spec_from_loader(NAME, loader=None, origin=file)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = file
    sys.modules[NAME] = module  # dataclasses and helpers look for it there
    if str(Path(file).parent) not in sys.path:
        sys.path.append(str(Path(file).parent))  # helpers beside it
    source = Path(file).read_bytes()  # bytes: in whatever encoding it declares
    if is_notebook:
        _run_definitions(ast.parse(source, file), file, module)
    else:
        exec(compile(source, file, "exec", dont_inherit=True), vars(module))
    return module


def _run_definitions(tree: ast.Module, file: str, module: ModuleType) -> None:
    """One statement after the other; a definition that fails ends it, anything else does not."""
    pretend()
    vars(module)["get_ipython"] = get_ipython
    own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in tree.body:
        if not _defines(node, own):
            continue
        try:
            exec(compile(ast.Module([node], []), file, "exec", dont_inherit=True), vars(module))
        except Exception:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                raise


def _is_method(node: ast.stmt, own: set[str]) -> bool:
    """``Decoder.forward = forward`` or ``setattr(Decoder, "forward", forward)``: a class is given its method later."""
    match node:
        case ast.Assign(targets=targets, value=ast.Name() | ast.Lambda()):
            owners = [x.value for x in targets if isinstance(x, ast.Attribute)]
            return len(owners) == len(targets) and all(isinstance(x, ast.Name) and x.id in own for x in owners)
        case ast.Expr(ast.Call(ast.Name("setattr"), [ast.Name(owner), ast.Constant(), ast.Name() | ast.Lambda()])):
            return owner in own
    return False


def _defines(node: ast.stmt, own: set[str]) -> bool:
    if _is_method(node, own):
        return True
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return not any(isinstance(x, ast.Name) and x.id in own for x in ast.walk(node))
    if isinstance(node, ast.If) and all(_defines(part, own) for part in [*node.body, *node.orelse]):
        return True
    if isinstance(node, ast.If | ast.Try):
        return any(isinstance(part, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef) for part in node.body)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
