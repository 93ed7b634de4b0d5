"""Agreement of two label distributions p and q: pure functions behind `vit-js`, `vit-bc` and `vit-prob`.

Each is written as 1 minus a distance that is exactly 0 for p = q, so that identity gives exactly 1 in floating point.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.metrics.finite import require_finite

Distribution = Float[np.ndarray, " n"]


def normalised(p: Distribution) -> Distribution:
    """The distribution in double precision, summing to 1.

    Raises:
        InputError: empty, negative, or all zero.
        UndefinedError: not finite.
    """
    wide = np.asarray(p, dtype=np.float64)
    require_finite("probabilities", wide)
    if wide.ndim != 1 or wide.size == 0 or (wide < 0).any() or not wide.sum() > 0:
        raise InputError(f"a list of shape {wide.shape} given, probabilities of at least one label expected")
    return np.asarray(wide / wide.sum(), dtype=np.float64)


def _both(p: Distribution, q: Distribution) -> tuple[Distribution, Distribution]:
    """Both normalised; InputError for lists of different length."""
    if p.shape != q.shape:
        raise InputError(f"label lists of {p.size} and {q.size} labels given, one backbone's expected")
    return normalised(p), normalised(q)


def jensen_shannon(p: Distribution, q: Distribution) -> float:
    """1 - JSD_2(p, q), 0 … 1; symmetric. JSD in bits (Lin 1991, DOI 10.1109/18.61115).

    Raises:
        InputError: lists of different length, or no probabilities.
    """
    p, q = _both(p, q)
    middle = (p + q) / 2
    divergence = 0.0
    for side in (p, q):
        here = (side > 0) & (middle > 0)  # half of the smallest number is 0
        divergence += float((side[here] * np.log2(side[here] / middle[here])).sum()) / 2
    return 1.0 - min(1.0, max(0.0, divergence))


def bhattacharyya(p: Distribution, q: Distribution) -> float:
    """Σ √(p q) = 1 - ½ Σ (√p - √q)², 0 … 1; symmetric (Bhattacharyya 1946).

    Raises:
        InputError: lists of different length, or no probabilities.
    """
    p, q = _both(p, q)
    return 1.0 - min(1.0, float(np.square(np.sqrt(p) - np.sqrt(q)).sum()) / 2)


def shared_probability(p: Distribution, q: Distribution) -> float:
    """Σ min(p, q) = 1 - ½ Σ |p - q|, 0 … 1; symmetric: one minus the total variation distance.

    Raises:
        InputError: lists of different length, or no probabilities.
    """
    p, q = _both(p, q)
    return 1.0 - min(1.0, float(np.abs(p - q).sum()) / 2)
