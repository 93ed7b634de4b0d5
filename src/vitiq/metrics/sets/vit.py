"""Measures of sets as a Vision Transformer reads them: class tokens and labels of whole images, or of patches.

None of these is the FID, KID or Inception Score of the literature, which are InceptionV3's; the names say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from vitiq.image.geometry import patches
from vitiq.metrics.sets.measures import Fid, InceptionScore, Kid, Measure, Precision, Recall, What
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

PATCH, STRIDE = 128, 64


class VitSource:
    """Class tokens or label probabilities.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
        patched: samples are 128×128 patches, 64 apart, instead of whole images.
    """

    def __init__(self, backbone: Backbone | None, *, patched: bool) -> None:
        self._backbone, self._patched = backbone, patched
        self.samples = f"patches of {PATCH}×{PATCH}" if patched else "images"

    @property
    def backbone(self) -> Backbone:
        """The backbone that reads the samples."""
        if self._backbone is None:
            from vitiq.models.backbones import load_backbone  # noqa: PLC0415 - torch

            self._backbone = load_backbone()
        return self._backbone

    def signature(self) -> str:
        """Patches and backbone."""
        return (f"patch:{PATCH}|stride:{STRIDE}|" if self._patched else "") + self.backbone.signature()

    def rows(self, image: ImageU8, what: What) -> Float32[np.ndarray, "n d"]:
        """One row a sample."""
        samples = patches(image, PATCH, STRIDE) if self._patched else [image]
        if not samples:
            return np.zeros((0, 0), np.float32)
        return self.backbone.features(samples) if what == "features" else self.backbone.probabilities(samples)


class _Images(Measure):
    """Of whole images.

    Args:
        backbone: None for the embedded ViT.
    """

    def __init__(self, backbone: Backbone | None = None) -> None:
        self.source = VitSource(backbone, patched=False)


class _Patches(Measure):
    """Of patches.

    Args:
        backbone: None for the embedded ViT.
    """

    def __init__(self, backbone: Backbone | None = None) -> None:
        self.source = VitSource(backbone, patched=True)


class FidVit(_Images, Fid):
    """Fréchet distance of class tokens of images."""

    name, title = "fid-vit", "Fréchet distance of ViT features"


class KidVit(_Images, Kid):
    """Kernel distance of class tokens of images."""

    name, title = "kid-vit", "Kernel distance of ViT features"


class IsVit(_Images, InceptionScore):
    """Inception Score with the ViT's labels."""

    name, title = "is-vit", "Inception Score with the ViT's labels"


class PrecisionVit(_Images, Precision):
    """Improved precision of class tokens of images."""

    name, title = "precision-vit", "Precision of ViT features"


class RecallVit(_Images, Recall):
    """Improved recall of class tokens of images."""

    name, title = "recall-vit", "Recall of ViT features"


class PatchFidVit(_Patches, Fid):
    """Fréchet distance of class tokens of patches."""

    name, title = "patch-fid-vit", "Fréchet distance of ViT features of patches"


class PatchKidVit(_Patches, Kid):
    """Kernel distance of class tokens of patches."""

    name, title = "patch-kid-vit", "Kernel distance of ViT features of patches"


class PatchIsVit(_Patches, InceptionScore):
    """Inception Score of patches with the ViT's labels."""

    name, title = "patch-is-vit", "Inception Score of patches with the ViT's labels"


class PatchPrecisionVit(_Patches, Precision):
    """Improved precision of class tokens of patches."""

    name, title = "patch-precision-vit", "Precision of ViT features of patches"


class PatchRecallVit(_Patches, Recall):
    """Improved recall of class tokens of patches."""

    name, title = "patch-recall-vit", "Recall of ViT features of patches"
