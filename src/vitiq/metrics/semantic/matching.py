"""Cosines of vectors and of sets of tokens: pure functions behind `vit-cls`, `vit-tokens` and `vit-tiles`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.metrics.finite import require_finite


def unit(x: Float[np.ndarray, "*rows d"]) -> Float[np.ndarray, "*rows d"]:
    """Each row at length 1, in double precision; a row of zeros stays.

    Raises:
        UndefinedError: numbers that are not finite point nowhere.
    """
    require_finite("tokens", x)
    wide = np.asarray(x, dtype=np.float64)
    length = np.linalg.norm(wide, axis=-1, keepdims=True)
    return np.asarray(wide / np.where(length > 0, length, 1.0), dtype=np.float64)


def cosines(a: Float[np.ndarray, "*rows d"], b: Float[np.ndarray, "*rows d"]) -> Float[np.ndarray, "*rows"]:
    """Cosine of each row of `a` with the same row of `b`, -1 … 1; two rows of zeros are alike.

    1 - ½|â - b̂|², which is exactly 1 for equal rows.

    Raises:
        InputError: shapes differ.
    """
    if a.shape != b.shape:
        raise InputError(f"tokens of shape {a.shape} and {b.shape} given, the same shape expected")
    u, v = unit(a), unit(b)
    cosine = 1.0 - np.square(u - v).sum(axis=-1) / 2
    # |0 - v|²/2 = ½, but a vector of zeros points nowhere: no agreement.
    alone = (np.abs(u).sum(axis=-1) > 0) != (np.abs(v).sum(axis=-1) > 0)
    return np.asarray(np.where(alone, 0.0, cosine), dtype=np.float64)


def matched(a: Float[np.ndarray, "m d"], b: Float[np.ndarray, "n d"]) -> tuple[float, float, float]:
    """Precision, recall and F1 of greedy matching, each -1 … 1 (BERTScore: Zhang et al. 2020, section 3).

    Recall: mean over the tokens of `a` (the original) of the largest cosine with any token of `b`; precision the other
    way round. F1, their harmonic mean, is symmetric; at or below 0 of either it is the smaller of the two.
    """
    # Rounding takes away what the order of summation adds, so that equal tokens match with exactly 1.
    table = np.round(unit(a) @ unit(b).T, 12)
    recall, precision = float(table.max(axis=1).mean()), float(table.max(axis=0).mean())
    if min(recall, precision) <= 0:
        return precision, recall, min(recall, precision)
    return precision, recall, 2 * precision * recall / (precision + recall)
