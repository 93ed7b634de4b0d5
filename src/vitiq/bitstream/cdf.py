"""Integer frequency tables for the range coder: the same on every machine, because no float takes part.

A table is a row of whole numbers, one a symbol, each at least 1, that sum to 2**16. Ladders of tables stand for
Gaussian and Laplace distributions of growing width, made from ratios of whole numbers; an adaptive table learns
the frequencies from the symbols it has seen (Witten, Neal & Cleary 1987, DOI 10.1145/214762.214771, section on
adaptive models), for numbers that no ladder fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Int64

PRECISION = 16
TOTAL = 2**PRECISION
WIDTHS = 40
"""Widths in each ladder."""

MAX_COUNT = 2**46
"""Largest count that `normalise` can scale in 64 bits."""

_LAPLACE_UNIT = 16


def normalise(counts: Int64[np.ndarray, " symbols"]) -> Int64[np.ndarray, " symbols"]:
    """Frequencies in proportion to counts: each at least 1, 2**16 in all; the first largest takes what rounding leaves.

    Args:
        counts: 0 … 2**46, not all zero, for 2 … 2**15 symbols.

    Raises:
        ValueError: counts outside that.
    """
    symbols, total = len(counts), int(counts.sum())
    if not (2 <= symbols <= TOTAL // 2 and counts.min() >= 0 and counts.max() <= MAX_COUNT and total > 0):
        raise ValueError(f"{symbols} counts from {counts.min()} to {counts.max()} given, expected 2 to 32768 from 0")
    scaled: Int64[np.ndarray, " symbols"] = counts * (TOTAL - symbols) // total + 1
    scaled[int(np.argmax(counts))] += TOTAL - int(scaled.sum())
    return scaled


def check_tables(tables: Int64[np.ndarray, "*rows symbols"]) -> None:
    """Raises ValueError where a row has an entry below 1 or does not sum to 2**16, or has fewer than two symbols."""
    if tables.shape[-1] < 2 or (tables < 1).any() or (tables.sum(axis=-1) != TOTAL).any():
        raise ValueError(
            f"frequency tables of shape {tables.shape} given; each row needs two symbols or more, entries of at "
            f"least 1 and a sum of {TOTAL}; use cdf.normalise"
        )


@lru_cache(maxsize=1024)
def gaussian_table(width: int, reach: int) -> Int64[np.ndarray, " symbols"]:
    """Frequencies of symbols -reach … reach under a binomial distribution about 0: a Gaussian for practical purposes.

    Args:
        width: 0 … 39; the standard deviation starts at 0.7 and grows by a sixth each step.
        reach: 1 … 2**14.
    """
    _check_width(width)
    trials = 1
    for _ in range(width):
        trials = trials * 4 // 3 + 1
    half = [1 << 40]
    for k in range(reach):
        # Ratio of neighbouring binomial coefficients C(2t, t+k+1) / C(2t, t+k), rounded down.
        half.append(half[-1] * (trials - k) // (trials + k + 1) if k < trials else 0)
    return _mirrored(half)


@lru_cache(maxsize=1024)
def laplace_table(width: int, reach: int) -> Int64[np.ndarray, " symbols"]:
    """Frequencies of symbols -reach … reach, falling by the ratio n / (n + 16) a step: a discrete Laplace distribution.

    Args:
        width: 0 … 39; n is 1, 2, … 10, 12, 14, 16, 19, … 1918, so that the scale n / 16 grows by a fifth each step.
        reach: 1 … 2**14.
    """
    _check_width(width)
    n = 1
    for _ in range(width):
        n += max(1, n // 5)
    half = [1 << 40]
    for _ in range(reach):
        half.append(half[-1] * n // (n + _LAPLACE_UNIT))
    return _mirrored(half)


def _check_width(width: int) -> None:
    if not 0 <= width < WIDTHS:
        raise ValueError(f"width {width} given, 0 to {WIDTHS - 1} expected")


def _mirrored(half: Sequence[int]) -> Int64[np.ndarray, " symbols"]:
    table = normalise(np.array([*half[:0:-1], *half], dtype=np.int64))
    table.flags.writeable = False  # shared by every caller through the cache
    return table


class AdaptiveTable:
    """Counts of symbols seen so far. Encoder and decoder make the same updates, so no table is sent.

    A symbol also counts a quarter for its two neighbours: quantised numbers spread smoothly. All counts
    are halved where they sum to more than 2**15, so that old symbols fade.

    Args:
        symbols: size of the alphabet, 2 … 2**13.
    """

    SEEN, NEAR = 24, 6
    LIMIT = 2**15

    def __init__(self, symbols: int) -> None:
        if not 2 <= symbols <= self.LIMIT // 4:
            raise ValueError(f"alphabet of {symbols} symbols given, 2 to {self.LIMIT // 4} expected")
        self._counts = [1] * symbols
        self._total = symbols

    def frequencies(self) -> Int64[np.ndarray, " symbols"]:
        """The table of the next symbol."""
        return normalise(np.array(self._counts, dtype=np.int64))

    def bits(self, symbol: int) -> float:
        """About what the next symbol costs; for choosing between coders, never for decoding."""
        return math.log2(self._total / self._counts[symbol])

    def update(self, symbol: int) -> None:
        """Count a symbol that was coded."""
        counts = self._counts
        counts[symbol] += self.SEEN
        self._total += self.SEEN
        for near in (symbol - 1, symbol + 1):
            if 0 <= near < len(counts):
                counts[near] += self.NEAR
                self._total += self.NEAR
        if self._total > self.LIMIT:
            self._counts = [(count + 1) // 2 for count in counts]
            self._total = sum(self._counts)
