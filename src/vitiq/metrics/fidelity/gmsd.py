"""GMSD, the spread of gradient similarity; the computation is in `measures.gmsd`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from vitiq.metrics.halves import half_planes_zeros
from vitiq.metrics.measured import MeasuredMetric, on_tensors
from vitiq.types import ImageU8


class Gmsd(MeasuredMetric):
    """Gradient magnitude similarity deviation of the BT.601 luma at half size."""

    name = "gmsd"
    title = "GMSD"
    range = (0.0, 0.5)
    higher_is_better = False
    differentiable = True
    reference = "Xue et al. 2014, DOI 10.1109/TIP.2013.2293423"
    formula = "standard deviation of (2 g h + 170) / (g² + h² + 170), g and h gradient magnitudes"
    settings = "prewitt|half:mean,zeros|luma:bt601-full"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """GMSD of the luma."""
        from vitiq.metrics.measures.gmsd import gmsd  # noqa: PLC0415 - torch

        return on_tensors(gmsd, *(_half_luma(image) for image in (reference, distorted)))


def _half_luma(image: ImageU8) -> Float64[np.ndarray, "i j"]:
    red, green, blue = half_planes_zeros(image).transpose(1, 0, 2)
    luma = red * 299
    luma += green * 587
    luma += blue * 114
    luma /= 1000
    return np.asarray(luma)
