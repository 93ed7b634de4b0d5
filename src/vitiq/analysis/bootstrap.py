"""Bootstrap over images: the same draws for every codec, so that a difference between two codecs is paired.

Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile intervals).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

RESAMPLES = 1000
CONFIDENCE = 0.95

FEWEST_RESAMPLES = 40
"""Resamples from which an interval is given: 2.5 % of them is one."""

FEW_IMAGES = 12
"""Images below which an interval carries a note: it covers less than 90 % (benchmarks/coverage.py)."""

FEWEST_IMAGES = 2
"""Images from which an interval can be drawn at all."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: NaN where it could not be computed.
        low, high: ends of the 95 % interval; NaN where one image alone is known.
    """

    value: float
    low: float = float("nan")
    high: float = float("nan")


def draws(images: int, resamples: int, seed: int = 0) -> Float[np.ndarray, "resamples images"]:
    """Weight of each image in each resample: how often it was drawn, over the number of images. Rows sum to 1."""
    rng = np.random.default_rng(seed)
    times = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    return np.asarray(times / images, dtype=np.float64)


def interval(resampled: Float[np.ndarray, " b"]) -> tuple[float, float]:
    """Percentile interval of the resamples that have a value; NaN where fewer than half have, or they are too few."""
    finite = resampled[np.isfinite(resampled)]
    if resampled.size < FEWEST_RESAMPLES or 2 * finite.size < resampled.size:
        return float("nan"), float("nan")
    low, high = np.quantile(finite, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
