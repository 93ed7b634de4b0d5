"""Points of published tables as a study keeps them: the numbers themselves, as their file may move. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from vitiq.analysis.points import RdPoint

NotFinite = Literal["inf", "-inf", "nan"]
"""A number that JSON has no word for."""


@dataclass(frozen=True, slots=True)
class PublishedPoint:
    """A point of a published table, which has no file.

    Attributes:
        codec: label, other than every label of the study.
        image, setting, bpp, aggregate: as of `vitiq.analysis.points.RdPoint`.
        values: metric -> value.
    """

    codec: str
    image: str
    setting: str
    bpp: float
    values: Mapping[str, float | NotFinite]
    aggregate: bool = False

    def to_point(self) -> RdPoint:
        """The point as `vitiq bd` compares it."""
        values = {name: float(value) for name, value in self.values.items()}
        return RdPoint(self.image, self.codec, self.setting, self.bpp, values, aggregate=self.aggregate)


def kept_points(points: Iterable[RdPoint]) -> tuple[PublishedPoint, ...]:
    """Points as a study keeps them: rates and values, neither times nor sizes."""
    return tuple(
        PublishedPoint(
            p.codec, p.image, p.setting, p.bpp, {name: _kept(v) for name, v in p.values.items()}, p.aggregate
        )
        for p in points
    )


def _kept(value: float) -> float | NotFinite:
    if math.isfinite(value):
        return float(value)
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
