"""Bjøntegaard's deltas of many curves at once, for resamples: what `bd_rate` and `bd_metric` compute, a row a curve.

scipy builds one interpolator a curve, some tenths of a millisecond each, of which a bootstrap needs thousands. Here
Akima's and PCHIP's slopes and the integral of the cubic pieces are formulas on whole tables; the tests hold them
against scipy.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from vitiq.analysis.curve import TIED, grows, least_step, lies_above, overshoots

Table = Float[np.ndarray, "b n"]
Others = Float[np.ndarray, "b m"]
Between = Float[np.ndarray, "b s"]
Column = Float[np.ndarray, " b"]


def ordered(x: Table, y: Table) -> Bool[np.ndarray, " b"]:
    """Rows that may be handled together: finite, and strictly growing in x from above 0, for its logarithm."""
    with np.errstate(invalid="ignore"):
        up = grows(x).all(1)
    return np.asarray(up & (x > 0).all(1) & np.isfinite(x).all(1) & np.isfinite(y).all(1), dtype=np.bool_)


def points_used(x: Table, y: Table) -> Bool[np.ndarray, "b n"]:
    """Which points of each row make its curve, as `curve` chooses: all where both grow, else the upper convex hull.

    A point is on the hull where it lies above every line from an earlier to a later one; with a dozen points that is
    some hundred comparisons for all rows at once. Kept up to the best quality.

    Args:
        x: finite, strictly growing in each row.
        y: finite.
    """
    count = x.shape[1]
    kept = np.ones(x.shape, dtype=np.bool_)
    if not x.size:
        return kept
    tied = least_step(y)
    for b in range(1, count - 1):
        for a in range(b):
            for c in range(b + 1, count):
                kept[:, b] &= lies_above(x[:, [a, b, c]], y[:, [a, b, c]], tied)
    top = np.where(kept, y, -np.inf).max(axis=1, keepdims=True)
    best = np.argmax(kept & (y >= top - tied), axis=1)
    kept &= np.arange(count) <= best[:, None]
    kept[grows(y).all(1)] = True
    return kept


def mean_difference(
    a: tuple[Table, Table], b: tuple[Others, Others], method: Literal["akima", "pchip"], least_shared: float
) -> Column:
    """Mean over the common part of x of the second line less the first; NaN where they share too little or overshoot.

    Args:
        a, b: x and y of the points of each row's two curves, growing in x.
        method: of interpolation.
        least_shared: share of the narrower curve that both must reach.
    """
    xa, xb = a[0], b[0]
    low, high = np.maximum(xa[:, 0], xb[:, 0]), np.minimum(xa[:, -1], xb[:, -1])
    narrower = np.minimum(xa[:, -1] - xa[:, 0], xb[:, -1] - xb[:, 0])
    enough = (high > low) & (high - low >= (least_shared - TIED) * narrower)
    found = np.full(len(low), np.nan)
    span = (low[enough], high[enough])
    of_a, of_b = (_mean(x[enough], y[enough], *span, method) for x, y in (a, b))
    found[enough] = of_b - of_a
    return found


def _mean(x: Table, y: Table, low: Column, high: Column, method: Literal["akima", "pchip"]) -> Column:
    """Mean of each row's line from low to high; NaN where it overshoots its points."""
    mean = _integral(x, y, low, high, method) / (high - low)
    return np.where(overshoots(mean, y), np.nan, mean)


def _integral(x: Table, y: Table, low: Column, high: Column, method: Literal["akima", "pchip"]) -> Column:
    """Integral of each row's line from low to high, which lie within it."""
    h = np.diff(x)
    m = np.diff(y) / h
    d = _akima(m) if method == "akima" else _pchip(h, m)
    left, right = d[:, :-1], d[:, 1:]
    c2, c3 = (3 * m - 2 * left - right) / h, (left + right - 2 * m) / h**2
    total = np.zeros(len(x))
    for end, sign in ((high, 1.0), (low, -1.0)):
        u = np.clip(end[:, None] - x[:, :-1], 0, h)
        total += sign * (u * (y[:, :-1] + u * (left / 2 + u * (c2 / 3 + u * c3 / 4)))).sum(1)
    return np.asarray(total, dtype=np.float64)


def _akima(m: Between) -> Float[np.ndarray, "b s+1"]:
    """Slopes at the points from those between them (Akima 1970, DOI 10.1145/321607.321609, equation 1)."""
    first = 2 * m[:, :1] - m[:, 1:2]
    last = 2 * m[:, -1:] - m[:, -2:-1]
    m = np.concatenate([2 * first - m[:, :1], first, m, last, 2 * last - m[:, -1:]], axis=1)
    change = np.abs(np.diff(m))
    after, before = change[:, 2:], change[:, :-2]
    both = after + before
    flat = both <= 1e-9 * both.max(1, keepdims=True)
    weighted = (after * m[:, 1:-2] + before * m[:, 2:-1]) / np.where(flat, 1.0, both)
    return np.asarray(np.where(flat, (m[:, 3:] + m[:, :-3]) / 2, weighted), dtype=np.float64)


def _pchip(h: Between, m: Between) -> Float[np.ndarray, "b s+1"]:
    """Slopes at the points of growing data (Fritsch & Butland 1984, DOI 10.1137/0905021; ends by three points)."""
    w1, w2 = 2 * h[:, 1:] + h[:, :-1], h[:, 1:] + 2 * h[:, :-1]
    inner = (w1 + w2) / (w1 / m[:, :-1] + w2 / m[:, 1:])
    ends = []
    for h0, h1, m0, m1 in ((h[:, 0], h[:, 1], m[:, 0], m[:, 1]), (h[:, -1], h[:, -2], m[:, -1], m[:, -2])):
        ends.append(np.maximum(((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1), 0.0)[:, None])
    return np.concatenate([ends[0], inner, ends[1]], axis=1)
