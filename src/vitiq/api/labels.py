"""Labels of a compressed image, read from its latents where a classifier reads them; what `vitiq classify` shows."""

from __future__ import annotations

import builtins
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitiq.api.coding import EncodedImage, content_of
from vitiq.codecs import labels as reading
from vitiq.codecs.base import Codec
from vitiq.codecs.detect import codec_of
from vitiq.codecs.spec import make_codec
from vitiq.codecs.viq_codec import ViqCodec
from vitiq.errors import BitstreamError
from vitiq.models.device import device_name

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
    """Labels of a file, read from its latents alone where there is a classifier of them.

    Attributes:
        codec: registered name.
        latents: what the classifier reads in them; None for codecs that have none, whose image is rebuilt and read.
        rebuilt: what the embedded ViT reads in the rebuilt image; None where it was not needed or asked for.
        same_top: whether both have the same first label.
        overlap: share of the first 100 labels that both have.
    """

    codec: str
    latents: Labels | None
    rebuilt: Labels | None = None
    same_top: bool | None = None
    overlap: float | None = None

    @property
    def found(self) -> Labels:
        """From the latents where there is a classifier, else from the rebuilt image."""
        read = self.latents or self.rebuilt
        if read is None:
            raise ValueError("neither latents nor rebuilt image were read")
        return read


def classify(
    data: builtins.bytes | str | os.PathLike[str] | EncodedImage,
    *,
    top: int = 5,
    compare: bool = False,
    device: str | None = None,
) -> Classified:
    """What is in the image of a neural codec's file.

    Files of `generative` and `generative-mse` are read without rebuilding the image. No classifier reads the latents of
    others (`inversion`, `inversion-vector`, plugins): the image is rebuilt and the embedded ViT reads it.

    Args:
        data: as for `vitiq.decode`.
        top: labels to give, from 1.
        compare: also rebuild the image and let the embedded ViT read it, where it was not read so already.
        device: as for `vitiq.decode`.

    Raises:
        InputError: the file cannot be read, or more labels than there are or none are asked for.
        BitstreamError: it is damaged, or an ordinary codec's.
        WeightsError: its weights are not found, or no classifier that reads their latents.
    """
    where = device_name(device)
    content = content_of(data)
    name = codec_of(content)
    codec = make_codec(name, device=where)
    if not isinstance(codec, ViqCodec):
        raise BitstreamError(
            f"a file of codec {name} has no latents; expected a .viq file, as neural codecs write (vitiq codecs list)"
        )
    reader = codec.label_reader(content)
    if reader is None:
        return Classified(name, None, _rebuilt(codec, content, top, where, count_flops=compare)[0])
    read = reader.read(count_flops=compare)
    found = _labels(reader.network, reader.labels, read, top)
    if not compare:
        return Classified(name, found)
    rebuilt, other = _rebuilt(codec, content, top, where, count_flops=True)
    same = _first(read.logits) == _first(other.logits)
    return Classified(name, found, rebuilt, same, reading.overlap(read.logits, other.logits))


def _rebuilt(
    codec: Codec, content: builtins.bytes, top: int, device: str, *, count_flops: bool
) -> tuple[Labels, reading.Reading]:
    from vitiq.models.backbones import load_backbone

    backbone = load_backbone(device=device)
    read = reading.read_rebuilt(codec, content, backbone, count_flops=count_flops)
    return _labels(backbone.name, backbone.labels, read, top), read


def _labels(network: str, names: tuple[str, ...], read: reading.Reading, top: int) -> Labels:
    from vitiq.models.top_labels import most_probable

    return Labels(network, tuple(most_probable(read.logits, names, top)), read.seconds, read.flops)


def _first(logits: np.ndarray) -> int:
    return int(logits.argmax())
