"""BRISQUE's 36 features, as in LIVE's release: statistics of contrast-normalised luma at full and half size.

Four steps of MATLAB's are pinned, since each moves the score: rgb2gray rounded to whole numbers, a 7×7 window of σ 7/6
with zeros beyond the edges, imresize(…, 0.5) with its antialiased bicubic kernel (by far the largest effect), and
shapes looked up on a grid of 0.2 … 10 in steps of 0.001. Where a window is flat the value is 0; a
program that leaves rounding there counts its signs in the fit, and its score depends on the order of its additions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from vitiq.errors import InputError
from vitiq.metrics.shared import shared
from vitiq.metrics.windows import ACROSS, ROWS, gaussian, window_sums
from vitiq.types import ImageU8

GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
"""MATLAB's rgb2gray."""

SMALLEST = 16
SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))
TAPS = gaussian(7, 7 / 6)
EDGE = len(TAPS) // 2
FLAT = 1e-9
"""Smaller normalised values are rounding of a flat window's mean, whose signs would decide the fit; they become 0."""


@lru_cache(maxsize=2)
def _halving(size: int) -> Float64[np.ndarray, "n m"]:
    """Rows of MATLAB's cubic kernel (a = -0.5) stretched by two, each two places further than the one above."""
    distance = np.array([3.5, 2.5, 1.5, 0.5]) / 2
    near, far = distance <= 1, distance > 1
    kernel = np.where(near, 1.5 * distance**3 - 2.5 * distance**2 + 1, 0.0)
    kernel = np.where(far, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2, kernel)
    taps = np.concatenate([kernel, kernel[::-1]])
    matrix = np.zeros((size, 2 * size + 6))
    for place in range(size):
        matrix[place, 2 * place : 2 * place + 8] = taps / taps.sum()
    return matrix


def half_size(values: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "i j"]:
    """MATLAB's imresize(values, 0.5): antialiased bicubic, mirrored edges, ceil(n / 2)."""
    for _ in range(2):  # rows, then columns as the rows of the transpose
        height, width = values.shape
        count = (height + 1) // 2
        padded = np.pad(values, ((3, 3 + height % 2), (0, 0)), mode="symmetric")
        halved = np.empty((count, width))
        for start in range(0, count, ROWS):
            size = min(ROWS, count - start)
            rows = padded[2 * start : 2 * (start + size) + 6]
            for left in range(0, width, ACROSS):
                np.matmul(
                    _halving(size),
                    rows[:, left : left + ACROSS],
                    out=halved[start : start + size, left : left + ACROSS],
                )
        values = np.ascontiguousarray(halved.T)
    return values


def normalise(grey: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
    """(x - μ) / (σ + 1) with the mean and deviation of each pixel's window."""
    height, width = grey.shape
    normed = np.empty((height, width))
    padded = np.zeros((height + 2 * EDGE, 2, width + 2 * EDGE))
    padded[EDGE:-EDGE, 0, EDGE:-EDGE] = grey
    np.multiply(padded[:, 0], padded[:, 0], out=padded[:, 1])
    for top in range(0, height, ROWS):
        rows = slice(top, min(top + ROWS, height))
        sums = window_sums(padded[top : rows.stop + 2 * EDGE], TAPS)
        mean, deviation = sums[:, 0], sums[:, 1]
        deviation -= mean * mean
        np.sqrt(np.abs(deviation, out=deviation), out=deviation)
        deviation += 1
        np.subtract(grey[rows], mean, out=normed[rows])
        normed[rows] /= deviation
    normed[np.abs(normed) < FLAT] = 0
    return normed


def _products(normed: Float64[np.ndarray, "h w"], shift: tuple[int, int]) -> Iterator[Float64[np.ndarray, "i w"]]:
    """Each pixel times its neighbour (around the edges as MATLAB's circshift), a few rows at a time."""
    other = np.roll(normed, shift, axis=(0, 1))
    for top in range(0, len(normed), 4 * ROWS):
        yield normed[top : top + 4 * ROWS] * other[top : top + 4 * ROWS]


@lru_cache(maxsize=1)
def _ratios() -> tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, " g"]]:
    """Shapes 0.2 … 10 in steps of 0.001 and Γ(2/g)² / (Γ(1/g) Γ(3/g)) of each."""
    from scipy.special import gamma  # noqa: PLC0415 - imported where used

    shapes = np.arange(0.2, 10.0005, 0.001)
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))


def _symmetric(normed: Float64[np.ndarray, "h w"]) -> tuple[float, float]:
    """Shape and variance of a generalised Gaussian fitted by moments."""
    shapes, ratios = _ratios()
    variance = float(np.mean(normed**2))
    rho = variance / float(np.mean(np.abs(normed))) ** 2
    return float(shapes[np.argmin(np.abs(rho - 1 / ratios))]), variance


def _asymmetric(normed: Float64[np.ndarray, "h w"], shift: tuple[int, int]) -> tuple[float, float, float, float]:
    """Shape, mean, left and right variance of an asymmetric generalised Gaussian fitted by moments."""
    from scipy.special import gamma  # noqa: PLC0415 - imported where used

    squares = signed = magnitudes = 0.0
    negative = positive = 0
    for product in _products(normed, shift):
        magnitude = np.abs(product)
        squares += float(np.einsum("ij,ij->", product, product))
        signed += float(np.einsum("ij,ij->", product, magnitude))
        magnitudes += float(magnitude.sum())
        negative += int(np.count_nonzero(product < 0))
        positive += int(np.count_nonzero(product > 0))
    if not negative or not positive:
        raise InputError("BRISQUE is not defined for a picture with so little texture")
    left, right = (squares - signed) / 2 / negative, (squares + signed) / 2 / positive
    skew = np.sqrt(left / right)
    ratio = magnitudes**2 / normed.size / squares
    normed_ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = _ratios()
    shape = float(shapes[np.argmin((ratios - normed_ratio) ** 2)])
    scale = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    mean = float(np.sqrt(right) - np.sqrt(left)) * float(gamma(2 / shape) / gamma(1 / shape)) * scale
    return shape, mean, left, right


@shared
def features(image: ImageU8) -> Float64[np.ndarray, " f"]:
    """BRISQUE's 36 features of a picture.

    Raises:
        InputError: a side below 16, or a picture without any texture (its statistics are undefined).
    """
    height, width, _ = image.shape
    if min(height, width) < SMALLEST:
        raise InputError(f"a picture of {width}×{height} pixels given, BRISQUE needs sides of at least {SMALLEST}")
    grey = np.rint(image.astype(np.float64) @ GREY)
    found: list[float] = []
    for scale in range(2):
        normed = normalise(grey)
        if normed.max() <= 0 or normed.min() >= 0:
            raise InputError("BRISQUE is not defined for a picture of one flat colour")
        found += _symmetric(normed)
        for shift in SHIFTS:
            found += _asymmetric(normed, shift)
        if scale == 0:
            grey = half_size(grey)
    values = np.array(found)
    if not np.isfinite(values).all():
        raise InputError("BRISQUE is not defined for a picture with so little texture")
    return values
