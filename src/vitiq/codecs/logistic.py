"""Integer frequency tables of discretised logistic distributions, which entropy models pick from.

A table belongs to a scale of a ladder and to an offset of the mean from a whole number. Everything is whole-number
arithmetic with FRACTION fractional bits, so that encoder and decoder agree on any machine.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from jaxtyping import Int64

FRACTION = 10
"""Fractional bits of means, log-scales and activations."""

SCALES = 48
"""Scales of the ladder."""

OFFSETS = 8
"""Positions of the mean between whole numbers that tables exist for."""

REACH = 40
"""Tables cover symbols from -REACH to +REACH around the integer part of the mean; beyond is escaped."""

PRECISION = 16
LOG_SCALE_MIN, LOG_SCALE_MAX = math.log(0.05), math.log(12.0)
_LADDER_STEP = round((LOG_SCALE_MAX - LOG_SCALE_MIN) / (SCALES - 1) * 2**FRACTION)
_LADDER_MIN = round(LOG_SCALE_MIN * 2**FRACTION)


@lru_cache(maxsize=1)
def frequency_tables() -> Int64[np.ndarray, "scales offsets symbols"]:
    """Frequencies of symbols within REACH and one escape (last), at least 1 each, 2**PRECISION in all."""
    total = 2**PRECISION
    result = np.zeros((SCALES, OFFSETS, 2 * REACH + 2), dtype=np.int64)
    symbols = np.arange(-REACH, REACH + 1)
    for s in range(SCALES):
        scale = math.exp(LOG_SCALE_MIN + s * (LOG_SCALE_MAX - LOG_SCALE_MIN) / (SCALES - 1))
        for m in range(OFFSETS):
            high = (symbols + 0.5 - m / OFFSETS) / scale
            low = (symbols - 0.5 - m / OFFSETS) / scale
            p = 0.5 * (np.tanh(high / 2) - np.tanh(low / 2))
            p = np.append(p, max(1e-7, 1 - p.sum()))
            spare = total - len(p)
            counts = np.floor(p / p.sum() * spare).astype(np.int64) + 1
            counts[int(np.argmax(counts))] += total - int(counts.sum())
            result[s, m] = counts
    return result


def read_tables(tables: np.ndarray) -> Int64[np.ndarray, "scales offsets symbols"]:
    """Tables of a weights file, checked.

    Raises:
        ValueError: they are of another shape, a row does not sum to 2**PRECISION, or a frequency is below 1.
    """
    found: Int64[np.ndarray, "scales offsets symbols"] = tables.astype(np.int64)
    expected = (SCALES, OFFSETS, 2 * REACH + 2)
    if found.shape != expected:
        raise ValueError(f"frequency tables of shape {found.shape} given, {expected} expected")
    if (found.sum(axis=2) != 2**PRECISION).any() or (found < 1).any():
        raise ValueError(f"frequency tables given whose rows do not hold frequencies from 1, {2**PRECISION} in all")
    return found


def scale_index(log_scale: Int64[np.ndarray, "*n"]) -> Int64[np.ndarray, "*n"]:
    """Index in the ladder of scales nearest to a log-scale of FRACTION fractional bits."""
    return np.asarray(np.clip((log_scale - _LADDER_MIN + _LADDER_STEP // 2) // _LADDER_STEP, 0, SCALES - 1))


def mean_and_offset(
    mean: Int64[np.ndarray, "*n"], largest: int
) -> tuple[Int64[np.ndarray, "*n"], Int64[np.ndarray, "*n"]]:
    """Integer part and offset of a mean of FRACTION fractional bits, rounded to the nearest offset.

    Args:
        largest: means are clipped to ±largest.
    """
    unit = 2**FRACTION // OFFSETS
    steps = np.clip((mean + unit // 2) // unit, -largest * OFFSETS, largest * OFFSETS)
    return np.asarray(steps // OFFSETS), np.asarray(steps % OFFSETS)
