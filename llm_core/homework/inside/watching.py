"""Watch code that we did not write while it runs: every operation with its line, and how many matrix products."""

import math
import sys
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "mv", "dot", "linear", "matmul", "__matmul__", "einsum"}
DROPOUTS = {F.dropout, torch.dropout}
FUSED = F.scaled_dot_product_attention
MOST, LARGEST = 4000, 200_000  # steps, and numbers in one


@dataclass(frozen=True, slots=True)
class Step:
    """One operation: what came out, and the line of the watched file that asked for it (None: not of that file)."""

    operation: str
    tensor: Tensor
    line: int | None
    given: Tensor | None = None  # the first tensor that went in


class Steps(TorchFunctionMode):
    """Every operation in order. Dropout is made visible: instead of chance, a factor of 1 + p.

    The fused attention kernel hides its scores and its pattern; they are computed beside it, as steps of their own.
    ``instead`` puts a tensor in the place of a step's result, by the step's number.
    """

    def __init__(self, file: str | None = None, instead: dict[int, Tensor] | None = None):
        super().__init__()
        self.file, self.instead = file, instead or {}
        self.steps: list[Step] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in DROPOUTS:
            result = _marked(*args, **kwargs)
        elif function is FUSED:
            result = self._fused(*args, **kwargs)
        else:
            result = function(*args, **kwargs)
        if function is Tensor.__setitem__:
            self._note("__setitem__", args[0], args)
        if type(result) in (tuple, list):
            return type(result)(self._noted(function.__name__, part, args) for part in result)
        for part in result if isinstance(result, tuple) else [result]:  # named tuples are left as they are
            noted = self._noted(function.__name__, part, args)
        return result if isinstance(result, tuple) else noted

    def _noted(self, operation: str, result: object, args: tuple) -> object:
        """The result, or what is put in its place."""
        if not isinstance(result, Tensor):
            return result
        new = self.instead.get(len(self.steps))
        if new is not None and new.shape == result.shape:
            result = new.to(result.dtype)
        self._note(operation, result, args)
        return result

    def _note(self, operation: str, result: Tensor, args=()) -> None:
        if result.numel() > LARGEST or len(self.steps) >= MOST:
            return
        given = args[0].detach().clone() if args and isinstance(args[0], Tensor) else None
        self.steps.append(Step(operation, result.detach().clone(), self._line(), given))

    def _line(self) -> int | None:
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != self.file:
            frame = frame.f_back
        return None if frame is None else frame.f_lineno

    def _fused(self, q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, **others):
        scores = q @ k.transpose(-2, -1) * (scale or 1 / math.sqrt(q.shape[-1]))
        if is_causal:
            scores = scores.masked_fill(~torch.ones(scores.shape[-2:]).tril().bool(), -math.inf)
        if attn_mask is not None:
            added = attn_mask if attn_mask.dtype != torch.bool else torch.zeros(1).masked_fill(~attn_mask, -math.inf)
            scores = scores + added
        pattern = scores.softmax(-1)
        self._note("scores", scores)
        self._note("softmax", pattern, [scores])
        self._note("dropout", pattern * (1 + dropout_p))
        return (1 + dropout_p) * FUSED(q, k, v, attn_mask, 0.0, is_causal, scale=scale, **others)

    def looped(self, times: int) -> int | None:
        """The line that asked for at least so many matrix products."""
        counts = Counter(step.line for step in self.steps if is_product(step.operation))
        return next((line for line, count in counts.items() if line and count >= times), None)


def _marked(input, p=0.5, training=True, train=None, inplace=False):
    """``F.dropout`` and ``torch.dropout(input, p, train)``."""
    return input * (1 + p) if (training if train is None else train) else input * 1


def is_product(operation: str) -> bool:
    """The fused attention kernel is one."""
    return operation in PRODUCTS or "scaled_dot_product" in operation


class Products(TorchDispatchMode):
    """Counts matrix products as they reach the kernels, whatever they were called."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += is_product(function.overloadpacket.__name__)
        return function(*args, **(kwargs or {}))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # wrapping this in the compiler's guard would import the compiler: seconds
