"""NLPD: distance of Laplacian pyramids normalised by local amplitude, a model of the eye's early stages.

Laparra, Ballé, Berardino and Simoncelli 2016, as `NLPD` of iqa-pytorch 0.1 has it (six levels, one plane).
The package `pyiqa` computes another algorithm under the name.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.loss import DistanceLoss
from vitiq.metrics.measures.luma import LumaLoss, Plane
from vitiq.metrics.measures.windows import Rows, mirrored, window_sums

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
SMALLEST = 2 ** len(SIGMAS) + 1


def _enlarged(low: Rows, height: int, width: int) -> Float[Tensor, "i p j"]:
    """Twice the size, bilinear with the corners in place, smoothed; cut or stretched to the size by nearest places."""
    size = (2 * low.shape[0], 2 * low.shape[2])
    wide = F.interpolate(low.transpose(0, 1)[None], size, mode="bilinear", align_corners=True)
    smooth = window_sums(mirrored(wide[0].transpose(0, 1), 2), FILTER)
    if size == (height, width):
        return smooth
    rows = torch.arange(height, device=low.device) * size[0] // height
    columns = torch.arange(width, device=low.device) * size[1] // width
    return smooth.index_select(0, rows).index_select(2, columns)


def _normalised(band: Rows, level: int) -> Rows:
    size = band.abs()
    wide = mirrored(size, 1)
    above, left, right, below = AROUND[level]
    found = SIGMAS[level] + wide[1:-1, :, :-2] * left + wide[1:-1, :, 2:] * right
    if above:
        found = found + wide[:-2, :, 1:-1] * above + wide[2:, :, 1:-1] * below
    return band / found


def nlpd(reference: Plane, distorted: Plane) -> Float[Tensor, ""]:
    """NLPD of two planes of luma, 0 … 255, with sides from 65."""
    planes = torch.stack([reference, distorted], dim=1) / 255
    distances = []
    for level in range(len(SIGMAS)):
        low = window_sums(mirrored(planes, 2), FILTER, 2)
        band = _normalised(planes - _enlarged(low, planes.shape[0], planes.shape[2]), level)
        squares = (band[:, 0] - band[:, 1]).square().mean()
        distances.append(squares.clamp_min(1e-24).sqrt() * (squares > 0))
        planes = low
    return torch.stack(distances).mean()


class NlpdLoss(LumaLoss, DistanceLoss):
    """NLPD of the luma."""

    metric = "nlpd"
    smallest = SMALLEST
    measure = staticmethod(nlpd)
    forward = DistanceLoss.forward
