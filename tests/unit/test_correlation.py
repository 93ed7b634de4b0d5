"""Agreement with opinions. Truth: scipy 1.17 (spearmanr, kendalltau, pearsonr); logistics of known parameters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, pearsonr, spearmanr

from vitiq.analysis.correlation import agreement, fit_logistic, kendall, logistic4, logistic5, pearson, spearman
from vitiq.errors import InputError


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=5, max_size=30))
def test_correlations_are_scipys(pairs: list[tuple[int, int]]) -> None:
    x, y = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    if x.std() == 0 or y.std() == 0:
        assert np.isnan([spearman(x, y), kendall(x, y), pearson(x, y)]).all()
        return
    assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)
    assert kendall(x, y) == pytest.approx(kendalltau(x, y).statistic, abs=1e-12)
    assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-9)


@pytest.mark.parametrize("bend", [lambda t: t, np.exp, lambda t: 1 - np.exp(-3 * t), lambda t: 40 + 5 * t])
def test_the_logistic_is_found_again(bend: object) -> None:
    t = np.linspace(-2, 2, 40)
    x = np.asarray(bend(t))  # type: ignore[operator]
    z = (x - x.mean()) / x.std()
    for parameters, y in ((4, logistic4(z, 7, 1, 0.2, 0.4)), (5, logistic5(z, 4.0, 2.0, 0.1, 0.3, 5.0))):
        fitted, _ = fit_logistic(z, y, 4 if parameters == 4 else 5)
        assert np.abs(fitted - y).max() < 1e-3


def test_agreement_of_a_bent_metric() -> None:
    rng = np.random.default_rng(0)
    quality = rng.uniform(0, 9, 60)
    groups = np.repeat(np.arange(12), 5)
    result = agreement(np.exp(-quality), quality, groups, higher_is_better=False, resamples=50)
    assert result.srcc == result.krcc == 1
    assert result.plcc > 0.95
    assert result.intervals["plcc"][0] > 0.9
    assert result.intervals["srcc"] == (1, 1)
    noisy = agreement(quality + rng.normal(0, 3, 60), quality, groups, higher_is_better=True, resamples=200)
    low, high = noisy.intervals["srcc"]
    assert 0 < low < noisy.srcc < high < 1
    assert noisy.rmse > 0.5
    again = agreement(quality + 0, quality, groups, higher_is_better=True, resamples=20)
    assert again == agreement(quality + 0, quality, groups, higher_is_better=True, resamples=20)
    assert agreement(-quality, quality, groups, higher_is_better=True, resamples=0).srcc == -1


def test_values_without_a_number_are_left_out() -> None:
    x = np.array([1, 2, np.nan, 3, 4, np.inf, 5.0])
    result = agreement(x, np.arange(7.0), np.zeros(7), higher_is_better=True)
    assert (result.count, result.left_out, result.srcc) == (5, 2, 1)
    assert np.isnan(result.intervals["srcc"]).all(), "one reference: nothing to resample"
    with pytest.raises(InputError, match="five or more"):
        agreement(x[:5], np.arange(5.0), np.zeros(5), higher_is_better=True)
    with pytest.raises(InputError, match="7 values, 6 opinions"):
        agreement(x, np.arange(6.0), np.zeros(7), higher_is_better=True)
