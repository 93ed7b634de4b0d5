"""The monotonic logistic that maps a metric to the scale of opinions, and its refits over a thousand resamples at once.

VQEG (Final Report on the Validation of Objective Models, Phase II, 2003; ITU-T P.1401) fits it before Pearson's
correlation and the error are taken. A bootstrap fits it once a resample: here all resamples take each step of
Levenberg and Marquardt's method together, from the fit to all images. On sets whose values bend more than a logistic
can, its parameters run away without an end while the curve hardly moves; a refit stops once its error does.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from vitiq.analysis.resampled_ranks import Values

Parameters = Float[np.ndarray, " p"]
"""Of the logistic: four."""

Rows = Float[np.ndarray, "b n"]
Fits = Float[np.ndarray, "b 4"]
Each = Float[np.ndarray, " b"]
Binned = Float[np.ndarray, "b bins"]

MOST_BINS = 500
"""Bins of neighbouring values that a resample's logistic is fitted to."""

MOST_STEPS = 60
"""Steps of a refit at most; it begins at the fit to all images, and few need more than ten."""

SETTLED = 1e-6
"""Share of the error that a step must take away for the refit to go on."""

BLOCK = 2_000_000
"""Weights of resamples that are worked on at once."""


def logistic4(x: Values, top: float, bottom: float, middle: float, slope: float) -> Values:
    """β2 + (β1 - β2) / (1 + exp(-(x - β3) / |β4|)): VQEG Phase I and II."""
    return np.asarray(bottom + (top - bottom) * _sigmoid((x - middle) / (abs(slope) + 1e-12)), dtype=np.float64)


def _sigmoid(x: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), dtype=np.float64)


def fit_logistic(z: Values, y: Values) -> Parameters:
    """Parameters of the least-squares logistic from metric values to opinions, the best from several starts.

    Args:
        z: metric values, larger is better, of mean 0 and deviation 1 or so.
        y: opinions, larger is better.
    """
    starts = np.array(_starts(z, y))
    binned = _Bins(z, y)(np.ones((len(starts), len(z))))
    fits = _refit(*binned, starts)
    best = fits[_errors(*binned, fits).argmin()]
    return _least_squares(z, y, best)


