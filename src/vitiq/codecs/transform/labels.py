"""Labels of a compressed image, read from its latents."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from vitiq.codecs.labels import Reading, count_operations

if TYPE_CHECKING:
    from vitiq.codecs.transform.codec import TransformViqCodec
    from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier


class LatentLabels:
    """The classifier that belongs to the weights of a file, see `LabelReader`.

    Raises:
        BitstreamError: the file is damaged.
        WeightsError: its weights are not found, or no classifier that reads their latents.
    """

    def __init__(self, codec: TransformViqCodec, data: bytes) -> None:
        self._codec, self._data = codec, data
        self._classifier = codec.decoder_of(data).label_classifier()
        self.network, self.labels = self._classifier.weights_sha256[:12], self._classifier.labels

    def read(self, *, count_flops: bool = False) -> Reading:
        """Labels of the file; raises as `read_latents`."""
        return read_latents(self._codec, self._data, self._classifier, count_flops=count_flops)


def read_latents(
    codec: TransformViqCodec, data: bytes, classifier: EmbeddedClassifier, *, count_flops: bool = False
) -> Reading:
    """Labels from the latents alone; no image is made.

    Args:
        count_flops: also count operations, which reads the latents twice.

    Raises:
        BitstreamError: the file is damaged.
        WeightsError: the classifier reads the latents of other codec weights than the file's.
    """
    classifier.check(codec.decoder_of(data).model)
    start = time.perf_counter()
    file = codec.inspect(data, symbols=True)
    latents = (file.latents or ())[0]
    level = int(file.quality or 0)

    def read() -> Float32[np.ndarray, " labels"]:
        return classifier.logits(latents, file.height, file.width, level)

    logits = read()
    seconds = time.perf_counter() - start
    return Reading(logits, seconds, count_operations(read) if count_flops else 0)
