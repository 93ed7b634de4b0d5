"""BRISQUE's 36 features, as in LIVE's release: statistics of contrast-normalised luma at full and half size.

Four steps of MATLAB's are pinned, since each moves the score: rgb2gray rounded to whole numbers, a 7×7 window of σ 7/6
with zeros beyond the edges, imresize(…, 0.5) with its antialiased bicubic kernel (by far the largest effect), and
shapes looked up on a grid of 0.2 … 10 in steps of 0.001. Where a window is flat the value is 0; a
program that leaves rounding there counts its signs in the fit, and its score depends on the order of its additions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from vitiq.errors import InputError
from vitiq.image.shared import shared
from vitiq.metrics.fidelity.windows import carve, gaussian, strip_rows, window_sums
from vitiq.types import ImageU8

GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
"""MATLAB's rgb2gray."""

SMALLEST = 16
SHIFTS = ((0, 1), (1, 0), (1, 1), (-1, 1))
TAPS = gaussian(7, 7 / 6)
EDGE = len(TAPS) // 2
FLAT = 1e-9
"""Smaller normalised values are rounding of a flat window's mean, whose signs would decide the fit; they become 0."""

PIECE = 4096
"""Values of one dot product, few enough for BLAS to stay on one thread."""


def _cubic() -> tuple[float, ...]:
    """MATLAB's cubic kernel (a = -0.5) stretched by two."""
    distance = np.array([3.5, 2.5, 1.5, 0.5]) / 2
    near, far = distance <= 1, distance > 1
    kernel = np.where(near, 1.5 * distance**3 - 2.5 * distance**2 + 1, 0.0)
    kernel = np.where(far, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2, kernel)
    taps = np.concatenate([kernel, kernel[::-1]])
    return tuple((taps / taps.sum()).tolist())


CUBIC = _cubic()


def half_size(values: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "i j"]:
    """MATLAB's imresize(values, 0.5): antialiased bicubic, mirrored edges, ceil(n / 2)."""
    height, width = values.shape
    halved = np.empty(((height + 1) // 2, (width + 1) // 2))
    padded = np.pad(values, [(3, 3 + side % 2) for side in values.shape], mode="symmetric")[:, None]
    step = strip_rows(1, 2 * width)
    for top in range(0, len(halved), step):
        rows = slice(2 * top, 2 * (top + step) + len(CUBIC) - 2)
        halved[top : top + step] = window_sums(padded[rows], CUBIC, stride=2)[:, 0]
    return halved


def normalise(grey: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
    """(x - μ) / (σ + 1) with the mean and deviation of each pixel's window."""
    height, width = grey.shape
    normed = np.empty((height, width))
    padded = np.pad(grey, EDGE)[:, None]
    step = strip_rows(1, width)
    one, other = np.empty((2, 2 * (min(step, height) + 2 * EDGE) * (width + 2 * EDGE)))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        strip = padded[top : rows.stop + 2 * EDGE]
        maps = carve(one, (2, *strip.shape))
        maps[0] = strip
        np.multiply(strip, strip, out=maps[1])
        mean, deviation = window_sums(maps, TAPS, other)[:, :, 0]
        found = np.subtract(grey[rows], mean, out=normed[rows])
        mean *= mean
        deviation -= mean
        np.sqrt(np.abs(deviation, out=deviation), out=deviation)
        deviation += 1
        found /= deviation
        found[np.abs(found, out=mean) < FLAT] = 0
    return normed


@lru_cache(maxsize=1)
def _ratios() -> tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, " g"]]:
    """Shapes 0.2 … 10 in steps of 0.001 and Γ(2/g)² / (Γ(1/g) Γ(3/g)) of each."""
    from scipy.special import gamma  # noqa: PLC0415 - imported where used

    shapes = np.arange(0.2, 10.0005, 0.001)
    return shapes, gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))


def _symmetric(normed: Float64[np.ndarray, "h w"]) -> tuple[float, float]:
    """Shape and variance of a generalised Gaussian fitted by moments."""
    shapes, ratios = _ratios()
    flat = normed.reshape(-1)
    variance = _dot(flat, flat) / flat.size
    rho = variance / float(np.mean(np.abs(flat))) ** 2
    return float(shapes[np.argmin(np.abs(rho - 1 / ratios))]), variance


