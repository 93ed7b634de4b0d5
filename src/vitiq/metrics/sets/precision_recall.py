"""Improved precision and recall: the share of one set that lies within the manifold of the other.

Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative Models", section 2 (arXiv
1904.06991): the manifold of a set is the union of balls around its samples, each reaching to the 3rd nearest neighbour.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Float64

from vitiq.errors import InputError
from vitiq.metrics.finite import require_finite

NEIGHBOUR = 3
LIMIT = 10_000
"""Of larger sets, this many samples evenly spread over the set are taken; distances grow with the square."""

ROWS = 1024


def share_within(samples: Float[np.ndarray, "n d"], manifold: Float[np.ndarray, "m d"]) -> float:
    """Share of `samples` that lie in a ball around a sample of `manifold`, 0 … 1.

    Precision: generated samples within the manifold of the real ones. Recall: the other way round.

    Raises:
        InputError: no samples, samples of different dimensions, or no more of the manifold than `NEIGHBOUR`.
        UndefinedError: samples that are not finite.
    """
    require_finite("samples", samples, manifold)
    if samples.ndim != 2 or manifold.ndim != 2 or samples.shape[1] != manifold.shape[1] or not len(samples):
        raise InputError(f"samples of shape {samples.shape} and {manifold.shape} given, expected (n, d) and (m, d)")
    if len(manifold) <= NEIGHBOUR:
        raise InputError(f"{len(manifold)} samples given, more than {NEIGHBOUR} expected; give more or larger images")
    x, y = _spread(samples), _spread(manifold)
    # The nearest of a sample to its own set is itself.
    radii = np.concatenate([np.partition(part, NEIGHBOUR, axis=1)[:, NEIGHBOUR] for part in _squares(y, y)])
    inside = sum(int((part <= radii).any(axis=1).sum()) for part in _squares(x, y))
    return inside / len(x)


def _spread(samples: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "m d"]:
    chosen = samples
    if len(samples) > LIMIT:
        chosen = samples[np.linspace(0, len(samples) - 1, LIMIT).round().astype(int)]
    return np.asarray(chosen, np.float64)


def _squares(x: Float64[np.ndarray, "n d"], y: Float64[np.ndarray, "m d"]) -> Iterator[Float64[np.ndarray, "i m"]]:
    """Squared distances, some rows at a time; equal samples get exactly 0 in spite of rounding."""
    return (_squares_of(x[i : i + ROWS], y) for i in range(0, len(x), ROWS))


def _squares_of(x: Float64[np.ndarray, "n d"], y: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "n m"]:
    norms = np.square(x).sum(axis=1)[:, None] + np.square(y).sum(axis=1)
    squares = norms - 2 * (x @ y.T)
    return np.where(squares <= 1e-12 * norms, 0.0, squares)
