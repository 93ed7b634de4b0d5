"""QSGD (Alistarh et al. 2017, arXiv 1610.02132, section 3.1) with Elias omega codes, as the thesis codes its latent.

Each number v_i of a vector v becomes its sign and a level l in 0 … s with |v_i| ≈ |v| · l / s, rounded
up or down at random so that the expectation is exact. The paper leaves s free; at b bits, s = 2**b - 1, the largest
level that b bits hold.

The thesis codes levels 0 and 1 alike (omega is not defined for 0) with a sign bit always, so zeros come back as +1 or
-1, by the sign the number had; `compat` keeps that. Here level + 1 is coded, and a sign bit only for levels above 0.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from vitiq.bitstream.bits import BitReader, BitWriter
from vitiq.bitstream.elias import read_omega, write_omega
from vitiq.errors import BitstreamError, InputError

BITS = (1, 2, 4, 6, 8)
MAX_MAGNITUDE = 1e30
"""Larger numbers may have a norm beyond float32."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised vector.

    Attributes:
        norm: Euclidean norm, at float32's precision.
        negative: sign of each number, also where its level is 0 (only the thesis's code stores those).
        levels: signed levels, -s … s.
        s: the largest level.
    """

    norm: float
    negative: Bool[np.ndarray, " n"]
    levels: Int64[np.ndarray, " n"]
    s: int


def quantise(vector: Float64[np.ndarray, " n"], bits: int, rng: np.random.Generator) -> Quantised:
    """Quantise at `bits` bits with stochastic rounding from `rng`.

    Raises:
        InputError: bits outside 1 … 8, or a vector that is empty, not finite or too large for a float32 norm.
    """
    if not 1 <= bits <= 8:
        raise InputError(f"{bits} bits per latent number given; choose from {', '.join(map(str, BITS))}")
    if vector.size == 0 or not np.isfinite(vector).all() or np.abs(vector).max() > MAX_MAGNITUDE:
        raise InputError(f"QSGD needs numbers within ±{MAX_MAGNITUDE:g}; the latent is empty, not finite or beyond")
    s = 2**bits - 1
    negative = np.asarray(vector < 0)
    norm = float(np.float32(np.linalg.norm(vector)))
    if norm == 0:
        return Quantised(0.0, negative, np.zeros(vector.shape, np.int64), s)
    scaled = np.minimum(np.abs(vector) / norm, 1.0) * s
    low = np.floor(scaled)
    levels = (low + (rng.random(vector.shape) < scaled - low)).astype(np.int64)
    return Quantised(norm, negative, np.where(negative, -levels, levels), s)


def dequantise(quantised: Quantised) -> Float64[np.ndarray, " n"]:
    """Numbers that the levels stand for."""
    return quantised.norm * quantised.levels.astype(np.float64) / quantised.s


def to_bytes(quantised: Quantised, *, compat: bool = False) -> bytes:
    """Norm (float32, big endian), then each level as Elias omega and its sign bit."""
    writer = BitWriter()
    for level, negative in zip(quantised.levels.tolist(), quantised.negative.tolist(), strict=True):
        size = abs(level)
        write_omega(writer, max(size, 1) if compat else size + 1)
        if compat or size:
            writer.write("1" if negative else "0")
    return struct.pack(">f", quantised.norm) + writer.to_bytes()


def from_bytes(data: bytes, length: int, bits: int, *, compat: bool = False) -> Quantised:
    """Inverse of `to_bytes` for `length` numbers (with `compat`, zeros come back as ±1).

    Raises:
        BitstreamError: the bytes end early, go on after the last number, or hold a level above s.
    """
    if len(data) < 4:
        raise BitstreamError(f"QSGD data of {len(data)} bytes given, at least 4 expected; the file is damaged")
    s = 2**bits - 1
    norm = struct.unpack(">f", data[:4])[0]
    if not np.isfinite(norm) or norm < 0:
        raise BitstreamError(f"QSGD norm {norm} given, a finite number from 0 expected; the file is damaged")
    reader = BitReader(data[4:])
    levels = np.zeros(length, np.int64)
    for index in range(length):
        size = read_omega(reader) - (0 if compat else 1)
        if size > s:
            raise BitstreamError(f"QSGD level {size} given, at most {s} expected; the file is damaged")
        negative = reader.read() == "1" if compat or size else False
        levels[index] = -size if negative else size
    reader.finish()
    return Quantised(norm, levels < 0, levels, s)
