"""Questions about a student's module, and their answers as plain data and tensors: all that leaves its process."""

import functools
from dataclasses import asdict
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .loading import on_the_cpu
from .observations import Observations, Stopped
from .probes import PROBES, among_stand_ins, config, observe, stopped
from .runs import Run, run
from .training import train
from .watching import Step, Steps


class Answers:
    """Answers in this very process. ``Apart`` in ``apart.py`` has the same methods, and asks another one: what is to be
    computed ``meanwhile`` is for that."""

    def __init__(self, module: ModuleType):
        self._module, self._file = module, getattr(module, "__file__", None)

    def names(self) -> list[str]:
        """What the file defines, however it does."""
        return [name for name, value in vars(self._module).items() if callable(value)]

    @on_the_cpu()
    def probe(self, block: str, number: int, masks: dict[str, Tensor] | None = None, meanwhile=None) -> Observations:
        with among_stand_ins(self._module, block, masks):
            return observe(PROBES[block][number], self._module, self._file)

    @on_the_cpu()
    def run(self, block, training=True, instead: dict[int, Tensor] | None = None, masks=None) -> Run:
        self._forget()
        with among_stand_ins(self._module, block, masks):
            return run(block, self._module, self._file, training, instead)

    def _forget(self) -> None:
        """What ``lru_cache`` keeps of earlier calls: a run shows all lines."""
        for value in vars(self._module).values():
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()

    @on_the_cpu()
    def outcomes(self, block: str, tries: list[list], masks=None) -> list[Tensor | None]:
        """What comes out in the end if a tensor is put in the place of a step's result, for each (step, tensor)."""
        with among_stand_ins(self._module, block, masks):
            return [_outcome(run(block, self._module, self._file, True, {step: x})) for step, x in tries]

    @on_the_cpu()
    def looped(self, times: int) -> int | None:
        """The line of attention that asks for so many matrix products."""
        from .probes import C, T, mask, numbers

        with among_stand_ins(self._module, "attention"), Steps(self._file) as steps:
            self._module.GenericSelfAttention(config(n_head=times)).eval()(numbers(4, T, C), mask())
        return steps.looped(times)

    @on_the_cpu()
    def patterns(self, n_head: int, layers: list[dict[str, Tensor]], inputs: list[Tensor]) -> list[Tensor | None]:
        """(1, H, T, T) of each layer with these weights: the last tensor of that kind that the attention makes."""
        with among_stand_ins(self._module, "attention"):
            return [_pattern(self._module, n_head, weights, x) for weights, x in zip(layers, inputs)]

    @on_the_cpu()
    def train(self, meanwhile=None, **what) -> dict:
        """See ``training.py``; with "stopped" if an error ended it."""
        try:
            return train(self._module, **what)
        except MemoryError:
            raise
        except Exception as error:
            return {"stopped": stopped(error, self._file)}


def _outcome(found: Run) -> Tensor | None:
    return list(found.landmarks.values())[-1] if found.landmarks else None


def _pattern(student: ModuleType, H: int, weights: dict[str, Tensor], x: Tensor) -> Tensor | None:
    T, C = x.shape[1:]
    attention = student.GenericSelfAttention(
        config(n_embd=C, n_head=H, attn_pdrop=0.0, resid_pdrop=0.0, block_size=T)
    ).eval()
    attention.load_state_dict({**attention.state_dict(), **weights})
    with torch.no_grad(), Steps() as steps:
        attention(x.clone(), torch.ones(T, T).tril()[None, None])
    square = [step.tensor for step in steps.steps if step.tensor.is_floating_point() and step.tensor.dim() == 4]
    return next((x for x in reversed(square) if x.shape[0] == 1 and x.shape[2:] == (T, T)), None)


# --- as data -----------------------------------------------------------------------------------------------------


def told(answer: object) -> object:
    """An answer as what ``wire`` can send."""
    if isinstance(answer, Observations):
        told = {"tensors": answer.tensors, "only": answer.only}
        return {**told, "error": answer.error and asdict(answer.error)}
    if isinstance(answer, Run):
        steps = [[step.operation, step.tensor, step.line, step.given] for step in answer.steps]
        return {"steps": steps, "landmarks": answer.landmarks}
    if isinstance(answer, dict):
        return {key: asdict(part) if isinstance(part, Stopped) else part for key, part in answer.items()}
    return answer


def read_stopped(value: Any) -> Stopped | None:
    if value is None:
        return None
    line = value["line"]
    return Stopped(str(value["kind"])[:100], str(value["message"])[:300], line if isinstance(line, int) else None)


def read_observations(value: dict) -> Observations:
    """Raises ``ValueError``, ``TypeError`` or ``KeyError`` if it is none."""
    tensors = {str(name)[:200]: x.double() for name, x in value["tensors"].items()}
    return Observations(tensors, {}, read_stopped(value["error"]), value["only"] is True)


def read_run(value: dict) -> Run:
    steps = [
        Step(str(name)[:100], x, line if isinstance(line, int) else None, given)
        for name, x, line, given in value["steps"]
    ]
    if not all(isinstance(step.tensor, Tensor) for step in steps):
        raise TypeError("a step without a tensor")
    return Run(steps, {str(name)[:200]: x + 0 for name, x in value["landmarks"].items()})