@dataclass(slots=True)
class _Sums:
    """Sums over the products of neighbours."""

    squares: float = 0.0
    signed: float = 0.0
    magnitudes: float = 0.0
    negative: int = 0
    positive: int = 0

    def add(self, products: Float64[np.ndarray, " n"], memory: Float64[np.ndarray, " n"]) -> None:
        """Count some products in."""
        magnitudes = np.abs(products, out=memory)
        self.squares += _dot(products, products)
        self.signed += _dot(products, magnitudes)
        self.magnitudes += float(magnitudes.sum())
        self.negative += int(np.count_nonzero(products < 0))
        self.positive += int(np.count_nonzero(products > 0))


def _dot(a: Float64[np.ndarray, " n"], b: Float64[np.ndarray, " n"]) -> float:
    """Sum of products, in pieces below BLAS's threads."""
    whole = len(a) // PIECE * PIECE
    pieces = np.vecdot(a[:whole].reshape(-1, PIECE), b[:whole].reshape(-1, PIECE))
    return float(pieces.sum() + np.vecdot(a[whole:], b[whole:]))


def _neighbours(normed: Float64[np.ndarray, "h w"]) -> list[_Sums]:
    """Sums over each pixel times its neighbour at each of `SHIFTS`, around the edges as MATLAB's circshift."""
    height, width = normed.shape
    sums = [_Sums() for _ in SHIFTS]
    step = strip_rows(1, width)
    one, other = np.empty((2, step * width))
    for top in range(0, height, step):
        count = min(step, height - top)
        size = count * width
        strip = normed.take(range(top - 2, top + count + 1), axis=0, mode="wrap")
        own, values = strip[2:-1], strip.reshape(-1)
        for (down, right), found in zip(SHIFTS, sums, strict=True):
            start = (2 - down) * width - right
            products = np.multiply(own.reshape(-1), values[start : start + size], out=one[:size])
            edge = strip[2 - down :][:count, width - right :]  # the row before lent its last ones
            np.multiply(own[:, :right], edge, out=products.reshape(own.shape)[:, :right])
            found.add(products, other[:size])
    return sums


def _asymmetric(sums: _Sums, size: int) -> tuple[float, float, float, float]:
    """Shape, mean, left and right variance of an asymmetric generalised Gaussian fitted by moments."""
    from scipy.special import gamma  # noqa: PLC0415 - imported where used

    if not sums.negative or not sums.positive:
        raise InputError("BRISQUE is not defined for an image with so little texture")
    left = (sums.squares - sums.signed) / 2 / sums.negative
    right = (sums.squares + sums.signed) / 2 / sums.positive
    skew = np.sqrt(left / right)
    ratio = sums.magnitudes**2 / size / sums.squares
    normed_ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = _ratios()
    shape = float(shapes[np.argmin((ratios - normed_ratio) ** 2)])
    scale = float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
    mean = float(np.sqrt(right) - np.sqrt(left)) * float(gamma(2 / shape) / gamma(1 / shape)) * scale
    return shape, mean, left, right


def _grey(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """MATLAB's rgb2gray of whole numbers."""
    grey = np.empty(image.shape[:2])
    step = strip_rows(3, image.shape[1])
    for top in range(0, len(grey), step):
        np.matmul(image[top : top + step].astype(np.float64), GREY, out=grey[top : top + step])
    return np.rint(grey, out=grey)


@shared
def features(image: ImageU8) -> Float64[np.ndarray, " f"]:
    """BRISQUE's 36 features of an image.

    Raises:
        InputError: a side below 16, or an image without any texture (its statistics are undefined).
    """
    height, width, _ = image.shape
    if min(height, width) < SMALLEST:
        raise InputError(f"an image of {width}×{height} pixels given, BRISQUE needs sides of at least {SMALLEST}")
    grey = _grey(image)
    found: list[float] = []
    for scale in range(2):
        normed = normalise(grey)
        if normed.max() <= 0 or normed.min() >= 0:
            raise InputError("BRISQUE is not defined for an image of one flat colour")
        found += _symmetric(normed)
        for sums in _neighbours(normed):
            found += _asymmetric(sums, normed.size)
        if scale == 0:
            grey = half_size(grey)
    values = np.array(found)
    if not np.isfinite(values).all():
        raise InputError("BRISQUE is not defined for an image with so little texture")
    return values
