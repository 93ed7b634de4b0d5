"""PSNR-HVS and PSNR-HVS-M: PSNR of 8×8 DCT coefficients weighted by contrast sensitivity, without and with masking.

Egiazarian et al. 2006 and Ponomarenko et al. 2007 as the package psnr-hvsm 0.3.0 has them: blocks side by side, BT.601
luma of the studio range rounded to 8 bits, sizes that are no multiple of 8 filled by repeating the last row and column.
For identical images the package gives 100 dB; a PSNR without errors is +inf here. libvmaf's `psnr_hvs` is another
definition.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from vitiq.image.shared import shared
from vitiq.metrics.measured import MeasuredMetric, OfConditions, luma_10bit
from vitiq.types import ImageU8

BLOCK = 8
BLOCKS = 2048
"""Blocks at a time."""

SENSITIVITY = np.array(
    [
        *(1.608443, 2.339554, 2.573509, 1.608443, 1.072295, 0.643377, 0.504610, 0.421887),
        *(2.144591, 2.144591, 1.838221, 1.354478, 0.989811, 0.443708, 0.428918, 0.467911),
        *(1.838221, 1.979622, 1.608443, 1.072295, 0.643377, 0.451493, 0.372972, 0.459555),
        *(1.838221, 1.513829, 1.169777, 0.887417, 0.504610, 0.295806, 0.321689, 0.415082),
        *(1.429727, 1.169777, 0.695543, 0.459555, 0.378457, 0.236102, 0.249855, 0.334222),
        *(1.072295, 0.735288, 0.467911, 0.402111, 0.317717, 0.247453, 0.227744, 0.279729),
        *(0.525206, 0.402111, 0.329937, 0.295806, 0.249855, 0.212687, 0.214459, 0.254803),
        *(0.357432, 0.279729, 0.270896, 0.262603, 0.229778, 0.257351, 0.249855, 0.259950),
    ]
)
MASKING = np.array(
    [
        *(0.390625, 0.826446, 1.000000, 0.390625, 0.173611, 0.062500, 0.038447, 0.026874),
        *(0.694444, 0.694444, 0.510204, 0.277008, 0.147929, 0.029727, 0.027778, 0.033058),
        *(0.510204, 0.591716, 0.390625, 0.173611, 0.062500, 0.030779, 0.021004, 0.031888),
        *(0.510204, 0.346021, 0.206612, 0.118906, 0.038447, 0.013212, 0.015625, 0.026015),
        *(0.308642, 0.206612, 0.073046, 0.031888, 0.021626, 0.008417, 0.009426, 0.016866),
        *(0.173611, 0.081633, 0.033058, 0.024414, 0.015242, 0.009246, 0.007831, 0.011815),
        *(0.041649, 0.024414, 0.016437, 0.013212, 0.009426, 0.006830, 0.006944, 0.009803),
        *(0.019290, 0.011815, 0.011080, 0.010412, 0.007972, 0.010000, 0.009426, 0.010203),
    ]
)

Tiles = Float64[np.ndarray, "n 64"]


@lru_cache(maxsize=1)
def transform() -> Float64[np.ndarray, "64 64"]:
    """From a block's 64 values to its orthonormal DCT."""
    k, x = np.arange(BLOCK)[:, None], np.arange(BLOCK)[None, :]
    basis = np.cos(np.pi * k * (2 * x + 1) / (2 * BLOCK)) * np.where(k == 0, math.sqrt(1 / BLOCK), math.sqrt(2 / BLOCK))
    return np.ascontiguousarray(np.kron(basis, basis).T)


@lru_cache(maxsize=1)
def _levels() -> tuple[Float64[np.ndarray, " 256"], ...]:
    levels = np.arange(256, dtype=np.float64)
    return tuple(weight * levels / 255 for weight in (65.481, 128.553, 24.966))


