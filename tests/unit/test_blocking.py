"""The loss against borders of blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vitiq.training.blocking import blocking


def blocks(step: float) -> torch.Tensor:
    """A chessboard of 8×8 blocks whose values lie `step` apart."""
    place = torch.arange(64) // 8
    return step * ((place[:, None] + place) % 2).float()[None, None]


def test_a_chessboard_of_blocks_adds_its_squared_step() -> None:
    # Yim and Bovik 2011: the factor of an image of 512 pixels is log2 8 / log2 512 = 1 / 3.
    assert float(blocking(blocks(6), torch.zeros(1, 1, 64, 64))) == pytest.approx(36 / 3)


def test_differences_within_blocks_and_the_targets_own_are_free() -> None:
    shifted = blocks(6).roll((3, 3), dims=(2, 3))
    assert float(blocking(shifted, torch.zeros(1, 1, 64, 64))) == 0
    assert float(blocking(blocks(6), blocks(6))) == 0
    assert float(blocking(blocks(6), blocks(3))) == pytest.approx((36 - 9) / 3)


def test_it_is_what_psnr_b_adds() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (64, 64))
    image[:, 8:16] += 60
    at, inside = [], []
    for lines in (image, image.T):
        for j in range(63):
            (at if j % 8 == 7 else inside).append(np.square(lines[:, j + 1] - lines[:, j]).mean())
    expected = (np.mean(at) - np.mean(inside)) * math.log2(8) / math.log2(512)
    found = blocking(torch.from_numpy(image)[None, None].float(), torch.zeros(1, 1, 64, 64))
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_its_gradient_smooths_borders() -> None:
    planes = blocks(6).requires_grad_()
    blocking(planes, torch.zeros(1, 1, 64, 64)).sum().backward()
    assert planes.grad is not None
    smoothed = (planes - 5 * planes.grad).detach()
    assert float(blocking(smoothed, torch.zeros(1, 1, 64, 64))) < float(
        blocking(planes.detach(), torch.zeros(1, 1, 64, 64))
    )
