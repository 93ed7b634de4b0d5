"""The loss against woven patterns: truth is the pattern that was drawn, of known period, axis and strength."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vitiq.training.lattice import HARMONICS, contrast, excess


def noise(seed: int = 0) -> Tensor:
    return 0.5 + 0.02 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(seed))


def stripes(period: float, axis: int) -> Tensor:
    wave = 0.02 * torch.cos(2 * math.pi * torch.arange(128) / period)
    return (wave[:, None] if axis == 0 else wave[None, :]).expand(1, 3, 128, 128)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("k", range(2, 9))
def test_stripes_stand_out_at_their_own_frequency_and_axis_alone(k: int, axis: int) -> None:
    plain = contrast(noise()).mean(dim=(2, 3, 4))
    found = contrast(noise() + stripes(16 / k, axis)).mean(dim=(2, 3, 4))
    raised = (found - plain) > 1
    assert HARMONICS[k - 2] == k / 16
    assert [tuple(where.tolist()) for where in raised.nonzero()] == [(k - 2, axis)]


def test_an_image_without_a_pattern_has_none_and_one_like_its_target_costs_nothing() -> None:
    assert abs(float(contrast(noise()).mean())) < 0.1
    patterned = noise() + stripes(4, 0)
    assert float(excess(patterned, patterned)) == 0
    assert float(excess(noise(), patterned)) < 0.1 * float(excess(patterned, noise()))


def test_what_rounding_to_8_bits_hides_does_not_count() -> None:
    flat = torch.full((1, 3, 128, 128), 0.5)
    assert float(excess(flat + 0.005 * stripes(4, 1), flat)) < 1e-3


def test_descent_takes_the_pattern_away() -> None:
    target, image = noise(1), (noise() + stripes(4, 0)).requires_grad_()
    optimiser = torch.optim.Adam([image], lr=2e-3)
    before = float(excess(image.detach(), target))
    for _ in range(40):
        optimiser.zero_grad()
        torch.autograd.backward(excess(image, target))
        optimiser.step()
    assert float(excess(image.detach(), target)) < 0.1 * before
