"""VIF in the pixel domain; the computation is in `measures.vif`."""

from __future__ import annotations

import math

from vitiq.metrics.measured import LumaMetric, on_tensors
from vitiq.types import ImageU8


class Vif(LumaMetric):
    """Visual information fidelity of the luma, multi-scale pixel version; not symmetric, above 1 for more contrast."""

    name = "vif"
    title = "VIF"
    range = (0.0, math.inf)
    higher_is_better = True
    identical = 1.0
    differentiable = True
    reference = "Sheikh & Bovik 2006, DOI 10.1109/TIP.2005.859378"
    formula = "Σ log(1 + g² σx² / (σv² + 2)) / Σ log(1 + σx² / 2) over positions of 4 scales"
    smallest = 41
    settings = "pixel-domain|scales:4|gauss:17,9,5,3|noise:2"
    unmeasurable = "a flat reference carries no information"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """VIF of the luma."""
        from vitiq.metrics.measures.vif import vif  # noqa: PLC0415 - torch

        return on_tensors(vif, self.plane(reference), self.plane(distorted))
