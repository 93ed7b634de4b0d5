"""Colour conversions that metrics need."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, UInt16

from vitiq.types import ImageU8

THOUSANDTHS = np.array([299, 587, 114], np.float32)
"""Weights of R, G and B in full-range luma, ITU-R BT.601: of 8-bit values, sums are whole numbers below 2**24."""
THOUSANDTHS.flags.writeable = False


def luma(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """Full-range luma of ITU-R BT.601, 0 … 255: 0.299 R + 0.587 G + 0.114 B."""
    values = np.asarray(image.astype(np.float32) @ THOUSANDTHS, dtype=np.float64)
    values /= 1000
    return values


BT709 = (0.2126, 0.7152, 0.0722)
"""Weights of R, G and B in luma, ITU-R BT.709."""


def luma709(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """Full-range luma of ITU-R BT.709, unrounded, 0 … 255."""
    values: Float64[np.ndarray, "h w"] = image[..., 0] * BT709[0]
    for channel, weight in ((1, BT709[1]), (2, BT709[2])):
        values += image[..., channel] * weight
    return values


_YUV709 = np.array([[2126, 7152, 722], [-2126, -7152, 9278], [7874, -7152, -722]], np.float32)
"""Y, and U and V times 2 · 0.9278 and 2 · 0.7874, in ten-thousandths: of 8-bit values, whole numbers below 2**24."""
_YUV709.flags.writeable = False
_YUV709_UNITS = (255 * 10_000, 255 * 2 * 9278, 255 * 2 * 7874)


def yuv709_10bit_plane(image: ImageU8, plane: int) -> UInt16[np.ndarray, "h w"]:
    """Y, U or V (0, 1, 2) of ITU-R BT.709, full range, 4:4:4, rounded to 10 bits: 0 … 1023, U and V around 512.

    Exact; halves are rounded to even.
    """
    height, width, _ = image.shape
    found = np.empty((height, width), np.uint16)
    for rows in row_strips(height, width, 2**14):
        values = (image[rows].astype(np.float32) @ _YUV709[plane]).astype(np.float64)
        values *= 1023
        values /= _YUV709_UNITS[plane]  # divided, not multiplied by its inverse: halves stay halves
        values += 512 if plane else 0
        found[rows] = np.minimum(np.rint(values, out=values), 1023, out=values)
    return found


def row_strips(height: int, width: int, pixels: int = 2**16) -> Iterator[slice]:
    """Some rows at a time, about `pixels` of them, so that what is computed of them stays in the cache."""
    step = max(1, pixels // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
