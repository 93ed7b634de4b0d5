"""Where training runs: one CPU, one GPU, or several processes under `torchrun`.

    torchrun --nproc-per-node 4 -m vitiq train codec --data images/ -o runs/codec

A step's batch is drawn from (seed, step) and dealt to the processes, so their number does not change what is
learned from. The main process, number 0, alone validates and writes.
"""

from __future__ import annotations

import os
import signal
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
    """The device of this process and its place among the processes of a training.

    Attributes:
        device: where its networks live.
        rank: its number, from 0.
        world: processes in all.
    """

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def is_main_process(self) -> bool:
        """True for the process that validates and writes."""
        return self.rank == 0

    def mixed_precision(self) -> AbstractContextManager[Any]:
        """bfloat16 autocast where the device multiplies it natively, else float32."""
        return torch.autocast("cuda", dtype=torch.bfloat16) if self.device.type == "cuda" else bf16_if_fast()

    def to_device(self, module: M) -> M:
        """The module on the device, in the layout that convolutions are fastest in."""
        return cast(M, module.to(self.device, memory_format=torch.channels_last))  # type: ignore[call-overload]

    def data_parallel(self, module: M) -> M:
        """The module with its gradients averaged over all processes; the module itself where there is one."""
        if self.world == 1:
            return module
        ids = [self.device.index] if self.device.type == "cuda" else None
        return cast(M, DistributedDataParallel(module, device_ids=ids))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gradients averaged over all processes, where the module is not `data_parallel`."""
        if self.world > 1:
            for parameter in parameters:
                if parameter.grad is not None:
                    dist.all_reduce(parameter.grad)
                    parameter.grad /= self.world

    def main_first(self, make: Callable[[], T]) -> T:
        """What `make` gives; the main process makes it first, so that the others find what it left on disk."""
        if self.world > 1 and not self.is_main_process:
            dist.barrier()
        made = make()
        if self.world > 1 and self.is_main_process:
            dist.barrier()
        return made

    def any_process(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all of them have to ask."""
        if self.world == 1:
            return flag
        asked = torch.tensor(int(flag), device=self.device)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return bool(asked)

    def local_indices(self, batch: int) -> range:
        """Which of a batch's images are this process's.

        Every process gets one at least: with more processes than images some are used twice.
        """
        return range(self.rank, batch, self.world) if batch >= self.world else range(self.rank % batch, batch, batch)


def bf16_if_fast() -> AbstractContextManager[Any]:
    """bfloat16 autocast where the CPU multiplies it natively, else float32."""
    if torch.cpu._is_avx512_bf16_supported():
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def open_hardware() -> Iterator[Hardware]:
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


def batches(make: Callable[[int], Tensor], start: int, stop: int, hardware: Hardware) -> Iterator[Tensor]:
    """`make(step)` for steps start … stop - 1, in order, on the device.

    On a GPU, processes make the next batches while it works; on a CPU they would take its cores.
    """
    if hardware.device.type == "cpu":
        yield from (make(step) for step in range(start, stop))
        return
    workers = max(1, min(WORKERS, ((os.cpu_count() or 2) - 1) // hardware.world))
    for batch in made_ahead(make, range(start, stop), workers, pinned=True):
        yield batch.to(hardware.device, non_blocking=True)


def made_ahead(make: Callable[[int], Tensor], steps: range, workers: int, *, pinned: bool) -> Iterable[Tensor]:
    """`make(step)` for each step, in order, by processes forked from this one; `make` may touch no GPU.

    Args:
        pinned: whether batches lie in memory that a GPU copies from while it works.
    """
    loader: DataLoader[Tensor] = DataLoader(
        _Steps(make),
        None,
        sampler=steps,
        num_workers=workers,
        pin_memory=pinned,
        multiprocessing_context="fork",
        worker_init_fn=_ignore_sigint,
    )
    return loader


def _ignore_sigint(_: int) -> None:
    """Ctrl-C reaches every process of a terminal; it is the training that decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Steps(Dataset[Tensor]):
    """Batches by their step."""

    def __init__(self, make: Callable[[int], Tensor]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> Tensor:
        return self._make(step)
