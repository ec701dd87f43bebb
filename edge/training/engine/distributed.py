"""Several processes that train one model: torchrun starts them, DistributedDataParallel joins them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from edge.vision.native.devices import AUTO, usable_device

# The others wait while the first one judges the model.
_PATIENCE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Worker:
    """This process among ``world_size``; ``device`` is its own."""

    device: torch.device
    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and talks to the operator."""
        return self.rank == 0

    @property
    def is_alone(self) -> bool:
        """Whether there are no others to agree with."""
        return self.world_size == 1


@contextmanager
def joined(device: str) -> Iterator[Worker]:
    """Join the processes that torchrun has started, if it has: over NCCL on GPUs, over Gloo on CPUs.

    Args:
        device: torch's name, or ``auto`` for CUDA where there is one; each process has a GPU of its own.

    Raises:
        SettingsError: the device cannot be used.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    own = _own_device(device, local_rank=int(os.environ.get("LOCAL_RANK", "0")))
    if world_size == 1:
        yield Worker(own)
        return
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Worker(own, rank=distributed.get_rank(), world_size=distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def maximum(worker: Worker, values: list[float]) -> list[float]:
    """The largest of each value over all processes."""
    return _reduced(worker, values, distributed.ReduceOp.MAX)


def mean(worker: Worker, values: list[float]) -> list[float]:
    """The mean of each value over all processes."""
    return [value / worker.world_size for value in _reduced(worker, values, distributed.ReduceOp.SUM)]


def _reduced(worker: Worker, values: list[float], operation: distributed.ReduceOp.RedOpType) -> list[float]:
    if worker.is_alone:
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=worker.device)
    distributed.all_reduce(tensor, operation)
    return [float(value) for value in tensor.tolist()]


def _own_device(name: str, *, local_rank: int) -> torch.device:
    device = usable_device(name, setting="--device")
    if device.type == "cuda" and name in (AUTO, "cuda"):
        device = usable_device(f"cuda:{local_rank}", setting="--device")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    return device
