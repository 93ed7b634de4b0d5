"""The half-size image that several metrics begin with: MS-SSIM, GMSD, HaarPSI and, where it fits, FSIM.

Means of 2×2; the metrics differ only in what they put beside an odd last row or column. Sums of four bytes are whole
numbers, so that every order of adding gives the same.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from vitiq.image.shared import shared
from vitiq.types import ImageU8


@shared
def rgb_planes(image: ImageU8) -> UInt8[np.ndarray, "h 3 w"]:
    """R, G and B row by row."""
    return np.ascontiguousarray(image.transpose(0, 2, 1))


def halve(values: Shaped[np.ndarray, "h c w"]) -> Float64[np.ndarray, "i c j"]:
    """Means of 2×2 blocks of each channel; an odd last row or column counts twice."""
    height, _, width = values.shape
    if height % 2 or width % 2:
        values = np.pad(values, ((0, height % 2), (0, 0), (0, width % 2)), mode="edge")
    whole = values.dtype == np.uint8  # their sums of four are exact in 16 bits, and quicker
    rows = np.add(values[::2], values[1::2], dtype=np.uint16 if whole else np.float64)
    return np.asarray(rows[..., ::2] + rows[..., 1::2], dtype=np.float64) / 4


@shared
def half_planes(image: ImageU8) -> Float64[np.ndarray, "i 3 j"]:
    """R, G and B of half the size, 0 … 255; an odd last row or column counts twice."""
    return halve(rgb_planes(image))


@shared
def half_planes_zeros(image: ImageU8) -> Float64[np.ndarray, "i 3 j"]:
    """As `half_planes`, but zeros stand beside an odd last row or column."""
    height, width, _ = image.shape
    if not (height % 2 or width % 2):
        return half_planes(image)
    return halve(np.pad(rgb_planes(image), ((0, height % 2), (0, 0), (0, width % 2))))
