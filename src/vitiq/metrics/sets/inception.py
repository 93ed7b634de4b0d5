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
from vitiq.metrics.sets.measures import Measure, What
from vitiq.metrics.sets.table import classes
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

    @property
    def dimensions(self) -> int:
        """Numbers of a feature vector."""
        from vitiq.models.inception import DIMENSIONS  # noqa: PLC0415 - torch

        return DIMENSIONS

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


class InceptionMeasure(Measure):
    """A measure of what InceptionV3 reads.

    Args:
        resize: one of `RESIZES`.
    """

    parameter = "resize"
    patched = False

    def __init__(self, resize: str = "clean", reader: InceptionReader | None = None) -> None:
        self.source = InceptionSource(resize, patched=self.patched, reader=reader)
        if resize != "clean":
            self.name = f"{type(self).name}@{resize}"


_CLASSES = classes("inception", InceptionMeasure, __name__)


def __getattr__(name: str) -> type[InceptionMeasure]:
    """The metrics of `table.TABLE` that read samples so."""
    if name in _CLASSES:
        made: type[InceptionMeasure] = _CLASSES[name]
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
