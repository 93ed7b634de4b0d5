"""How well a metric agrees with people: rank and linear correlation, with intervals. Pure functions on arrays.

The measures are those of VQEG (Final Report on the Validation of Objective Models of Video Quality Assessment, Phase
II, 2003, and ITU-T P.1401): Spearman's and Kendall's rank correlation, and Pearson's and the root mean square error
after a monotonic logistic has mapped the metric to the scale of the opinions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from vitiq.analysis.resampled_ranks import Groups, Values, WeightedRanks, kendall_of_groups
from vitiq.errors import InputError

FEWEST = 5
"""Images from which a correlation is given."""

Parameters = Float[np.ndarray, " p"]
"""Of the logistic: four."""
Binned = Float[np.ndarray, " bins"]

MOST_BINS = 500
"""Bins of neighbouring values that a resample's logistic is fitted to."""

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


def logistic4(x: Values, top: float, bottom: float, middle: float, slope: float) -> Values:
    """β2 + (β1 - β2) / (1 + exp(-(x - β3) / |β4|)): VQEG Phase I and II."""
    return np.asarray(bottom + (top - bottom) * _sigmoid((x - middle) / (abs(slope) + 1e-12)), dtype=np.float64)


def _sigmoid(x: Values) -> Values:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def fit_logistic(z: Values, y: Values) -> Parameters:
    """Parameters of the least-squares logistic from metric values to opinions, the best from several starts.

    Args:
        z: metric values, larger is better, of mean 0 and deviation 1 or so.
        y: opinions, larger is better.
    """
    small = _Bins(z, y)(np.ones(len(z)))
    fits = [_least_squares(*small, start) for start in _starts(z, y)]
    best = min(fits, key=lambda fit: fit[1])[0]
    return _least_squares(z, y, np.ones(len(z)), best)[0]


def _least_squares(z: Values, y: Values, weights: Values, start: Parameters) -> tuple[Parameters, float]:
    """Parameters and half the sum of squares (Levenberg-Marquardt with the exact derivatives)."""
    from scipy.optimize import least_squares  # noqa: PLC0415 - slow to import

    root = np.sqrt(weights)

    def residual(b: Parameters) -> Values:
        return np.asarray(root * (logistic4(z, *b) - y), dtype=np.float64)

    def jacobian(b: Parameters) -> Float[np.ndarray, "n 4"]:
        top, bottom, middle, slope = b
        width = abs(slope) + 1e-12
        s = _sigmoid((z - middle) / width)
        steep = (top - bottom) * s * (1 - s) / width
        columns = (s, 1 - s, -steep, -steep * (z - middle) / width * np.sign(slope))
        return np.asarray(root[:, None] * np.stack(columns, 1), dtype=np.float64)

    fit = least_squares(residual, start, jac=jacobian, method="lm", max_nfev=500)
    return np.asarray(fit.x, dtype=np.float64), float(fit.cost)


class _Bins:
    """Neighbouring values together, for fits that are made a thousand times: a curve hardly bends within a bin.

    Args:
        z, y: the points; as they are where they are few.
    """

    def __init__(self, z: Values, y: Values) -> None:
        count = min(len(z), MOST_BINS)
        self._z, self._y = z, y
        self._bin = np.empty(len(z), np.int64)
        self._bin[np.argsort(z, kind="stable")] = np.arange(len(z)) * count // len(z)

    def __call__(self, weights: Values) -> tuple[Binned, Binned, Binned]:
        """Mean place, mean opinion and weight of every bin that counts."""
        total = np.bincount(self._bin, weights)
        some = total > 0
        means = (np.bincount(self._bin, weights * v)[some] / total[some] for v in (self._z, self._y))
        z, y = means
        return z, y, total[some]


def _starts(z: Values, y: Values) -> list[Parameters]:
    middle = float(z[np.abs(y - (y.max() + y.min()) / 2).argmin()])
    high, low = float(y.max()), float(y.min())
    return [np.array([high, low, m, width]) for m in (middle, 0.0, float(z.max())) for width in (0.3, 1.0)]


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
    intervals = _intervals(x, y, members, fit, resamples)
    return Agreement(int(keep.sum()), int((~keep).sum()), *whole, dict(zip(MEASURES, intervals, strict=True)))


def _intervals(x: Values, y: Values, members: Groups, fit: Parameters, resamples: int) -> list[tuple[float, float]]:
    """2.5 and 97.5 % of every measure over resampled groups."""
    count = int(members.max()) + 1
    if count == 1 or resamples == 0:
        return [(float("nan"), float("nan"))] * len(MEASURES)
    rng = np.random.default_rng(0)
    times = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(resamples)])
    tau = kendall_of_groups(x, y, members)
    ranks, bins = (WeightedRanks(x), WeightedRanks(y)), _Bins(x, y)
    rows = []
    for drawn in times:
        weights = drawn[members].astype(np.float64)
        fitted = logistic4(x, *_least_squares(*bins(weights), fit)[0])
        error = float(np.sqrt(np.average(np.square(fitted - y), weights=weights)))
        srcc = pearson(ranks[0](weights), ranks[1](weights), weights)
        rows.append((srcc, tau(drawn.astype(np.float64)), pearson(fitted, y, weights), error))
    return [_percentiles(column) for column in np.array(rows).T]


def _percentiles(column: Values) -> tuple[float, float]:
    finite = column[np.isfinite(column)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)
