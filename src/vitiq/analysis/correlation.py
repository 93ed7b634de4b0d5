"""How well a metric agrees with people: rank and linear correlation, with intervals. Pure functions on arrays.

The measures are those of VQEG (Final Report on the Validation of Objective Models of Video Quality Assessment, Phase
II, 2003, and ITU-T P.1401): Spearman's and Kendall's rank correlation, and Pearson's and the root mean square error
after a monotonic logistic has mapped the metric to the scale of the opinions. An infinite value (PSNR of identical
images) has a rank and no place on the logistic: ranks hold it, Pearson's correlation and the error do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from vitiq.analysis.bootstrap import FEWEST_RESAMPLES
from vitiq.analysis.logistic import BLOCK, Rows, curves, fit_logistic, logistic4, refit
from vitiq.analysis.resampled_ranks import Groups, Values, WeightedRanks, kendall_of_groups
from vitiq.errors import InputError

FEWEST = 5
"""Images from which a correlation is given."""

MEASURES = ("srcc", "krcc", "plcc", "rmse")
RANKS = ("srcc", "krcc")
"""Measures that hold infinite values too."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a metric with opinions; each measure with its interval.

    Attributes:
        count: images used (those with a value, which may be infinite).
        left_out: images without one.
        srcc, krcc: Spearman, Kendall (tau-b); -1 … 1, positive where the metric's better end goes with the better
            opinions.
        plcc: Pearson after the logistic, of the finite values; 0 … 1. The logistic is fitted to these very images and
            rises or falls as they do: PLCC has no sign, and is above 0 for values without any relation.
        rmse: root mean square error after the logistic, of the finite values, in units of the opinions.
        intervals: measure -> (low, high), bootstrap percentiles.
        finite: images with a finite value; below `FEWEST` there is no PLCC and no RMSE.
    """

    count: int
    left_out: int
    srcc: float
    krcc: float
    plcc: float
    rmse: float
    intervals: dict[str, tuple[float, float]]
    finite: int

    def images_of(self, measure: str) -> int:
        """Images that a measure is of."""
        return self.count if measure in RANKS else self.finite


def spearman(x: Values, y: Values) -> float:
    """Spearman's rank correlation; NaN where either is constant."""
    from scipy.stats import rankdata  # noqa: PLC0415

    return pearson(rankdata(x), rankdata(y))


def pearson(x: Values, y: Values, weights: Values | None = None) -> float:
    """Pearson's correlation; NaN where either is constant.

    Args:
        x, y: values.
        weights: how often each pair counts; None for once.
    """
    a, b = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    w = 1.0 if weights is None else weights
    length = float(np.sqrt(np.sum(w * a * a) * np.sum(w * b * b)))
    return float(np.sum(w * a * b)) / length if length > 0 else float("nan")


def kendall(x: Values, y: Values) -> float:
    """Kendall's tau-b in O(n log n) (Knight 1966, DOI 10.1080/01621459.1966.10480879); NaN where either is constant."""
    from scipy.stats import kendalltau  # noqa: PLC0415

    if (x == x[0]).all() or (y == y[0]).all():
        return float("nan")
    return float(kendalltau(x, y).statistic)


@dataclass(frozen=True, slots=True)
class Resampled:
    """Agreement of a metric, and its measures in every resample.

    Attributes:
        agreement: on all images.
        samples: a row a resample, columns as `MEASURES`; resample i draws the same references for every metric that
            has values on the same images, so that rows can be subtracted.
    """

    agreement: Agreement
    samples: Float[np.ndarray, "b 4"]


def agreement(
    values: Values,
    opinions: Values,
    groups: Shaped[np.ndarray, " n"],
    *,
    higher_is_better: bool,
    resamples: int = 1000,
) -> Agreement:
    """Agreement with 95 % bootstrap intervals.

    Whole references are drawn, not single images: images of one reference are not independent. A resample is a number
    of times that each image counts, so that nothing is sorted again.

    Args:
        values: of the metric; those that are not a number are left out.
        opinions: larger is better.
        groups: reference of each image.
        higher_is_better: direction of the metric.
        resamples: bootstrap samples, drawn with seed 0.

    Raises:
        InputError: arrays of different length, or fewer than five images with a value.
    """
    return resampled(values, opinions, groups, higher_is_better=higher_is_better, resamples=resamples).agreement


