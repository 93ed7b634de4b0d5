"""FSIM of colour images: similarity of phase congruency, gradient and chroma, weighted by phase congruency.

Zhang et al. 2011 (DOI 10.1109/TIP.2011.2109730), FSIMc as `FSIM` of iqa-pytorch 0.1 has it: YIQ, means of f×f pixels
with f = round(short side / 256), 4 scales × 4 orientations of log-Gabor filters. The filters of a size are kept, and
the noise of an orientation is taken from their spectrum (Parseval) instead of from their images.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from vitiq.metrics.loss import Each, Images, Loss
from vitiq.metrics.measures.luma import Plane, defined

YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
SIDE = 256
SCALES = ORIENTATIONS = 4
SHORTEST, FACTOR = 6, 2
SPREAD, ANGULAR = 0.55, math.pi / ORIENTATIONS / 1.2
CUTOFF, ORDER = 0.45, 15
EPS = 1e-12
T1, T2, T3, CHROMA = 0.85, 160.0, 200.0, 0.03

Planes = Float[Tensor, "n h w"]


def _frequencies(size: int, whole: bool) -> Tensor:
    """Frequencies of a transform's lines, from -0.5; of odd sizes scaled to reach ±0.5 where not `whole`."""
    places = torch.arange(size, dtype=torch.float64) - size // 2
    shifted: Tensor = torch.fft.ifftshift(places / (size if whole or size % 2 == 0 else max(size - 1, 1)))
    return shifted


@lru_cache(maxsize=2)
@torch.inference_mode(False)  # kept for training too, whoever asks first
def _filters(rows: int, columns: int) -> tuple[Float[Tensor, "4 4 h w"], Float[Tensor, " 4"], Float[Tensor, " 4"]]:
    """Spectra by orientation and scale; of each orientation the power of the finest, and the noise that all pass."""
    v, u = _frequencies(rows, False)[:, None], _frequencies(columns, False)[None, :]
    radius = (u * u + v * v).sqrt()
    lowpass = 1 / (1 + (radius / CUTOFF) ** (2 * ORDER))
    radius[0, 0] = 1
    v, u = _frequencies(rows, True)[:, None], _frequencies(columns, True)[None, :]
    theta = torch.atan2(-v.expand(rows, columns), u.expand(rows, columns))
    bands = []
    for scale in range(SCALES):
        centre = 1 / (SHORTEST * FACTOR**scale)
        band = torch.exp(-((radius / centre).log() ** 2) / (2 * math.log(SPREAD) ** 2)) * lowpass
        band[0, 0] = 0
        bands.append(band)
    spectra = []
    for orientation in range(ORIENTATIONS):
        angle = orientation * math.pi / ORIENTATIONS
        sine = theta.sin() * math.cos(angle) - theta.cos() * math.sin(angle)
        cosine = theta.cos() * math.cos(angle) + theta.sin() * math.sin(angle)
        spread = torch.exp(-(torch.atan2(sine, cosine).abs() ** 2) / (2 * ANGULAR**2))
        spectra.append(torch.stack([band * spread for band in bands]))
    filters = torch.stack(spectra)
    all_scales = filters.sum(dim=1)
    opposite = all_scales.flip(1, 2).roll((1, 1), (1, 2))
    noise = ((all_scales + opposite) / 2).square().sum(dim=(1, 2))
    return filters, filters[:, 0].square().sum(dim=(1, 2)), noise


def _threshold(finest: Planes, power: Tensor, noise: Tensor) -> Float[Tensor, " n"]:
    """Energy that noise has, of the median of the finest scale's squared amplitude."""
    flat = finest.flatten(1)
    middle = flat.kthvalue((flat.shape[1] + 1) // 2, dim=1).values
    tau = (middle / math.log(2) / power * noise + EPS).sqrt()
    return (tau * math.sqrt(math.pi / 2) + 2 * ((2 - math.pi / 2) * tau * tau + EPS).sqrt()) / 1.7


def phase_congruency(planes: Planes) -> Planes:
    """Phase congruency of every place, 0 … 1."""
    filters, powers, noises = _filters(*planes.shape[1:])
    spectrum = torch.fft.fft2(planes)
    energy, amplitude = torch.zeros_like(planes), torch.zeros_like(planes)
    for spectra, power, noise in zip(filters.to(planes), powers.to(planes), noises.to(planes), strict=True):
        found = torch.fft.ifft2(spectrum[:, None] * spectra)
        even, odd = found.real, found.imag
        squares = even * even + odd * odd + EPS
        all_even, all_odd = even.sum(dim=1), odd.sum(dim=1)
        size = (all_even * all_even + all_odd * all_odd + EPS).sqrt() + 1e-4
        mean_even, mean_odd = (all_even / size)[:, None], (all_odd / size)[:, None]
        along = even * mean_even + odd * mean_odd
        aside = (even * mean_odd - odd * mean_even).abs()
        floor = _threshold(squares[:, 0], power, noise)[:, None, None]
        energy = energy + ((along - aside).sum(dim=1) - floor).clamp_min(0)
        amplitude = amplitude + squares.sqrt().sum(dim=1)
    return energy / amplitude


def _gradient(planes: Planes) -> Planes:
    """Magnitude of Scharr's gradient, zeros around."""
    wide = F.pad(planes, (1, 1, 1, 1))
    rows = (wide[:, :-2] + wide[:, 2:]) * (3 / 16) + wide[:, 1:-1] * (10 / 16)
    columns = (wide[..., :-2] + wide[..., 2:]) * (3 / 16) + wide[..., 1:-1] * (10 / 16)
    across, down = rows[..., 2:] - rows[..., :-2], columns[:, 2:] - columns[:, :-2]
    return (across * across + down * down + EPS).sqrt()


def _alike(planes: Planes, constant: float) -> Plane:
    x, y = planes.unbind(0)
    return (2 * x * y + constant) / (x * x + y * y + constant)


def factor_of(height: int, width: int) -> int:
    """How many times smaller FSIM sees an image, so that the short side is about 256."""
    return max(1, round(min(height, width) / SIDE))


def smaller(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 i j"]:
    """Means of f×f pixels, with f of `factor_of`."""
    factor = factor_of(*images.shape[2:])
    return F.avg_pool2d(images, factor) if factor > 1 else images


def fsim(images: Float[Tensor, "2 3 h w"]) -> Float[Tensor, ""]:
    """FSIMc of a reference and a distorted RGB image, 0 … 255, or made smaller. NaN where neither has any structure."""
    red, green, blue = images.unbind(1)
    luma, i, q = (red * r + green * g + blue * b for r, g, b in YIQ)
    congruency = phase_congruency(luma)
    weight = congruency.amax(dim=0)
    similar = _alike(_gradient(luma), T2) * _alike(congruency, T1) * weight
    colour = ((_alike(i, T3) * _alike(q, T3)).abs() + EPS) ** CHROMA
    return (similar * colour).sum() / weight.sum()


class FsimLoss(Loss):
    """1 - FSIMc."""

    metric = "fsim"

    def _compare(self, distorted: Images, reference: Images) -> Each:
        pairs = zip(reference * 255, distorted * 255, strict=True)
        return torch.stack([defined(fsim(smaller(torch.stack(pair))), pair[1]) for pair in pairs])
