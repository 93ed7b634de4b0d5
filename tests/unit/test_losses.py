"""Losses that latents are searched for.

Truth: identities and orders; tiles cover every pixel.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitiq.errors import InputError
from vitiq.optimise.distortion import distortion, tiles
from vitiq.optimise.settings import LOSSES, LossName


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_least_for_the_target_and_differentiable(name: LossName) -> None:
    torch.manual_seed(0)
    target = torch.rand(1, 3, 48, 64)
    loss = distortion(name, target)
    off = (target + 0.2 * torch.randn_like(target)).requires_grad_()
    assert float(loss(target)) == pytest.approx(0, abs=1e-6)
    value = loss(off)
    torch.autograd.backward(value)
    assert float(value.detach()) > 1e-4
    assert off.grad is not None
    assert float(off.grad.abs().max()) > 0


@given(height=st.integers(1, 70), width=st.integers(1, 70))
def test_tiles_cover_every_pixel(height: int, width: int) -> None:
    numbers = torch.arange(height * width, dtype=torch.float32).view(1, 1, height, width)
    found = tiles(numbers, 16)
    assert found.shape[1:] == (1, 16, 16)
    assert len(found) == -(-height // 16) * -(-width // 16)
    assert set(found.flatten().tolist()) == set(numbers.flatten().tolist())


def test_unknown_losses_are_told() -> None:
    with pytest.raises(InputError, match="expected one of"):
        distortion("psnr", torch.zeros(1, 3, 8, 8))  # type: ignore[arg-type]
