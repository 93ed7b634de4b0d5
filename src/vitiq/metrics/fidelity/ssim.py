"""SSIM: means, contrast and structure of two images compared in every window.

Wang et al. 2004 (DOI 10.1109/TIP.2003.819861): 11×11 Gaussian window of σ 1.5, population covariance, K1 = 0.01,
K2 = 0.03, data range 255, valid region only. scikit-image gives the same with gaussian_weights=True, sigma=1.5,
use_sample_covariance=False, data_range=255. Its own default is another metric: 7×7 uniform window, sample covariance.

For x, y with s = x + y and d = x - y the formula needs only means and variances of s and d:
2 μx μy = (μs² - μd²) / 2, μx² + μy² = (μs² + μd²) / 2, and the same for covariance and variances. Four windowed sums
instead of five, and exactly 1 where the images are equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from jaxtyping import Float64, Shaped

from vitiq.errors import InputError
from vitiq.image.colour import luma
from vitiq.image.shared import shared
from vitiq.metrics.base import PairMetric
from vitiq.metrics.fidelity.windows import carve, gaussian, strip_rows, window_sums
from vitiq.metrics.guards import check_sizes
from vitiq.metrics.halves import rgb_planes
from vitiq.types import ImageU8, Score

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Planes: TypeAlias = Shaped[np.ndarray, "h c w"]
"""Rows of every channel: uint8 or float64, H×C×W."""


@dataclass(frozen=True)
class Window:
    """How a window weighs its pixels.

    Attributes:
        taps: weights along a side, summing to 1; the window is their outer product.
        correction: factor of the (co)variances: 1 for the population's, n / (n - 1) for the sample's.
    """

    taps: tuple[float, ...]
    correction: float = 1.0

    @property
    def size(self) -> int:
        """Pixels along a side."""
        return len(self.taps)


WANG = Window(gaussian(11, 1.5))
UNIFORM = Window((1 / 7,) * 7, 49 / 48)


@shared
def luma601_plane(image: ImageU8) -> Float64[np.ndarray, "h 1 w"]:
    """The luma as the only channel."""
    return luma(image)[:, None, :]


def _strips(
    a: Planes, b: Planes, window: Window
) -> Iterator[tuple[Float64[np.ndarray, "i c j"], Float64[np.ndarray, "i c j"]]]:
    """SSIM's luminance part and its contrast-structure part, some rows at a time, valid until the next."""
    height, channels, width = a.shape
    if min(height, width) < window.size:
        raise InputError(
            f"an image of {width}×{height} pixels given, SSIM needs sides of at least {window.size}; "
            f"use mse or psnr-rgb for smaller ones"
        )
    step, reach = strip_rows(channels, width), window.size - 1
    one, other = np.empty((2, 4 * min(step + reach, height) * channels * width))
    for top in range(0, height - reach, step):
        rows = slice(top, top + step + reach)
        means = window_sums(_maps(a[rows], b[rows], one), window.taps, other)
        yield _compare(means, window.correction, other)


def _maps(a: Planes, b: Planes, memory: Float64[np.ndarray, " s"]) -> Float64[np.ndarray, "4 h c w"]:
    """s, d, s² and d²."""
    maps = carve(memory, (4, *a.shape))
    s, d, x, y = maps
    x[...] = a
    y[...] = b
    np.add(x, y, out=s)
    np.subtract(x, y, out=d)
    np.multiply(maps[:2], maps[:2], out=maps[2:])
    return maps


def _compare(
    means: Float64[np.ndarray, "4 i c j"], correction: float, memory: Float64[np.ndarray, " s"]
) -> tuple[Float64[np.ndarray, "i c j"], Float64[np.ndarray, "i c j"]]:
    """The formula's two factors from the windows' means of `_maps`, which are overwritten."""
    means[:2] *= means[:2]
    means[2:] -= means[:2]
    if correction != 1:
        means[2:] *= correction
    luminance, structure = carve(memory, (2, *means.shape[1:]))
    for constant, (s, d), factor in ((2 * C1, means[:2], luminance), (2 * C2, means[2:], structure)):
        np.add(s, constant, out=s)
        np.subtract(s, d, out=factor)
        np.add(s, d, out=s)
        np.divide(factor, s, out=factor)
    return luminance, structure


