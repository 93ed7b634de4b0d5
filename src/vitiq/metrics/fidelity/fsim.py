"""FSIM of colour images; the computation is in `measures.fsim`."""

from __future__ import annotations

import numpy as np

from vitiq.metrics.measured import MeasuredMetric, colour_planes
from vitiq.types import ImageU8


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

        from vitiq.metrics.measures.fsim import fsim, smaller  # noqa: PLC0415 - torch

        with torch.no_grad():
            pair = [smaller(torch.from_numpy(colour_planes(i, np.float32))[None]) for i in (reference, distorted)]
            return float(fsim(torch.cat(pair)))
