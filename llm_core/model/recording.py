"""Look into a model, or reach into it, without rewriting it.

Every intermediate result passes through a module with a name: a ``HookPoint`` (which does nothing) or a
norm. ``record`` listens there with PyTorch forward hooks, ``intervene`` replaces what passes.
Both remove their hooks when their ``with`` block ends, however it ends.

    with record(model) as trace:
        model(ids)
    trace["blocks.2.attn.pattern"]   # (B, H, T, T)

    with record(model, gradients=True) as trace:
        loss_of(model(ids)).backward()
    trace.gradients["blocks.2.attn.pattern"]   # (B, H, T, T), of the loss
"""

import difflib
import fnmatch
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn


class HookPoint(nn.Module):
    """The identity, with a name. What passes here can be recorded and replaced."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    @property
    def is_watched(self) -> bool:
        return bool(self._forward_hooks)


POINTS = (HookPoint, nn.LayerNorm, nn.RMSNorm)


def hook_points(model: nn.Module) -> dict[str, nn.Module]:
    """Every place of ``model`` that can be recorded, by name, in the order of construction."""
    return {name: module for name, module in model.named_modules() if isinstance(module, POINTS)}


class Trace(Mapping):
    """The tensors of one forward pass by hook-point name, detached from the graph unless gradients are wanted.

    A second forward inside the same ``record`` replaces what the first left.
    """

    def __init__(self, tensors: dict[str, Tensor] | None = None, metadata: dict[str, str] | None = None):
        self._tensors = dict(tensors or {})
        self.metadata = dict(metadata or {})

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise KeyError(_unknown(name, self._tensors, "was not recorded"))
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def names(self) -> list[str]:
        """What was recorded, in the order of the forward."""
        return list(self._tensors)

    @property
    def gradients(self) -> "Trace":
        """By the same names, the gradients of what was run backward, in the shapes of the tensors.

        Raises ``ValueError`` if nothing recorded has one: record with ``gradients=True``, and call ``backward``.
        """
        kept = {name: tensor for name, tensor in self._tensors.items() if tensor.requires_grad}
        found = {name: tensor.grad for name, tensor in kept.items() if tensor.grad is not None}
        if not found:
            raise ValueError(
                "this trace has no gradients: record(model, gradients=True), then call backward() on a loss"
            )
        return Trace(found, self.metadata)

    def attention(self, layer: int, stack: str = "", cross: bool = False) -> Tensor:
        """The attention pattern of one layer, (B, H, T, S); ``stack`` is "encoder" or "decoder" if there are two."""
        prefix = f"{stack}." if stack else ""
        return self[f"{prefix}blocks.{layer}.{'cross_attn' if cross else 'attn'}.pattern"]

    def on_cpu(self) -> "Trace":
        """The same on the CPU, fractions in float32: what is drawn, whatever the model computed on and in."""
        plain = {name: tensor.detach() for name, tensor in self._tensors.items()}
        tensors = {name: t.float().cpu() if t.is_floating_point() else t.cpu() for name, t in plain.items()}
        return Trace(tensors, self.metadata)

    def save(self, path: str | Path) -> None:
        """Write everything into one safetensors file."""
        tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in self._tensors.items()}
        save_file(tensors, path, metadata={"format": "headscope-trace", **self.metadata})

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read a file written by ``save``; anything else is a ``ValueError`` of one sentence."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} cannot be read as a trace: {error}") from None
        if metadata.pop("format", None) != "headscope-trace":
            raise ValueError(f"{path} is a safetensors file, but not a trace")
        return cls(tensors, metadata)


@contextmanager
def record(model: nn.Module, names: list[str] | None = None, *, gradients: bool = False) -> Iterator[Trace]:
    """Fill a Trace with what passes the hook points during forwards inside the block.

    ``names`` chooses some, wildcards allowed (``"blocks.*.attn.pattern"``); None means all. With ``gradients`` the
    tensors stay in the graph, and after ``backward`` ``trace.gradients`` has theirs.
    Raises ``KeyError``, listing near names, if one does not exist, and ``ValueError`` for a model without hook points.
    """
    if names is None and not any(isinstance(module, HookPoint) for module in model.modules()):
        raise ValueError(
            f"{type(model).__name__} has no hook points, so there is nothing to record: record takes the models of "
            "llm_core, among them what load_model opens from other libraries, and modules with a HookPoint that a "
            "tensor passes through; show(model, text) draws the attention of any model of transformers"
        )
    trace = Trace()

    def keeper(name: str) -> Callable:
        def keep(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            if gradients and output.requires_grad:
                output.retain_grad()
            trace._tensors[name] = output if gradients else output.detach()

        return keep

    points = _matching(hook_points(model), names)
    hooks = [module.register_forward_hook(keeper(name)) for name, module in points.items()]
    try:
        yield trace
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def intervene(model: nn.Module, replacements: dict[str, Callable[[Tensor], Tensor]]) -> Iterator[None]:
    """Replace tensors on their way: each function gets the tensor and returns the one to go on with.

    Shapes are those of the hook points: (B, T, C) in the stream, (B, H, T, D) for q, k, v and z, (B, H, T, S) for
    scores and pattern. Names may hold wildcards. A returned shape that differs is a ``ValueError``. Recorders see the
    replaced tensor, whichever of the two was entered first.
    """

    def replacer(name: str, function: Callable[[Tensor], Tensor]) -> Callable:
        def replace(_module: nn.Module, _inputs: tuple, output: Tensor) -> Tensor:
            new = function(output)
            if not isinstance(new, Tensor) or new.shape != output.shape:
                got = tuple(new.shape) if isinstance(new, Tensor) else type(new).__name__
                raise ValueError(f"the intervention on {name} must return shape {tuple(output.shape)}, not {got}")
            return new

        return replace

    points = hook_points(model)
    with ExitStack() as stack:
        for pattern, function in replacements.items():
            for name, module in _matching(points, [pattern]).items():
                hook = module.register_forward_hook(replacer(name, function), prepend=True)
                stack.callback(hook.remove)
        yield


def _matching(points: dict[str, nn.Module], names: list[str] | None) -> dict[str, nn.Module]:
    if names is None:
        return points
    chosen: dict[str, nn.Module] = {}
    for pattern in names:
        found = fnmatch.filter(points, pattern)
        if not found:
            raise KeyError(_unknown(pattern, points, "is not a hook point of this model"))
        chosen.update((name, points[name]) for name in found)
    return chosen


def _unknown(name: str, known: Mapping, problem: str) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or list(known)[:3]
    return f"{name!r} {problem}; near names: {', '.join(near) or 'none'}"
