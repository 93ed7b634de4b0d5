"""GMSD: standard deviation of the similarity of gradient magnitudes at half size.

Xue et al. 2014 (DOI 10.1109/TIP.2013.2293423), as `gmsd` of piq 0.8.0 has it: BT.601 luma, 2×2 means, of images with an
odd side after a row and a column of zeros, Prewitt's operator with zeros around.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.fidelity.losses import luma
from vitiq.metrics.loss import DistanceLoss, Each, Images
from vitiq.metrics.measures.luma import Plane

CONSTANT = 170.0


def halved(plane: Plane) -> Float[Tensor, "i j"]:
    """Means of 2×2; where a side is odd, zeros are added below and to the right."""
    height, width = plane.shape
    odd = max(height % 2, width % 2)
    if odd:
        plane = F.pad(plane, (0, 1, 0, 1))
    height, width = (side // 2 * 2 for side in plane.shape)
    plane = plane[:height, :width]
    rows = plane[::2] + plane[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) * 0.25


def _gradient(plane: Plane) -> Plane:
    """Squared magnitude of Prewitt's gradient."""
    wide = F.pad(plane, (1, 1, 1, 1))
    rows = wide[:-2] + wide[1:-1] + wide[2:]
    columns = wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]
    return ((rows[:, 2:] - rows[:, :-2]).square() + (columns[2:] - columns[:-2]).square()) / 9


def gmsd(reference: Plane, distorted: Plane) -> Float[Tensor, ""]:
    """GMSD of two planes of luma, 0 … 255, of half the size."""
    x, y = _gradient(reference), _gradient(distorted)
    product = x * y
    root = product.clamp_min(1e-30).sqrt() * (product > 0)
    # Where the squares are equal so is the similarity 1, whatever the root's last digit.
    similarity = torch.where(x == y, 1.0, (2 * root + CONSTANT) / (x + y + CONSTANT))
    squares = (similarity - similarity.mean()).square().mean()
    return squares.clamp_min(1e-24).sqrt() * (squares > 0)


class GmsdLoss(DistanceLoss):
    """GMSD of the luma."""

    metric = "gmsd"

    def _compare(self, distorted: Images, reference: Images) -> Each:
        pairs = zip(luma(reference)[:, 0] * 255, luma(distorted)[:, 0] * 255, strict=True)
        return torch.stack([gmsd(halved(a), halved(b)) for a, b in pairs])
