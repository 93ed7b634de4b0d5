"""Linear maps along an axis. Truth: torch's interpolation, reflection padding and convolution, in double precision."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.measures.resampling import AxisMap, doubling, halving

TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)


def filtered(planes: Float[Tensor, "1 p h w"], stride: int) -> Float[Tensor, "1 p i j"]:
    line = torch.tensor(TAPS, dtype=torch.float64)
    kernel = torch.outer(line, line).expand(planes.shape[1], 1, 5, 5)
    return F.conv2d(F.pad(planes, (2, 2, 2, 2), mode="reflect"), kernel, stride=stride, groups=planes.shape[1])


def mapped(planes: Float[Tensor, "1 p h w"], down: AxisMap, across: AxisMap) -> Float[Tensor, "1 p i j"]:
    rows = planes[0].transpose(0, 1)
    middle = len(down.places) // 2
    parts = [across.columns(down.rows(rows, part)) for part in (slice(0, middle), slice(middle, len(down.places)))]
    return torch.cat([part for part in parts if len(part)]).transpose(0, 1)[None]


@pytest.mark.parametrize("size", [(3, 3), (5, 16), (17, 31), (64, 33), (47, 130)])
def test_halves_as_a_strided_convolution(size: tuple[int, int]) -> None:
    planes = torch.rand(1, 2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = mapped(planes, *(halving(side, TAPS) for side in size))
    torch.testing.assert_close(found, filtered(planes, 2), rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", [(2, 2), (3, 9), (8, 17), (33, 16), (24, 65)])
@pytest.mark.parametrize("less", [0, 1])
def test_doubles_as_interpolation_and_a_convolution(size: tuple[int, int], less: int) -> None:
    low = torch.rand(1, 2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    full = filtered(F.interpolate(low, scale_factor=2, mode="bilinear", align_corners=True), 1)
    wanted = F.interpolate(full, [2 * side - less for side in size], mode="nearest")
    found = mapped(low, *(doubling(side, 2 * side - less, TAPS) for side in size))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-14)


def test_has_a_gradient() -> None:
    low = torch.rand(1, 1, 5, 6, dtype=torch.float64, requires_grad=True)
    down, across = doubling(5, 9, TAPS), doubling(6, 12, TAPS)
    assert torch.autograd.gradcheck(lambda x: mapped(x, down, across), low)
