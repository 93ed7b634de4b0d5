"""What the metrics that read images with a Vision Transformer share: a backbone, and many pairs in few forwards."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from vitiq.errors import UndefinedError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.reader import Reader
from vitiq.types import ImageU8


class VitMetric(Reader, PairMetric):
    """A semantic metric of a pair.

    Args:
        backbone: None for the embedded ViT, loaded at first use.
    """

    kind = "semantic"
    higher_is_better = True
    signature_form = (
        "name|settings (K, tiles, …)|backbone|weights:sha256|resize:filter-size|mean:…|std:…|precision|version"
    )

    def signature(self) -> str:
        """Backbone, weights, preprocessing, precision, and the metric's own settings."""
        settings = self._settings()
        return f"{self.name}{f'|{settings}' if settings else ''}|{self.backbone.signature()}|v1"

    def _settings(self) -> str:
        return ""

    def prepare(self, images: Sequence[ImageU8]) -> None:
        """Read all images in full batches, each different one once; the backbone keeps what it found."""
        if images:
            with suppress(UndefinedError):  # the pair that it concerns says so
                self._read(images)

    def _read(self, images: Sequence[ImageU8]) -> None:
        self.backbone.logits(images)
