"""The loss against woven patterns: truth is the pattern that was drawn, of known period, axis and strength."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vitiq.training.lattice import LOWEST, contrast, excess


def noise(seed: int = 0) -> Tensor:
    return 0.5 + 0.02 * torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(seed))


def stripes(period: float, axis: int) -> Tensor:
    wave = 0.02 * torch.cos(2 * math.pi * torch.arange(128) / period)
    return (wave[:, None] if axis == 0 else wave[None, :]).expand(1, 3, 128, 128)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("k", range(4, 17))
def test_stripes_stand_out_at_their_own_frequency_and_axis_alone(k: int, axis: int) -> None:
    """Those of 16 / n pixels, and those whose sign changes every 16 pixels, which lie between them."""
    plain, found = (contrast(image).mean(dim=(1, 2, 3)) for image in (noise(), noise() + stripes(32 / k, axis)))
    raised = (found - plain) > 1
    place = round(k / 32 * 63) - round(LOWEST * 63)
    assert raised[axis, min(place, raised.shape[1] - 1)]
    assert not raised[1 - axis].any()
    assert raised.sum() <= 3


def test_a_grid_of_16_pixels_stands_out_at_each_of_its_lines() -> None:
    grid = torch.zeros(1, 3, 128, 128)
    grid[..., ::16] = 0.1
    found = contrast(noise() + grid).mean(dim=(1, 2, 3))[1]
    lines = [round(k / 16 * 63) - round(LOWEST * 63) for k in range(2, 8)]
    assert (found[lines] > 0.7).all()


def test_an_image_without_a_pattern_has_none_and_one_like_its_target_costs_nothing() -> None:
    assert abs(float(contrast(noise()).mean())) < 0.1
    patterned = noise() + stripes(4, 0)
    assert float(excess(patterned, patterned)) == 0
    assert float(excess(noise(), patterned)) < 0.01 * float(excess(patterned, noise()))


def test_more_texture_than_the_target_has_costs_less_only_of_the_same_power() -> None:
    twice = 0.5 + 2 * (noise(1) - 0.5)
    assert float(excess(noise(1), noise())) < 0.01
    assert float(excess(twice, noise())) > 0.1


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
