"""CIEDE2000: the colour difference of each pixel, its mean and its 95th percentile.

Sharma, Wu and Dalal 2005 (DOI 10.1002/col.20070); CIELAB of sRGB under D65 with the constants of scikit-image, so that
values are those of its `deltaE_ciede2000`. Hues are differences of pixels, no blur for the distance of the viewer.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Float64

from vitiq.image.colour import row_strips
from vitiq.image.colour_space import srgb_to_light
from vitiq.metrics.base import PairMetric
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from torch import Tensor

XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)
PIXELS = 2**14
"""Pixels at a time: their forty planes stay in the cache."""


@lru_cache(maxsize=1)
def _light() -> Float64[np.ndarray, " 256"]:
    return srgb_to_light(np.arange(256) / 255)


def _lab(image: ImageU8) -> tuple[Tensor, Tensor, Tensor]:
    """L*, a* and b* of every pixel."""
    import torch  # noqa: PLC0415 - torch

    red, green, blue = torch.from_numpy(_light()[image.reshape(-1, 3).T])
    roots = []
    for (r, g, b), white in zip(XYZ, WHITE, strict=True):
        value = (red * r + green * g + blue * b) / white
        roots.append(
            torch.where(value > 0.008856, (value.clamp_min(1e-9).log() * (1 / 3)).exp(), 7.787 * value + 16 / 116)
        )
    x, y, z = roots
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _hue(a: Tensor, b: Tensor) -> Tensor:
    import torch  # noqa: PLC0415 - torch

    angle = torch.atan2(b, a)
    return torch.where(angle < 0, angle + 2 * math.pi, angle)


def _differences(reference: ImageU8, distorted: ImageU8) -> Tensor:
    """ΔE00 of every pixel of some rows."""
    (l1, a1, b1), (l2, a2, b2) = _lab(reference), _lab(distorted)
    mean = 0.5 * ((a1 * a1 + b1 * b1).sqrt() + (a2 * a2 + b2 * b2).sqrt())
    stretch = 1.5 - 0.5 * _saturated(mean)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = (a1 * a1 + b1 * b1).sqrt(), (a2 * a2 + b2 * b2).sqrt()
    light = 0.5 * (l1 + l2) - 50
    light = light * light
    lightness = (l2 - l1) / (1 + 0.015 * light / (20 + light).sqrt())
    chroma = 0.5 * (c1 + c2)
    saturation = (c2 - c1) / (1 + 0.045 * chroma)
    turn, middle = _hues(_hue(a1, b1), _hue(a2, b2), c1 * c2)
    hue = 2 * (c1 * c2).sqrt() * (turn / 2).sin() / (1 + 0.015 * chroma * _tone(middle))
    away = middle * (180 / math.pi / 25) - 275 / 25
    rotation = ((-away * away).exp() * (math.pi / 3)).sin() * -2 * _saturated(chroma) * saturation * hue
    squares = lightness * lightness + saturation * saturation + hue * hue
    return (squares + rotation).clamp_min(0).sqrt()


def _saturated(chroma: Tensor) -> Tensor:
    squared = chroma * chroma
    seventh = squared * squared * squared * chroma
    return (seventh / (seventh + 25.0**7)).sqrt()


def _hues(one: Tensor, other: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
    """Difference and mean of two hues along the shorter way; of a grey the difference is 0 and the mean the other's."""
    import torch  # noqa: PLC0415 - torch

    turn, total = other - one, one + other
    far = turn.abs() > math.pi
    shorter = torch.where(far, turn - 2 * math.pi * turn.sign(), turn)
    mean = torch.where(far, total + torch.where(total < 2 * math.pi, 2 * math.pi, -2 * math.pi), total) * 0.5
    grey = chroma == 0
    return torch.where(grey, 0.0, shorter), torch.where(grey, total, mean)


def _tone(hue: Tensor) -> Tensor:
    """Weight of a hue; its cosines of multiples follow from one sine and one cosine."""
    degree = math.pi / 180
    one, other = hue.cos(), hue.sin()
    cos2, sin2 = 2 * one * one - 1, 2 * one * other
    cos3, sin3 = cos2 * one - sin2 * other, sin2 * one + cos2 * other
    cos4, sin4 = 2 * cos2 * cos2 - 1, 2 * sin2 * cos2
    return (
        1
        - (one * math.cos(30 * degree) + other * math.sin(30 * degree)) * 0.17
        + cos2 * 0.24
        + (cos3 * math.cos(6 * degree) - sin3 * math.sin(6 * degree)) * 0.32
        - (cos4 * math.cos(63 * degree) + sin4 * math.sin(63 * degree)) * 0.20
    )


def difference_map(reference: ImageU8, distorted: ImageU8) -> Float32[np.ndarray, "h w"]:
    """ΔE00 of every pixel, 0 for equal colours; about 1 is just seen, 100 is black beside white."""
    height, width, _ = reference.shape
    found = np.empty((height, width), np.float32)
    for rows in row_strips(height, width, PIXELS):
        found[rows] = _differences(reference[rows], distorted[rows]).reshape(-1, width).numpy()
    return found


class Ciede2000(PairMetric):
    """Mean colour difference ΔE00 of the pixels; details hold the 95th percentile and the largest."""

    name = "ciede2000"
    title = "CIEDE2000"
    range = (0.0, math.inf)
    higher_is_better = False
    kind = "full-reference"
    reference = "Sharma, Wu & Dalal 2005, DOI 10.1002/col.20070"
    formula = "mean ΔE00 of the pixels' CIELAB (D65)"

    def signature(self) -> str:
        """White point and pooling."""
        return "ciede2000|srgb|d65|mean|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Mean of `difference_map`; details: p95, max."""
        differences = difference_map(reference, distorted)
        details = {"p95": float(np.percentile(differences, 95)), "max": float(differences.max())}
        return Score(float(differences.mean(dtype=np.float64)), self.signature(), details)
