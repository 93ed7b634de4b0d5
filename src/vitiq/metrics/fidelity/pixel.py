"""Errors of single pixels of 8-bit images: MSE, RMSE, MAE and PSNR, over R, G and B or of the luma."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np
from jaxtyping import UInt8

from vitiq.image.colour import THOUSANDTHS, row_strips
from vitiq.image.shared import shared
from vitiq.metrics.base import PairMetric
from vitiq.metrics.measured import OfConditions, ten_bit_plane
from vitiq.types import ImageU8, Score

DATA_RANGE = 255
CHUNK = 2**16
"""Values at a time: small enough for the cache, and 2**16 squares of 255 fit into 32 bits."""

PIXELS = 2**16
"""Pixels at a time for the luma: small enough for the cache, and their squared thousandths fit into 53 bits."""


def _difference(a: UInt8[np.ndarray, " n"], b: UInt8[np.ndarray, " n"]) -> UInt8[np.ndarray, " n"]:
    return np.asarray(np.maximum(a, b) - np.minimum(a, b), dtype=np.uint8)


@shared
def mean_squared_error(reference: ImageU8, distorted: ImageU8) -> float:
    """Mean squared difference, 0 … 65025; whole-number arithmetic, so exact."""
    a, b = reference.reshape(-1), distorted.reshape(-1)
    total = 0
    for start in range(0, len(a), CHUNK):
        squares = _difference(a[start : start + CHUNK], b[start : start + CHUNK]).astype(np.uint16)
        squares *= squares
        total += int(squares.sum(dtype=np.uint32))
    return total / len(a)


def mean_absolute_error(reference: ImageU8, distorted: ImageU8) -> float:
    """Mean absolute difference, 0 … 255; exact."""
    a, b = reference.reshape(-1), distorted.reshape(-1)
    starts = range(0, len(a), CHUNK)
    sums = (_difference(a[i : i + CHUNK], b[i : i + CHUNK]).sum(dtype=np.uint32) for i in starts)
    return sum(int(s) for s in sums) / len(a)


def mean_squared_luma_error(reference: ImageU8, distorted: ImageU8) -> float:
    """Mean squared difference of the unrounded luma (`image.colour.luma`), 0 … 65025; exact, in thousandths."""
    height, width, _ = reference.shape
    step = min(height, max(1, PIXELS // width))
    channels, luma = np.empty((step, width, 3), np.float32), np.empty((step, width))  # one memory for all strips
    total = 0
    for top in range(0, height, step):
        strip = slice(top, top + step)
        rows = slice(len(reference[strip]))
        np.subtract(reference[strip], distorted[strip], out=channels[rows], dtype=np.float32)
        luma[rows] = channels[rows] @ THOUSANDTHS  # luma is linear: once, not of both
        total += int(np.square(luma[rows], out=luma[rows]).sum())
    return float(total / (height * width * 10**6))


def psnr(mse: float) -> float:
    """10 log10(255² / MSE) in dB; +inf for identical images."""
    return math.inf if mse == 0 else 10 * math.log10(DATA_RANGE**2 / mse)


class _PixelMetric(PairMetric):
    kind = "full-reference"
    higher_is_better = False
    differentiable = True
    reference = "Wang & Bovik 2009, DOI 10.1109/MSP.2008.930649"
    channels = "rgb"

    def signature(self) -> str:
        """Channels and data range."""
        return f"{self.name}|{self.channels}|range:{DATA_RANGE}|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The error on the 0-255 scale, or its PSNR in dB (+inf for identical images)."""
        return Score(self.measure(reference, distorted), self.signature())

    @staticmethod
    @abstractmethod
    def measure(reference: ImageU8, distorted: ImageU8) -> float:
        """The value for two images of one size."""


class Mse(_PixelMetric):
    """Mean squared error of R, G and B."""

    name = "mse"
    title = "MSE"
    range = (0.0, 65025.0)
    formula = "mean((x - y)²) over pixels and channels"

    @staticmethod
    def measure(reference: ImageU8, distorted: ImageU8) -> float:
        """As `mean_squared_error`."""
        return mean_squared_error(reference, distorted)


