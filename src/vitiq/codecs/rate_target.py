"""The quality whose file is closest to a number of bytes, so that codecs can be compared at equal size."""

from __future__ import annotations

from dataclasses import dataclass

from vitiq.codecs.base import Codec
from vitiq.errors import InputError
from vitiq.types import ImageU8


@dataclass(frozen=True, slots=True)
class AtBytes:
    """A file near the target.

    Attributes:
        data: the file.
        quality: the quality that gave it.
        reachable: False where even the codec's smallest file is above the target.
    """

    data: bytes
    quality: float
    reachable: bool


def encode_at_bytes(codec: Codec, image: ImageU8, target: int) -> AtBytes:
    """Encode at the quality whose file is closest to `target` bytes; of two as close, the smaller file.

    Bisection over the codec's legal qualities, on the assumption that files grow with quality; of all files
    made on the way, the closest is taken.

    Raises:
        InputError: target below 1.
    """
    if target < 1:
        raise InputError(f"{target} bytes given as target, at least 1 expected")
    if codec.quality_range is None:
        data = codec.encode(image, quality=target)
        return AtBytes(data, target, len(data) <= target)
    low, high, step = codec.quality_range
    made: dict[int, bytes] = {}

    def encode(rung: int) -> bytes:
        if rung not in made:
            made[rung] = codec.encode(image, quality=low + rung * step)
        return made[rung]

    bottom, top = 0, round((high - low) / step)
    smallest = encode(bottom)
    while len(smallest) < target and top - bottom > 1:
        middle = (bottom + top) // 2
        if len(encode(middle)) <= target:
            bottom = middle
        else:
            top = middle
    if len(smallest) < target:
        encode(top)
    rung = min(made, key=lambda r: (abs(len(made[r]) - target), len(made[r])))
    return AtBytes(made[rung], low + rung * step, min(len(d) for d in made.values()) <= target)
