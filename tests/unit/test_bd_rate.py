"""Bjøntegaard's delta rate.

Truth: the package bjontegaard 1.3.0 (FAU Erlangen-Nürnberg), `bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B, method=...)`
for five and for four points; and identities.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitiq.analysis.bd_rate import bd_rate, within
from vitiq.errors import InputError

RATE_A, PSNR_A = np.array([0.12, 0.21, 0.38, 0.66, 1.10]), np.array([27.1, 29.4, 31.9, 34.3, 36.6])
RATE_B, PSNR_B = np.array([0.09, 0.17, 0.30, 0.58, 0.95]), np.array([26.8, 29.2, 31.6, 34.5, 36.4])


@pytest.mark.parametrize(
    ("method", "five", "four"),
    [
        ("cubic", -15.292647729054277, -15.506689863890665),
        ("akima", -15.331649106037936, -15.516846736616085),
        ("pchip", -15.354768928028683, -15.628726288674999),
    ],
)
def test_it_gives_what_another_implementation_gives(
    method: Literal["cubic", "akima", "pchip"], five: float, four: float
) -> None:
    found = bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B, method=method)
    assert found.percent == pytest.approx(five, abs=1e-9)
    assert (found.low, found.high) == (27.1, 36.4)
    assert found.overlap == pytest.approx(9.3 / 9.8)
    part = bd_rate(RATE_A[:4], PSNR_A[:4], RATE_B[1:], PSNR_B[1:], method=method)
    assert part.percent == pytest.approx(four, abs=1e-9)
    assert part.overlap == pytest.approx(0.5484, abs=1e-4)


@given(factor=st.floats(0.2, 5), method=st.sampled_from(["akima", "pchip", "cubic"]), seed=st.integers(0, 99))
def test_a_codec_that_needs_a_share_of_the_bits_is_told_that_share(
    factor: float, method: Literal["akima", "pchip", "cubic"], seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(5)
    found = bd_rate(RATE_A, PSNR_A, factor * RATE_A[order], PSNR_A[order], method=method)
    assert found.percent == pytest.approx(100 * (factor - 1), abs=1e-6)
    assert found.overlap == 1


def test_a_curve_is_cut_at_rates() -> None:
    rate = np.geomspace(0.05, 1, 9)
    quality = 30 + 5 * np.log2(rate)
    cut, kept = within(rate, quality, 0.1, 0.5)
    assert (cut[0], cut[-1]) == pytest.approx((0.1, 0.5))
    np.testing.assert_allclose(kept, 30 + 5 * np.log2(cut))
    cut, _ = within(rate, quality, 0.01, 9)
    np.testing.assert_allclose(cut, rate)


def test_curves_that_cannot_be_compared_are_refused() -> None:
    with pytest.raises(InputError, match="4 points or more"):
        bd_rate(RATE_A[:3], PSNR_A[:3], RATE_B, PSNR_B)
    with pytest.raises(InputError, match="share none"):
        bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B + 20)
    with pytest.raises(InputError, match="above 0"):
        bd_rate(RATE_A - 0.12, PSNR_A, RATE_B, PSNR_B)
    with pytest.raises(InputError, match="falls"):
        bd_rate(RATE_A, PSNR_A[::-1], RATE_B, PSNR_B)
