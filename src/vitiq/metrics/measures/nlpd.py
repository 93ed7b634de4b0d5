"""NLPD: distance of Laplacian pyramids normalised by local amplitude, a model of the eye's early stages.

Laparra, Ballé, Berardino and Simoncelli 2016, as `NLPD` of iqa-pytorch 0.1 has it (six levels, one plane).
The package `pyiqa` computes another algorithm under the name.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.loss import DistanceLoss
from vitiq.metrics.measures.luma import LumaLoss, Plane
from vitiq.metrics.measures.resampling import doubling, halved, less
from vitiq.metrics.measures.windows import Rows, strips

FILTER = (0.05, 0.25, 0.4, 0.25, 0.05)
AROUND = (
    (0.1011, 0.1493, 0.1460, 0.1015),
    (0.0757, 0.1986, 0.1846, 0.0837),
    (0.0477, 0.2138, 0.2243, 0.0467),
    (0.0, 0.2503, 0.2616, 0.0),
    (0.0, 0.2598, 0.2552, 0.0),
    (0.0, 0.2215, 0.0717, 0.0),
)
"""Weights of the neighbours above, left, right and below in the amplitude, of each level."""

SIGMAS = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782)
VALUES = 2**15
"""Values of a plane in a strip: what is made of them stays in the cache."""

SMALLEST = 2 ** len(SIGMAS) + 1


def _normalised(band: Rows, level: int) -> Float[Tensor, "i p w"]:
    """Of rows, and one above and below them, the inner ones by their amplitude around."""
    size = band.abs()
    above, left, right, below = AROUND[level]
    inner = size[1:-1]
    if above:
        found = torch.add(size[:-2] * above + SIGMAS[level], size[2:], alpha=below)
    else:
        found = torch.full_like(inner, SIGMAS[level])
    found[..., 1:].add_(inner[..., :-1], alpha=left)
    found[..., 0].add_(inner[..., 1], alpha=left)
    found[..., :-1].add_(inner[..., 1:], alpha=right)
    found[..., -1].add_(inner[..., -2], alpha=right)
    return band[1:-1] / found


def _squares(planes: Rows, low: Float[Tensor, "i p j"], level: int) -> Float[Tensor, ""]:
    """Mean square of the difference of the two planes' normalised bands."""
    height, _, width = planes.shape
    maps = doubling(low.shape[0], height, FILTER), doubling(low.shape[2], width, FILTER)
    total = planes.new_zeros((), dtype=torch.float64)
    for rows in strips(height, width, VALUES):
        top, bottom = max(0, rows.start - 1), min(height, rows.stop + 1)
        band = less(planes, low, maps, slice(top, bottom))
        if rows.start == 0:
            band = torch.cat([band[1:2], band])
        if rows.stop == height:
            band = torch.cat([band, band[-2:-1]])
        found = _normalised(band, level)
        total = total + (found[:, 0] - found[:, 1]).square().sum().double()
    return total / (height * width)


def nlpd(planes: Float[Tensor, "h 2 w"]) -> Float[Tensor, ""]:
    """NLPD of two planes of luma, 0 … 1, side by side (H×2×W), with sides from 65."""
    distances = []
    for level in range(len(SIGMAS)):
        low = halved(planes, FILTER, VALUES)
        squares = _squares(planes, low, level)
        distances.append(squares.clamp_min(1e-24).sqrt() * (squares > 0))
        planes = low
    return torch.stack(distances).mean()


def of_two(reference: Plane, distorted: Plane) -> Float[Tensor, ""]:
    """NLPD of two planes of luma, 0 … 255."""
    return nlpd(torch.stack([reference, distorted], dim=1) / 255)


class NlpdLoss(LumaLoss, DistanceLoss):
    """NLPD of the luma."""

    metric = "nlpd"
    smallest = SMALLEST
    measure = staticmethod(of_two)
    forward = DistanceLoss.forward
