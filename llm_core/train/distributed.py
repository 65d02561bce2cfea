"""Several processes that train together, as ``torchrun`` starts them: who this one is, and how they agree."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Worker:
    """This process among those that train together."""

    rank: int = 0
    world_size: int = 1

    @property
    def leads(self) -> bool:
        """The leader alone writes files."""
        return self.rank == 0

    def sum(self, x: Tensor) -> Tensor:
        """The sum of ``x`` over all processes, the same in each."""
        if self.world_size == 1:
            return x
        total = x.clone()
        dist.all_reduce(total)
        return total

    def mean(self, x: Tensor) -> Tensor:
        return self.sum(x) / self.world_size

    def any(self, flag: bool, device: str) -> bool:
        """True everywhere if ``flag`` is true anywhere."""
        if self.world_size == 1:
            return flag
        return bool(self.mean(torch.tensor(float(flag), device=device)) > 0)

    def wait_for_others(self) -> None:
        if self.world_size > 1:
            dist.barrier()


@contextmanager
def join_workers(device: str) -> Iterator[tuple[Worker, str]]:
    """Meet the other processes if ``torchrun`` started this one; yields the worker and its own device.

    They all read the same run from ``--out``, so several machines need that folder in common. If one of them ends,
    the others cannot go on: ``ConnectionError``.
    """
    if "WORLD_SIZE" not in os.environ:
        yield Worker(), device
        return
    if device.startswith("cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield Worker(dist.get_rank(), dist.get_world_size()), device
        dist.barrier()  # nobody leaves while another still saves or listens
    except RuntimeError as error:
        if "gloo" not in str(error) and not isinstance(error, dist.DistError):
            raise
        raise ConnectionError(
            "another process of this run has ended or cannot be reached; the same command continues from the last save"
        ) from error
    finally:
        dist.destroy_process_group()
