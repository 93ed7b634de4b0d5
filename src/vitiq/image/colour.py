"""Colour conversions that metrics need."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from vitiq.types import ImageU8


def luma(image: ImageU8) -> Float64[np.ndarray, "h w"]:
    """Full-range luma of ITU-R BT.601, 0 … 255: 0.299 R + 0.587 G + 0.114 B."""
    return np.asarray(image.astype(np.float64) @ np.array([0.299, 0.587, 0.114]), dtype=np.float64)
