"""How well a metric agrees with people: rank and linear correlation, with intervals. Pure functions on arrays.

The measures are those of VQEG (Final Report on the Validation of Objective Models of Video Quality Assessment, Phase
II, 2003, and ITU-T P.1401): Spearman's and Kendall's rank correlation, and Pearson's and the root mean square error
after a monotonic logistic has mapped the metric to the scale of the opinions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from vitiq.analysis.logistic import BLOCK, Rows, curves, fit_logistic, logistic4, refit
from vitiq.analysis.resampled_ranks import Groups, Values, WeightedRanks, kendall_of_groups
from vitiq.errors import InputError

FEWEST = 5
"""Images from which a correlation is given."""

MEASURES = ("srcc", "krcc", "plcc", "rmse")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a metric with opinions; each measure with its interval.

    Attributes:
        count: images used (those with a finite value).
        left_out: images without one.
        srcc, krcc, plcc: Spearman, Kendall (tau-b), Pearson after the logistic; -1 … 1, positive where the metric's
            better end goes with the better opinions.
        rmse: root mean square error after the logistic, in units of the opinions.
        intervals: measure -> (low, high), bootstrap percentiles.
    """

    count: int
    left_out: int
    srcc: float
    krcc: float
    plcc: float
    rmse: float
    intervals: dict[str, tuple[float, float]]


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
        values: of the metric; those that are not finite are left out.
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
    keep = np.isfinite(values) & np.isfinite(opinions)
    if keep.sum() < FEWEST:
        raise InputError(f"{int(keep.sum())} images with a value given, five or more expected for a correlation")
    x = values[keep] * (1.0 if higher_is_better else -1.0)
    y = opinions[keep].astype(np.float64)
    _, members = np.unique(groups[keep], return_inverse=True)
    x = (x - x.mean()) / (x.std() if x.std() > 0 else 1.0)
    fit = fit_logistic(x, y)
    fitted = logistic4(x, *fit)
    whole = (spearman(x, y), kendall(x, y), pearson(fitted, y), float(np.sqrt(np.square(fitted - y).mean())))
    samples = _samples(x, y, members, fit, resamples)
    intervals = {name: interval_of(column) for name, column in zip(MEASURES, samples.T, strict=True)}
    return Resampled(Agreement(int(keep.sum()), int((~keep).sum()), *whole, intervals), samples)


def draws_of(members: Groups, resamples: int) -> Float[np.ndarray, "b g"]:
    """How often each group is drawn in each resample, with seed 0; no resamples where there is one group."""
    count = int(members.max()) + 1
    if count == 1:
        return np.empty((0, 1))
    rng = np.random.default_rng(0)
    times = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(resamples)]
    return np.array(times, dtype=np.float64).reshape(-1, count)


def _samples(
    x: Values, y: Values, members: Groups, fit: Float[np.ndarray, " p"], resamples: int
) -> Float[np.ndarray, "b 4"]:
    """Every measure of every resample of the groups."""
    times = draws_of(members, resamples)
    if not len(times):
        return np.empty((0, len(MEASURES)))
    tau = kendall_of_groups(x, y, members)
    ranks = WeightedRanks(x), WeightedRanks(y)
    parts = []
    step = max(1, BLOCK // len(x))
    for first in range(0, len(times), step):
        drawn = times[first : first + step]
        weights = drawn[:, members]
        fitted = curves(x, refit(x, y, weights, fit))
        error = np.sqrt((weights * np.square(fitted - y)).sum(axis=1) / weights.sum(axis=1))
        srcc = pearson_rows(ranks[0].rows(weights), ranks[1].rows(weights), weights)
        krcc = np.array([tau(row) for row in drawn])
        parts.append(np.stack([srcc, krcc, pearson_rows(fitted, y, weights), error], axis=1))
    return np.concatenate(parts)


def pearson_rows(x: Rows, y: Rows | Values, weights: Rows) -> Float[np.ndarray, " b"]:
    """Pearson's correlation of every row, as `pearson` gives it."""
    total = weights.sum(axis=1, keepdims=True)
    a, b = (v - (weights * v).sum(axis=1, keepdims=True) / total for v in (x, y))
    length = np.sqrt((weights * a * a).sum(axis=1) * (weights * b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(length > 0, (weights * a * b).sum(axis=1) / length, np.nan), dtype=np.float64)


def interval_of(column: Values) -> tuple[float, float]:
    """2.5 and 97.5 % of what is finite; NaN where nothing is."""
    finite = column[np.isfinite(column)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)
