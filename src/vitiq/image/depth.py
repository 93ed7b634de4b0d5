"""Bringing samples of any range to 8 or 16 bits by rounding, and refusing those whose range is unknown."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt, UInt8, UInt16

from vitiq.errors import InputError

_ROUNDING = 0.5 / 255
"""How far resampling or a conversion of colours may leave floats outside 0 … 1: their 8-bit level is the same."""


def to_eight(samples: UInt[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """The nearest 8-bit value of each 16-bit one: v / 257 rounded, as 65535 = 255 × 257.

    Source: PNG specification, section 13.12 (sample depth rescaling). 8-bit samples come back as they are.
    """
    if samples.dtype == np.uint8:
        return np.asarray(samples, np.uint8)
    # 257 is odd, so no value lies half way. Nothing wider than 16 bits is made on the way.
    rounded: UInt8[np.ndarray, "*shape"] = (samples // 257 + (samples % 257 > 128)).astype(np.uint8)
    return rounded


def stretch(samples: UInt[np.ndarray, "*shape"], bits: int) -> UInt[np.ndarray, "*shape"]:
    """Samples of 1 … 16 bits scaled, rounded, to the whole range of 8 (for up to 8 bits) or of 16."""
    return stretch_from(samples, 2**bits - 1)


def stretch_from(samples: UInt[np.ndarray, "*shape"], top: int) -> UInt[np.ndarray, "*shape"]:
    """Samples of 0 … top scaled, rounded, to the whole range of 8 bits (for a top of up to 255) or of 16."""
    target, kind = (255, np.uint8) if top <= 255 else (65_535, np.uint16)
    if top == target:
        return samples.astype(kind)
    scaled = (samples.astype(np.uint64) * (2 * target) + top) // (2 * top)
    return np.asarray(scaled, kind)


def from_float(values: Float[np.ndarray, "*shape"], name: str) -> UInt16[np.ndarray, "*shape"]:
    """Floating-point samples of 0 … 1 as 16-bit ones; what lies outside by less than half a level of 8 bits is cut.

    Raises:
        InputError: NaN, an infinity, or a value outside 0 … 1: what black and white would be is unknown.
    """
    odd = int(values.size - np.isfinite(values).sum())
    if odd:
        raise InputError(
            f"{name}: {odd} of {values.size} floating-point samples are NaN or infinite; "
            "replace them, scale to 0 … 1 and save again"
        )
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise InputError(
            f"{name}: floating-point samples from {low:.6g} to {high:.6g}, from 0 (black) to 1 (white) are expected; "
            "scale them, or save as 8- or 16-bit integers"
        )
    out = np.empty(values.shape, np.uint16)
    for row in range(len(values)):  # row by row: float64 of a whole image would take eight times the result
        out[row] = np.rint(np.clip(values[row].astype(np.float64), 0, 1) * 65_535)
    return out


def depth_note(bits: int) -> str:
    """The note about samples of more than 8 bits."""
    return f"{bits} bits rounded to 8"
