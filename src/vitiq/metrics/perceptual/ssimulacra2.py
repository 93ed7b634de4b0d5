"""SSIMULACRA2, a score of opinions on compressed images; the computation is in `measures.ssimulacra2`."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from vitiq.image.colour_space import srgb_to_light
from vitiq.metrics.measured import MeasuredMetric
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from torch import Tensor


class Ssimulacra2(MeasuredMetric):
    """SSIMULACRA 2.1: about 90 is visually lossless, 70 high, 50 medium, 30 low quality; it can fall far below 0."""

    name = "ssimulacra2"
    title = "SSIMULACRA2"
    range = (-math.inf, 100.0)
    higher_is_better = True
    differentiable = True
    reference = "Sneyers 2022-2023, https://github.com/cloudinary/ssimulacra2 (version 2.1)"
    formula = "100 - 10 x^0.63 of a cubic of 108 weighted norms of structural errors, added and lost edges in XYB"
    smallest = 8
    settings = "2.1|xyb|scales:6|gauss:libjxl-1.5,zeros"

    def measure(self, reference: ImageU8, distorted: ImageU8) -> float:
        """The score."""
        import torch  # noqa: PLC0415 - torch

        from vitiq.metrics.measures.ssimulacra2 import distance, score  # noqa: PLC0415 - torch

        with torch.no_grad():
            return float(score(distance(_light(reference), _light(distorted))))


@lru_cache(maxsize=1)
def _light_of_level() -> np.ndarray:
    return srgb_to_light(np.arange(256) / 255).astype(np.float32)


def _light(image: ImageU8) -> Tensor:
    """Linear light, H×3×W."""
    import torch  # noqa: PLC0415 - torch

    return torch.from_numpy(_light_of_level()[image.transpose(0, 2, 1)])
