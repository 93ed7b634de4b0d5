"""QSGD quantisation and its two codes.

Truth: Alistarh et al. 2017, arXiv 1610.02132: section 3.1 (levels between which a number is rounded) and Lemma 3.1
(unbiased; variance at most min(n / s², √n / s) · |v|²). Coded bytes are written out by hand from Elias's codewords.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from vitiq.bitstream import qsgd
from vitiq.errors import BitstreamError, InputError


def quantised(levels: list[int], *, s: int, norm: float = 1.0, negative: list[bool] | None = None) -> qsgd.Quantised:
    values = np.array(levels, np.int64)
    return qsgd.Quantised(norm, values < 0 if negative is None else np.array(negative), values, s)


@pytest.mark.parametrize("bits", qsgd.BITS)
def test_rounding_is_unbiased_and_within_the_papers_variance(bits: int) -> None:
    vector = np.random.default_rng(5).standard_normal(64)
    rng = np.random.default_rng(6)
    draws = 4000
    values = np.array([qsgd.dequantise(qsgd.quantise(vector, bits, rng)) for _ in range(draws)])
    spread = values.std(axis=0) / np.sqrt(draws)
    # 64 means, each within 5 standard errors (chance of a false alarm below 1e-4; the seed is fixed anyway).
    assert (np.abs(values.mean(axis=0) - vector) <= 5 * spread + 1e-6 * np.abs(vector)).all()
    s = 2**bits - 1
    bound = min(64 / s**2, np.sqrt(64) / s) * (vector**2).sum()
    assert ((values - vector) ** 2).sum(axis=1).mean() <= bound


def test_every_number_becomes_a_neighbouring_level() -> None:
    vector = np.random.default_rng(1).standard_normal(512)
    for bits in qsgd.BITS:
        result = qsgd.quantise(vector, bits, np.random.default_rng(2))
        assert result.s == 2**bits - 1
        assert result.norm == np.float32(np.linalg.norm(vector))
        exact = np.abs(vector) / result.norm * result.s
        assert (np.abs(np.abs(result.levels) - exact) < 1).all()
        assert (np.sign(result.levels) * np.sign(vector) >= 0).all()


def test_the_same_seed_gives_the_same_levels() -> None:
    vector = np.random.default_rng(1).standard_normal(100)
    first, second = (qsgd.quantise(vector, 4, np.random.default_rng(3)).levels for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, qsgd.quantise(vector, 4, np.random.default_rng(4)).levels)


def test_bytes_written_out_by_hand() -> None:
    # level + 1 in omega, sign for levels above 0: 0 -> 0; 1 -> 100 0; -3 -> 101000 1; 0 -> 0
    given = quantised([0, 1, -3, 0], s=3, norm=1.5)
    assert qsgd.to_bytes(given) == struct.pack(">f", 1.5) + bytes([0b0_1000_101, 0b0001_0_000])
    back = qsgd.from_bytes(qsgd.to_bytes(given), 4, 2)
    assert back.norm == 1.5
    assert back.levels.tolist() == [0, 1, -3, 0]


def test_the_thesis_codes_zero_as_one_with_the_sign_of_the_number() -> None:
    # max(level, 1) in omega, then a sign bit always: 0 -> 0 0; -0 -> 0 1; 1 -> 0 0; -3 -> 110 1
    given = quantised([0, 0, 1, -3], s=3, negative=[False, True, False, True])
    coded = qsgd.to_bytes(given, compat=True)
    assert coded == struct.pack(">f", 1.0) + bytes([0b00_01_00_11, 0b01_000000])
    assert qsgd.from_bytes(coded, 4, 2, compat=True).levels.tolist() == [1, -1, 1, -3]


def test_the_zero_vector_stays_zero() -> None:
    result = qsgd.quantise(np.zeros(9), 8, np.random.default_rng(0))
    assert result.norm == 0
    assert (qsgd.dequantise(qsgd.from_bytes(qsgd.to_bytes(result), 9, 8)) == 0).all()


@pytest.mark.parametrize("vector", [[], [np.nan], [np.inf, 0.0], [1e200]])
def test_vectors_that_have_no_float32_norm_are_refused(vector: list[float]) -> None:
    with pytest.raises(InputError, match="not finite"):
        qsgd.quantise(np.array(vector, np.float64), 4, np.random.default_rng(0))


@pytest.mark.parametrize("bits", [0, 9, -1])
def test_bits_outside_one_to_eight_are_refused(bits: int) -> None:
    with pytest.raises(InputError, match=f"{bits} bits"):
        qsgd.quantise(np.ones(3), bits, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "at least 4"),
        (struct.pack(">f", float("nan")) + b"\0", "norm"),
        (struct.pack(">f", float("inf")) + b"\0", "norm"),
        (struct.pack(">f", -1.0) + b"\0", "norm"),
        (struct.pack(">f", 1.0), "end early"),
        (struct.pack(">f", 1.0) + bytes([0b1100_1101]), "level 2"),  # 110 is 3, so level 2; s is 1
        (struct.pack(">f", 1.0) + b"\0\0", "padding"),
    ],
)
def test_damaged_bytes_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(BitstreamError, match=message):
        qsgd.from_bytes(data, 2, 1)
