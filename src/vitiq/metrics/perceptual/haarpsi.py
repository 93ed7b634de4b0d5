"""HaarPSI, similarity of wavelet coefficients; the computation is in `measures.haarpsi`."""

from __future__ import annotations

from vitiq.metrics.halves import half_planes_zeros
from vitiq.metrics.measured import MeasuredMetric, on_tensors
from vitiq.types import ImageU8


class HaarPsi(MeasuredMetric):
    """Haar wavelet-based perceptual similarity of colour images at half size."""

    name = "haarpsi"
    title = "HaarPSI"
    range = (0.0, 1.0)
    higher_is_better = True
    differentiable = True
    reference = "Reisenhofer et al. 2018, DOI 10.1016/j.image.2017.11.001"
    formula = "(logit(Σ w σ(4.2 S) / Σ w) / 4.2)², S similarities of fine, w sizes of coarse Haar coefficients"
    smallest = 16
    settings = "yiq:bt601|half:mean,zeros|scales:3|c:30|alpha:4.2"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """HaarPSI of R, G and B."""
        from vitiq.metrics.measures.haarpsi import haarpsi  # noqa: PLC0415 - torch

        return on_tensors(haarpsi, *(half_planes_zeros(image).transpose(1, 0, 2) for image in (reference, distorted)))
