"""`TorchMetric` over two processes of gloo. Truth: the value of one process that saw all images."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from vitiq.metrics.torchmetrics_adapter import TorchMetric

SHARES = ((slice(0, 2), slice(2, 5)), (slice(0, 5), slice(5, 5)))
"""Images of each process: uneven, and none for the second."""
METRICS = ("mse", "psnr-rgb", "patch-kid-pixel", "vit-topk")


def images() -> tuple[Tensor, Tensor]:
    """Five references and as many noisy copies, uint8."""
    rng = np.random.default_rng(0)
    clean = rng.integers(0, 256, (5, 3, 64, 64))
    noisy = (clean + rng.normal(0, 20, clean.shape)).clip(0, 255)
    return torch.from_numpy(clean.astype(np.uint8)), torch.from_numpy(noisy.astype(np.uint8))


def computed(metric: str, share: slice) -> float:
    """The value after an update with some of the images, over all processes there are."""
    references, distorted = images()
    measure = TorchMetric(metric)
    if len(references[share]):
        measure.update(distorted[share], references[share])
    return float(measure.compute())


def one_of_two(rank: int, folder: Path) -> None:
    """A process of two: writes what each metric gives for each way to share the images."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)
    try:
        values = [[computed(metric, both[rank]) for metric in METRICS] for both in SHARES]
    finally:
        dist.destroy_process_group()
    np.save(folder / f"{rank}.npy", values)


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=one_of_two, args=(rank, tmp_path)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    alone = [computed(metric, slice(0, 5)) for metric in METRICS]
    for rank in (0, 1):
        for found in np.load(tmp_path / f"{rank}.npy"):
            np.testing.assert_allclose(found, alone, rtol=1e-12)
