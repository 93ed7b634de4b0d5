"""Semantic metrics of the whole label distributions p and q: what the K labels' overlap throws away."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from jaxtyping import Float

from vitiq.metrics.semantic import agreement
from vitiq.metrics.semantic.base import VitMetric
from vitiq.types import ImageU8, Score


class _Distribution(VitMetric):
    range = (0.0, 1.0)
    differentiable = True

    @staticmethod
    @abstractmethod
    def measure(p: Float[np.ndarray, " n"], q: Float[np.ndarray, " n"]) -> float:
        """Agreement of two distributions."""

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Agreement of the two label distributions, 1 for equal ones."""
        p, q = self.backbone.probabilities([reference, distorted])
        return Score(self.measure(p, q), self.signature())


class VitJs(_Distribution):
    """1 - Jensen-Shannon divergence of the label distributions, in bits."""

    name = "vit-js"
    title = "Jensen-Shannon similarity of the labels"
    reference = "Lin 1991, DOI 10.1109/18.61115"
    formula = "1 - ½ KL(p ‖ m) - ½ KL(q ‖ m), m = (p + q) / 2, base 2"

    measure = staticmethod(agreement.jensen_shannon)


class VitBc(_Distribution):
    """Bhattacharyya coefficient of the label distributions."""

    name = "vit-bc"
    title = "Bhattacharyya coefficient of the labels"
    reference = "Bhattacharyya 1946, Sankhyā 7(4)"
    formula = "Σ √(p q)"

    measure = staticmethod(agreement.bhattacharyya)


class VitProb(_Distribution):
    """Probability that both images give to the same labels."""

    name = "vit-prob"
    title = "Shared label probability"
    reference = "Minchev 2022, section on future work; 1 - total variation distance"
    formula = "Σ min(p, q)"

    measure = staticmethod(agreement.shared_probability)
