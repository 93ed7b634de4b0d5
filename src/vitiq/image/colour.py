"""Colour conversions that metrics need."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from vitiq.types import ImageU8

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in full-range luma, ITU-R BT.601."""
LUMA.flags.writeable = False


def luma(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """Full-range luma of ITU-R BT.601, 0 … 255: 0.299 R + 0.587 G + 0.114 B."""
    return np.asarray(image.astype(np.float64) @ LUMA, dtype=np.float64)
