"""Bjøntegaard's deltas.

Truth: the package bjontegaard 1.3.0 (FAU Erlangen-Nürnberg), called beside ours; identities; and points whose hull is
seen by eye.
"""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitiq.analysis.bd_rate import bd_metric, bd_rate
from vitiq.analysis.curve import Method, curve, within
from vitiq.errors import InputError

METHODS: tuple[Method, ...] = ("akima", "pchip", "cubic")
RATE_A, PSNR_A = np.array([0.12, 0.21, 0.38, 0.66, 1.10]), np.array([27.1, 29.4, 31.9, 34.3, 36.6])
RATE_B, PSNR_B = np.array([0.09, 0.17, 0.30, 0.58, 0.95]), np.array([26.8, 29.2, 31.6, 34.5, 36.4])


@given(seed=st.integers(0, 10_000), count=st.integers(4, 9), other=st.integers(4, 9), method=st.sampled_from(METHODS))
def test_it_gives_what_another_implementation_gives(seed: int, count: int, other: int, method: Method) -> None:
    rng = np.random.default_rng(seed)
    curves = []
    for points in (count, other):
        rate = np.cumsum(rng.uniform(0.05, 0.3, points))
        bend = rng.uniform(4, 7) * np.log2(rate / rate[0] + 0.2)
        curves += [rate, 28 + bend + np.cumsum(rng.uniform(0, 0.5, points))]
    theirs = bjontegaard.bd_rate(*curves, method=method, require_matching_points=False, min_overlap=0)
    assert bd_rate(*curves, method=method, least_shared=0.01).percent == pytest.approx(theirs, rel=1e-9)
    psnr = bjontegaard.bd_psnr(*curves, method=method, require_matching_points=False, min_overlap=0)
    assert bd_metric(*curves, method=method, least_shared=0.01).delta == pytest.approx(psnr, rel=1e-9)
    worse = [curves[0], -curves[1], curves[2], -curves[3]]
    mirrored = bd_rate(*worse, method=method, least_shared=0.01, higher_is_better=False)
    assert mirrored.percent == pytest.approx(theirs, rel=1e-9)
    assert mirrored.low < mirrored.high < 0
    assert bd_metric(*worse, method=method, least_shared=0.01, higher_is_better=False).delta == pytest.approx(
        -psnr, rel=1e-9
    )


def test_how_much_of_the_curves_is_compared() -> None:
    found = bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B)
    assert (found.low, found.high) == (27.1, 36.4)
    assert found.overlap == pytest.approx(9.3 / 9.8)
    assert found.shared == pytest.approx(9.3 / 9.5)
    assert found.notes == ()
    part = bd_rate(RATE_A[:4], PSNR_A[:4], RATE_B[1:], PSNR_B[1:])
    assert part.overlap == pytest.approx(0.5484, abs=1e-4)
    assert "share 55%" in part.notes[-1]
    inside = bd_rate(RATE_A, PSNR_A, RATE_B[1:4], PSNR_B[1:4])
    assert inside.shared == 1
    assert any("3 points only" in note for note in inside.notes)


@given(
    bad=st.sampled_from([np.inf, -np.inf, np.nan]),
    place=st.integers(0, 4),
    side=st.integers(0, 1),
    method=st.sampled_from(METHODS),
)
def test_a_point_without_a_finite_value_is_left_out(bad: float, place: int, side: int, method: Method) -> None:
    """PSNR of a lossless file is infinite."""
    curves = [RATE_A, PSNR_A.copy(), RATE_B, PSNR_B.copy()]
    curves[2 * side + 1][place] = bad
    found = bd_rate(*curves, method=method)
    keep = np.arange(5) != place
    curves[2 * side], curves[2 * side + 1] = curves[2 * side][keep], curves[2 * side + 1][keep]
    assert found.percent == pytest.approx(bd_rate(*curves, method=method).percent, abs=1e-12)
    assert "1 of 5 points left out" in found.notes[0]


def test_a_curve_that_falls_is_replaced_by_its_upper_hull() -> None:
    found = curve(np.array([1.0, 2, 3, 4, 5]), np.array([10.0, 14, 12, 16, 15]))
    np.testing.assert_array_equal(found.rate, [1, 2, 4])
    np.testing.assert_array_equal(found.quality, [10, 14, 16])
    assert "3 of 5 points, the upper hull" in found.notes[0]
    twice = curve(np.array([1.0, 1, 2, 4]), np.array([9.0, 10, 14, 16]))
    np.testing.assert_array_equal(twice.quality, [10, 14, 16])
    dip = np.array([27.1, 29.4, 29.3, 34.3, 36.6])
    assert bd_rate(RATE_A, dip, RATE_B, PSNR_B).notes[0].startswith("anchor: quality does not grow")


@given(st.lists(st.tuples(st.floats(0.01, 9), st.floats(10, 50)), min_size=3, max_size=30))
def test_the_hull_grows_and_lies_above_every_point(points: list[tuple[float, float]]) -> None:
    rate, quality = (np.array(v) for v in zip(*points, strict=True))
    try:
        found = curve(rate, quality)
    except InputError:
        return  # the hull has fewer than three points
    assert (np.diff(found.rate) > 0).all()
    assert (np.diff(found.quality) > 0).all()
    if any("hull" in note for note in found.notes):
        below = np.interp(rate, found.rate, found.quality, left=np.inf)
        assert (quality <= below + 1e-6).all()


@given(factor=st.floats(0.2, 5), method=st.sampled_from(METHODS), seed=st.integers(0, 99))
def test_a_codec_that_needs_a_share_of_the_bits_saves_the_rest(factor: float, method: Method, seed: int) -> None:
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
    with pytest.raises(InputError, match="anchor: 2 points of a curve given, 3 or more"):
        bd_rate(RATE_A[:2], PSNR_A[:2], RATE_B, PSNR_B)
    with pytest.raises(InputError, match="share 0% of the narrower, 50% or more"):
        bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B + 20)
    with pytest.raises(InputError, match=r"27\.1 … 36\.6 and 31\.8 … 41\.4 given: they share 50\.5%"):
        bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B + 5, least_shared=0.6)
    shift = 0.5004 * np.ptp(PSNR_A)
    with pytest.raises(InputError, match=r"they share 49\.9% of the narrower, 50% or more expected"):  # not "50%, 50%"
        bd_rate(RATE_A, PSNR_A, RATE_A, PSNR_A + shift)
    with pytest.raises(InputError, match="above 0"):
        bd_rate(RATE_A - 0.12, PSNR_A, RATE_B, PSNR_B)
    with pytest.raises(InputError, match=r"tested codec: 1 points of a curve given .*hull"):
        bd_rate(RATE_A, PSNR_A, RATE_B, PSNR_B[::-1])
    with pytest.raises(InputError, match="5 rates and 4 qualities"):
        bd_rate(RATE_A, PSNR_A[1:], RATE_B, PSNR_B)
    with pytest.raises(InputError, match=r"0 points of a curve given .*finite"):
        bd_rate(RATE_A, PSNR_A * np.nan, RATE_B, PSNR_B)
    with pytest.raises(InputError, match="3 points given, 4 or more expected for a cubic"):
        bd_rate(RATE_A[:3], PSNR_A[:3], RATE_B, PSNR_B, method="cubic")
