"""Elo scores from choices between two images (Bradley and Terry 1952, DOI 10.1093/biomet/39.3-4.324).

P(a is chosen) = 1 / (1 + 10^((elo_b - elo_a) / 400)), as mucped23's compute_elo.ipynb has it. There all methods stand
for all images; here each image has scores of its own, so that the few answers of one image are held by a normal prior.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int

MEAN = 2000.0
"""Middle of the scale, as mucped23 puts it."""

PRIOR = 400.0
"""Deviation of the prior: an image that was never chosen stays some hundred points below, not infinitely far."""

SCALE = math.log(10) / 400
STEPS = 50


def elo_scores(wins: Int[np.ndarray, "n n"]) -> Float[np.ndarray, " n"]:
    """The most probable scores.

    Args:
        wins: how often the row's image was chosen over the column's.

    Example:
        >>> scores = elo_scores(np.array([[0, 1000], [100, 0]]))
        >>> bool(abs(scores[0] - scores[1] - 400) < 3)
        True
    """
    count = len(wins)
    played = wins + wins.T
    scores = np.zeros(count)
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(scores[None, :] - scores[:, None]))
        slope = (wins * (1 - chance) - wins.T * chance).sum(axis=1) - scores / (PRIOR * SCALE) ** 2
        spread = played * chance * (1 - chance)
        bend = spread - np.diag(spread.sum(axis=1) + 1 / (PRIOR * SCALE) ** 2)
        step = np.linalg.solve(bend, slope)
        # The likelihood is concave but Newton's step may pass its top where answers are few.
        scores -= np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-9:
            break
    return np.asarray(MEAN + scores / SCALE, dtype=np.float64)
