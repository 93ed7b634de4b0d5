"""Batches made by other processes are those of this one, in order."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from vitiq.training.hardware import made_ahead


def noise(step: int) -> Tensor:
    return torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(step)).contiguous(
        memory_format=torch.channels_last
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_of_other_processes_come_in_order_and_unchanged(workers: int) -> None:
    made = list(made_ahead(noise, range(5, 17), workers, pinned=False))
    assert len(made) == 12
    for step, batch in zip(range(5, 17), made, strict=True):
        assert torch.equal(batch, noise(step))
        assert batch.is_contiguous(memory_format=torch.channels_last)
