"""Uniform quantisation of a vector with a range coder: what replaces QSGD and Elias omega codes.

Numbers are rounded to multiples of a step; the symbols are range-coded under a binomial distribution (a
Gaussian for practical purposes, but whole numbers on any machine), whose width the encoder picks from a ladder.

Layout: step (float16, big endian), ladder rung (1 byte), reach (1 byte), range-coded symbols.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
from jaxtyping import Float64, Int64

from vitiq.bitstream.range_coder import SymbolDecoder, encode_symbols, normalise
from vitiq.errors import BitstreamError

RUNGS = 40
MAX_REACH = 255


@lru_cache(maxsize=RUNGS)
def _trials(rung: int) -> int:
    """Even number of trials of the binomial: variance trials / 4, growing by a third a rung."""
    trials = 1
    for _ in range(rung):
        trials = trials * 4 // 3 + 1
    return 2 * trials


@lru_cache(maxsize=256)
def _table(rung: int, reach: int) -> Int64[np.ndarray, " symbols"]:
    """Frequencies of symbols -reach … reach."""
    middle = _trials(rung) // 2
    half = [1 << 40]
    for k in range(reach):
        # Ratio of neighbouring binomial coefficients, rounded down: whole numbers on any machine.
        half.append(half[-1] * (middle - k) // (middle + k + 1) if k < middle else 0)
    counts = half[:0:-1] + half
    return normalise(np.array(counts, dtype=np.int64))


def quantise(vector: Float64[np.ndarray, " n"], step: float) -> Int64[np.ndarray, " n"]:
    """Nearest multiples of the step, as whole numbers within ±255."""
    return np.clip(np.rint(vector / step), -MAX_REACH, MAX_REACH).astype(np.int64)


def dequantise(symbols: Int64[np.ndarray, " n"], step: float) -> Float64[np.ndarray, " n"]:
    """Numbers that the symbols stand for."""
    return symbols.astype(np.float64) * step


def to_bytes(symbols: Int64[np.ndarray, " n"], step: float) -> bytes:
    """Code symbols (±255) and their step; the cheapest rung is taken."""
    reach = max(1, int(np.abs(symbols).max()))
    shifted = symbols + reach
    costs = [float(-np.log2(_table(rung, reach)[shifted] / 2**16).sum()) for rung in range(RUNGS)]
    rung = int(np.argmin(costs))
    tables = np.broadcast_to(_table(rung, reach), (len(symbols), 2 * reach + 1))
    return struct.pack(">eBB", step, rung, reach) + encode_symbols(shifted, tables)


def from_bytes(data: bytes, length: int) -> tuple[Int64[np.ndarray, " n"], float]:
    """Symbols and step.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    if len(data) < 4:
        raise BitstreamError(f"quantised vector of {len(data)} bytes given, at least 4 expected; it is damaged")
    step, rung, reach = struct.unpack(">eBB", data[:4])
    if not (0 < step < np.inf) or rung >= RUNGS or reach < 1:
        raise BitstreamError(f"quantised vector with step {step}, rung {rung}, reach {reach}: it is damaged")
    tables = np.broadcast_to(_table(rung, reach), (length, 2 * reach + 1))
    return SymbolDecoder(data[4:]).decode(tables) - reach, float(step)


def finest_within(vector: Float64[np.ndarray, " n"], budget: int) -> tuple[Int64[np.ndarray, " n"], float]:
    """Symbols and step of the finest of a ladder of steps whose coded size is at most `budget` bytes.

    The ladder is 2**(-k/8) times the largest magnitude. Where even the coarsest step is too large, its
    (all but zero) symbols are returned.
    """
    largest = max(float(np.abs(vector).max()), 2**-10)
    best: tuple[Int64[np.ndarray, " n"], float] | None = None
    for k in range(-8, 8 * 8):
        step = float(np.float16(largest * 2 ** (-k / 8)))
        symbols = quantise(vector, step)
        if best is not None and len(to_bytes(symbols, step)) > budget:
            break
        best = symbols, step
        if np.abs(symbols).max() >= MAX_REACH:
            break
    if best is None:
        raise ValueError("the ladder of steps is empty")
    return best
