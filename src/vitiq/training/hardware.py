"""Where training runs: one CPU, one GPU, or several processes under `torchrun`.

    torchrun --nproc-per-node 4 -m vitiq train codec --data images/ -o runs/codec

A step's batch is drawn from (seed, step) and dealt to the processes, so their number does not change what is
learned from. Process 0 alone validates and writes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset

M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")

WORKERS = 15
"""Most processes that make batches while a GPU works."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """This process's share of the machines.

    Attributes:
        device: where its networks live.
        rank: its number, from 0.
        world: processes in all.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """True for the process that validates and writes."""
        return self.rank == 0

    def mixed_precision(self) -> AbstractContextManager[Any]:
        """bfloat16 autocast where the device multiplies it natively, else float32."""
        if self.device.type == "cuda" or torch.cpu._is_avx512_bf16_supported():
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def place(self, module: M) -> M:
        """The module on the device, in the layout that convolutions are fastest in."""
        return cast(M, module.to(self.device, memory_format=torch.channels_last))  # type: ignore[call-overload]

    def spread(self, module: M) -> M:
        """The module with its gradients averaged over all processes; the module itself where there is one."""
        if self.world == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return cast(M, DistributedDataParallel(module, device_ids=ids))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients averaged over all processes, where the module was not spread."""
        if self.world > 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)
                    parameter.grad /= self.world

    def first(self, make: Callable[[], T]) -> T:
        """What `make` gives; the leading process makes it first, so that the others find what it left on disk."""
        if self.world > 1 and not self.leads:
            dist.barrier()
        made = make()
        if self.world > 1 and self.leads:
            dist.barrier()
        return made

    def share(self, batch: int) -> range:
        """Which of a batch's images are this process's.

        Every process gets one at least: with more processes than images some are used twice.
        """
        return range(self.rank, batch, self.world) if batch >= self.world else range(self.rank % batch, batch, batch)


@contextmanager
def hardware() -> Iterator[Hardware]:
    """The GPU if there is one, else the CPU; one of several processes if started by `torchrun`."""
    world, gpu = int(os.environ.get("WORLD_SIZE", "1")), torch.cuda.is_available()
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
        torch.backends.cudnn.benchmark = True
    if world == 1:
        yield Hardware(device)
        return
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Hardware(device, dist.get_rank(), world)
    finally:
        dist.destroy_process_group()


def batches(make: Callable[[int], Tensor], start: int, stop: int, place: Hardware) -> Iterator[Tensor]:
    """`make(step)` for steps start … stop - 1, in order, on the device.

    On a GPU, processes make the next batches while it works; on a CPU they would take its cores.
    """
    if place.device.type == "cpu":
        yield from (make(step) for step in range(start, stop))
        return
    workers = max(1, min(WORKERS, ((os.cpu_count() or 2) - 1) // place.world))
    for batch in made_ahead(make, range(start, stop), workers, pinned=True):
        yield batch.to(place.device, non_blocking=True)


def made_ahead(make: Callable[[int], Tensor], steps: range, workers: int, *, pinned: bool) -> Iterable[Tensor]:
    """`make(step)` for each step, in order, by processes forked from this one; `make` may touch no GPU.

    Args:
        pinned: whether batches lie in memory that a GPU copies from while it works.
    """
    loader: DataLoader[Tensor] = DataLoader(
        _Steps(make), None, sampler=steps, num_workers=workers, pin_memory=pinned, multiprocessing_context="fork"
    )
    return loader


class _Steps(Dataset[Tensor]):
    """Batches by their step."""

    def __init__(self, make: Callable[[int], Tensor]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Tensor:
        return self._make(step)
