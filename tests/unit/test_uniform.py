"""Uniform quantisation with a range coder, against QSGD with Elias omega codes.

Truth: the aim of the project: fewer bytes than both QSGD codes at no more squared error, at each number of bits,
on normal random vectors of 512 numbers (the latent of the thesis). The exact sizes come from running this test: they
hold the format still, the comparison is what matters.
"""

from __future__ import annotations

import numpy as np
import pytest

from vitiq.bitstream import qsgd, uniform
from vitiq.bitstream.cdf import WIDTHS
from vitiq.errors import BitstreamError, InputError

SIZES = {1: (73, 132, 67), 2: (88, 132, 85), 4: (154, 137, 135), 6: (307, 243, 242), 8: (498, 465, 458)}
"""Bytes of QSGD with the correct code, with the thesis's code, and of the range coder, at seed 0."""


@pytest.mark.parametrize("bits", qsgd.BITS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_fewer_bytes_than_qsgd_at_less_error(bits: int, seed: int) -> None:
    vector = np.random.default_rng(seed).standard_normal(512)
    quantised = qsgd.quantise(vector, bits, np.random.default_rng(seed))
    correct, thesis = qsgd.to_bytes(quantised), qsgd.to_bytes(quantised, compat=True)
    symbols, step = uniform.finest_within(vector, min(len(correct), len(thesis)) - 1)
    coded = uniform.to_bytes(symbols, step)
    read, read_step = uniform.from_bytes(coded, 512)

    rebuilt = uniform.dequantise(read, read_step)
    error = ((rebuilt - vector) ** 2).mean()
    correct_error = ((qsgd.dequantise(qsgd.from_bytes(correct, 512, bits)) - vector) ** 2).mean()
    thesis_levels = qsgd.from_bytes(thesis, 512, bits, compat=True)
    thesis_error = ((qsgd.dequantise(thesis_levels) - vector) ** 2).mean()
    assert len(coded) < min(len(correct), len(thesis))
    assert error < min(correct_error, thesis_error)
    if seed == 0:
        assert (len(correct), len(thesis), len(coded)) == SIZES[bits]


def cheapest(vector: np.ndarray, step: float) -> int:
    return uniform.to_bytes(uniform.quantise(vector, step), step)[2]


def test_the_distribution_fits_the_numbers() -> None:
    rng = np.random.default_rng(7)
    assert cheapest(rng.standard_normal(2000), 0.25) < WIDTHS
    assert WIDTHS <= cheapest(rng.laplace(size=2000), 0.25) < uniform.ADAPTIVE
    assert cheapest(rng.choice([-1.0, 1.0], 2000), 0.125) == uniform.ADAPTIVE


def test_quantisation_is_mid_tread_and_clips() -> None:
    symbols = uniform.quantise(np.array([0.0, 0.24, 0.26, -0.3, 1e6, -1e6]), 0.5)
    assert symbols.tolist() == [0, 0, 1, -1, 255, -255]
    assert uniform.dequantise(symbols, 0.5).tolist() == [0, 0, 0.5, -0.5, 127.5, -127.5]


def test_a_larger_budget_never_gives_a_larger_error() -> None:
    vector = np.random.default_rng(3).standard_normal(200)
    errors = []
    for budget in (30, 60, 120, 200, 10_000):
        symbols, step = uniform.finest_within(vector, budget)
        assert len(uniform.to_bytes(symbols, step)) <= budget
        errors.append(float(((uniform.dequantise(symbols, step) - vector) ** 2).mean()))
    assert errors == sorted(errors, reverse=True)
    assert np.abs(uniform.quantise(vector, step)).max() <= uniform.MAX_REACH


def test_a_budget_below_the_smallest_file_gives_zeros() -> None:
    symbols, _ = uniform.finest_within(np.random.default_rng(3).standard_normal(200), 1)
    assert not symbols.any()


@pytest.mark.parametrize("vector", [[], [np.nan], [-np.inf], [20_000.0]])
def test_vectors_without_a_step_are_refused(vector: list[float]) -> None:
    with pytest.raises(InputError, match="quantised"):
        uniform.finest_within(np.array(vector, np.float64), 100)


@pytest.mark.parametrize("step", [0.0, -1.0, float("inf"), float("nan"), 0.1])
def test_steps_that_a_file_cannot_hold_are_refused(step: float) -> None:
    with pytest.raises(ValueError, match="float16"):
        uniform.to_bytes(np.array([1]), step)


def test_symbols_beyond_the_reach_are_refused() -> None:
    with pytest.raises(ValueError, match="256"):
        uniform.to_bytes(np.array([256]), 1.0)


@pytest.mark.parametrize("head", ["", "3c0000", "00000001", "bc000001", "7c000001", "7e000001", "3c005101", "3c000000"])
def test_damaged_heads_are_refused(head: str) -> None:
    with pytest.raises(BitstreamError, match="damaged"):
        uniform.from_bytes(bytes.fromhex(head), 4)
