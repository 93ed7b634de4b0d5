"""Inception Score with the ViT's labels instead of Inception's, on patches, and named so."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float32

from vitiq.errors import InputError
from vitiq.image.geometry import patches
from vitiq.metrics.frechet import PATCH, STRIDE, PatchMetric
from vitiq.metrics.rows import Rows
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

    def rows_key(self) -> str:
        """Label probabilities of patches."""
        return super().rows_key().replace("features", "probabilities", 1)

    def rows(self, image: ImageU8) -> Float32[np.ndarray, "n labels"]:
        """One row of probabilities a patch."""
        found = patches(image, PATCH, STRIDE)
        return self.backbone.probabilities(found) if found else np.zeros((0, 0), np.float32)

    def of_rows(self, reference: Rows, distorted: Rows) -> Score:
        """Score of `distorted`.

        Raises:
            InputError: no patch fits.
        """
        if not reference.count or not distorted.count:
            raise InputError(f"no patch of {PATCH}×{PATCH} fits into the pictures given; give larger pictures")
        original, generated = inception_score(reference.array), inception_score(distorted.array)
        details = {"original": original, "generated": generated, "samples": distorted.count}
        return Score(generated, self.signature(), details)
