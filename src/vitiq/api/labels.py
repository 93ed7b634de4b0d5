"""Labels of a compressed image, read from its latents; what `vitiq classify` shows."""

from __future__ import annotations

import builtins
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitiq.api.coding import EncodedImage, content_of
from vitiq.codecs.transform import labels as reading

if TYPE_CHECKING:
    import numpy as np

# torch is imported where it is used.
# ruff: noqa: PLC0415


@dataclass(frozen=True, slots=True)
class Labels:
    """What a network sees.

    Attributes:
        network: its name, or the first digits of its weights' sha256.
        labels: name and probability of the most probable labels, the first the most probable.
        seconds: from the bytes of the file to the labels.
        flops: floating-point operations of the networks after entropy decoding; 0 where they were not counted.
    """

    network: str
    labels: tuple[tuple[str, float], ...]
    seconds: float
    flops: int


@dataclass(frozen=True, slots=True)
class Classified:
    """Labels of a file, read from its latents alone.

    Attributes:
        codec: registered name.
        latents: what the classifier reads in them.
        rebuilt: what the embedded ViT reads in the rebuilt image; None where it was not asked for.
        same_top: whether both have the same first label.
        overlap: share of the first 100 labels that both have.
    """

    codec: str
    latents: Labels
    rebuilt: Labels | None = None
    same_top: bool | None = None
    overlap: float | None = None


def classify(
    data: builtins.bytes | str | os.PathLike[str] | EncodedImage, *, top: int = 5, compare: bool = False
) -> Classified:
    """What is in the image of a file of `generative` or `generative-mse`, without rebuilding it.

    Args:
        data: as `vitiq.decode` takes it.
        top: labels to give.
        compare: also rebuild the image and let the embedded ViT read it.

    Raises:
        InputError: the file cannot be read.
        BitstreamError: it is damaged, or has no latents that the classifier reads.
        WeightsError: it belongs to other weights.
    """
    from vitiq.codecs.transform.latent_classifier import load_classifier, top_labels

    content = content_of(data)
    classifier = load_classifier()
    codec = reading.make_codec(content)
    found = reading.read_latents(codec, content, classifier, count_flops=compare)

    def labels(network: str, names: tuple[str, ...], read: reading.Reading) -> Labels:
        return Labels(network, tuple(top_labels(read.logits, names, top)), read.seconds, read.flops)

    own = labels(classifier.weights_sha256[:12], classifier.labels, found)
    if not compare:
        return Classified(codec.name, own)
    from vitiq.models.backbones import load_backbone

    backbone = load_backbone()
    rebuilt = reading.read_rebuilt(codec, content, backbone, count_flops=True)
    return Classified(
        codec.name,
        own,
        labels(backbone.name, backbone.labels, rebuilt),
        _first(found.logits) == _first(rebuilt.logits),
        reading.overlap(found.logits, rebuilt.logits),
    )


def _first(logits: np.ndarray) -> int:
    return int(logits.argmax())
