"""Watch code that we did not write while it runs: which modules it calls, which softmax, how many matrix products."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

SOFTMAX = {F.softmax, torch.softmax, Tensor.softmax, torch.nn.functional.softmax}
PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "mv", "dot", "linear", "matmul", "einsum"}


class Softmaxes(TorchFunctionMode):
    """What goes into every softmax and what comes out, however it is called."""

    def __init__(self):
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function in SOFTMAX and args and isinstance(result, Tensor):
            self.calls.append((args[0].detach(), result.detach()))
        return result


class Products(TorchDispatchMode):
    """Counts matrix products; the fused attention kernel is one."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        self.count += name in PRODUCTS or "scaled_dot_product" in name
        return function(*args, **(kwargs or {}))


@contextmanager
def submodules_of(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Fills a dict with what goes into ("c_proj <") and comes out of ("ln_1 >") the submodules, by name, as called."""
    seen: dict[str, Tensor] = {}

    def listener(name: str):
        def listen(_module, inputs, output) -> None:
            for mark, value in (("<", inputs[0] if inputs else None), (">", output)):
                if isinstance(value, Tensor):
                    seen.setdefault(f"{name} {mark}", value.detach())

        return listen

    hooks = [module.register_forward_hook(listener(name)) for name, module in model.named_modules() if name]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
