"""Mean squared error and PSNR over all pixels and channels of 8-bit pictures."""

from __future__ import annotations

import math

import numpy as np

from vitiq.metrics.base import PairMetric
from vitiq.metrics.sizes import check_sizes
from vitiq.types import ImageU8, Score

DATA_RANGE = 255


def mean_squared_error(reference: ImageU8, distorted: ImageU8) -> float:
    """Mean squared difference, 0 … 65025; whole-number arithmetic, so exact."""
    difference = reference.astype(np.int32) - distorted.astype(np.int32)
    return float(np.square(difference).sum(dtype=np.int64)) / difference.size


def psnr(mse: float) -> float:
    """10 log10(255² / MSE) in dB; +inf for identical pictures."""
    return math.inf if mse == 0 else 10 * math.log10(DATA_RANGE**2 / mse)


class Mse(PairMetric):
    """Mean squared error of R, G and B."""

    name = "mse"
    title = "MSE"
    range = (0.0, 65025.0)
    higher_is_better = False
    kind = "full-reference"
    differentiable = True
    reference = "Wang & Bovik 2009, DOI 10.1109/MSP.2008.930649"
    formula = "mean((x - y)²) over pixels and channels"

    def signature(self) -> str:
        """Data range."""
        return "mse|rgb|range:255|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """MSE on the 0-255 scale."""
        check_sizes(reference, distorted)
        return Score(mean_squared_error(reference, distorted), self.signature())


class PsnrRgb(PairMetric):
    """Peak signal-to-noise ratio of R, G and B."""

    name = "psnr-rgb"
    title = "PSNR (RGB)"
    unit = "dB"
    range = (0.0, math.inf)
    higher_is_better = True
    kind = "full-reference"
    differentiable = True
    reference = "Wang & Bovik 2009, DOI 10.1109/MSP.2008.930649"
    formula = "10 log10(255² / MSE)"

    def signature(self) -> str:
        """Data range."""
        return "psnr-rgb|range:255|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """PSNR in dB, +inf for identical pictures."""
        check_sizes(reference, distorted)
        return Score(psnr(mean_squared_error(reference, distorted)), self.signature())
