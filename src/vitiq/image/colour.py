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


def yuv709_10bit(image: ImageU8) -> UInt16[np.ndarray, "3 h w"]:
    """Y, U and V of ITU-R BT.709, full range, 4:4:4, rounded to 10 bits: 0 … 1023, U and V around 512."""
    height, width, _ = image.shape
    planes = np.empty((3, height, width), np.uint16)
    for rows in row_strips(height, width):
        y = luma709(image[rows])
        blue = (image[rows, :, 2] - y) / (2 * (1 - BT709[2]))
        red = (image[rows, :, 0] - y) / (2 * (1 - BT709[0]))
        for plane, values, middle in zip(planes, (y, blue, red), (0, 512, 512), strict=True):
            plane[rows] = np.clip(np.rint(values * (1023 / 255) + middle), 0, 1023)
    return planes


def row_strips(height: int, width: int, pixels: int = 2**16) -> Iterator[slice]:
    """Some rows at a time, about `pixels` of them, so that what is computed of them stays in the cache."""
    step = max(1, pixels // width)
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))
