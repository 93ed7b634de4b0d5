"""Rank correlations of resamples, without sorting or comparing anything again.

A bootstrap over whole groups only changes how often each group counts. The order of the values stays, so that ranks
are running sums of the counts; and Kendall's tau is a ratio of quadratic forms in the counts, whose matrices (sums over
the pairs of two groups) are made once, a block at a time: memory is groups² and never images².
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int, Int8

Values = Float[np.ndarray, " n"]
Groups = Int[np.ndarray, " n"]
Matrix = Float[np.ndarray, "g g"]

MOST_GROUPS = 1500
"""Groups up to which the matrices are made (18 MB each); above, every resample is counted by itself."""

BLOCK = 4_000_000
"""Pairs compared at once."""


class WeightedRanks:
    """Mid-ranks of values that count several times each.

    Args:
        values: sorted once.
    """

    def __init__(self, values: Values) -> None:
        _, self._level = np.unique(values, return_inverse=True)
        self._order = np.argsort(self._level, kind="stable")
        self._starts = np.searchsorted(self._level[self._order], np.arange(int(self._level.max(initial=0)) + 1))

    def rows(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """`self` of every row of weights."""
        size = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        middle = np.cumsum(size, axis=1) - size / 2 + 0.5
        return np.asarray(middle[:, self._level], dtype=np.float64)

    def __call__(self, weights: Values) -> Values:
        """Rank of each value, 1 … sum of the weights; ties share their mean rank."""
        size = np.bincount(self._level, weights)
        middle = np.cumsum(size) - size / 2 + 0.5
        return np.asarray(middle[self._level], dtype=np.float64)


def kendall_of_groups(x: Values, y: Values, members: Groups) -> Callable[[Values], float]:
    """Kendall's tau-b (Kendall 1945, DOI 10.1093/biomet/33.3.239) as a function of how often each group counts.

    Args:
        x, y: values.
        members: group of each, 0 … groups - 1.

    Returns:
        A function of the counts a group; NaN where x or y is constant.

    Example:
        >>> tau = kendall_of_groups(np.array([1.0, 2, 3]), np.array([1.0, 3, 2]), np.array([0, 1, 2]))
        >>> round(tau(np.ones(3)), 4)
        0.3333
    """
    count = int(members.max()) + 1
    if count > MOST_GROUPS:
        return lambda times: _expanded(x, y, times[members])
    both, in_x, in_y = _pair_sums(x, y, members, count)

    def tau(times: Values) -> float:
        length = float(np.sqrt((times @ in_x @ times) * (times @ in_y @ times)))
        return float(times @ both @ times) / length if length > 0 else float("nan")

    return tau


def _expanded(x: Values, y: Values, weights: Values) -> float:
    from scipy.stats import kendalltau  # noqa: PLC0415 - slow to import

    times = weights.astype(np.int64)
    a, b = np.repeat(x, times), np.repeat(y, times)
    if (a == a[0]).all() or (b == b[0]).all():
        return float("nan")
    return float(kendalltau(a, b).statistic)


def _pair_sums(x: Values, y: Values, members: Groups, count: int) -> tuple[Matrix, Matrix, Matrix]:
    """Over the pairs of two groups: concordant less discordant, pairs not tied in x, pairs not tied in y."""
    order = np.argsort(members, kind="stable")
    # Ranks of 16 or 32 bits compare faster than floats; the order is all that counts.
    a, b = (np.unique(v[order], return_inverse=True)[1].astype(np.int32) for v in (x, y))
    group = members[order]
    starts = np.searchsorted(group, np.arange(count))
    sums = np.zeros((3, count, count))
    step = min(max(1, BLOCK // len(a)), np.iinfo(np.int16).max)
    for first in range(0, len(a), step):
        rows = slice(first, first + step)
        sign_x, sign_y = _signs(a[rows], a), _signs(b[rows], b)
        present, edges = np.unique(group[rows], return_index=True)
        for table, found in zip(sums, (sign_x * sign_y, np.abs(sign_x), np.abs(sign_y)), strict=True):
            part = np.add.reduceat(found, edges, axis=0, dtype=np.int16)
            table[present] += np.add.reduceat(part, starts, axis=1, dtype=np.int32)
    return sums[0], sums[1], sums[2]


def _signs(some: Int[np.ndarray, " m"], every: Groups) -> Int8[np.ndarray, "m n"]:
    """Sign of each difference."""
    left = some[:, None]
    return np.asarray((left > every).view(np.int8) - (left < every).view(np.int8), dtype=np.int8)