def refit(z: Values, y: Values, weights: Rows, start: Parameters) -> Fits:
    """The least-squares logistic of every resample.

    Args:
        z: metric values, as for `fit_logistic`.
        y: opinions.
        weights: how often each image counts, a row a resample.
        start: the fit to all images.

    Example:
        >>> z = np.linspace(-2, 2, 30)
        >>> y = logistic4(z, 7, 1, 0.2, 0.4)
        >>> fits = refit(z, y, np.ones((2, 30)), np.array([6.0, 2.0, 0.0, 0.5]))
        >>> bool(np.abs(logistic4(z, *fits[1]) - y).max() < 1e-3)
        True
    """
    bins = _Bins(z, y)
    step = max(1, BLOCK // len(z))
    parts = []
    for first in range(0, len(weights), step):
        part = weights[first : first + step]
        parts.append(_refit(*bins(part), np.repeat(start[None], len(part), axis=0)))
    return np.concatenate(parts) if parts else np.empty((0, 4))


def curves(z: Values | Rows, fits: Fits) -> Rows:
    """The logistic of every resample at every value, the same ones for all or each its own."""
    top, bottom, middle, slope = (column[:, None] for column in fits.T)
    return np.asarray(bottom + (top - bottom) * _sigmoid((z - middle) / (np.abs(slope) + 1e-12)), dtype=np.float64)


def _refit(z: Rows, y: Rows, weights: Rows, starts: Fits) -> Fits:
    fits = starts.copy()
    damping = np.full(len(z), 1e-3)
    error = _errors(z, y, weights, fits)
    active = np.arange(len(z))
    for _ in range(MOST_STEPS):
        tried = fits[active] + _steps(z[active], y[active], weights[active], fits[active], damping[active])
        found = _errors(z[active], y[active], weights[active], tried)
        better = found < error[active]
        gain = np.where(better, error[active] - found, 0.0)
        # A refused step says that the damping was too small, not that there is no better place.
        settled = (better & (gain <= SETTLED * error[active])) | (~better & (damping[active] > 1e6))
        fits[active[better]], error[active[better]] = tried[better], found[better]
        damping[active] *= np.where(better, 0.2, 8.0)
        active = active[~settled]
        if not active.size:
            break
    return fits


def _errors(z: Rows, y: Rows, weights: Rows, fits: Fits) -> Each:
    with np.errstate(over="ignore", invalid="ignore"):
        rest = curves(z, fits) - y
        total = (weights * rest * rest).sum(axis=1)
    return np.asarray(np.where(np.isfinite(total), total, np.inf), dtype=np.float64)


def _steps(z: Rows, y: Rows, weights: Rows, fits: Fits, damping: Each) -> Fits:
    """One damped step of every resample, each parameter in its own unit (Marquardt 1963, DOI 10.1137/0111030)."""
    top, bottom, middle, slope = (column[:, None] for column in fits.T)
    width = np.abs(slope) + 1e-12
    place = (z - middle) / width
    s = _sigmoid(place)
    steep = (top - bottom) * s * (1 - s) / width
    columns = np.stack([s, 1 - s, -steep, -steep * place * np.sign(slope)], axis=1)
    weighted = columns * weights[:, None]
    rest = bottom + (top - bottom) * s - y
    squares = weighted @ columns.transpose(0, 2, 1)
    slopes = (weighted @ rest[:, :, None])[:, :, 0]
    diagonal = np.arange(4)
    own = squares[:, diagonal, diagonal]
    # A direction that changes nothing keeps a little of the largest, so that the system can be solved.
    floor = 1e-12 * own.max(axis=1, keepdims=True) + 1e-300
    squares[:, diagonal, diagonal] = own + damping[:, None] * np.maximum(own, floor) + floor
    return -np.linalg.solve(squares, slopes[:, :, None])[:, :, 0]


def _least_squares(z: Values, y: Values, start: Parameters) -> Parameters:
    """Parameters (Levenberg-Marquardt with the exact derivatives)."""
    from scipy.optimize import least_squares  # noqa: PLC0415 - slow to import

    def residual(b: Parameters) -> Values:
        return np.asarray(logistic4(z, *b) - y, dtype=np.float64)

    def jacobian(b: Parameters) -> Float[np.ndarray, "n 4"]:
        top, bottom, middle, slope = b
        width = abs(slope) + 1e-12
        s = _sigmoid((z - middle) / width)
        steep = (top - bottom) * s * (1 - s) / width
        columns = (s, 1 - s, -steep, -steep * (z - middle) / width * np.sign(slope))
        return np.asarray(np.stack(columns, 1), dtype=np.float64)

    fit = least_squares(residual, start, jac=jacobian, method="lm", max_nfev=500)
    return np.asarray(fit.x, dtype=np.float64)


class _Bins:
    """Neighbouring values together, for fits that are made a thousand times: a curve hardly bends within a bin.

    Args:
        z, y: the points; as they are where they are few.
    """

    def __init__(self, z: Values, y: Values) -> None:
        count = min(len(z), MOST_BINS)
        self._order = np.argsort(z, kind="stable")
        self._z, self._y = z[self._order], y[self._order]
        self._starts = np.unique(np.arange(len(z)) * count // len(z), return_index=True)[1]

    def __call__(self, weights: Rows) -> tuple[Binned, Binned, Binned]:
        """Mean place, mean opinion and weight of every bin; a bin that does not count weighs 0."""
        own = weights[:, self._order]
        if len(self._starts) == len(self._z):
            return np.broadcast_to(self._z, own.shape), np.broadcast_to(self._y, own.shape), own
        total = np.add.reduceat(own, self._starts, axis=1)
        some: Bool[np.ndarray, "b bins"] = total > 0
        z, y = (
            np.divide(np.add.reduceat(own * v, self._starts, axis=1), total, out=np.zeros_like(total), where=some)
            for v in (self._z, self._y)
        )
        return z, y, total


def _starts(z: Values, y: Values) -> list[Parameters]:
    middle = float(z[np.abs(y - (y.max() + y.min()) / 2).argmin()])
    high, low = float(y.max()), float(y.min())
    return [np.array([high, low, m, width]) for m in (middle, 0.0, float(z.max())) for width in (0.3, 1.0)]
