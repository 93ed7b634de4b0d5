"""Bjøntegaard's delta rate: how many per cent more bits one codec needs for the quality of another. Pure functions.

Bjøntegaard 2001, "Calculation of average PSNR differences between RD-curves", VCEG-M33; interpolated after Akima 1970
by default, as Herglotz et al. 2024, "The Bjøntegaard Bible" (DOI 10.1109/TIP.2023.3346695), recommend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError

Values = Float[np.ndarray, " n"]
Method = Literal["akima", "pchip", "cubic"]
LEAST_POINTS = 4


@dataclass(frozen=True, slots=True)
class BdRate:
    """Result of a comparison.

    Attributes:
        percent: mean difference in rate at equal quality; negative where the tested codec needs fewer bits.
        overlap: share of the qualities of both curves together that both reach, 0 … 1; a mean over less than about
            three quarters says little.
        low, high: the qualities that the mean is taken over.
    """

    percent: float
    overlap: float
    low: float
    high: float


def bd_rate(
    anchor_rate: Values, anchor_quality: Values, rate: Values, quality: Values, *, method: Method = "akima"
) -> BdRate:
    """Rate of a codec against an anchor's, on average over the qualities that both reach.

    Args:
        anchor_rate, anchor_quality: points of the anchor; rates above 0, in any unit.
        rate, quality: points of the tested codec.
        method: how log rate is interpolated over quality: `akima`, `pchip`, or `cubic`, the polynomial of VCEG-M33.

    Raises:
        InputError: fewer than four points, rates not above 0, a quality that does not grow with the rate, or curves
            that share no quality.
    """
    a, b = _curve(anchor_rate, anchor_quality), _curve(rate, quality)
    low, high = max(a[0][0], b[0][0]), min(a[0][-1], b[0][-1])
    whole = max(a[0][-1], b[0][-1]) - min(a[0][0], b[0][0])
    if high <= low:
        raise InputError(
            f"curves with qualities {a[0][0]:g} … {a[0][-1]:g} and {b[0][0]:g} … {b[0][-1]:g} given: they share none; "
            f"measure both at more rates"
        )
    mean = (_integral(*b, low, high, method) - _integral(*a, low, high, method)) / (high - low)
    return BdRate(float(np.expm1(mean) * 100), float((high - low) / whole), float(low), float(high))


def within(rate: Values, quality: Values, low: float, high: float) -> tuple[Values, Values]:
    """The part of a curve between two rates, its ends interpolated where the curve goes on beyond them.

    Raises:
        InputError: as `bd_rate`.
    """
    from scipy.interpolate import Akima1DInterpolator  # noqa: PLC0415 - slow to import

    grown, logs = _curve(rate, quality)
    first, last = max(np.log(low), logs[0]), min(np.log(high), logs[-1])
    inside = (logs > first) & (logs < last)
    chosen = np.concatenate([[first], logs[inside], [last]])
    found = Akima1DInterpolator(logs, grown)(chosen)
    return np.asarray(np.exp(chosen), dtype=np.float64), np.asarray(found, dtype=np.float64)


def _curve(rate: Values, quality: Values) -> tuple[Values, Values]:
    """Quality, and log rate, in growing order."""
    if len(rate) != len(quality) or len(rate) < LEAST_POINTS:
        raise InputError(
            f"{len(rate)} rates and {len(quality)} qualities given, {LEAST_POINTS} points or more expected"
        )
    if not (np.asarray(rate) > 0).all():
        raise InputError(f"rates from {np.min(rate):g} given, above 0 expected")
    order = np.argsort(rate)
    grown = np.asarray(quality, dtype=np.float64)[order]
    if not (np.diff(grown) > 0).all():
        raise InputError("a quality that falls while the rate grows given; leave out points below the curve")
    return grown, np.log(np.asarray(rate, dtype=np.float64)[order])


def _integral(quality: Values, logs: Values, low: float, high: float, method: Method) -> float:
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator  # noqa: PLC0415 - slow to import

    if method == "cubic":
        whole = np.polynomial.Polynomial.fit(quality, logs, 3).integ()
        return float(whole(high) - whole(low))
    if method == "akima":
        return float(Akima1DInterpolator(quality, logs).integrate(low, high))
    return float(PchipInterpolator(quality, logs).integrate(low, high))
