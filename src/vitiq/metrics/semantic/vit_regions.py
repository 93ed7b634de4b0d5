"""The regional variant: the worst places of an image count, not its mean."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from vitiq.metrics.semantic.base import VitMetric
from vitiq.metrics.semantic.tiles import PHASE, tile_distances, tiling
from vitiq.metrics.semantic.vit_map import patch_losses
from vitiq.types import ImageU8, Score

POWER = 16
"""Of the mean over patches: near the maximum, and still moved by how many places are bad."""


def worst_places(distances: Float64[np.ndarray, "tile level p"]) -> float:
    """Power mean over all patches of √(appearance · meaning), 0 … 2.

    Args:
        distances: 1 - cosine of each patch's tokens, those of the patch embedding first, then of the later blocks.

    Example:
        >>> one_bad = np.zeros((1, 3, 100))
        >>> one_bad[0, :, 7] = 1.0
        >>> round(worst_places(one_bad), 2)
        0.75
    """
    both = np.sqrt(np.clip(distances[:, 0], 0, None) * patch_losses(distances))
    largest = float(both.max())
    if largest == 0:
        return 0.0
    return largest * math.pow(float(np.mean((both / largest) ** POWER)), 1 / POWER)


class VitRegions(VitMetric):
    """Patch tokens of tiles at full resolution, compared in place; the places that changed most decide.

    `vit-tiles` means over the image, so that a small object that became another one is forgiven where the rest is kept.
    Here it is not. What is damaged everywhere counts by its worst place too, so this ranks images by their worst part.
    """

    name = "vit-regions"
    title = "ViT regions: worst places"
    range = (-1.0, 1.0)
    reference = "vitiq; worst-place pooling: Wang & Shang 2006, DOI 10.1109/ICIP.2006.313136; levels as vit-tiles"
    formula = "1 - (mean_i (√(D_0,i · GM_l D_l,i))^16)^(1/16) over patches i of all tiles, D as of vit-tiles"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Score with the number of tiles."""
        height, width, _ = reference.shape
        plan = tiling(width, height, self.backbone.image_size)
        loss = worst_places(tile_distances(self.backbone, reference, distorted, plan))
        value = 1.0 - loss if math.isfinite(loss) else float("nan")
        return Score(value, self.signature(), {"tiles": len(plan.corners)})

    def prepare(self, images: Sequence[ImageU8]) -> None:
        """Nothing in advance: tiles of many images would not fit."""

    def _settings(self) -> str:
        return f"tiles:{self.backbone.image_size}+{PHASE}|levels:0,later-half,norm|pool:power{POWER}"
