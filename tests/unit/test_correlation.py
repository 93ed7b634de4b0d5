"""Agreement with opinions. Truth: scipy 1.17 (spearmanr, kendalltau, pearsonr); logistics of known parameters."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import curve_fit
from scipy.stats import kendalltau, pearsonr, rankdata, spearmanr

from vitiq.analysis import resampled_ranks
from vitiq.analysis.correlation import agreement, kendall, pearson, pearson_rows, spearman
from vitiq.analysis.logistic import fit_logistic, logistic4, refit
from vitiq.analysis.resampled_ranks import WeightedRanks, kendall_of_groups
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
@pytest.mark.parametrize("count", [40, 3000])
def test_the_logistic_is_found_again(bend: object, count: int) -> None:
    t = np.linspace(-2, 2, count)
    x = np.asarray(bend(t))  # type: ignore[operator]
    z = (x - x.mean()) / x.std()
    y = logistic4(z, 7, 1, 0.2, 0.4)
    assert np.abs(logistic4(z, *fit_logistic(z, y)) - y).max() < 1e-3


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 4)), min_size=5, max_size=40),
    st.integers(0, 9),
)
def test_a_resample_is_what_scipy_gives_for_the_images_drawn(rows: list[tuple[int, int, int]], seed: int) -> None:
    x, y, groups = (np.array(column) for column in zip(*rows, strict=True))
    _, members = np.unique(groups, return_inverse=True)
    count = members.max() + 1
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count))
    chosen = np.repeat(np.arange(len(x)), times[members])
    tau = kendall_of_groups(x.astype(float), y.astype(float), members)(times.astype(float))
    ranks = [WeightedRanks(v.astype(float))(times[members].astype(float)) for v in (x, y)]
    np.testing.assert_allclose(ranks[0][chosen], rankdata(x[chosen]))
    rho = pearson(ranks[0], ranks[1], times[members].astype(float))
    if len(set(x[chosen])) == 1 or len(set(y[chosen])) == 1:
        assert np.isnan([tau, rho]).all()
        return
    assert tau == pytest.approx(kendalltau(x[chosen], y[chosen]).statistic, abs=1e-12)
    assert rho == pytest.approx(spearmanr(x[chosen], y[chosen]).statistic, abs=1e-12)


def test_tau_of_many_groups_is_counted_without_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, y, members = rng.integers(0, 9, 60).astype(float), rng.normal(0, 1, 60), np.arange(60) // 3
    times = rng.multinomial(20, np.full(20, 0.05)).astype(float)
    by_matrix = kendall_of_groups(x, y, members)(times)
    monkeypatch.setattr(resampled_ranks, "MOST_GROUPS", 4)
    assert kendall_of_groups(x, y, members)(times) == pytest.approx(by_matrix, abs=1e-12)
    assert np.isnan(kendall_of_groups(x * 0, y, members)(times))


PEAK = """
import numpy as np
from vitiq.analysis.correlation import agreement
rng = np.random.default_rng(0)
quality = rng.uniform(0, 9, 23_000)
metric = quality + rng.normal(0, 2, len(quality))
groups = rng.integers(0, {groups}, len(quality))
print(agreement(metric, quality, groups, higher_is_better=True, resamples=4).krcc)
print(int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) / 1024)
"""


@pytest.mark.parametrize("groups", [250, 23_000])
def test_23000_images_fit_in_a_gigabyte(groups: int) -> None:
    """PIPAL has 23,200 images of 200 references; matrices of images by images would take 4 GB each."""
    found = subprocess.run(
        [sys.executable, "-c", PEAK.format(groups=groups)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert float(found[0]) == pytest.approx(0.595, abs=0.01)
    assert float(found[1]) < 400, "MB at the peak"


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
    bent = quality + rng.normal(0, 3, 60)
    again = agreement(bent, quality, groups, higher_is_better=True, resamples=40)
    assert again == agreement(bent + 0, quality, groups, higher_is_better=True, resamples=40)
    # On a straight line the logistic's width grows without an end, and where the fit stops hangs on the last bit.
    line = [agreement(quality + 0, quality, groups, higher_is_better=True, resamples=20) for _ in range(2)]
    assert line[0].srcc == line[1].srcc == 1
    assert line[0].plcc == pytest.approx(line[1].plcc, abs=1e-12)
    assert line[0].rmse == pytest.approx(line[1].rmse, abs=1e-9)
    assert agreement(-quality, quality, groups, higher_is_better=True, resamples=0).srcc == -1


def test_ranks_hold_infinite_values_and_the_fit_does_not() -> None:
    """PSNR falls where MSE rises: both rank alike, identical images (MSE 0, PSNR infinite) among them."""
    rng = np.random.default_rng(0)
    quality, groups = rng.uniform(0, 9, 40), np.repeat(np.arange(8), 5)
    mse = np.where(quality > 7, 0.0, np.exp(9 - quality + rng.normal(0, 1, 40)))
    with np.errstate(divide="ignore"):
        psnr = 10 * np.log10(65025 / mse)
    finite = np.isfinite(psnr)
    found = agreement(psnr, quality, groups, higher_is_better=True, resamples=40)
    other = agreement(mse, quality, groups, higher_is_better=False, resamples=40)
    assert (found.count, found.finite, other.finite) == (40, int(finite.sum()), 40)
    assert found.srcc == pytest.approx(spearmanr(-mse, quality).statistic, abs=1e-12)
    assert found.krcc == pytest.approx(kendalltau(-mse, quality).statistic, abs=1e-12)
    for name in ("srcc", "krcc"):
        assert found.intervals[name] == pytest.approx(other.intervals[name], abs=1e-12)
    alone = agreement(psnr[finite], quality[finite], groups[finite], higher_is_better=True, resamples=0)
    assert (found.plcc, found.rmse) == pytest.approx((alone.plcc, alone.rmse), abs=1e-9)
    few = agreement(np.where(np.arange(40) < 4, psnr, np.inf), quality, groups, higher_is_better=True, resamples=40)
    assert np.isfinite(few.srcc)
    assert np.isnan([few.plcc, few.rmse, *few.intervals["plcc"]]).all(), "four values have no fit"


def test_plcc_has_no_sign_and_no_chance_level_of_0() -> None:
    rng = np.random.default_rng(0)
    quality, groups = rng.uniform(0, 9, 60), np.repeat(np.arange(12), 5)
    values = quality + rng.normal(0, 1, 60)
    right, wrong = (
        agreement(values, opinions, groups, higher_is_better=True, resamples=0) for opinions in (quality, 9 - quality)
    )
    assert right.srcc == pytest.approx(-wrong.srcc)
    assert right.plcc == pytest.approx(wrong.plcc, abs=1e-3)
    noise = agreement(rng.normal(0, 1, 60), quality, groups, higher_is_better=True, resamples=200)
    assert noise.plcc > 0.1 > abs(noise.srcc)
    assert noise.intervals["srcc"][0] < 0 < noise.intervals["srcc"][1]


def test_too_few_resamples_give_no_interval() -> None:
    """2.5 % of 39 is less than one."""
    quality, groups = np.arange(60.0), np.repeat(np.arange(12), 5)
    noisy = quality + np.random.default_rng(0).normal(0, 9, 60)
    few, enough = (agreement(noisy, quality, groups, higher_is_better=True, resamples=n) for n in (39, 40))
    assert np.isnan(few.intervals["srcc"]).all()
    assert np.isfinite(enough.intervals["srcc"]).all()


def test_values_without_a_number_are_left_out() -> None:
    x = np.array([1, 2, np.nan, 3, 4, 5.0, np.inf])
    result = agreement(x, np.arange(7.0), np.zeros(7), higher_is_better=True)
    assert (result.count, result.left_out, result.finite, result.srcc) == (6, 1, 5, 1)
    assert np.isnan(result.intervals["srcc"]).all(), "one reference: nothing to resample"
    with pytest.raises(InputError, match="five or more"):
        agreement(x[:5], np.arange(5.0), np.zeros(5), higher_is_better=True)
    with pytest.raises(InputError, match="7 values, 6 opinions"):
        agreement(x, np.arange(6.0), np.zeros(7), higher_is_better=True)


@given(st.integers(0, 1000), st.sampled_from([30, 700]))
def test_a_refit_is_as_good_as_scipys(seed: int, count: int) -> None:
    """scipy 1.17's curve_fit, from the same start, on the images that a resample draws."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 1, count)
    y = logistic4(z, 7, 1, 0.2, 0.4) + rng.normal(0, 0.5, count)
    weights = rng.multinomial(count, np.full(count, 1 / count), size=3).astype(float)
    start = fit_logistic(z, y)
    for own, fit in zip(weights, refit(z, y, weights, start), strict=True):
        drawn = np.repeat(np.arange(count), own.astype(int))
        wanted, _ = curve_fit(logistic4, z[drawn], y[drawn], start, maxfev=5000)
        mine, best = (np.square(logistic4(z, *fitted) - y)[drawn].sum() for fitted in (fit, wanted))
        assert mine <= best * 1.002, "bins of neighbouring values cost a little where there are many"


@given(st.integers(0, 1000))
def test_rows_are_what_each_row_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 1, (4, 12)), rng.normal(0, 1, 12)
    weights = rng.integers(0, 3, (4, 12)).astype(float) + np.eye(4, 12)
    wanted = [pearson(a, y, w) for a, w in zip(x, weights, strict=True)]
    np.testing.assert_allclose(pearson_rows(x, y, weights), wanted, atol=1e-12)
    ranks = WeightedRanks(np.round(y))
    np.testing.assert_allclose(ranks.rows(weights), [ranks(w) for w in weights], atol=1e-12)
