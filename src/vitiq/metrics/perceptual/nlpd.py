"""NLPD, the distance of normalised Laplacian pyramids; the computation is in `measures.nlpd`."""

from __future__ import annotations

import math

import numpy as np

from vitiq.metrics.measured import LumaMetric, on_tensors
from vitiq.types import ImageU8


class Nlpd(LumaMetric):
    """Normalised Laplacian pyramid distance of the luma."""

    name = "nlpd"
    title = "NLPD"
    range = (0.0, math.inf)
    higher_is_better = False
    differentiable = True
    reference = "Laparra et al. 2016, DOI 10.2352/ISSN.2470-1173.2016.16.HVEI-103"
    formula = "mean over 6 levels of the root mean square difference of z / (σ + Σ p |z|)"
    smallest = 65
    settings = "levels:6"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """NLPD of the luma, in single precision: within 1e-6, twice as fast."""
        from vitiq.metrics.measures.nlpd import nlpd  # noqa: PLC0415 - torch

        height, width, _ = reference.shape
        planes = np.empty((height, 2, width), np.float32)
        for place, image in enumerate((reference, distorted)):
            np.multiply(self.plane(image), 1 / 255, out=planes[:, place], casting="same_kind")
        return on_tensors(nlpd, planes)
