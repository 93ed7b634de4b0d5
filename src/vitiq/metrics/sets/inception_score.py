"""Inception Score: are the labels of each image certain, and those of the set diverse?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.metrics.finite import require_finite


def inception_score(probabilities: Float[np.ndarray, "n labels"], parts: int = 1) -> float:
    """exp of the mean KL divergence of each row from the mean row; 1 … number of labels.

    Salimans et al. 2016, arXiv 1606.03498, section 4.

    Args:
        probabilities: of each image's labels; rows sum to 1.
        parts: the set is cut into so many equal parts, in order, and their scores averaged (published scores: 10).

    Raises:
        InputError: fewer rows than parts.
        UndefinedError: probabilities that are not finite.
    """
    require_finite("probabilities", probabilities)
    n = len(probabilities)
    if n < parts or not n:
        raise InputError(f"{n} samples given, at least {parts} expected (one a part); give more or larger images")
    tiny = np.finfo(np.float64).tiny
    scores = []
    for i in range(parts):
        p = probabilities[i * n // parts : (i + 1) * n // parts].astype(np.float64)
        divergence = (p * (np.log(p + tiny) - np.log(p.mean(axis=0, keepdims=True) + tiny))).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    return float(np.mean(scores))
