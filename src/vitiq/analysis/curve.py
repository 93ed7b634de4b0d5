"""A rate-distortion curve from measured points: which of them make it, and the line through them.

Rates are interpolated as logarithms (Bjøntegaard 2001, VCEG-M33), by Akima 1970 (DOI 10.1145/321607.321609) or PCHIP
(Fritsch & Butland 1984, DOI 10.1137/0905021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float

from vitiq.errors import InputError

if TYPE_CHECKING:
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator

Values = Float[np.ndarray, " n"]
Others = Float[np.ndarray, " m"]
Method = Literal["akima", "pchip", "cubic"]

TIED = 1e-10
"""Numbers nearer than this share of the largest are one: means of equal values differ by rounding (about 1e-16), and a
step of no size would have a slope without bound."""

LEAST_POINTS = 3
"""Points from which a curve is drawn; with fewer than four, its bend between them is not measured."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points that grow in rate and in quality.

    Attributes:
        rate: above 0, growing, in any unit.
        quality: growing; a metric whose smaller values are better stands here with its sign changed.
        notes: what was left out, and why.
    """

    rate: Values
    quality: Values
    notes: tuple[str, ...] = ()

    @property
    def logs(self) -> Values:
        """Natural logarithms of the rates."""
        return np.asarray(np.log(self.rate), dtype=np.float64)


def curve(rate: Values, quality: Values) -> Curve:
    """The curve through measured points, in any order.

    Points without a finite value are left out (PSNR is infinite for a lossless file, and a metric may be undefined).
    Where quality does not grow with the rate everywhere, the points of the upper convex hull of rate and quality
    remain: the best that the codec reaches, as choosing or mixing its files would.

    Args:
        rate: of each point, in bits per pixel or bytes.
        quality: of each point, larger is better.

    Raises:
        InputError: arrays of different length, a rate not above 0, or fewer than three points that make a curve.

    Example:
        >>> curve(np.array([0.4, 0.1, 0.2, 0.3]), np.array([33.0, 27, 30, 29])).rate
        array([0.1, 0.2, 0.4])
    """
    if len(rate) != len(quality):
        raise InputError(f"{len(rate)} rates and {len(quality)} qualities given, equal numbers expected")
    x, y = np.asarray(rate, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    notes = [f"{(~finite).sum()} of {len(x)} points left out: no finite value"] if not finite.all() else []
    x, y = x[finite], y[finite]
    if (x <= 0).any():
        raise InputError(f"rates from {x.min():g} given, above 0 expected")
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    if not (grows(x).all() and grows(y).all()):
        count = len(x)
        x, y = _upper_hull(x, y)
        notes.append(f"quality does not grow with the rate: {len(x)} of {count} points, the upper hull, are used")
    if len(x) < LEAST_POINTS:
        also = f" ({'; '.join(notes)})" if notes else ""
        cure = (
            "measure more rates" if finite.sum() * 2 > len(finite) else "the metric has no finite value at most of them"
        )
        raise InputError(f"{len(x)} points of a curve given{also}, {LEAST_POINTS} or more expected; {cure}")
    if len(x) == LEAST_POINTS:
        notes.append(f"{LEAST_POINTS} points only: measure four or more to determine its curvature")
    return Curve(x, y, tuple(notes))


def least_step(values: Float[np.ndarray, "*b n"]) -> Float[np.ndarray, "*b 1"]:
    """Difference up to which the numbers of a row are tied."""
    return np.asarray(TIED * np.abs(values).max(axis=-1, keepdims=True, initial=0.0), dtype=np.float64)


def grows(values: Float[np.ndarray, "*b n"]) -> Bool[np.ndarray, "*b steps"]:
    """Which steps along a row lead up by more than rounding."""
    return np.asarray(np.diff(values) > least_step(values), dtype=np.bool_)


def _upper_hull(x: Values, y: Values) -> tuple[Others, Others]:
    """The concave part from the lowest rate up to the best quality (Andrew 1979, the upper chain)."""
    kept: list[int] = []
    same, tied = least_step(x), least_step(y)
    for i in range(len(x)):
        if kept and (x[i] - x[kept[-1]] <= same).all():
            if y[i] < y[kept[-1]]:
                continue
            kept.pop()
        while len(kept) > 1 and not lies_above(x[..., [kept[-2], kept[-1], i]], y[..., [kept[-2], kept[-1], i]], tied):
            kept.pop()
        kept.append(i)
    found = y[kept]
    best = kept[: int(np.argmax(found >= found.max() - tied)) + 1]
    return x[best], y[best]


def lies_above(
    x: Float[np.ndarray, "*b 3"], y: Float[np.ndarray, "*b 3"], tied: Float[np.ndarray, "*b 1"]
) -> Bool[np.ndarray, "*b"]:
    """Whether the second of three points lies above the line through the others, by more than rounding.

    Args:
        x: growing.
        tied: `least_step` of the whole rows of y.
    """
    run, whole = x[..., 1] - x[..., 0], x[..., 2] - x[..., 0]
    rise, most = y[..., 1] - y[..., 0], y[..., 2] - y[..., 0]
    return np.asarray((rise - tied[..., 0]) * whole > most * run, dtype=np.bool_)


def interpolator(x: Values, y: Values, method: Method) -> Akima1DInterpolator | PchipInterpolator:
    """The line through points of growing x, by Akima or PCHIP."""
    from scipy.interpolate import Akima1DInterpolator, PchipInterpolator  # noqa: PLC0415 - slow to import

    return PchipInterpolator(x, y) if method == "pchip" else Akima1DInterpolator(x, y)


def mean_between(x: Values, y: Values, low: float, high: float, method: Method) -> float:
    """Mean of the line through growing points over a part of x.

    Raises:
        InputError: `cubic`, the polynomial of VCEG-M33, with fewer than four points; or a line that overshoots.
    """
    if method == "cubic":
        if len(x) < 4:
            raise InputError(f"{len(x)} points given, 4 or more expected for a cubic; use akima or pchip")
        whole = np.polynomial.Polynomial.fit(x, y, 3).integ()
        mean = float(whole(high) - whole(low)) / (high - low)
    else:
        mean = float(interpolator(x, y, method).integrate(low, high)) / (high - low)
    if overshoots(np.array([mean]), y[None]).any():
        raise InputError(
            f"the {method} line through {len(x)} points overshoots them: its mean is {mean:.3g}, they lie within "
            f"{y.min():.3g} … {y.max():.3g}; use pchip, or measure points that are further apart"
        )
    return mean


def overshoots(mean: Float[np.ndarray, " b"], y: Float[np.ndarray, "b n"]) -> Bool[np.ndarray, " b"]:
    """Whether the mean of a line lies beyond its points, as that of no curve can.

    Akima's line and a polynomial leave them far behind where two points are nearly at one place. A tenth of their
    range is granted: the line through points that curve strongly dips a little below the first.
    """
    low, high = y.min(1), y.max(1)
    granted = 0.1 * (high - low)
    return np.asarray((mean < low - granted) | (mean > high + granted), dtype=np.bool_)


def within(rate: Values, quality: Values, low: float, high: float) -> tuple[Others, Others]:
    """The part of a curve between two rates, its ends interpolated where the curve continues beyond them.

    Raises:
        InputError: as `curve`.
    """
    found = curve(rate, quality)
    first, last = max(np.log(low), found.logs[0]), min(np.log(high), found.logs[-1])
    inside = (found.logs > first) & (found.logs < last)
    chosen = np.concatenate([[first], found.logs[inside], [last]])
    values = interpolator(found.logs, found.quality, "akima")(chosen)
    return np.asarray(np.exp(chosen), dtype=np.float64), np.asarray(values, dtype=np.float64)
