"""How often a metric makes the choice that a person made between two images of one reference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from vitiq.analysis.correlation import draws_of, interval_of
from vitiq.analysis.resampled_ranks import Values


@dataclass(frozen=True, slots=True)
class Agreed:
    """Share of people's choices that a metric makes too.

    Attributes:
        metric: key.
        count: choices between two images that have a value.
        share: 0 … 1; 0.5 is guessing, and people who disagree with each other keep it below 1.
        interval: 95 %, over resampled references.
    """

    metric: str
    count: int
    share: float
    interval: tuple[float, float]


def agreed(
    metric: str,
    values: Values,
    better: Int[np.ndarray, " c"],
    worse: Int[np.ndarray, " c"],
    groups: Shaped[np.ndarray, " n"],
    *,
    higher_is_better: bool,
    resamples: int = 1000,
) -> Agreed:
    """Share of choices; a tie of the metric counts as half of one.

    Args:
        values: of the images.
        better, worse: places of the images of each choice.
        groups: reference of each image.

    Example:
        >>> pair = np.array([1]), np.array([0])
        >>> agreed("m", np.array([1.0, 2.0]), *pair, np.array([0, 0]), higher_is_better=True).share
        1.0
    """
    keep = ~np.isnan(values[better]) & ~np.isnan(values[worse])
    if not keep.any():
        return Agreed(metric, 0, float("nan"), (float("nan"), float("nan")))
    own = values * (1.0 if higher_is_better else -1.0)
    first, second = own[better[keep]], own[worse[keep]]
    made = 0.5 * (1.0 + (first > second) - (first < second))  # two infinite values tie
    _, members = np.unique(groups[better[keep]], return_inverse=True)
    right, total = np.bincount(members, made), np.bincount(members).astype(np.float64)
    times = draws_of(members, resamples)
    return Agreed(metric, int(keep.sum()), float(made.mean()), interval_of((times @ right) / (times @ total)))
