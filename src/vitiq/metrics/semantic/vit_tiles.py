"""The recommended variant: appearance and meaning of full-resolution tiles."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitiq.metrics.semantic.base import VitMetric
from vitiq.metrics.semantic.tiles import PHASE, appearance_and_meaning, tile_distances, tiling
from vitiq.types import ImageU8, Score


class VitTiles(VitMetric):
    """Patch tokens of tiles at full resolution, compared in place at several depths of the network.

    The whole-image variants shrink an image to 224 px and cannot see fine damage; this one reads it in tiles of the
    network's own size. The first level says how it looks, the later half of the blocks what it shows.
    """

    name = "vit-tiles"
    title = "ViT tiles: appearance and meaning"
    range = (-1.0, 1.0)
    differentiable = True
    reference = "vitiq; distances of deep features: Zhang et al. 2018, arXiv 1801.03924; scale-free mean of levels"
    formula = "1 - √(D_0 · GM_l D_l), D_l: mean over patches of all tiles of 1 - cos(x_l, y_l), l: later half"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        """Score with the number of tiles and the two parts."""
        height, width, _ = reference.shape
        plan = tiling(width, height, self.backbone.image_size)
        appearance, meaning = appearance_and_meaning(tile_distances(self.backbone, reference, distorted, plan))
        details = {"tiles": len(plan.corners), "appearance": 1.0 - appearance, "meaning": 1.0 - meaning}
        return Score(1.0 - math.sqrt(appearance * meaning), self.signature(), details)

    def _settings(self) -> str:
        return f"tiles:{self.backbone.image_size}+{PHASE}|levels:0,later-half,norm|pool:mean"

    def prepare(self, images: Sequence[ImageU8]) -> None:
        """Nothing in advance: tiles of many images would not fit."""
