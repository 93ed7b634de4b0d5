"""Labels of a compressed image, read from its latents, and how they compare with those of the rebuilt image."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Float32

from vitiq.codecs.base import Codec
from vitiq.codecs.detect import codec_of
from vitiq.codecs.transform.codec import Generative, GenerativeMse
from vitiq.errors import BitstreamError
from vitiq.models.top_labels import shared_labels
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.codecs.transform.latent_classifier import EmbeddedClassifier
    from vitiq.models.backbones import Backbone

# torch is imported where it is used.
# ruff: noqa: PLC0415

T = TypeVar("T")
CODECS: dict[str, type[Generative | GenerativeMse]] = {"generative": Generative, "generative-mse": GenerativeMse}
TOP_K = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read in a file, and at what cost.

    Attributes:
        logits: one a label.
        seconds: from the bytes to the logits, with entropy decoding.
        flops: floating-point operations of the networks after entropy decoding, two a multiply-add.
    """

    logits: Float32[np.ndarray, " labels"]
    seconds: float
    flops: int


def has_classifier(name: str) -> bool:
    """Whether the classifier reads the latents of a codec's files."""
    return name in CODECS


def make_codec(data: bytes, device: str = "cpu") -> Generative | GenerativeMse:
    """The codec of a file whose latents can be read, with its networks on a device.

    Raises:
        BitstreamError: another kind of file.
    """
    name = codec_of(data)
    if name not in CODECS:
        raise BitstreamError(
            f"a file of codec {name} has no latents that the classifier reads; expected a file of "
            f"`vitiq encode -c generative` or generative-mse"
        )
    return CODECS[name](device=device)


def read_latents(
    codec: Generative | GenerativeMse, data: bytes, classifier: EmbeddedClassifier, *, count_flops: bool = False
) -> Reading:
    """Labels from the latents alone; no image is made.

    Args:
        count_flops: also count operations, which reads the latents twice.

    Raises:
        BitstreamError: the file is damaged.
        WeightsError: the file or the classifier belongs to other codec weights.
    """
    classifier.check(codec.networks())
    start = time.perf_counter()
    file = codec.inspect(data, symbols=True)
    latents = (file.latents or ())[0]
    level = int(file.quality or 0)

    def read() -> Float32[np.ndarray, " labels"]:
        return classifier.logits(latents, file.height, file.width, level)

    logits = read()
    seconds = time.perf_counter() - start
    return Reading(logits, seconds, _flops(read) if count_flops else 0)


def read_rebuilt(codec: Codec, data: bytes, backbone: Backbone, *, count_flops: bool = False) -> Reading:
    """Labels that a backbone reads in the rebuilt image.

    Args:
        codec: of any kind.
        count_flops: also count operations, which decodes and reads twice.

    Raises:
        BitstreamError, WeightsError: as `read_latents`.
    """
    start = time.perf_counter()
    rebuilt = codec.decode(data)
    logits = backbone.logits([rebuilt])[0]
    seconds = time.perf_counter() - start
    if not count_flops:
        return Reading(logits, seconds, 0)

    def read(image: ImageU8) -> object:
        return backbone.logits([image])

    # The backbone remembers images it has read.
    return Reading(logits, seconds, _flops(lambda: read(255 - codec.decode(data))))


def overlap(a: Float32[np.ndarray, " labels"], b: Float32[np.ndarray, " labels"]) -> float:
    """Share of the first 100 labels that two readings have in common."""
    return float(shared_labels(a, b, TOP_K) / TOP_K)


def _flops(work: Callable[[], T]) -> int:
    """Operations of products and convolutions, the same however this processor does them.

    The counter knows neither packed products nor attention in one kernel.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    def packed(rows: Sequence[int], *_: object, out_shape: Sequence[int], **__: object) -> int:
        return 2 * math.prod(rows) * out_shape[-1]

    uncounted = {torch.ops.mkldnn._linear_pointwise: packed}
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False, custom_mapping=uncounted) as counter:
        work()
    return int(counter.get_total_flops())
