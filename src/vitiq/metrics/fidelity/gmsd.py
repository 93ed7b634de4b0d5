"""GMSD, the spread of gradient similarity; the computation is in `measures.gmsd`."""

from __future__ import annotations

from vitiq.metrics.fidelity.ssim import luma_plane
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

        return on_tensors(gmsd, luma_plane(reference)[:, 0], luma_plane(distorted)[:, 0])
