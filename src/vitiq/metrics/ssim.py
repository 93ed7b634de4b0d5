"""SSIM and MS-SSIM in the settings of their papers, on each of R, G and B, then averaged.

Wang et al. 2004 (DOI 10.1109/TIP.2003.819861): 11×11 Gaussian window of σ 1.5, population covariance, K1 = 0.01,
K2 = 0.03, data range 255, valid region only. scikit-image gives the same with gaussian_weights=True, sigma=1.5,
use_sample_covariance=False, data_range=255, channel_axis=2.
Wang, Simoncelli and Bovik 2003 (DOI 10.1109/ACSSC.2003.1292216): five scales halved by 2×2 means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from vitiq.errors import InputError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.sizes import check_sizes
from vitiq.types import ImageU8, Score

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW = 11
SIGMA = 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (Wang et al. 2003, section 3.2)."""

SMALLEST_MULTISCALE = WINDOW * 2 ** (len(SCALE_WEIGHTS) - 1)
"""Smallest side whose coarsest scale still holds a window (176 halves four times to 11)."""


def _valid_blur() -> Callable[[Float64[np.ndarray, "h w c"]], Float64[np.ndarray, "i j c"]]:
    from scipy.ndimage import correlate1d  # noqa: PLC0415 - imported where used

    x = np.arange(WINDOW) - WINDOW // 2
    line = np.exp(-(x**2) / (2 * SIGMA**2))
    line /= line.sum()
    edge = WINDOW // 2

    def blur(values: Float64[np.ndarray, "h w c"]) -> Float64[np.ndarray, "i j c"]:
        rows = correlate1d(values, line, axis=0)[edge:-edge]
        return np.asarray(correlate1d(rows, line, axis=1)[:, edge:-edge])

    return blur


def ssim_maps(
    a: Float64[np.ndarray, "h w c"], b: Float64[np.ndarray, "h w c"]
) -> tuple[Float64[np.ndarray, "i j c"], Float64[np.ndarray, "i j c"]]:
    """SSIM of every window, and its contrast-structure part; H-10 × W-10.

    Raises:
        InputError: a side below 11.
    """
    height, width = a.shape[:2]
    if min(height, width) < WINDOW:
        raise InputError(f"a picture of {width}×{height} pixels given, SSIM needs sides of at least {WINDOW}")
    blur = _valid_blur()
    mean_a, mean_b = blur(a), blur(b)
    square_a, square_b, product = mean_a * mean_a, mean_b * mean_b, mean_a * mean_b
    variances = blur(a * a + b * b) - square_a - square_b
    covariance = blur(a * b) - product
    structure = (2 * covariance + C2) / (variances + C2)
    return (2 * product + C1) / (square_a + square_b + C1) * structure, structure


def halve(values: Float64[np.ndarray, "h w c"]) -> Float64[np.ndarray, "i j c"]:
    """Means of 2×2 blocks; an odd last row or column is dropped."""
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    even = values[:height, :width]
    return np.asarray((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4)


class Ssim(PairMetric):
    """Structural similarity, Wang et al.'s setting."""

    name = "ssim"
    title = "SSIM"
    range = (-1.0, 1.0)
    higher_is_better = True
    kind = "full-reference"
    differentiable = True
    reference = "Wang et al. 2004, DOI 10.1109/TIP.2003.819861"
    formula = "mean of (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))"

    def signature(self) -> str:
        """Window, covariance, data range and channels."""
        return "ssim|gauss:11-1.5|cov:population|range:255|rgb-mean|valid|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Mean SSIM; InputError for sides below 11."""
        check_sizes(reference, distorted)
        full, _ = ssim_maps(reference.astype(np.float64), distorted.astype(np.float64))
        return Score(float(full.mean()), self.signature())


class MsSsim(PairMetric):
    """Multi-scale SSIM of five scales."""

    name = "ms-ssim"
    title = "MS-SSIM"
    range = (0.0, 1.0)
    higher_is_better = True
    kind = "full-reference"
    differentiable = True
    reference = "Wang, Simoncelli & Bovik 2003, DOI 10.1109/ACSSC.2003.1292216"
    formula = "SSIM of scale 5 ^ 0.1333 · Π contrast-structure of scale i ^ w_i"

    def signature(self) -> str:
        """Window, scales, data range and channels."""
        return "ms-ssim|gauss:11-1.5|scales:5|mean-pool|cov:population|range:255|rgb-mean|valid|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """MS-SSIM; negative means of a scale count as 0.

        Raises:
            InputError: a side below 176, whose fifth scale is smaller than the window.
        """
        check_sizes(reference, distorted)
        height, width, _ = reference.shape
        if min(height, width) < SMALLEST_MULTISCALE:
            raise InputError(
                f"a picture of {width}×{height} pixels given, MS-SSIM needs sides of at least {SMALLEST_MULTISCALE}"
            )
        a, b = reference.astype(np.float64), distorted.astype(np.float64)
        product = np.ones(3)
        for scale, weight in enumerate(SCALE_WEIGHTS):
            full, structure = ssim_maps(a, b)
            last = scale == len(SCALE_WEIGHTS) - 1
            mean = (full if last else structure).mean(axis=(0, 1))
            product *= np.maximum(mean, 0) ** weight
            if not last:
                a, b = halve(a), halve(b)
        return Score(float(product.mean()), self.signature())
