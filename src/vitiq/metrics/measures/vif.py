"""VIF in the pixel domain: how much of the information that an eye gets of the reference the distorted image keeps.

Sheikh and Bovik 2006 (DOI 10.1109/TIP.2005.859378), the authors' multi-scale pixel version as `VIFs` of iqa-pytorch 0.1
has it, in double precision. Not symmetric; above 1 where contrast is enhanced.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.fidelity.windows import gaussian
from vitiq.metrics.measures.luma import LumaLoss, Plane
from vitiq.metrics.measures.windows import joined, strips, window_sums

WINDOWS = tuple(gaussian(size, size / 5) for size in (17, 9, 5, 3))
EPS, NOISE = 1e-10, 2.0
SMALLEST = 41
"""Three halvings by windows of 9, 5 and 3 leave 3 pixels of 41."""


def _bits(x: Plane, y: Plane, window: tuple[float, ...]) -> Float[Tensor, " 2"]:
    """Logarithms of what the distorted plane keeps and of what the reference has."""
    planes = torch.stack([x, y], dim=1)
    maps = torch.cat([planes, planes * planes, planes[:, :1] * planes[:, 1:]], dim=1)
    mean_x, mean_y, xx, yy, xy = window_sums(maps, window).unbind(1)
    var_x, var_y = (xx - mean_x * mean_x).clamp_min(0), (yy - mean_y * mean_y).clamp_min(0)
    both = xy - mean_x * mean_y
    gain = both / (var_x + EPS)
    rest = var_y - gain * both
    var_x = (var_x - EPS).clamp_min(0)
    flat = var_y < EPS
    gain, rest = torch.where(flat, 0.0, gain), torch.where(flat, 0.0, rest)
    rest = torch.where(gain < 0, var_y, rest).clamp_min(EPS)
    gain = gain.clamp_min(0)
    kept = torch.log1p(gain * gain * var_x / (rest + NOISE))
    return torch.stack([kept.sum(), torch.log1p(var_x / NOISE).sum()])


def _smaller(x: Plane, y: Plane, window: tuple[float, ...], sums: int) -> Iterator[Float[Tensor, "_ 2 _"]]:
    """Every second windowed mean of both planes, some rows at a time."""
    for rows in strips(sums, x.shape[1]):
        strip = slice(2 * rows.start, 2 * (rows.stop - 1) + len(window))
        yield window_sums(torch.stack([x[strip], y[strip]], dim=1), window, 2)


def vif(reference: Plane, distorted: Plane) -> Float[Tensor, ""]:
    """VIF of two planes of luma, 0 … 255, with sides from 41. NaN where the reference is flat."""
    bits = reference.new_zeros(2)
    x, y = reference, distorted
    for scale, window in enumerate(WINDOWS):
        if scale:
            sums = (x.shape[0] - len(window)) // 2 + 1
            x, y = joined(_smaller(x, y, window, sums), sums).unbind(1)
        for rows in strips(x.shape[0] - len(window) + 1, x.shape[1]):
            strip = slice(rows.start, rows.stop + len(window) - 1)
            bits = bits + _bits(x[strip], y[strip], window)
    return torch.where(bits[1] > 1e-6, bits[0] / bits[1].clamp_min(1e-12), torch.nan)


class VifLoss(LumaLoss):
    """1 - VIF of the luma."""

    metric = "vif"
    smallest = SMALLEST
    measure = staticmethod(vif)
