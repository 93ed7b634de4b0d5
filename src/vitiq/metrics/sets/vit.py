"""Measures of sets as a Vision Transformer reads them: class tokens and labels of whole images, or of patches.

None of these is the FID, KID or Inception Score of the literature, which are InceptionV3's; the names say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from vitiq.image.geometry import patches
from vitiq.metrics.reader import Reader
from vitiq.metrics.sets.measures import Measure, What
from vitiq.metrics.sets.table import classes
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

PATCH, STRIDE = 128, 64


class VitSource(Reader):
    """Class tokens or label probabilities.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
        patched: samples are 128×128 patches, 64 apart, instead of whole images.
    """

    def __init__(self, backbone: Backbone | None, *, patched: bool) -> None:
        super().__init__(backbone)
        self._patched = patched
        self.samples = f"patches of {PATCH}×{PATCH}" if patched else "images"

    @property
    def dimensions(self) -> int:
        """Width of the class token."""
        return self.backbone.model.config.width

    def signature(self) -> str:
        """Patches and backbone."""
        return (f"patch:{PATCH}|stride:{STRIDE}|" if self._patched else "") + self.backbone.signature()

    def rows(self, image: ImageU8, what: What) -> Float32[np.ndarray, "n d"]:
        """One row a sample."""
        samples = patches(image, PATCH, STRIDE) if self._patched else [image]
        if not samples:
            return np.zeros((0, 0), np.float32)
        return self.backbone.features(samples) if what == "features" else self.backbone.probabilities(samples)


class VitMeasure(Measure):
    """A measure of what a Vision Transformer reads.

    Args:
        backbone: None for the embedded ViT.
    """

    patched = False

    def __init__(self, backbone: Backbone | None = None) -> None:
        self.source = VitSource(backbone, patched=self.patched)


_CLASSES = classes("vit", VitMeasure, __name__)


def __getattr__(name: str) -> type[VitMeasure]:
    """The metrics of `table.TABLE` that read samples so."""
    if name in _CLASSES:
        made: type[VitMeasure] = _CLASSES[name]
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
