"""Which images a mean leaves out, so that every point of a curve and every codec beside it averages the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Images that no mean of a metric holds.

    Attributes:
        images: name -> why.
    """

    images: Mapping[str, str]

    def lines(self) -> list[str]:
        """A line for each image."""
        return [f"{image} left out: {reason}" for image, reason in self.images.items()]

    def text(self, named: int) -> str:
        """All of them by reason, the first ones of each by name; empty without any."""
        reasons: dict[str, list[str]] = {}
        for image, reason in self.images.items():
            reasons.setdefault(reason, []).append(image)
        return "; ".join(f"{reason}: {_names(images, named)}" for reason, images in reasons.items())


def _names(images: Sequence[str], named: int) -> str:
    more = f" and {len(images) - named} more" if len(images) > named else ""
    return ", ".join(images[:named]) + more


def left_out(values: Iterable[tuple[str, str, float]]) -> LeftOut:
    """Images of which a codec has no finite value at over half of its settings, for all codecs alike.

    An image that a codec reproduces exactly has an infinite PSNR, and a small one no MS-SSIM: no mean with it is
    finite. A codec without any finite value says nothing about images. Where all would be left out, none is.

    Args:
        values: codec, image, and the metric's value at one of the codec's settings.

    Example:
        >>> left_out([("jpeg", "photo", 30.0), ("jpeg", "chart", math.inf)]).lines()
        ['chart left out: jpeg has no finite value at over half of its settings']
    """
    every: dict[tuple[str, str], list[bool]] = {}
    for codec, image, value in values:
        every.setdefault((codec, image), []).append(math.isfinite(value))
    able = {codec for (codec, _), finite in every.items() if any(finite)}
    lacking: dict[str, list[str]] = {}
    for (codec, image), finite in every.items():
        if codec in able and 2 * sum(finite) < len(finite):
            lacking.setdefault(image, []).append(codec)
    if len(lacking) == len({image for _, image in every}):
        return LeftOut({})
    return LeftOut({image: _reason(codecs, len(able)) for image, codecs in lacking.items()})


def _reason(codecs: Sequence[str], able: int) -> str:
    if len(codecs) == able > 1:
        return "no codec has a finite value at half of its settings"
    return f"{codecs[0]} has no finite value at over half of its settings"