class Rmse(_PixelMetric):
    """Root of the mean squared error of R, G and B."""

    name = "rmse"
    title = "RMSE"
    range = (0.0, 255.0)
    formula = "√MSE"

    @staticmethod
    def measure(reference: ImageU8, distorted: ImageU8) -> float:
        """Root of `mean_squared_error`."""
        return math.sqrt(mean_squared_error(reference, distorted))


class Mae(_PixelMetric):
    """Mean absolute error of R, G and B."""

    name = "mae"
    title = "MAE"
    range = (0.0, 255.0)
    formula = "mean(|x - y|) over pixels and channels"

    @staticmethod
    def measure(reference: ImageU8, distorted: ImageU8) -> float:
        """As `mean_absolute_error`."""
        return mean_absolute_error(reference, distorted)


class PsnrRgb(_PixelMetric):
    """Peak signal-to-noise ratio of R, G and B."""

    name = "psnr-rgb"
    title = "PSNR (RGB)"
    unit = "dB"
    range = (0.0, math.inf)
    higher_is_better = True
    formula = "10 log10(255² / MSE)"

    def signature(self) -> str:
        """Data range."""
        return f"{self.name}|range:{DATA_RANGE}|v1"

    @staticmethod
    def measure(reference: ImageU8, distorted: ImageU8) -> float:
        """PSNR of `mean_squared_error`."""
        return psnr(mean_squared_error(reference, distorted))


class PsnrY(OfConditions, _PixelMetric):
    """Peak signal-to-noise ratio of the luma.

    Args:
        conditions: `jpeg-ai-cttc` for JPEG AI's: BT.709 luma of 10 bits, data range 1023.
    """

    name = "psnr-y"
    title = "PSNR (luma)"
    unit = "dB"
    range = (0.0, math.inf)
    higher_is_better = True
    formula = "10 log10(255² / MSE of 0.299 R + 0.587 G + 0.114 B)"
    channels = "luma:bt601-full"

    def signature(self) -> str:
        """Channels and data range."""
        return _TEN_BITS.format(self.name, "y") if self.ten_bits else super().signature()

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """The PSNR in dB (+inf for identical images)."""
        value = ten_bit_psnr(reference, distorted, 0) if self.ten_bits else self.measure(reference, distorted)
        return Score(value, self.signature())

    @staticmethod
    def measure(reference: ImageU8, distorted: ImageU8) -> float:
        """PSNR of `mean_squared_luma_error`."""
        return psnr(mean_squared_luma_error(reference, distorted))


_TEN_BITS = "{}|{}:bt709-full-10bit|range:1023|v1"


def ten_bit_psnr(reference: ImageU8, distorted: ImageU8, plane: int) -> float:
    """PSNR in dB of Y, U or V (0, 1, 2) of BT.709, full range, rounded to 10 bits; exact."""
    a, b = ten_bit_plane(reference, plane), ten_bit_plane(distorted, plane)
    total = 0
    for rows in row_strips(*a.shape):
        differences = np.subtract(a[rows], b[rows], dtype=np.int32)
        total += int(np.square(differences, out=differences).sum(dtype=np.int64))
    return math.inf if total == 0 else 10 * math.log10(1023**2 * a.size / total)


class _PsnrChroma(_PixelMetric):
    unit = "dB"
    range = (0.0, math.inf)
    higher_is_better = True
    differentiable = False
    plane: ClassVar[int]

    def signature(self) -> str:
        """Plane and data range."""
        return _TEN_BITS.format(self.name, "yuv"[self.plane])

    @classmethod
    def measure(cls, reference: ImageU8, distorted: ImageU8) -> float:
        """As `ten_bit_psnr`."""
        return ten_bit_psnr(reference, distorted, cls.plane)


class PsnrU(_PsnrChroma):
    """Peak signal-to-noise ratio of U, as in JPEG AI's common test conditions."""

    name = "psnr-u"
    title = "PSNR (U)"
    formula = "10 log10(1023² / MSE of U of BT.709, 10 bits)"
    plane = 1


class PsnrV(_PsnrChroma):
    """Peak signal-to-noise ratio of V, as in JPEG AI's common test conditions."""

    name = "psnr-v"
    title = "PSNR (V)"
    formula = "10 log10(1023² / MSE of V of BT.709, 10 bits)"
    plane = 2