def mean_similarity(
    a: Planes, b: Planes, window: Window = WANG
) -> tuple[Float64[np.ndarray, " c"], Float64[np.ndarray, " c"]]:
    """Mean SSIM of each channel, and the mean of its contrast-structure part.

    Raises:
        InputError: a side below the window.
    """
    full, contrast, count = np.zeros(a.shape[1]), np.zeros(a.shape[1]), 0
    for luminance, structure in _strips(a, b, window):
        full += np.einsum("icj,icj->c", luminance, structure)
        contrast += structure.sum(axis=(0, 2))
        count += structure.shape[0] * structure.shape[2]
    return full / count, contrast / count


@shared
def rgb_similarity(
    reference: ImageU8, distorted: ImageU8
) -> tuple[Float64[np.ndarray, " 3"], Float64[np.ndarray, " 3"]]:
    """`mean_similarity` of R, G and B in Wang et al.'s setting."""
    return mean_similarity(rgb_planes(reference), rgb_planes(distorted))


@shared
def luma_similarity(
    reference: ImageU8, distorted: ImageU8
) -> tuple[Float64[np.ndarray, " 1"], Float64[np.ndarray, " 1"]]:
    """`mean_similarity` of the luma in Wang et al.'s setting."""
    return mean_similarity(luma601_plane(reference), luma601_plane(distorted))


def ssim_map(reference: ImageU8, distorted: ImageU8) -> Float64[np.ndarray, "i j 3"]:
    """SSIM of every window of R, G and B: H - 10 rows, W - 10 columns for the window of 11.

    Raises:
        InputError: the sizes differ, or a side is below the window.
    """
    check_sizes(reference, distorted)
    strips = _strips(rgb_planes(reference), rgb_planes(distorted), WANG)
    full = [luminance * structure for luminance, structure in strips]
    return np.ascontiguousarray(np.concatenate(full).transpose(0, 2, 1))


class _Ssim(PairMetric):
    range = (-1.0, 1.0)
    higher_is_better = True
    kind = "full-reference"
    differentiable = True
    reference = "Wang et al. 2004, DOI 10.1109/TIP.2003.819861"
    formula = "mean of (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))"
    settings: ClassVar[str] = "gauss:11-1.5|cov:population|range:255"
    channels: ClassVar[str] = "rgb-mean"

    def signature(self) -> str:
        """Window, covariance, data range and channels."""
        return f"{self.name}|{self.settings}|{self.channels}|valid|v1"


class Ssim(_Ssim):
    """Structural similarity, Wang et al.'s setting, mean of R, G and B."""

    name = "ssim"
    title = "SSIM"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Mean SSIM; InputError for sides below 11."""
        return Score(float(rgb_similarity(reference, distorted)[0].mean()), self.signature())


class SsimY(_Ssim):
    """Structural similarity of the luma, Wang et al.'s setting."""

    name = "ssim-y"
    title = "SSIM (luma)"
    channels = "luma:bt601-full"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Mean SSIM; InputError for sides below 11."""
        return Score(float(luma_similarity(reference, distorted)[0].mean()), self.signature())


class SsimSkimage(_Ssim):
    """Structural similarity in scikit-image's default setting, the one of the thesis."""

    name = "ssim-skimage"
    title = "SSIM (scikit-image's default)"
    settings = "uniform:7|cov:sample|range:255"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Mean SSIM; InputError for sides below 7."""
        full, _ = mean_similarity(rgb_planes(reference), rgb_planes(distorted), UNIFORM)
        return Score(float(full.mean()), self.signature())
