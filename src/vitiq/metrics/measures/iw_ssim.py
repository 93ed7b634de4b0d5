"""IW-SSIM: SSIM of the bands of a Laplacian pyramid, each place weighted by the information it carries.

Wang and Li 2011 (DOI 10.1109/TIP.2010.2092435), as in the authors' info_content_weight_map.m, IW_SSIM_PyTorch and piq
0.8.0 (whose x is the distorted image), in double precision. What an eye learns from a place is the mutual information
of a Gaussian scale mixture over the reference's 3×3 neighbours and its band above, seen directly and through the
distortion, a gain of the reference and noise; the sum of its ten logarithms is the logarithm of their product, and the
images are gone through in strips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.fidelity.ms_ssim import SCALE_WEIGHTS
from vitiq.metrics.fidelity.ssim import C1, C2, WANG
from vitiq.metrics.loss import Each, Images
from vitiq.metrics.measures.luma import LumaLoss, Plane
from vitiq.metrics.measures.resampling import AxisMap, halved, less, spreading
from vitiq.metrics.measures.windows import Rows, joined, strips, window_sums

SMALLEST = (WANG.size - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
BINOMIAL = tuple(math.sqrt(2) * value / 16 for value in (1, 4, 6, 4, 1))
NOISE = 0.4
"""Variance of the eye's noise."""

FLAT = 1e-18
"""Mean square of a band without detail, which rounding leaves at 1e-25; one level in one of 10⁹ pixels is above."""

CROP = WANG.size // 2 - 1
"""Places of the information's map before the first window of SSIM."""


def pyramid(planes: Rows) -> list[Float[Tensor, "_ p _"]]:
    """Four differences from the next coarser plane, and the coarsest plane."""
    bands = []
    for _ in range(len(SCALE_WEIGHTS) - 1):
        low = halved(planes, BINOMIAL)
        bands.append(joined(_differences(planes, low), len(planes)))
        planes = low
    return [*bands, planes]


def _differences(planes: Rows, low: Float[Tensor, "i p j"]) -> Iterator[Float[Tensor, "_ p w"]]:
    """Rows of a plane less the next coarser one made larger."""
    height, _, width = planes.shape
    maps = spreading(low.shape[0], height, BINOMIAL), spreading(low.shape[2], width, BINOMIAL)
    for rows in strips(height, width):
        yield less(planes, low, maps, rows)


@lru_cache(maxsize=32)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def _parents(size: int, parents: int) -> AxisMap:
    """For the places of a band, those of the band above: bilinear to 4 n - 3 places, one more at each end on the same
    line, and every second of them."""
    places = (torch.arange(2 * parents, dtype=torch.float64) * 2 - 0.5) * parents / (4 * parents - 3) - 0.5
    places = places.clamp(0, parents - 1)
    places[-1] = parents - 1
    first = places.floor().clamp_max(max(parents - 2, 0))
    share = (places - first)[:size, None]
    first = first[:size, None].long()
    return AxisMap(torch.cat([first, first + 1], dim=1), torch.cat([1 - share, share], dim=1), 0.5)


@dataclass(frozen=True)
class _Parent:
    """The band above at the places of a band of a height and a width."""

    band: Plane
    height: int
    width: int

    def rows(self, rows: slice) -> Float[Tensor, "i j"]:
        """Some rows of it."""
        down, across = _parents(self.height, self.band.shape[0]), _parents(self.width, self.band.shape[1])
        return across.columns(down.rows(self.band[:, None], rows))[:, 0]


def _neighbours(band: Plane, parent: _Parent | None, rows: slice) -> Float[Tensor, "k i j"]:
    """The 3×3 neighbours of inner places in rows of the map, and their place in the band above."""
    width = band.shape[1]
    strip = band[rows.start : rows.stop + 2]
    count = rows.stop - rows.start
    around = [strip[i : i + count, j : j + width - 2] for i in range(3) for j in range(3)]
    if parent is not None:
        around.append(parent.rows(slice(rows.start + 1, rows.stop + 1))[:, 1:-1])
    return torch.stack(around)


def _covariance(band: Plane, parent: _Parent | None) -> Float[Tensor, "k k"]:
    height, width = band.shape
    total: Tensor | None = None
    for rows in strips(height - 2, width):
        around = _neighbours(band, parent, rows).flatten(1)
        part = around @ around.T
        total = part if total is None else total + part
    assert total is not None
    return total / ((height - 2) * (width - 2))


def _mixture(band: Plane, parent: _Parent | None) -> tuple[Float[Tensor, " k"], Float[Tensor, "k k"]]:
    """Eigenvalues of the neighbours' covariance, none below 0 and their sum kept, and the whitening matrix.

    NaN where the band is flat.
    """
    values, vectors = torch.linalg.eigh(_covariance(band, parent))
    positive, whole = values.clamp_min(0), values.sum()
    found = torch.where(whole > FLAT, positive * whole / positive.sum(), torch.nan)
    return found, vectors / found.sqrt()


