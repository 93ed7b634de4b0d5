"""The K labels that a network finds most probable, and how many of them two images share: the one top-K overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32, Int64

from vitiq.errors import InputError, UndefinedError


def top_labels(scores: Float[np.ndarray, " n"], k: int) -> Int64[np.ndarray, " k"]:
    """Indices of the k largest scores, largest first; ties go to the lower index.

    Raises:
        InputError: k outside 1 … n.
        UndefinedError: scores that are not finite have no ranks.
    """
    if not np.isfinite(scores).all():
        raise UndefinedError("label scores hold numbers that are not finite")
    if not 1 <= k <= scores.size:
        raise InputError(f"K = {k} labels given, expected 1 to {scores.size}, the labels of the backbone")
    return np.argsort(-scores, kind="stable")[:k].astype(np.int64)


def shared_labels(
    p: Float[np.ndarray, "*rows n"], q: Float[np.ndarray, "*rows n"], k: int
) -> Int64[np.ndarray, "*rows"]:
    """How many of the top k labels each row of p shares with the same row of q.

    Raises:
        InputError: lists of different length, or k outside 1 … n.
        UndefinedError: scores that are not finite.
    """
    if p.shape != q.shape:
        raise InputError(f"label lists of {p.shape[-1]} and {q.shape[-1]} labels given, one backbone's expected")
    rows = zip(p.reshape(-1, p.shape[-1]), q.reshape(-1, q.shape[-1]), strict=True)
    counts = [np.intersect1d(top_labels(a, k), top_labels(b, k)).size for a, b in rows]
    return np.array(counts, np.int64).reshape(p.shape[:-1])


def most_probable(logits: Float32[np.ndarray, " labels"], labels: Sequence[str], count: int) -> list[tuple[str, float]]:
    """The first `count` labels with their probabilities.

    Raises:
        InputError: a count outside 1 … the number of labels.
    """
    exact = logits.astype(np.float64)
    shares = np.exp(exact - exact.max())
    shares /= shares.sum()
    return [(labels[i], float(shares[i])) for i in top_labels(exact, count).tolist()]
