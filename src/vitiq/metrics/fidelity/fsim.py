"""FSIM of colour images; the computation is in `measures.fsim`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vitiq.metrics.halves import half_planes_zeros
from vitiq.metrics.measured import MeasuredMetric, colour_planes
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from torch import Tensor


class Fsim(MeasuredMetric):
    """Feature similarity with chroma (FSIMc): phase congruency and gradients at about 256 pixels."""

    name = "fsim"
    title = "FSIMc"
    range = (0.0, 1.0)
    higher_is_better = True
    differentiable = True
    reference = "Zhang et al. 2011, DOI 10.1109/TIP.2011.2109730"
    formula = "Σ PC · S_PC · S_G · (S_I · S_Q)^0.03 / Σ PC"
    settings = "colour|yiq:bt601|side:256|log-gabor:4x4"
    unmeasurable = "neither image has any structure"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """FSIMc of both images, made smaller one after the other."""
        import torch  # noqa: PLC0415 - torch

        from vitiq.metrics.measures.fsim import fsim  # noqa: PLC0415 - torch

        with torch.no_grad():
            return float(fsim(torch.cat([_smaller(image) for image in (reference, distorted)])))


def _smaller(image: ImageU8) -> Tensor:
    """Means of f×f pixels, 1×3×H×W; of even f by way of the half-size image that other metrics see too."""
    import torch  # noqa: PLC0415 - torch
    import torch.nn.functional as F  # noqa: PLC0415 - torch

    from vitiq.metrics.measures.fsim import factor_of, smaller  # noqa: PLC0415 - torch

    height, width, _ = image.shape
    factor = factor_of(height, width)
    if factor % 2:
        return smaller(torch.from_numpy(colour_planes(image, np.float32))[None])
    # Whole blocks of f×f lie in whole rows and columns of the half, whatever stands beside an odd last one.
    half = half_planes_zeros(image)[: height // 2, :, : width // 2].transpose(1, 0, 2)
    planes = torch.from_numpy(half.astype(np.float32, order="C"))[None]
    return F.avg_pool2d(planes, factor // 2) if factor > 2 else planes
