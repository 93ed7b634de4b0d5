"""Whether one metric agrees better with people than another: differences on the same images, with intervals.

Two intervals that overlap show nothing: both metrics see the same images, and where one resample suits one of them it
mostly suits the other too. The difference within each resample does not have that part in it (paired bootstrap, Efron
& Tibshirani 1993, chapters 8 and 16; for correlations of image metrics: Krasula et al. 2016, DOI
10.1109/QoMEX.2016.7498936, who warn of correlations alone).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from vitiq.analysis.correlation import MEASURES, Resampled, interval_of


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric's agreement less another's.

    Attributes:
        first, second: keys of the metrics.
        measure: "srcc", "krcc", "plcc" or "rmse".
        value: on all images; for the correlations above 0 where the first agrees better.
        low, high: 95 % interval over resampled references; NaN where references or resamples are too few.
        count: images, those that have a value of both; for "plcc" and "rmse" a finite one.
    """

    first: str
    second: str
    measure: str
    value: float
    low: float
    high: float
    count: int

    @property
    def shown(self) -> bool:
        """Whether the difference is one: its interval does not hold 0."""
        return bool(np.isfinite(self.low) and (self.low > 0 or self.high < 0))


def difference(first: str, a: Resampled, second: str, b: Resampled, measure: str = "srcc") -> Difference:
    """The paired difference of two metrics that were resampled on the same images.

    Raises:
        ValueError: they have another number of images or resamples.
    """
    count = a.agreement.images_of(measure)
    if count != b.agreement.images_of(measure) or a.samples.shape != b.samples.shape:
        raise ValueError("metrics on different images have no paired difference")
    column = MEASURES.index(measure)
    value = getattr(a.agreement, measure) - getattr(b.agreement, measure)
    low, high = interval_of(a.samples[:, column] - b.samples[:, column])
    return Difference(first, second, measure, float(value), float(low), float(high), count)


def best_of(names: Sequence[str], differences: Iterable[Difference], measure: str = "srcc") -> str | None:
    """The first name that no other beats on the images that both have; the first of all where each is beaten by one.

    Args:
        names: of metrics, best first where each is taken on its own images.
        measure: a correlation.
    """
    own = [d for d in differences if d.measure == measure and abs(d.value) > 0]
    beaten = {d.second if d.value > 0 else d.first for d in own}
    return next((name for name in names if name not in beaten), names[0] if names else None)


def sentence(found: Difference) -> str:
    """The difference in words; of correlations the larger is better, of "rmse" the smaller.

    Example:
        >>> sentence(Difference("a", "b", "srcc", 0.02, 0.01, 0.03, 60))
        'a is better than b by 0.020 [0.010, 0.030]'
        >>> sentence(Difference("a", "b", "srcc", -0.02, -0.05, 0.01, 60))
        'a is not shown to differ from b: -0.020 [-0.050, 0.010]'
        >>> sentence(Difference("a", "b", "rmse", 0.2, 0.1, 0.3, 60))
        'a is worse than b by 0.200 [0.100, 0.300]'
        >>> sentence(Difference("a", "b", "srcc", float("nan"), float("nan"), float("nan"), 60))
        'a and b cannot be compared: one of them has no correlation, as its values are all equal'
    """
    if not np.isfinite(found.value):
        why = "one of them has no correlation, as its values are all equal"
        return f"{found.first} and {found.second} cannot be compared: {why}"
    if not np.isfinite(found.low):
        differ = f"{found.first} and {found.second} differ by {found.value:+.3f}"
        return f"{differ}, too few references or resamples for an interval"
    interval = f"[{found.low:.3f}, {found.high:.3f}]"
    if not found.shown:
        return f"{found.first} is not shown to differ from {found.second}: {found.value:.3f} {interval}"
    word = "better" if (found.value > 0) != (found.measure == "rmse") else "worse"
    if found.value < 0:
        interval = f"[{-found.high:.3f}, {-found.low:.3f}]"
    return f"{found.first} is {word} than {found.second} by {abs(found.value):.3f} {interval}"
