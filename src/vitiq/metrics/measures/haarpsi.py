"""HaarPSI: similarity of Haar wavelet coefficients, weighted by those of a coarser scale.

Reisenhofer et al. 2018 (DOI 10.1016/j.image.2017.11.001), as `haarpsi` of piq 0.8.0 has it: YIQ, halved by 2×2 means,
of images with an odd side after a row and a column of zeros.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.loss import Each, Images, Loss
from vitiq.metrics.measures.gmsd import halved
from vitiq.metrics.measures.luma import Plane, defined
from vitiq.metrics.measures.windows import strips

YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
CONSTANT, ALPHA = 30.0, 4.2
SCALES = 3
SMALLEST = 2 ** (SCALES + 1)
REACH = 2 ** (SCALES - 1)
"""Rows above and below that a coefficient of the coarsest scale sees."""

Planes = Float[Tensor, "3 h w"]


def _box(plane: Plane, size: int, dim: int) -> Float[Tensor, "i j"]:
    """Sums of `size` places, a power of two, where they lie inside."""
    reach = 1
    while reach < size:
        count = plane.shape[dim] - reach
        plane = plane.narrow(dim, 0, count) + plane.narrow(dim, reach, count)
        reach *= 2
    return plane


def _halves(plane: Plane, size: int, dim: int) -> Float[Tensor, "i j"]:
    """Sum of the first half of `size` places less that of the second."""
    sums = _box(plane, size // 2, dim)
    count = sums.shape[dim] - size // 2
    return sums.narrow(dim, 0, count) - sums.narrow(dim, size // 2, count)


def _coefficients(plane: Plane, scale: int) -> tuple[Plane, Plane]:
    """Absolute horizontal and vertical Haar coefficients, zeros around the plane."""
    size = 2 ** (scale + 1)
    wide = F.pad(plane, (size // 2 - 1, size // 2, size // 2 - 1, size // 2))
    down, across = (_halves(_box(wide, size, 1 - dim), size, dim).abs() / size for dim in (0, 1))
    return down, across


def _alike(x: Plane, y: Plane) -> Plane:
    return (2 * x * y + CONSTANT) / (x * x + y * y + CONSTANT)


def _chroma(plane: Plane) -> Plane:
    """Absolute means of 2×2 at every place, zeros below and to the right."""
    wide = F.pad(plane, (0, 1, 0, 1))
    return (_box(_box(wide, 2, 0), 2, 1) * 0.25).abs()


def _shares(reference: Planes, distorted: Planes, inside: slice) -> Float[Tensor, " 2"]:
    """Sums of the weighted similarities and of the weights, of the rows inside."""
    (y1, i1, q1), (y2, i2, q2) = (
        [a * image[0] + b * image[1] + c * image[2] for a, b, c in YIQ] for image in (reference, distorted)
    )
    fine, coarse = (
        [list(zip(_coefficients(y1, scale), _coefficients(y2, scale), strict=True)) for scale in scales]
        for scales in (range(SCALES - 1), range(SCALES - 1, SCALES))
    )
    weights = [torch.maximum(x, y) for x, y in coarse[0]]
    similar = [(_alike(*fine[0][k]) + _alike(*fine[1][k])) / 2 for k in (0, 1)]
    weights.append((weights[0] + weights[1]) / 2)
    similar.append((_alike(_chroma(i1), _chroma(i2)) + _alike(_chroma(q1), _chroma(q2))) / 2)
    pairs = [(alike[inside], worth[inside]) for alike, worth in zip(similar, weights, strict=True)]
    return torch.stack(
        [
            torch.stack([((alike * ALPHA).sigmoid() * worth).sum() for alike, worth in pairs]).sum(),
            torch.stack([worth.sum() for _, worth in pairs]).sum(),
        ]
    )


def haarpsi(reference: Planes, distorted: Planes) -> Float[Tensor, ""]:
    """HaarPSI of two RGB images, 0 … 255, after `halved` of each channel; with sides from 8."""
    _, height, width = reference.shape
    sums = reference.new_zeros(2) + torch.finfo(reference.dtype).eps
    for rows in strips(height, width):
        top, bottom = max(0, rows.start - REACH), min(height, rows.stop + REACH)
        inside = slice(rows.start - top, rows.stop - top)
        sums = sums + _shares(reference[:, top:bottom], distorted[:, top:bottom], inside)
    share = sums[0] / sums[1]
    return ((share / (1 - share)).log() / ALPHA).square()


class HaarPsiLoss(Loss):
    """1 - HaarPSI."""

    metric = "haarpsi"
    smallest = SMALLEST

    def _compare(self, distorted: Images, reference: Images) -> Each:
        halves = (
            [torch.stack([halved(c) for c in image * 255]) for image in images] for images in (reference, distorted)
        )
        return torch.stack([defined(haarpsi(a, b), b) for a, b in zip(*halves, strict=True)])
