"""Which images a mean leaves out, so that every point of a curve and every codec beside it averages the same ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

NAMED = 6
"""Images left out of a mean that are named."""


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

    def summary(self, every: int) -> list[str]:
        """One line with their number and the first ones' names; none without any.

        Args:
            every: images that there are.
        """
        return [f"{len(self.images)} of {every} images left out: {self.text(NAMED)}"] if self.images else []

    def text(self, named: int) -> str:
        """All of them by reason, the first ones of each by name; empty without any."""
        reasons: dict[str, list[str]] = {}
        for image, reason in self.images.items():
            reasons.setdefault(reason, []).append(image)
        return "; ".join(f"{reason}: {_names(images, named)}" for reason, images in reasons.items())


def not_common(files: Iterable[tuple[str, str, str]]) -> LeftOut:
    """Images that a codec has not at all its settings, so that no mean beside others holds them.

    Args:
        files: codec, image and setting of each.

    Example:
        >>> not_common([("a", "x", "1"), ("a", "y", "1"), ("b", "x", "1")]).lines()
        ['y left out: b lacks it at a setting']
    """
    own: dict[str, dict[str, set[str]]] = {}
    for codec, image, setting in files:
        own.setdefault(codec, {}).setdefault(image, set()).add(setting)
    lacking: dict[str, str] = {}
    every = dict.fromkeys(image for images in own.values() for image in images)
    for codec, images in own.items():
        settings = set().union(*images.values())
        for image in every:
            if images.get(image, set()) != settings:
                lacking.setdefault(image, f"{codec} lacks it at a setting")
    return LeftOut({image: lacking[image] for image in every if image in lacking})


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
