"""Measures of sets as InceptionV3 with the FID weights reads them: the FID, KID and Inception Score of the literature.

The resize to 299×299 follows the name: `fid@clean` (the default, clean-fid's), `fid@tf1` (the original, torch-fidelity,
torchmetrics), `fid@pytorch` (pytorch-fid). Patches are those of FID/256 and KID/256 for compression: Mentzer et al.
2020, "High-Fidelity Generative Image Compression", appendix A.7 (arXiv 2006.09965).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from vitiq.errors import InputError
from vitiq.image.geometry import patches
from vitiq.metrics.sets.measures import Fid, InceptionScore, Kid, Measure, Precision, Recall, What
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.models.inception_reader import InceptionReader

PATCH = 256
RESIZES = ("clean", "tf1", "pytorch")


class InceptionSource:
    """Features or label probabilities.

    Args:
        resize: one of `RESIZES`.
        patched: samples are 256×256 patches on a grid and on the same grid shifted by half a patch, not whole images.
        reader: None for the FID weights, loaded at first use.
    """

    def __init__(self, resize: str = "clean", *, patched: bool = False, reader: InceptionReader | None = None) -> None:
        if resize not in RESIZES:
            raise InputError(f"resize {resize!r} given after the @, expected one of {', '.join(RESIZES)}")
        self._resize, self._patched, self._reader = resize, patched, reader
        self.samples = f"patches of {PATCH}×{PATCH}" if patched else "images"

    @property
    def reader(self) -> InceptionReader:
        """The network; WeightsError where its weights were not fetched."""
        if self._reader is None:
            from vitiq.models.inception_reader import fid_reader  # noqa: PLC0415 - torch

            self._reader = fid_reader(self._resize)
        return self._reader

    def signature(self) -> str:
        """Patches, weights and resize."""
        return (f"patch:{PATCH}|shifted:{PATCH // 2}|" if self._patched else "") + self.reader.signature()

    def rows(self, image: ImageU8, what: What) -> Float32[np.ndarray, "n d"]:
        """One row a sample."""
        half = PATCH // 2
        samples = [image]
        if self._patched:
            samples = [*patches(image, PATCH, PATCH), *patches(image[half:, half:], PATCH, PATCH)]
        if not samples:
            return np.zeros((0, 0), np.float32)
        return self.reader.features(samples) if what == "features" else self.reader.probabilities(samples)


class _Inception(Measure):
    """Of whole images.

    Args:
        resize: one of `RESIZES`.
    """

    parameter = "resize"
    patched = False

    def __init__(self, resize: str = "clean", reader: InceptionReader | None = None) -> None:
        self.source = InceptionSource(resize, patched=self.patched, reader=reader)
        if resize != "clean":
            self.name = f"{type(self).name}@{resize}"


class _Patches(_Inception):
    """Of patches.

    Args:
        resize: one of `RESIZES`.
    """

    patched = True


class FidInception(_Inception, Fid):
    """Fréchet Inception Distance."""

    name, title = "fid", "FID"


class KidInception(_Inception, Kid):
    """Kernel Inception Distance."""

    name, title = "kid", "KID"


class IsInception(_Inception, InceptionScore):
    """Inception Score: mean of ten parts of the set, as published."""

    name, title = "inception-score", "Inception Score"
    parts = 10


class PrecisionInception(_Inception, Precision):
    """Improved precision of Inception features; the paper's own reads images with VGG-16."""

    name, title = "precision-inception", "Precision of Inception features"


class RecallInception(_Inception, Recall):
    """Improved recall of Inception features; the paper's own reads images with VGG-16."""

    name, title = "recall-inception", "Recall of Inception features"


class PatchFid(_Patches, Fid):
    """FID/256."""

    name, title = "patch-fid", "FID of patches (FID/256)"


class PatchKid(_Patches, Kid):
    """KID/256."""

    name, title = "patch-kid", "KID of patches (KID/256)"


class PatchIs(_Patches, InceptionScore):
    """Inception Score of patches."""

    name, title = "patch-is", "Inception Score of patches"


class PatchPrecisionInception(_Patches, Precision):
    """Improved precision of Inception features of patches."""

    name, title = "patch-precision-inception", "Precision of Inception features of patches"


class PatchRecallInception(_Patches, Recall):
    """Improved recall of Inception features of patches."""

    name, title = "patch-recall-inception", "Recall of Inception features of patches"
