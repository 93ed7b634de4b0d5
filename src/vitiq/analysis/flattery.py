"""Whether a metric flatters learned codecs: pairs of one reference, one image by a learned codec, one by another.

Of the pairs in which people put the other codec's image above the learned one's, `flattered` is the share in which the
metric does not; of those in which people put the learned one's above, `slighted` is the share in which the metric does
not. A metric without a bias errs at about the same rate both ways, if pairs of both kinds are equally hard; `bias` is
the first less the second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

from vitiq.analysis.correlation import draws_of, interval_of
from vitiq.analysis.resampled_ranks import Values


@dataclass(frozen=True, slots=True)
class Flattery:
    """One metric's errors between learned and other codecs.

    Attributes:
        metric: key.
        pairs: compared, those in which people see a difference.
        flattered, slighted: shares, 0 … 1, each of the pairs in which people prefer one kind; NaN where there are none.
        bias: flattered less slighted.
        interval: of the bias, over resampled references.
    """

    metric: str
    pairs: int
    flattered: float
    slighted: float
    bias: float
    interval: tuple[float, float]


def flattery(
    metric: str,
    values: Values,
    quality: Values,
    groups: Shaped[np.ndarray, " n"],
    learned: Bool[np.ndarray, " n"],
    *,
    higher_is_better: bool,
    resamples: int = 1000,
) -> Flattery | None:
    """A metric's errors; None where no reference was coded both ways.

    Args:
        values: of the metric; a value that ties counts as half an error.
        quality: opinions, larger is better.
        groups: reference of each image.
        learned: whether a learned codec made it.

    Example:
        >>> quality, learned = np.array([2.0, 1.0]), np.array([False, True])
        >>> found = flattery("m", np.array([1.0, 3.0]), quality, np.array([0, 0]), learned, higher_is_better=True)
        >>> found.flattered
        1.0
    """
    keep = ~np.isnan(values) & np.isfinite(quality)
    x = values[keep] * (1.0 if higher_is_better else -1.0)
    y, made = quality[keep], learned[keep]
    _, members = np.unique(groups[keep], return_inverse=True)
    if not made.any() or made.all():
        return None
    counts = np.array([_counts(x[own], y[own], made[own]) for own in _groups(members)])
    total = counts.sum(axis=0)
    if total[[1, 3]].sum() == 0:
        return None
    flattered, slighted = _shares(total[None])[0]
    sums = draws_of(members, resamples) @ counts
    spread = _shares(sums)
    interval = interval_of(spread[:, 0] - spread[:, 1])
    pairs = int(total[1] + total[3])
    return Flattery(metric, pairs, float(flattered), float(slighted), float(flattered - slighted), interval)


def _groups(members: Shaped[np.ndarray, " n"]) -> list[Shaped[np.ndarray, " m"]]:
    return [np.flatnonzero(members == group) for group in range(int(members.max()) + 1)]


def _counts(x: Values, y: Values, made: Bool[np.ndarray, " n"]) -> tuple[float, float, float, float]:
    """Errors and pairs where people prefer the other codec, errors and pairs where they prefer the learned one."""
    gap = y[made][:, None] - y[~made][None]
    lead = 1.0 * (x[made][:, None] > x[~made][None]) - (x[made][:, None] < x[~made][None])  # infinite ones too
    below, above = gap < 0, gap > 0
    return (
        float((0.5 * (1 + lead[below])).sum()),
        float(below.sum()),
        float((0.5 * (1 - lead[above])).sum()),
        float(above.sum()),
    )


def _shares(sums: Float[np.ndarray, "b 4"]) -> Float[np.ndarray, "b 2"]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, [0, 2]] / sums[:, [1, 3]], dtype=np.float64)
