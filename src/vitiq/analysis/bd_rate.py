"""Bjøntegaard's deltas: how many per cent more bits one codec needs for the quality of another, and how much better it
is at equal bits. Pure functions.

Bjøntegaard 2001, "Calculation of average PSNR differences between RD-curves", VCEG-M33; interpolated after Akima 1970
by default, as Herglotz et al. 2024, "The Bjøntegaard Bible" (DOI 10.1109/TIP.2023.3346695), recommend.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vitiq.analysis.curve import TIED, Curve, Method, Others, Values, curve, mean_between
from vitiq.errors import InputError

LEAST_SHARED = 0.5
"""Share of the narrower curve below which a delta is refused: it would describe the rest by a guess."""

ENOUGH_OVERLAP = 0.75
"""Overlap below which a delta carries a note (the least that the Bjøntegaard Bible's package takes in silence)."""


@dataclass(frozen=True, slots=True)
class BdRate:
    """Mean difference in rate at equal quality.

    Attributes:
        percent: negative where the tested codec needs fewer bits.
        overlap: share of the qualities of both curves together that both reach, 0 … 1.
        shared: share of the narrower curve's qualities that both reach, 0 … 1.
        low, high: the qualities that the mean is taken over, in the metric's own unit.
        notes: points left out of a curve, or a small overlap.
    """

    percent: float
    overlap: float
    shared: float
    low: float
    high: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BdMetric:
    """Mean difference in a metric at equal rate.

    Attributes:
        delta: tested less anchor, in the metric's unit and direction.
        overlap, shared: as for `BdRate`, of the logarithms of the rates.
        low, high: the rates that the mean is taken over.
        notes: as for `BdRate`.
    """

    delta: float
    overlap: float
    shared: float
    low: float
    high: float
    notes: tuple[str, ...] = ()


def bd_rate(
    anchor_rate: Others,
    anchor_quality: Others,
    rate: Values,
    quality: Values,
    *,
    method: Method = "akima",
    higher_is_better: bool = True,
    least_shared: float = LEAST_SHARED,
) -> BdRate:
    """Rate of a codec against an anchor's, on average over the qualities that both reach.

    exp(mean over q of ln R(q) - ln R_anchor(q)) - 1, in per cent. Points are chosen as in `curve`.

    Args:
        anchor_rate, anchor_quality: points of the anchor; rates above 0, in any unit.
        rate, quality: points of the tested codec.
        method: how log rate is interpolated over quality: `akima`, `pchip`, or `cubic`, the polynomial of VCEG-M33.
        higher_is_better: direction of the metric.
        least_shared: share of the narrower curve that both must reach.

    Raises:
        InputError: fewer than three points that make a curve, rates not above 0, or curves that share too little.

    Example:
        >>> r, q = np.array([0.1, 0.2, 0.4, 0.8]), np.array([27.0, 30, 33, 36])
        >>> round(bd_rate(r, q, 0.9 * r, q).percent, 6)
        -10.0
    """
    sign = 1.0 if higher_is_better else -1.0
    a, b = _curves(anchor_rate, anchor_quality, rate, quality, sign)
    low, high, overlap, shared = _common(a.quality, b.quality, sign, "qualities", least_shared)
    mean = mean_between(b.quality, b.logs, low, high, method) - mean_between(a.quality, a.logs, low, high, method)
    worst, best = sorted((sign * low, sign * high))
    return BdRate(float(per_cent(np.array([mean]))[0]), overlap, shared, worst, best, _notes(a, b, overlap))


def per_cent(difference: Values) -> Values:
    """Mean differences of the logarithms of rates, in per cent of the rate; infinite beyond the largest number."""
    with np.errstate(over="ignore"):
        return np.asarray(100 * np.expm1(difference), dtype=np.float64)


def bd_metric(
    anchor_rate: Others,
    anchor_quality: Others,
    rate: Values,
    quality: Values,
    *,
    method: Method = "akima",
    higher_is_better: bool = True,
    least_shared: float = LEAST_SHARED,
) -> BdMetric:
    """Metric of a codec against an anchor's, on average over the log rates that both reach (BD-PSNR for PSNR).

    Args and errors are those of `bd_rate`.
    """
    sign = 1.0 if higher_is_better else -1.0
    a, b = _curves(anchor_rate, anchor_quality, rate, quality, sign)
    low, high, overlap, shared = _common(a.logs, b.logs, 1.0, "logarithms of rates", least_shared)
    mean = mean_between(b.logs, b.quality, low, high, method) - mean_between(a.logs, a.quality, low, high, method)
    return BdMetric(sign * mean, overlap, shared, float(np.exp(low)), float(np.exp(high)), _notes(a, b, overlap))


def _curves(anchor_rate: Others, anchor_quality: Others, rate: Values, quality: Values, sign: float) -> list[Curve]:
    """Both curves; an InputError says whose points are at fault."""
    found = []
    for name, x, y in (("anchor", anchor_rate, anchor_quality), ("tested codec", rate, quality)):
        try:
            found.append(curve(x, sign * np.asarray(y, dtype=np.float64)))
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
    return found


def _common(a: Others, b: Values, sign: float, unit: str, least: float) -> tuple[float, float, float, float]:
    """The common part of two ranges, and its share of both together and of the narrower."""
    low, high = max(a[0], b[0]), min(a[-1], b[-1])
    width = max(high - low, 0.0)
    shared = width / min(a[-1] - a[0], b[-1] - b[0])
    if width <= 0 or shared < least - TIED:
        spans = " and ".join("{:g} … {:g}".format(*sorted((sign * v[0], sign * v[-1]))) for v in (a, b))
        raise InputError(
            f"curves with {unit} {spans} given: they share {math.floor(1000 * shared) / 10:g}% of the "
            f"narrower, {100 * least:g}% or more expected; measure both at more rates"
        )
    return float(low), float(high), float(width / (max(a[-1], b[-1]) - min(a[0], b[0]))), float(shared)


def _notes(a: Curve, b: Curve, overlap: float) -> tuple[str, ...]:
    notes = [f"{name}: {note}" for name, one in (("anchor", a), ("tested codec", b)) for note in one.notes]
    if overlap < ENOUGH_OVERLAP:
        notes.append(f"the curves share {overlap:.0%} of their range: the delta describes that part only")
    return tuple(notes)
