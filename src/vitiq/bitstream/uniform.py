"""Uniform quantisation of a vector with a range coder: what replaces QSGD and Elias omega codes.

Numbers are rounded to multiples of a step (mid-tread: 0 is one of them) and range-coded under the distribution that the
encoder finds cheapest: a Gaussian or Laplace table of a ladder of widths, or counts that adapt to the symbols.

Layout: step (float16, big endian), distribution (1 byte), reach (1 byte), range-coded symbols.
"""

from __future__ import annotations

import struct

import numpy as np
from jaxtyping import Float64, Int64

from vitiq.bitstream.cdf import TOTAL, WIDTHS, AdaptiveTable, gaussian_table, laplace_table
from vitiq.bitstream.range_coder import SymbolDecoder, SymbolEncoder, encode_symbols
from vitiq.errors import BitstreamError, InputError

MAX_REACH = 255
MAX_MAGNITUDE = 2.0**14
"""Larger numbers have steps that float16 cannot hold."""

ADAPTIVE = 2 * WIDTHS
"""Distribution byte: 0 … 39 a Gaussian table, 40 … 79 a Laplace table, 80 adaptive counts."""


def _table(distribution: int, reach: int) -> Int64[np.ndarray, " symbols"]:
    if distribution < WIDTHS:
        return gaussian_table(distribution, reach)
    return laplace_table(distribution - WIDTHS, reach)


def quantise(vector: Float64[np.ndarray, " n"], step: float) -> Int64[np.ndarray, " n"]:
    """Nearest multiples of the step, as whole numbers within ±255."""
    return np.clip(np.rint(vector / step), -MAX_REACH, MAX_REACH).astype(np.int64)


def dequantise(symbols: Int64[np.ndarray, " n"], step: float) -> Float64[np.ndarray, " n"]:
    """Numbers that the symbols stand for."""
    return symbols.astype(np.float64) * step


def to_bytes(symbols: Int64[np.ndarray, " n"], step: float) -> bytes:
    """Code symbols (n ≥ 1, within ±255) and their step under the cheapest distribution.

    Raises:
        ValueError: the step is not a positive float16, or a symbol is out of range.
    """
    if not 0 < step < np.inf or step != float(np.float16(step)):
        raise ValueError(f"step {step} given, a positive number that float16 holds exactly expected")
    reach = max(1, int(np.abs(symbols).max()))
    if reach > MAX_REACH:
        raise ValueError(f"symbols up to ±{reach} given, at most ±{MAX_REACH} expected")
    shifted = symbols + reach
    distribution = _cheapest(shifted, reach)
    if distribution == ADAPTIVE:
        coded = _encode_adaptive(shifted, reach)
    else:
        coded = encode_symbols(shifted, np.broadcast_to(_table(distribution, reach), (len(symbols), 2 * reach + 1)))
    return struct.pack(">eBB", step, distribution, reach) + coded


def _cheapest(shifted: Int64[np.ndarray, " n"], reach: int) -> int:
    costs = [float(-np.log2(_table(row, reach)[shifted] / TOTAL).sum()) for row in range(ADAPTIVE)]
    adaptive = AdaptiveTable(2 * reach + 1)
    cost = 0.0
    for symbol in shifted.tolist():
        cost += adaptive.bits(symbol)
        adaptive.update(symbol)
    return int(np.argmin([*costs, cost]))


def _encode_adaptive(shifted: Int64[np.ndarray, " n"], reach: int) -> bytes:
    table, encoder = AdaptiveTable(2 * reach + 1), SymbolEncoder()
    for symbol in shifted.tolist():
        encoder.put(symbol, table.frequencies())
        table.update(symbol)
    return encoder.finish()


def _decode_adaptive(data: bytes, length: int, reach: int) -> Int64[np.ndarray, " n"]:
    table, decoder = AdaptiveTable(2 * reach + 1), SymbolDecoder(data)
    symbols = np.zeros(length, np.int64)
    for index in range(length):
        symbols[index] = decoder.get(table.frequencies())
        table.update(int(symbols[index]))
    return symbols


def from_bytes(data: bytes, length: int) -> tuple[Int64[np.ndarray, " n"], float]:
    """Symbols and step.

    Raises:
        BitstreamError: the bytes are damaged.
    """
    if len(data) < 4:
        raise BitstreamError(f"quantised vector of {len(data)} bytes given, at least 4 expected; it is damaged")
    step, distribution, reach = struct.unpack(">eBB", data[:4])
    if not (0 < step < np.inf) or distribution > ADAPTIVE or reach < 1:
        raise BitstreamError(
            f"quantised vector with step {step}, distribution {distribution}, reach {reach}: it is damaged"
        )
    if distribution == ADAPTIVE:
        return _decode_adaptive(data[4:], length, reach) - reach, float(step)
    tables = np.broadcast_to(_table(distribution, reach), (length, 2 * reach + 1))
    return SymbolDecoder(data[4:]).decode(tables) - reach, float(step)


def finest_within(vector: Float64[np.ndarray, " n"], budget: int) -> tuple[Int64[np.ndarray, " n"], float]:
    """Symbols and step of the finest of a ladder of steps whose coded size is at most `budget` bytes.

    The ladder falls from about twice the largest magnitude by 2**(-1/8) a step and ends at the first size above the
    budget, or where symbols would pass ±255. Where even the coarsest is too large, all symbols are 0.

    Raises:
        InputError: the vector is empty, not finite or beyond ±16384.
    """
    if vector.size == 0 or not np.isfinite(vector).all() or np.abs(vector).max() > MAX_MAGNITUDE:
        raise InputError(f"the latent is empty, not finite or beyond ±{MAX_MAGNITUDE:.0f}; it cannot be quantised")
    largest = max(float(np.abs(vector).max()), 2**-10)
    step = float(np.float16(3 * largest))
    best = quantise(vector, step), step
    for k in range(-7, 8 * 8):
        step = float(np.float16(largest * 2 ** (-k / 8)))
        symbols = quantise(vector, step)
        if np.abs(vector).max() > (MAX_REACH + 0.5) * step or len(to_bytes(symbols, step)) > budget:
            break
        best = symbols, step
    return best
