"""Overlap of two label lists, and what chance would give: pure functions behind the ViT-Score.

The thesis (Minchev 2022) takes the K most probable labels of the original and of the reconstruction and counts the
shared ones. For two random lists of K out of N labels the count is hypergeometric with mean K²/N: at K = 100 and
N = 1000 that is 10 ± 2.8 labels, a score of 0.10. Two different images share more, as related labels come together.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.models.top_labels import shared_labels, top_labels


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the top K labels two images share.

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
        n, k = self.labels, self.k
        return 0.0 if k == n else math.sqrt(k / n * (1 - k / n) * (n - k) / (n - 1) / k)

    @property
    def adjusted(self) -> float:
        """(score - chance) / (1 - chance): 1 for identical lists, 0 at chance, negative below. NaN where K = N."""
        if self.k == self.labels:
            return float("nan")
        return (self.score - self.chance) / (1 - self.chance)

    @property
    def p_value(self) -> float:
        """Probability that two random lists share at least as many labels (hypergeometric tail)."""
        return chance_of(self.shared, self.k, self.labels)


@lru_cache(maxsize=4096)
def chance_of(shared: int, k: int, labels: int) -> float:
    """Probability that two random lists of k out of N labels share at least `shared`: exact, then rounded once.

    Whole numbers instead of SciPy's statistics, whose import takes a second in every process.

    Example:
        >>> chance_of(1, 1, 1000)
        0.001
    """
    first = max(shared, 2 * k - labels, 0)
    if first > k:
        return 0.0
    ways = total = math.comb(k, first) * math.comb(labels - k, k - first)
    for j in range(first, k):
        ways = ways * (k - j) ** 2 // ((j + 1) * (labels - 2 * k + j + 1))
        total += ways
    return total / math.comb(labels, k)


def overlap(p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"], k: int) -> Overlap:
    """Overlap of the top k of two score lists over the same labels.

    Raises:
        InputError: lists of different length, or k outside 1 … n.
    """
    return Overlap(int(shared_labels(p, q, k)), k, int(p.size))


def parse_k(k: int | str) -> int | float:
    """K as given: a whole number of labels, or a share of them above 0 and up to 1 ("10%" is 0.1).

    Raises:
        InputError: neither form, or a K that no backbone has.
    """
    text = str(k).strip()
    shape = re.fullmatch(r"(\d{1,9})|(\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})%", text, re.ASCII)
    if shape is None:
        raise InputError(f"K = {k!r} given, expected a number of labels (100) or a share of them (10%)")
    if shape[1] and int(text) > 0:
        return int(text)
    if shape[2] and 0 < float(shape[2]) <= 100:
        return float(shape[2]) / 100
    raise InputError(f"K = {k} given, expected 1 or more labels, or a share above 0% and up to 100%")


def resolve_k(k: int | str, labels: int) -> int:
    """K as a number of labels: a whole number, or a share of the N labels such as "10%" (rounded, at least 1).

    Raises:
        InputError: neither form, or outside 1 … N.
    """
    parsed = parse_k(k)
    found = parsed if isinstance(parsed, int) else max(1, round(parsed * labels))
    if found > labels:
        raise InputError(f"K = {k} given, expected 1 to {labels}, the labels of the backbone, or up to 100%")
    return found


def overlap_curve(p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Overlap |T_K(p) ∩ T_K(q)| / K at every K = 1 … N; the last is 1.

    A label is shared from the K on at which it has entered both lists, so one count of the later ranks gives all K.

    Raises:
        InputError: lists of different length.
    """
    if p.shape != q.shape:
        raise InputError(f"label lists of {p.size} and {q.size} labels given, one backbone's expected")
    n = p.size
    ranks = np.empty((2, n), np.int64)
    for row, scores in enumerate((p, q)):
        ranks[row, top_labels(scores, n)] = np.arange(n)
    shared = np.cumsum(np.bincount(ranks.max(axis=0), minlength=n))
    return np.asarray(shared / np.arange(1, n + 1), dtype=np.float64)


def curve_area(curve: Float[np.ndarray, " n"]) -> float:
    """Mean of the curve over K, 0 … 1; two random lists have (N + 1) / 2N on average."""
    return float(curve.mean())


def rank_biased_overlap(curve: Float[np.ndarray, " n"], persistence: float) -> float:
    """Rank-biased overlap of two whole rankings, 0 … 1, from their overlap curve.

    RBO_EXT of Webber, Moffat & Zobel 2010 (section 4.2, equation 30; DOI 10.1145/1852102.1852106): a reader who goes
    on to the next rank with probability p; beyond rank N, where both lists end, the agreement stays what it is.

    Raises:
        InputError: persistence not between 0 and 1.
    """
    if not 0 < persistence < 1:
        raise InputError(f"persistence {persistence:g} given, expected more than 0 and less than 1")
    weights = (1 - persistence) * persistence ** np.arange(curve.size)
    return min(1.0, 1.0 - float((weights * (1 - curve)).sum()) - float((1 - curve[-1]) * persistence**curve.size))


def mismatched_overlaps(
    originals: Float[np.ndarray, "m n"], rebuilt: Float[np.ndarray, "m n"], k: int
) -> Float[np.ndarray, " pairs"]:
    """Overlaps of every original with every reconstruction of *another* image: the empirical null, m(m - 1) values.

    The hypergeometric null takes all lists as equally likely; real lists are not (related labels come together), so
    two unrelated images of one kind share more. These pairs say how much more.

    Raises:
        InputError: fewer than two images, or sets of different size.
    """
    if originals.shape != rebuilt.shape or len(originals) < 2:
        raise InputError(
            f"{len(originals)} originals and {len(rebuilt)} reconstructions given, two pairs or more expected"
        )
    labels = originals.shape[1]
    members = np.zeros((2, len(originals), labels), np.int64)
    for side, rows in enumerate((originals, rebuilt)):
        for row, scores in enumerate(rows):
            members[side, row, top_labels(scores, k)] = 1
    shared = members[0] @ members[1].T
    return np.asarray(shared[~np.eye(len(originals), dtype=bool)] / k, dtype=np.float64)


def empirical_p(score: float, null: Float[np.ndarray, " pairs"]) -> float:
    """Share of mismatched pairs that score at least as high, (1 + #) / (1 + pairs) (Davison & Hinkley 1997, 4.2)."""
    return float((1 + np.count_nonzero(null >= score)) / (1 + null.size))


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
