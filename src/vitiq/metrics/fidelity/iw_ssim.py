"""IW-SSIM, structural similarity weighted by information; the computation is in `measures.iw_ssim`."""

from __future__ import annotations

from vitiq.metrics.measured import LumaMetric, on_tensors
from vitiq.types import ImageU8


class IwSsim(LumaMetric):
    """Information-content weighted SSIM of five scales, of the luma."""

    name = "iw-ssim"
    title = "IW-SSIM"
    range = (0.0, 1.0)
    higher_is_better = True
    differentiable = True
    reference = "Wang & Li 2011, DOI 10.1109/TIP.2010.2092435"
    formula = "Π over 5 scales of |Σ w · SSIM's structure / Σ w| ^ β, w = bits at a place of the reference's band"
    smallest = 161
    settings = "laplacian:5|gauss:11-1.5|gsm:3x3+parent|noise:0.4"
    version = 2
    unmeasurable = "a band of the reference without any detail carries no information"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """IW-SSIM of the luma."""
        from vitiq.metrics.measures.iw_ssim import iw_ssim  # noqa: PLC0415 - torch

        return on_tensors(iw_ssim, self.plane(reference), self.plane(distorted))
