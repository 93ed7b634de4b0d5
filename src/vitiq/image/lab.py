"""CIE L*a*b* of TIFF with 8 or 16 bits to sRGB, in floating point: LittleCMS, as Pillow calls it, has 8 bits alone.

Source: CIE 15:2018, 8.2.1 (the colour space, and back); TIFF 6.0, section 23 (L* from 0 to 100 over the whole range, a*
and b* signed, 1/1 of a unit a step); Adobe Photoshop TIFF technical notes (16 bits: 1/256 of a unit a step).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt, UInt16

from vitiq.image.colour_space import D50, d50_to_srgb, light_to_srgb

CONVERTED = "CIE L*a*b* converted to sRGB"
_BREAK = 6 / 29


def from_lab(values: UInt[np.ndarray, "h w 3"], depth: int) -> UInt16[np.ndarray, "h w 3"]:
    """sRGB of the whole range of 16 bits; colours outside it are clipped per channel."""
    out = np.empty(values.shape, np.uint16)
    matrix = d50_to_srgb().T
    signed = np.int8 if depth == 8 else np.int16
    for row in range(len(values)):  # row by row: it takes twelve times the memory
        steps = values[row].astype(np.uint8 if depth == 8 else np.uint16)
        middle = (steps[:, 0] * (100 / (2**depth - 1)) + 16) / 116
        across = steps[:, 1:].view(signed) / 2 ** (depth - 8)
        roots = np.stack([middle + across[:, 0] / 500, middle, middle - across[:, 1] / 200], 1)
        light = np.where(roots > _BREAK, roots**3, 3 * _BREAK**2 * (roots - 4 / 29)) * D50
        out[row] = np.rint(light_to_srgb(np.clip(light @ matrix, 0, 1).astype(np.float32)) * 65_535)
    return out
