"""Resizing in the transform domain.

Truth: torch's antialiased bicubic resize of the pixels that the coefficients stand for
(`torch.nn.functional.interpolate(mode="bicubic", antialias=True)`).
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitiq.codecs.transform.networks.block_dct import basis, colour_matrix
from vitiq.codecs.transform.networks.resample import cosines, kept_frequencies, resample, side_matrix


def pixels(coefficients: Tensor) -> Tensor:
    """Image of coefficients as `resample` gives them."""
    dct = cosines().float()
    planes = torch.einsum("pfgij,pc,fy,gx->ciyjx", coefficients, colour_matrix(), dct, dct)
    side = 16 * coefficients.shape[-1]
    return planes.reshape(3, side, side)


@pytest.mark.parametrize(("height", "width", "target"), [(160, 224, 14), (64, 48, 5), (90, 75, 5), (224, 224, 14)])
def test_it_is_the_resize_of_the_pixels(height: int, width: int, target: int) -> None:
    torch.manual_seed(0)
    coefficients = torch.randn(256, -(-height // 16), -(-width // 16))
    image = F.conv_transpose2d(coefficients[None], basis(), stride=16)[..., :height, :width]
    side = (16 * target, 16 * target)
    wanted = F.interpolate(image, side, mode="bicubic", antialias=True, align_corners=False)[0]
    found = pixels(resample(coefficients, height, width, target))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)


def test_shrinking_leaves_out_only_what_the_smaller_image_cannot_show() -> None:
    assert kept_frequencies(224, 14) == 16
    assert kept_frequencies(768, 14) == 7
    torch.manual_seed(0)
    # Coefficients that fall with frequency as those of photographs do.
    falling = 1 / (1 + torch.arange(256))[:, None, None]
    coefficients = torch.randn(256, 32, 48) * falling
    image = F.conv_transpose2d(coefficients[None], basis(), stride=16)
    wanted = F.interpolate(image, (224, 224), mode="bicubic", antialias=True, align_corners=False)[0]
    found = pixels(resample(coefficients, 512, 768, 14))
    assert float((found - wanted).square().mean()) < 0.005 * float(wanted.square().mean())


@pytest.mark.parametrize("side", [100, 256, 257, 513, 1000])
def test_a_grey_image_stays_grey(side: int) -> None:
    matrix = side_matrix(side, 3)
    constant = torch.zeros(-(-side // 16), kept_frequencies(side, 3))
    constant[:, 0] = 4.0
    found = (matrix @ constant.flatten()).view(3, 16)
    torch.testing.assert_close(found[:, 0], torch.full((3,), 4.0), atol=1e-5, rtol=0)
    assert float(found[:, 1:].abs().max()) < 1e-5