def resampled(
    values: Values,
    opinions: Values,
    groups: Shaped[np.ndarray, " n"],
    *,
    higher_is_better: bool,
    resamples: int = 1000,
) -> Resampled:
    """`agreement`, with every resample's measures for paired differences between metrics.

    Raises:
        InputError: as for `agreement`.
    """
    if not len(values) == len(opinions) == len(groups):
        raise InputError(f"{len(values)} values, {len(opinions)} opinions and {len(groups)} references given")
    keep = ~np.isnan(values) & np.isfinite(opinions)
    if keep.sum() < FEWEST:
        raise InputError(f"{int(keep.sum())} images with a value given, five or more expected for a correlation")
    x = values[keep] * (1.0 if higher_is_better else -1.0)
    y = opinions[keep].astype(np.float64)
    _, members = np.unique(groups[keep], return_inverse=True)
    finite = np.isfinite(x)
    plcc = rmse = float("nan")
    times = draws_of(members, resamples)
    samples = np.full((len(times), len(MEASURES)), np.nan)
    samples[:, :2] = _rank_samples(x, y, members, times)
    if finite.sum() >= FEWEST:
        z, of = x[finite], y[finite]
        z = (z - z.mean()) / (z.std() if z.std() > 0 else 1.0)
        fit = fit_logistic(z, of)
        fitted = logistic4(z, *fit)
        plcc, rmse = pearson(fitted, of), float(np.sqrt(np.square(fitted - of).mean()))
        samples[:, 2:] = _fitted_samples(z, of, members[finite], times, fit)
    intervals = {name: interval_of(column) for name, column in zip(MEASURES, samples.T, strict=True)}
    counts = int(keep.sum()), int((~keep).sum())
    found = Agreement(*counts, spearman(x, y), kendall(x, y), plcc, rmse, intervals, int(finite.sum()))
    return Resampled(found, samples)


def draws_of(members: Groups, resamples: int) -> Float[np.ndarray, "b g"]:
    """How often each group is drawn in each resample, with seed 0; no resamples where there is one group."""
    count = int(members.max()) + 1
    if count == 1:
        return np.empty((0, 1))
    rng = np.random.default_rng(0)
    times = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(resamples)]
    return np.array(times, dtype=np.float64).reshape(-1, count)


def _rank_samples(x: Values, y: Values, members: Groups, times: Float[np.ndarray, "b g"]) -> Float[np.ndarray, "b 2"]:
    """SRCC and KRCC of every resample of the groups."""
    if not len(times):
        return np.empty((0, 2))
    tau = kendall_of_groups(x, y, members)
    ranks = WeightedRanks(x), WeightedRanks(y)
    parts = []
    for drawn in _some(times, len(x)):
        weights = drawn[:, members]
        srcc = pearson_rows(ranks[0].rows(weights), ranks[1].rows(weights), weights)
        parts.append(np.stack([srcc, np.array([tau(row) for row in drawn])], axis=1))
    return np.concatenate(parts)


def _fitted_samples(
    x: Values, y: Values, members: Groups, times: Float[np.ndarray, "b g"], fit: Float[np.ndarray, " p"]
) -> Float[np.ndarray, "b 2"]:
    """PLCC and RMSE of every resample of the groups; NaN where it draws no image with a finite value."""
    if not len(times):
        return np.empty((0, 2))
    parts = []
    for drawn in _some(times, len(x)):
        weights = drawn[:, members]
        fitted = curves(x, refit(x, y, weights, fit))
        with np.errstate(invalid="ignore"):
            error = np.sqrt((weights * np.square(fitted - y)).sum(axis=1) / weights.sum(axis=1))
            parts.append(np.stack([pearson_rows(fitted, y, weights), error], axis=1))
    return np.concatenate(parts)


def _some(times: Float[np.ndarray, "b g"], images: int) -> Iterator[Float[np.ndarray, "c g"]]:
    """Resamples, as many at a time as `BLOCK` weights hold."""
    step = max(1, BLOCK // images)
    return (times[first : first + step] for first in range(0, len(times), step))


def pearson_rows(x: Rows, y: Rows | Values, weights: Rows) -> Float[np.ndarray, " b"]:
    """Pearson's correlation of every row, as `pearson` gives it."""
    total = weights.sum(axis=1, keepdims=True)
    a, b = (v - (weights * v).sum(axis=1, keepdims=True) / total for v in (x, y))
    length = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(length > 0, (weights * a * b).sum(axis=1) / length, np.nan), dtype=np.float64)


def interval_of(column: Values) -> tuple[float, float]:
    """2.5 and 97.5 % of what is finite; NaN where nothing is, or the resamples are too few."""
    finite = column[np.isfinite(column)]
    if column.size < FEWEST_RESAMPLES or not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)
