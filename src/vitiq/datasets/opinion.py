"""What a data set with opinion scores holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Opinion:
    """One distorted image and what people think of it.

    Attributes:
        reference, distorted: files.
        distortion: its kind; of a set of coded images, its codec.
        quality: larger is better, on the data set's own scale.
        rate: bits per pixel, or where the set does not publish them, the strength of the distortion as a rank (see
            `OpinionSet.rate_unit`); NaN where it publishes neither.
        published: values of metrics that the data set publishes beside the opinion.
    """

    reference: Path
    distorted: Path
    distortion: str
    quality: float
    rate: float = math.nan
    published: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), compare=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of one person: of two images of one reference, which looked closer to it.

    Attributes:
        better, worse: the images.
    """

    better: Path
    worse: Path


@dataclass(frozen=True, slots=True)
class OpinionSet:
    """A data set: its layout's name and every opinion.

    Attributes:
        layout: name.
        opinions: all, in the order of the published table.
        unit: of `Opinion.quality`.
        rate_unit: of `Opinion.rate`: "bits per pixel", "level" (1 is the weakest distortion) or "" for none.
        choices: single answers, where the data set publishes them.
        with_images: False where only published values of metrics are here, no images.
        problems: one line for each row of a person's own table whose images are not there.
    """

    layout: str
    opinions: tuple[Opinion, ...]
    unit: str = ""
    rate_unit: str = ""
    choices: tuple[Choice, ...] = ()
    with_images: bool = True
    problems: tuple[str, ...] = ()

    @property
    def is_jnd(self) -> bool:
        """Whether opinions are just noticeable differences from the reference, negated."""
        return self.unit == "JND"
