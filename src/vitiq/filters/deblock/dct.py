"""The 8×8 DCT of JPEG on whole planes, as torch tensors: orthonormal, in JPEG's scale of pixels minus 128."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

SIDE = 8
"""Side of a block in pixels."""

LEVEL = 128.0
"""What JPEG takes from pixels before the transform."""


@lru_cache(maxsize=1)
def basis() -> Float[Tensor, "64 64"]:
    """Rows: the basis images of the coefficients v·8 + u (vertical frequency v), pixels in row order."""
    with torch.inference_mode(False):  # kept for training too, whoever asks first
        n = torch.arange(SIDE, dtype=torch.float64)
        cosines = torch.cos(torch.pi * (2 * n[None] + 1) * n[:, None] / (2 * SIDE)) / 2
        cosines[0] /= 2**0.5
        return torch.einsum("vy,ux->vuyx", cosines, cosines).reshape(64, 64).float()


def to_coefficients(planes: Float[Tensor, "n p h w"]) -> Float[Tensor, "n p 64 i j"]:
    """Coefficients of planes whose sides are multiples of 8; `planes` are pixels minus 128."""
    n, p, h, w = planes.shape
    blocks = F.pixel_unshuffle(planes.reshape(n * p, 1, h, w), SIDE)
    return _apply(basis().to(planes), blocks).reshape(n, p, 64, h // SIDE, w // SIDE)


def to_planes(coefficients: Float[Tensor, "n p 64 i j"]) -> Float[Tensor, "n p h w"]:
    """Pixels minus 128 of the coefficients; the inverse of `to_coefficients`."""
    n, p, _, i, j = coefficients.shape
    blocks = _apply(basis().to(coefficients).T, coefficients.reshape(n * p, 64, i, j))
    return F.pixel_shuffle(blocks, SIDE).reshape(n, p, SIDE * i, SIDE * j)


def _apply(matrix: Tensor, blocks: Tensor) -> Tensor:
    """The matrix times the channels of every block."""
    return F.conv2d(blocks, matrix.contiguous()[:, :, None, None])
