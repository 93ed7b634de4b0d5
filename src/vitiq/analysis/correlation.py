"""How well a metric agrees with people: rank and linear correlation, with intervals. Pure functions on arrays.

The measures are those of VQEG (Final Report on the Validation of Objective Models of Video Quality Assessment, Phase
II, 2003, and ITU-T P.1401): Spearman's and Kendall's rank correlation, and Pearson's and the root mean square error
after a monotonic logistic has mapped the metric to the scale of the opinions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Shaped

from vitiq.errors import InputError

Values = Float[np.ndarray, " n"]
Logistic = Literal[4, 5]


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


def logistic5(x: Values, b1: float, b2: float, b3: float, b4: float, b5: float) -> Values:  # noqa: PLR0917
    """β1 (½ - 1 / (1 + exp(β2 (x - β3)))) + β4 x + β5: Sheikh, Sabir & Bovik 2006, DOI 10.1109/TIP.2006.881959."""
    return np.asarray(b1 * (_sigmoid(b2 * (x - b3)) - 0.5) + b4 * x + b5, dtype=np.float64)


def _sigmoid(x: Values) -> Values:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def fit_logistic(z: Values, y: Values, parameters: Logistic = 4, start: Values | None = None) -> tuple[Values, Values]:
    """Opinions predicted from metric values by the least-squares logistic, and its parameters.

    Args:
        z: metric values, larger is better, of mean 0 and deviation 1 or so.
        y: opinions, larger is better.
        parameters: 4 (monotonic) or 5 (with a linear part).
        start: parameters to begin with, beside one guess; None to begin with several.
    """
    from scipy.optimize import least_squares  # noqa: PLC0415 - slow to import

    model: Callable[..., Values] = logistic4 if parameters == 4 else logistic5

    def miss(b: Values) -> Values:
        return np.asarray(model(z, *b) - y, dtype=np.float64)

    guesses = _starts(z, y, parameters)
    starts = guesses if start is None else [start, guesses[0]]
    best = min((least_squares(miss, b, method="lm", max_nfev=2000) for b in starts), key=lambda fit: float(fit.cost))
    return model(z, *best.x), np.asarray(best.x, dtype=np.float64)


def _starts(z: Values, y: Values, parameters: Logistic) -> list[Values]:
    middle = float(z[np.abs(y - (y.max() + y.min()) / 2).argmin()])
    high, low = float(y.max()), float(y.min())
    if parameters == 4:
        return [np.array([high, low, m, width]) for m in (middle, 0.0, float(z.max())) for width in (0.3, 1.0)]
    return [np.array([high - low, steep, m, 0.0, float(y.mean())]) for m in (middle, 0.0) for steep in (1.0, 3.0)]


def spearman(x: Values, y: Values) -> float:
    """Spearman's rank correlation; NaN where either is constant."""
    from scipy.stats import rankdata  # noqa: PLC0415

    return pearson(rankdata(x), rankdata(y))


def pearson(x: Values, y: Values) -> float:
    """Pearson's correlation; NaN where either is constant."""
    a, b = x - x.mean(), y - y.mean()
    length = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / length if length > 0 else float("nan")


def kendall(x: Values, y: Values) -> float:
    """Kendall's tau-b; NaN where either is constant."""
    a, b = (np.sign(v[:, None] - v[None, :]) for v in (x, y))
    length = float(np.sqrt(np.square(a).sum() * np.square(b).sum()))
    return float((a * b).sum()) / length if length > 0 else float("nan")


def agreement(
    values: Values,
    opinions: Values,
    groups: Shaped[np.ndarray, " n"],
    *,
    higher_is_better: bool,
    resamples: int = 1000,
    parameters: Logistic = 4,
) -> Agreement:
    """Agreement with 95 % bootstrap intervals.

    Whole references are drawn, not single images: images of one reference are not independent.

    Args:
        values: of the metric; those that are not finite are left out.
        opinions: larger is better.
        groups: reference of each image.
        higher_is_better: direction of the metric.
        resamples: bootstrap samples, drawn with seed 0.
        parameters: of the logistic.

    Raises:
        InputError: arrays of different length, or fewer than five images with a value.
    """
    if not len(values) == len(opinions) == len(groups):
        raise InputError(f"{len(values)} values, {len(opinions)} opinions and {len(groups)} references given")
    keep = np.isfinite(values) & np.isfinite(opinions)
    if keep.sum() < 5:
        raise InputError(f"{int(keep.sum())} images with a value given, five or more expected for a correlation")
    x = values[keep] * (1.0 if higher_is_better else -1.0)
    y = opinions[keep].astype(np.float64)
    _, members = np.unique(groups[keep], return_inverse=True)
    x = (x - x.mean()) / (x.std() if x.std() > 0 else 1.0)
    whole, fit = _measures(x, y, parameters, None)
    rng = np.random.default_rng(0)
    count = int(members.max()) + 1
    places = [np.flatnonzero(members == g) for g in range(count)]
    drawn = []
    for _ in range(resamples if count > 1 else 0):
        chosen = np.concatenate([places[g] for g in rng.integers(0, count, count)])
        drawn.append(_measures(x[chosen], y[chosen], parameters, fit)[0])
    intervals = {}
    for index, name in enumerate(("srcc", "krcc", "plcc", "rmse")):
        column = np.array([row[index] for row in drawn])
        column = column[np.isfinite(column)]
        low, high = np.quantile(column, [0.025, 0.975]) if column.size else (np.nan, np.nan)
        intervals[name] = (float(low), float(high))
    return Agreement(int(keep.sum()), int((~keep).sum()), *whole, intervals)


def _measures(
    x: Values, y: Values, parameters: Logistic, start: Values | None
) -> tuple[tuple[float, float, float, float], Values]:
    fitted, fit = fit_logistic(x, y, parameters, start)
    error = float(np.sqrt(np.square(fitted - y).mean()))
    return (spearman(x, y), kendall(x, y), pearson(fitted, y), error), fit
