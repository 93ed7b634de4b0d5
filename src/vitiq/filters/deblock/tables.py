"""Quantisation tables of libjpeg: the example tables of the standard (ITU-T T.81, annex K.1), scaled by a quality."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64

LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)


def standard_tables(quality: int) -> Int64[np.ndarray, "2 64"]:
    """Steps of luma and of chroma at a quality 1 … 100, as libjpeg scales them (jcparam.c), row after row."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = np.array([LUMA_TABLE, CHROMA_TABLE]).reshape(2, 64)
    found: Int64[np.ndarray, "2 64"] = np.clip((tables * scale + 50) // 100, 1, 255)
    return found
