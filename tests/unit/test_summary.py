"""Mean, deviation and interval. Truth: scipy 1.17 (`scipy.stats.t.interval(0.95, n - 1, mean, sem)`)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitiq.analysis.summary import summarise


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_interval_is_students(values: list[float]) -> None:
    found = summarise(values)
    assert (found.count, found.left_out) == (len(values), 0)
    assert found.mean == pytest.approx(np.mean(values), rel=1e-12, abs=1e-9)
    assert found.deviation == pytest.approx(np.std(values, ddof=1), rel=1e-12, abs=1e-9)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
    assert found.interval == pytest.approx((found.mean - half, found.mean + half), rel=1e-9, abs=1e-6)


def test_an_interval_ends_with_the_range_of_the_metric() -> None:
    free, cut = summarise([0.4, 0.9, 0.9]), summarise([0.4, 0.9, 0.9], (0.0, 1.0))
    assert free.interval[1] > 1
    assert cut.interval == (free.interval[0], 1.0)
    assert cut.mean == free.mean
    wrong = summarise([2.0, 3.0, 4.0], (0.0, 1.0))
    assert wrong.interval[1] == 4, "a stated range that the values leave does not cut the mean off"


def test_infinite_and_undefined_values_are_left_out_and_counted() -> None:
    found = summarise([1.0, math.inf, 3.0, math.nan])
    assert (found.count, found.left_out, found.mean) == (2, 2, 2)


def test_one_value_has_no_spread_and_none_has_no_mean() -> None:
    one, none = summarise([4.0]), summarise([math.inf])
    assert one.mean == 4
    assert math.isnan(one.deviation)
    assert math.isnan(one.interval[0])
    assert (none.count, none.left_out) == (0, 1)
    assert math.isnan(none.mean)
