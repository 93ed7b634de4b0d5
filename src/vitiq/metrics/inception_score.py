"""Inception Score with the ViT's labels instead of Inception's, on patches, and named so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vitiq.errors import InputError
from vitiq.metrics.frechet import PATCH, PatchMetric, cut
from vitiq.types import ImageU8, Score


def inception_score(probabilities: Float[np.ndarray, "n labels"]) -> float:
    """exp of the mean KL divergence of each row from the mean row; 1 … number of labels."""
    p = probabilities.astype(np.float64)
    tiny = np.finfo(np.float64).tiny
    divergence = (p * (np.log(p + tiny) - np.log(p.mean(axis=0, keepdims=True) + tiny))).sum(axis=1)
    return float(np.exp(divergence.mean()))


class PatchIsVit(PatchMetric):
    """Inception Score of the distorted set's patches under the ViT's labels; details hold the original's."""

    name = "patch-is-vit"
    title = "Inception Score of patches with the ViT's labels"
    range = (1.0, np.inf)
    higher_is_better = True
    reference = "Salimans et al. 2016, arXiv 1606.03498, with another network and patches"
    formula = "exp E[KL(p(y|x) ‖ p(y))] over 128×128 patches"

    def __call__(self, reference: Sequence[ImageU8], distorted: Sequence[ImageU8]) -> Score:
        """Score of `distorted`.

        Raises:
            InputError: no patch fits.
        """
        a, b = cut(reference), cut(distorted)
        if not a or not b:
            raise InputError(f"no patch of {PATCH}×{PATCH} fits into the pictures given; give larger pictures")
        original = inception_score(self.backbone.probabilities(a))
        generated = inception_score(self.backbone.probabilities(b))
        return Score(generated, self.signature(), {"original": original, "generated": generated, "samples": len(b)})
