"""Labels of a compressed image: what reads them in its latents, and what a backbone reads in the rebuilt image."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np
from jaxtyping import Float32

from vitiq.codecs.base import Codec
from vitiq.models.top_labels import shared_labels
from vitiq.types import ImageU8

if TYPE_CHECKING:
    from vitiq.models.backbones import Backbone

# torch is imported where it is used.
# ruff: noqa: PLC0415

T = TypeVar("T")
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


class LabelReader(Protocol):
    """Reads labels in the latents of a file.

    Attributes:
        network: its name, or the first digits of its weights' sha256.
        labels: names, in the order of the logits.
    """

    network: str
    labels: tuple[str, ...]

    def read(self, *, count_flops: bool = False) -> Reading:
        """Labels of the file; no image is made.

        Args:
            count_flops: also count operations, which reads the latents twice.

        Raises:
            BitstreamError: the file is damaged.
            WeightsError: the file belongs to other weights.
        """
        ...


def read_rebuilt(codec: Codec, data: bytes, backbone: Backbone, *, count_flops: bool = False) -> Reading:
    """Labels that a backbone reads in the rebuilt image.

    Args:
        codec: of any kind.
        count_flops: also count operations, which decodes and reads twice.

    Raises:
        BitstreamError, WeightsError: as `LabelReader.read`.
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
    return Reading(logits, seconds, count_operations(lambda: read(255 - codec.decode(data))))


def overlap(a: Float32[np.ndarray, " labels"], b: Float32[np.ndarray, " labels"]) -> float:
    """Share of the first 100 labels that two readings have in common."""
    return float(shared_labels(a, b, TOP_K) / TOP_K)


def count_operations(work: Callable[[], T]) -> int:
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
