"""Overlap of two label lists, and what chance would give: pure functions behind the ViT-Score.

The thesis (Minchev 2022) takes the K most probable labels of the original and of the reconstruction and counts the
shared ones. For two random lists of K out of N labels the count is hypergeometric with mean K²/N: at K = 100 and
N = 1000 that is 10 ± 2.8 labels, so a score of 0.10 is what two unrelated pictures would get.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64
from scipy.stats import hypergeom

from vitiq.errors import InputError


def top_labels(scores: Float[np.ndarray, " n"], k: int) -> Int64[np.ndarray, " k"]:
    """Indices of the k largest scores, largest first; ties go to the lower index.

    Raises:
        InputError: k outside 1 … n.
    """
    if not 1 <= k <= scores.size:
        raise InputError(f"K = {k} labels given, expected 1 to {scores.size}, the labels of the backbone")
    return np.argsort(-scores, kind="stable")[:k].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the top K labels two pictures share.

    Attributes:
        shared: number of shared labels.
        k, labels: K and N.
    """

    shared: int
    k: int
    labels: int

    @property
    def score(self) -> float:
        """|T_K(p) ∩ T_K(q)| / K, 0 … 1: the ViT-Score as published."""
        return self.shared / self.k

    @property
    def chance(self) -> float:
        """Expected score of two random lists, K / N."""
        return self.k / self.labels

    @property
    def chance_deviation(self) -> float:
        """Standard deviation of the score of two random lists."""
        return float(hypergeom.std(self.labels, self.k, self.k)) / self.k

    @property
    def adjusted(self) -> float:
        """(score - chance) / (1 - chance): 1 for identical lists, 0 at chance, negative below. NaN where K = N."""
        if self.k == self.labels:
            return float("nan")
        return (self.score - self.chance) / (1 - self.chance)

    @property
    def p_value(self) -> float:
        """Probability that two random lists share at least as many labels (hypergeometric tail)."""
        return min(1.0, float(hypergeom.sf(self.shared - 1, self.labels, self.k, self.k)))


def overlap(p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"], k: int) -> Overlap:
    """Overlap of the top k of two score lists over the same labels.

    Raises:
        InputError: lists of different length, or k outside 1 … n.
    """
    if p.shape != q.shape:
        raise InputError(f"label lists of {p.size} and {q.size} labels given, one backbone's expected")
    shared = np.intersect1d(top_labels(p, k), top_labels(q, k)).size
    return Overlap(int(shared), k, int(p.size))


def shared_table(
    p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"], names: tuple[str, ...], k: int
) -> list[dict[str, object]]:
    """Shared labels of the top k, most probable in the original first: the thesis's table.

    Each row has `label`, `original` and `reconstruction` (probabilities) and `difference` (absolute).
    """
    theirs = set(top_labels(q, k).tolist())
    return [
        {
            "label": names[i],
            "original": float(p[i]),
            "reconstruction": float(q[i]),
            "difference": abs(float(p[i]) - float(q[i])),
        }
        for i in top_labels(p, k).tolist()
        if i in theirs
    ]
