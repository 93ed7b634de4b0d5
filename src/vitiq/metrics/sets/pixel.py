"""Measures of sets of raw pixels: what a network adds is seen beside them. No weights, no labels, no opinion.

A sample is 8×8 pixels in RGB, 192 numbers of 0 … 1: the whole image downscaled by Pillow's antialiased bicubic (its
layout and colours), or patches at full resolution (its texture), 29 apart, so that the 8×8 blocks of codecs are met at
every phase.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from vitiq.image.geometry import patches, resize
from vitiq.metrics.sets.measures import Measure, What
from vitiq.metrics.sets.table import classes
from vitiq.types import ImageU8

SIDE, STRIDE = 8, 29


class PixelSource:
    """Pixels of 8×8.

    Args:
        patched: samples are patches instead of the downscaled image.
    """

    def __init__(self, *, patched: bool) -> None:
        self._patched = patched
        self.samples = f"patches of {SIDE}×{SIDE}" if patched else "images"

    @property
    def dimensions(self) -> int:
        """Numbers a sample."""
        return SIDE * SIDE * 3

    def signature(self) -> str:
        """Size and how it was got."""
        return f"pixels:{SIDE}x{SIDE}|" + (f"patches|stride:{STRIDE}" if self._patched else "resize:bicubic")

    def rows(self, image: ImageU8, what: What) -> Float32[np.ndarray, "n d"]:
        """One row a sample; there are no labels."""
        del what
        samples = patches(image, SIDE, STRIDE) if self._patched else [resize(image, SIDE, SIDE, "bicubic")]
        return np.array(samples, np.float32).reshape(len(samples), self.dimensions) / 255


class PixelMeasure(Measure):
    """A measure of raw pixels."""

    patched = False

    def __init__(self) -> None:
        self.source = PixelSource(patched=self.patched)


_CLASSES = classes("pixel", PixelMeasure, __name__)


def __getattr__(name: str) -> type[PixelMeasure]:
    """The metrics of `table.TABLE` that read samples so."""
    if name in _CLASSES:
        made: type[PixelMeasure] = _CLASSES[name]
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