def _information(
    x: Plane, y: Plane, parent: _Parent | None, mixture: tuple[Tensor, Tensor], rows: slice
) -> Float[Tensor, "i j"]:
    """Bits at inner places of a reference's band x and a distorted one y; `rows` are those of the map."""
    eps = torch.finfo(x.dtype).eps
    top, bottom = rows.start, rows.stop + 2
    planes = torch.stack([x[top:bottom], y[top:bottom]], dim=1)
    maps = torch.cat([planes, planes * planes, planes[:, :1] * planes[:, 1:]], dim=1)
    mean_x, mean_y, xx, yy, xy = _box_means(maps).unbind(1)
    var_x, var_y = (xx - mean_x * mean_x).clamp_min(0), (yy - mean_y * mean_y).clamp_min(0)
    both = xy - mean_x * mean_y
    empty = var_x < eps
    gain = torch.where(empty, 0.0, both / (var_x + eps))
    rest = torch.where(empty, var_y, var_y - gain * both)
    gain, rest = torch.where(var_y < eps, 0.0, gain), torch.where(var_y < eps, 0.0, rest)
    values, whitening = mixture
    around = _neighbours(x, parent, rows)
    white = whitening.T @ around.flatten(1)
    scale = (white * white).sum(dim=0).view(around.shape[1:])
    slope = (rest + NOISE + gain * gain * NOISE) * scale * (1 / NOISE**2 / len(values))
    start = 1 + rest * (1 / NOISE)
    product = slope * values[0] + start
    for value in values[1:]:
        product = product * torch.addcmul(start, slope, value)
    bits = product.log2()
    return torch.where(bits < eps, 0.0, bits)


def _box_means(maps: Rows) -> Float[Tensor, "i p j"]:
    """Means of 3×3."""
    rows = maps[:-2] + maps[1:-1] + maps[2:]
    return (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) * (1 / 9)


def _structure(x: Plane, y: Plane, rows: slice, luminance: bool) -> Float[Tensor, "i j"]:
    """SSIM's contrast and structure of every window, and the luminance where asked for."""
    strip = slice(rows.start, rows.stop + WANG.size - 1)
    s, d = x[strip] + y[strip], x[strip] - y[strip]
    maps = torch.stack([s, d, s * s, d * d], dim=1)
    mean_s, mean_d, ss, dd = window_sums(maps, WANG.taps).unbind(1)
    mean_s, mean_d = mean_s * mean_s, mean_d * mean_d
    var_s, var_d = ss - mean_s, dd - mean_d
    found = (var_s - var_d + 2 * C2) / (var_s + var_d + 2 * C2)
    return found * (mean_s - mean_d + 2 * C1) / (mean_s + mean_d + 2 * C1) if luminance else found


def _band_mean(x: Plane, y: Plane, parent: _Parent | None) -> Float[Tensor, ""]:
    """The mean of the structure of a reference's band x and a distorted one y, weighted by information."""
    mixture = _mixture(x, parent)
    total, weight = x.new_zeros(()), x.new_zeros(())
    for rows in strips(x.shape[0] - WANG.size + 1, x.shape[1]):
        bits = _information(x, y, parent, mixture, slice(rows.start + CROP, rows.stop + CROP))[:, CROP:-CROP]
        total = total + (_structure(x, y, rows, False) * bits).sum()
        weight = weight + bits.sum()
    return total / weight


def iw_ssim(reference: Plane, distorted: Plane) -> Float[Tensor, ""]:
    """IW-SSIM of two planes of luma, 0 … 255, with sides from 161. NaN where a band of the reference is flat."""
    pyramids = [pyramid(plane[:, None]) for plane in (reference, distorted)]  # one after the other, for their memory
    bands = [(x[:, 0], y[:, 0]) for x, y in zip(*pyramids, strict=True)]
    means = []
    for scale, (x, y) in enumerate(bands[:-1]):
        above = scale < len(bands) - 2
        parent = _Parent(bands[scale + 1][0], *x.shape) if above else None
        means.append(_band_mean(x, y, parent))
    x, y = bands[-1]
    means.append(_structure(x, y, slice(0, x.shape[0] - WANG.size + 1), True).mean())
    weights = reference.new_tensor(SCALE_WEIGHTS) / sum(SCALE_WEIGHTS)
    return (torch.stack(means).abs() ** weights).prod()


class IwSsimLoss(LumaLoss):
    """1 - IW-SSIM of the luma."""

    metric = "iw-ssim"
    smallest = SMALLEST
    measure = staticmethod(iw_ssim)

    def _compare(self, distorted: Images, reference: Images) -> Each:
        if torch.compiler.is_compiling():
            # Tables of a few rows, each traced for a minute, whose sizes Inductor gets wrong. `disable` takes seconds
            # to import: only here.
            eager: Callable[[Images, Images], Each] = torch.compiler.disable(super()._compare)  # type: ignore[no-untyped-call]
            return eager(distorted, reference)
        return super()._compare(distorted, reference)