@shared
def studio_luma(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """BT.601 luma, 16 … 235, rounded to whole levels."""
    red, green, blue = _levels()
    found = 16 + red[image[..., 0]]
    found += green[image[..., 1]]
    found += blue[image[..., 2]]
    return np.asarray(np.round(found, out=found))


def tiles(plane: Float64[np.ndarray, "h w"]) -> Iterator[Tiles]:
    """Blocks of 8×8 as rows of 64, some at a time; a last row and column are repeated to whole blocks."""
    height, width = plane.shape
    rows = max(1, BLOCKS // -(-width // BLOCK)) * BLOCK
    for top in range(0, height, rows):
        strip = plane[top : top + rows]
        more = ((0, -strip.shape[0] % BLOCK), (0, -width % BLOCK))
        strip = np.pad(strip, more, mode="edge") if more[0][1] or more[1][1] else strip
        shape = (strip.shape[0] // BLOCK, BLOCK, strip.shape[1] // BLOCK, BLOCK)
        yield strip.reshape(shape).transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK)


def weighted_error(reference: Float64[np.ndarray, "h w"], distorted: Float64[np.ndarray, "h w"]) -> float:
    """Mean squared difference of the coefficients after their sensitivity, in squares of the planes' unit."""
    total, count, matrix = 0.0, 0, transform() * SENSITIVITY
    for block in tiles(reference - distorted):
        total += float(np.square(block @ matrix).sum())
        count += block.size
    return total / count


def masked_error(reference: Float64[np.ndarray, "h w"], distorted: Float64[np.ndarray, "h w"]) -> float:
    """As `weighted_error`, of what the block's own activity does not hide."""
    total, count = 0.0, 0
    for x, y in zip(tiles(reference), tiles(distorted), strict=True):
        a, b = x @ transform(), y @ transform()
        hidden = np.maximum(_activity(x, a), _activity(y, b))
        threshold = hidden[:, None] / MASKING
        threshold[:, 0] = 0
        seen = np.abs(a - b)
        seen -= threshold
        np.maximum(seen, 0, out=seen)
        seen *= SENSITIVITY
        total += float(np.square(seen, out=seen).sum())
        count += x.size
    return total / count


def _activity(block: Tiles, coefficients: Tiles) -> Float64[np.ndarray, " n"]:
    """How much a block hides: its energy, less where its four quarters vary less than the whole."""
    squares = np.square(coefficients)
    energy = squares[:, 1:] @ MASKING[1:]
    whole = _deviation(block.reshape(-1, 1, 64))[:, 0]
    half = BLOCK // 2
    quarters = block.reshape(-1, 2, half, 2, half).transpose(0, 1, 3, 2, 4).reshape(-1, 4, half * half)
    parts = _deviation(quarters).sum(axis=1)
    share = np.divide(parts, whole, out=np.zeros_like(whole), where=whole != 0)
    return np.asarray(np.sqrt(energy * share / (half * half) / (BLOCK * BLOCK)))


def _deviation(values: Float64[np.ndarray, "n p k"]) -> Float64[np.ndarray, "n p"]:
    """Sample variance times the count."""
    count = values.shape[2]
    centred = values - values.mean(axis=2, keepdims=True)
    return np.asarray(np.einsum("npk,npk->np", centred, centred) * (count / (count - 1)))


class _PsnrHvs(OfConditions, MeasuredMetric):
    unit = "dB"
    range = (-math.inf, math.inf)
    higher_is_better = True
    masked = False

    def signature(self) -> str:
        """The luma and the blocks."""
        luma = "bt709-full-10bit" if self.ten_bits else "bt601-studio-8bit"
        return f"{self.name}|dct:8x8|step:8|edge:repeat|luma:{luma}|range:255|v1"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """The PSNR in dB; +inf where the luma does not differ, or nothing of it can be seen."""
        plane = luma_10bit if self.ten_bits else studio_luma
        work = masked_error if self.masked else weighted_error
        error = work(plane(reference), plane(distorted)) / 255**2
        return 10 * math.log10(1 / error) if error > 0 else math.inf


class PsnrHvs(_PsnrHvs):
    """PSNR of 8×8 DCT coefficients weighted by contrast sensitivity.

    Args:
        conditions: `jpeg-ai-cttc` for the BT.709 luma of 10 bits.
    """

    name = "psnr-hvs"
    title = "PSNR-HVS"
    reference = "Egiazarian et al. 2006, Second International Workshop on Video Processing and Quality Metrics"
    formula = "-10 log10(mean((CSF · DCT(x - y))²))"


class PsnrHvsM(_PsnrHvs):
    """PSNR-HVS less what each block's own activity masks.

    Args:
        conditions: `jpeg-ai-cttc` for the BT.709 luma of 10 bits.
    """

    name = "psnr-hvs-m"
    title = "PSNR-HVS-M"
    masked = True
    reference = "Ponomarenko et al. 2007, Third International Workshop on Video Processing and Quality Metrics"
    formula = "-10 log10(mean((CSF · max(|DCT(x) - DCT(y)| - mask, 0))²))"
