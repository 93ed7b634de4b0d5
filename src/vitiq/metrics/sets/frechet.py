"""Fréchet distance of Gaussians fitted to two sets of samples, and the thesis's "FID", which is one of raw pixels.

|μa - μb|² + tr(Σa + Σb - 2 (Σa Σb)^½): Dowson & Landau 1982, DOI 10.1016/0047-259X(82)90077-X. No matrix root is taken:

- no more samples than dimensions: with X the centred samples over √(n - 1), the trace of the root is the sum of the
  singular values of Xa Xbᵀ, which has a row a sample,
- otherwise it is the sum of the roots of the eigenvalues of Fᵀ Σa F, which is symmetric, with the Cholesky factor
  Σb = F Fᵀ, pivoted where Σb is singular.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from vitiq.errors import InputError, UndefinedError
from vitiq.image.geometry import resize
from vitiq.metrics.base import PairMetric
from vitiq.metrics.finite import check_samples, require_finite
from vitiq.metrics.sets.moments import Moments
from vitiq.types import ImageU8, Score


def frechet_distance(a: Float64[np.ndarray, "n d"], b: Float64[np.ndarray, "m d"]) -> float:
    """Distance of two sets of samples; exactly 0 for identical sets.

    Raises:
        InputError: fewer than two samples, or samples of different dimensions.
        UndefinedError: samples that are not finite.
    """
    check_samples(a, b)
    if np.array_equal(a, b):
        return 0.0
    means = [x.mean(axis=0) for x in (a, b)]
    centred = [(x - mean) / np.sqrt(len(x) - 1) for x, mean in zip((a, b), means, strict=True)]
    spread = sum(float(np.square(x).sum()) for x in centred)
    if min(len(a), len(b)) > a.shape[1]:
        root = _root_trace(*(x.T @ x for x in centred))
    else:
        root = float(np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum())
    return _distance(means[0] - means[1], spread, root)


def frechet_of_moments(a: Moments, b: Moments) -> float:
    """Distance of two Gaussians; exactly 0 for identical ones.

    Raises:
        InputError: they have different dimensions.
        UndefinedError: numbers that are not finite.
    """
    require_finite("means or covariances", a.mean, a.covariance, b.mean, b.covariance)
    if a.dimensions != b.dimensions:
        raise InputError(f"statistics of {a.dimensions} and {b.dimensions} dimensions given, the same number expected")
    if np.array_equal(a.mean, b.mean) and np.array_equal(a.covariance, b.covariance):
        return 0.0
    spread = float(np.trace(a.covariance) + np.trace(b.covariance))
    return _distance(a.mean - b.mean, spread, _root_trace(a.covariance, b.covariance))


def _distance(shift: Float64[np.ndarray, " d"], spread: float, root: float) -> float:
    distance = float(np.square(shift).sum()) + spread - 2 * root
    if not math.isfinite(distance):  # max(0, NaN) would be 0
        raise UndefinedError("the samples are too large for a distance in double precision")
    return max(0.0, distance)


def _root_trace(a: Float64[np.ndarray, "d d"], b: Float64[np.ndarray, "d d"]) -> float:
    """Trace of (Σa Σb)^½."""
    from scipy.linalg import LinAlgError, eigvalsh  # noqa: PLC0415 - imported where used

    try:
        found = eigvalsh(a, b, type=2, check_finite=False)
    except LinAlgError:
        found = _singular_roots(a, b)
    return float(np.sqrt(found.clip(0)).sum())


def _singular_roots(a: Float64[np.ndarray, "d d"], b: Float64[np.ndarray, "d d"]) -> Float64[np.ndarray, " r"]:
    """Eigenvalues of Σa Σb that are not 0, where Σb has no inverse."""
    from scipy.linalg import eigvalsh  # noqa: PLC0415 - imported where used
    from scipy.linalg.lapack import dpstrf  # noqa: PLC0415

    packed, pivots, rank, _ = dpstrf(b, lower=1)
    pivoted = np.zeros((len(b), rank if b.any() else 0))
    pivoted[pivots - 1] = np.tril(packed)[:, : pivoted.shape[1]]
    if not pivoted.size:
        return np.zeros(0)
    found: Float64[np.ndarray, " r"] = eigvalsh(pivoted.T @ a @ pivoted, check_finite=False, driver="ev")
    return found


class FrechetPixel(PairMetric):
    """What the thesis calls FID: the Fréchet distance of raw RGBA pixels of one pair, kept for comparison.

    The 512×512×4 values of an image (alpha 255) are reshaped to 2048 samples of 512 numbers, as the original does.
    """

    name = "frechet-pixel"
    title = 'Fréchet distance of pixels (the thesis\'s "FID")'
    range = (0.0, np.inf)
    higher_is_better = False
    kind = "full-reference"
    reference = "Minchev 2022, master's thesis, UT Austin; not the FID of Heusel et al. 2017"
    formula = "Fréchet distance of RGBA bytes reshaped to 2048×512"

    def signature(self) -> str:
        """Size and layout."""
        return "frechet-pixel|resize:bicubic-512|rgba:2048x512|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Distance of one pair; images of other sizes are resized to 512×512 first."""
        return Score(frechet_distance(_samples(reference), _samples(distorted)), self.signature())


def _samples(image: ImageU8) -> Float64[np.ndarray, "n d"]:
    square = resize(image, 512, 512, "bicubic")
    alpha = np.full((512, 512, 1), 255, np.uint8)
    return np.concatenate([square, alpha], axis=2).reshape(2048, 512).astype(np.float64)
