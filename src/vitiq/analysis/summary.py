"""A column of values in four numbers: count, mean, standard deviation, and the 95 % confidence interval of the mean."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from vitiq.analysis.bootstrap import CONFIDENCE


@dataclass(frozen=True, slots=True)
class Summary:
    """What a column says.

    Attributes:
        count: finite values.
        left_out: infinite and undefined values, which no mean can hold (PSNR of identical images is infinite).
        mean: NaN where there is no finite value.
        deviation: with n - 1; NaN below two values.
        interval: of the mean, from Student's t, within the metric's range; NaN below two values.
    """

    count: int
    left_out: int
    mean: float
    deviation: float
    interval: tuple[float, float]


def summarise(values: Iterable[float], bounds: tuple[float, float] = (-math.inf, math.inf)) -> Summary:
    """Summary of the finite values (Student 1908, DOI 10.1093/biomet/6.1.1).

    Args:
        bounds: that no value leaves. The interval ends there: no mean lies beyond, so that it covers as often.
    """
    from scipy.special import stdtrit  # noqa: PLC0415 - imported where used

    column = np.fromiter(values, np.float64)
    finite = column[np.isfinite(column)]
    n = len(finite)
    mean = float(finite.mean()) if n else float("nan")
    if n < 2:
        return Summary(n, len(column) - n, mean, float("nan"), (float("nan"), float("nan")))
    deviation = float(finite.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * deviation / n**0.5
    low, high = min(bounds[0], float(finite.min())), max(bounds[1], float(finite.max()))  # a stated range may be wrong
    return Summary(n, len(column) - n, mean, deviation, (max(low, mean - half), min(high, mean + half)))
