"""Measures of sets of raw pixels: what a network adds is seen beside them. No weights, no labels, no opinion.

A sample is 8×8 pixels in RGB, 192 numbers of 0 … 1: the whole image shrunk by Pillow's antialiased bicubic (its
layout and colours), or patches at full resolution (its texture), 29 apart, so that the 8×8 blocks of codecs are met at
every phase.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from vitiq.image.geometry import patches, resize
from vitiq.metrics.sets.measures import Fid, Kid, Measure, Precision, Recall, What
from vitiq.types import ImageU8

SIDE, STRIDE = 8, 29


class PixelSource:
    """Pixels of 8×8.

    Args:
        patched: samples are patches instead of the shrunken image.
    """

    def __init__(self, *, patched: bool) -> None:
        self._patched = patched
        self.samples = f"patches of {SIDE}×{SIDE}" if patched else "images"

    def signature(self) -> str:
        """Size and how it was got."""
        return f"pixels:{SIDE}x{SIDE}|" + (f"patches|stride:{STRIDE}" if self._patched else "resize:bicubic")

    def rows(self, image: ImageU8, what: What) -> Float32[np.ndarray, "n d"]:
        """One row a sample; there are no labels."""
        del what
        samples = patches(image, SIDE, STRIDE) if self._patched else [resize(image, SIDE, SIDE, "bicubic")]
        return np.array(samples, np.float32).reshape(len(samples), SIDE * SIDE * 3) / 255


class _Images(Measure):
    """Of whole images, shrunk."""

    def __init__(self) -> None:
        self.source = PixelSource(patched=False)


class _Patches(Measure):
    """Of patches."""

    def __init__(self) -> None:
        self.source = PixelSource(patched=True)


class FidPixel(_Images, Fid):
    """Fréchet distance of images shrunk to 8×8; `frechet-pixel` is the thesis's, of one pair."""

    name, title = "fid-pixel", "Fréchet distance of shrunken images"


class KidPixel(_Images, Kid):
    """Kernel distance of images shrunk to 8×8."""

    name, title = "kid-pixel", "Kernel distance of shrunken images"


class PrecisionPixel(_Images, Precision):
    """Improved precision of images shrunk to 8×8."""

    name, title = "precision-pixel", "Precision of shrunken images"


class RecallPixel(_Images, Recall):
    """Improved recall of images shrunk to 8×8."""

    name, title = "recall-pixel", "Recall of shrunken images"


class PatchFidPixel(_Patches, Fid):
    """Fréchet distance of 8×8 patches."""

    name, title = "patch-fid-pixel", "Fréchet distance of 8×8 patches"


class PatchKidPixel(_Patches, Kid):
    """Kernel distance of 8×8 patches."""

    name, title = "patch-kid-pixel", "Kernel distance of 8×8 patches"


class PatchPrecisionPixel(_Patches, Precision):
    """Improved precision of 8×8 patches."""

    name, title = "patch-precision-pixel", "Precision of 8×8 patches"


class PatchRecallPixel(_Patches, Recall):
    """Improved recall of 8×8 patches."""

    name, title = "patch-recall-pixel", "Recall of 8×8 patches"
