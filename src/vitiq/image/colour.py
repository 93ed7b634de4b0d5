"""Colour conversions that metrics need."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from vitiq.types import ImageU8

THOUSANDTHS = np.array([299, 587, 114], np.float32)
"""Weights of R, G and B in full-range luma, ITU-R BT.601: of 8-bit values, sums are whole numbers below 2**24."""
THOUSANDTHS.flags.writeable = False


def luma(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """Full-range luma of ITU-R BT.601, 0 … 255: 0.299 R + 0.587 G + 0.114 B."""
    values = np.asarray(image.astype(np.float32) @ THOUSANDTHS, dtype=np.float64)
    values /= 1000
    return values
