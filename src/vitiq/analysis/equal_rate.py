"""Codecs side by side at equal rates: interpolated on each image's own curve, or the file nearest to the rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from vitiq.analysis.bootstrap import FEWEST_IMAGES, RESAMPLES, Estimate, draws, interval
from vitiq.analysis.curve import LEAST_POINTS, curve, interpolator
from vitiq.analysis.left_out import LeftOut, left_out
from vitiq.analysis.points import RdPoint, codecs_of
from vitiq.errors import InputError

How = Literal["interpolate", "nearest"]
Unit = Literal["bpp", "bytes"]

OUT_OF_REACH = "does not reach it"
"""What is said of a codec whose files of an image are all larger or all smaller than a target."""


@dataclass(frozen=True, slots=True)
class AtRate:
    """One codec at one rate.

    Attributes:
        codec: label.
        target: the rate asked for, in bits per pixel or bytes.
        rate: mean rate that the values belong to: the target where interpolated, that of the files where nearest.
        images: number averaged: those on which every codec of the table reaches the target.
        values: metric -> mean over these images with its interval.
        left_out: the other images and why, alike for every codec: one lacks a file, a curve, or a finite value at its
            nearest file, or the target is beyond its curve.
    """

    codec: str
    target: float
    rate: float
    images: int
    values: Mapping[str, Estimate]
    left_out: LeftOut = field(default_factory=lambda: LeftOut({}))

    @property
    def out_of_reach(self) -> bool:
        """Whether no image is averaged since every one is out of reach of a codec."""
        reasons = self.left_out.images.values()
        return not self.images and all(reason.endswith(OUT_OF_REACH) for reason in reasons)


def at_rates(
    points: Sequence[RdPoint],
    metrics: Mapping[str, bool],
    targets: Sequence[float],
    *,
    unit: Unit = "bpp",
    how: How = "interpolate",
) -> list[AtRate]:
    """A table of codecs at equal rates; every row of one target is a mean over the same images.

    Intervals are of `RESAMPLES` bootstrap samples of the images, the same for every codec.

    Args:
        points: of a study.
        metrics: name -> whether higher is better.
        targets: rates above 0, finite.
        unit: of the targets: bits per pixel, or bytes of the file.
        how: `interpolate` the metric over log rate on each image's own curve (PCHIP), between its ends only; or take
            the file `nearest` in log rate, whose own rate is then stated.

    Raises:
        InputError: a rate that is not above 0 or not finite, or no points.
    """
    if not points:
        raise InputError("no points given, those of a study expected")
    if any(not 0 < t < np.inf for t in targets):
        raise InputError(f"rates {', '.join(f'{t:g}' for t in targets)} given, all above 0 and finite expected")
    names = codecs_of(points)
    cells: dict[tuple[str, str], list[RdPoint]] = {}
    for p in points:
        cells.setdefault((p.codec, p.image), []).append(p)
    images = list(dict.fromkeys(p.image for p in points))
    rows = []
    for target in targets:
        found = {(c, i): _cell(cells.get((c, i), []), metrics, target, unit, how) for c in names for i in images}
        lacking: dict[str, str] = {}
        for (c, i), cell in found.items():
            if isinstance(cell, str):
                lacking.setdefault(i, f"{c} {cell}")
        numbers = {place: cell for place, cell in found.items() if not isinstance(cell, str)}
        infinite = _not_finite(numbers, names, [i for i in images if i not in lacking], list(metrics))
        lacking |= infinite.images
        out = LeftOut({i: lacking[i] for i in images if i in lacking})
        whole = [i for i in images if i not in lacking]
        weights = draws(len(whole), RESAMPLES, 0) if len(whole) >= FEWEST_IMAGES else np.empty((0, len(whole)))
        for c in names:
            table = np.array([numbers[c, i] for i in whole], dtype=np.float64).reshape(len(whole), 1 + len(metrics))
            rows.append(replace(_row(c, target, table, list(metrics), weights), left_out=out))
    return rows


def _not_finite(
    found: Mapping[tuple[str, str], Sequence[float]],
    codecs: Sequence[str],
    images: Sequence[str],
    metrics: Sequence[str],
) -> LeftOut:
    """Images without a finite value of a metric, of all codecs and metrics alike; a line's values are all finite."""
    reasons: dict[str, str] = {}
    for place, name in enumerate(metrics):
        column = ((c, i, found[c, i][1 + place]) for i in images for c in codecs)
        for image in left_out(column).images:
            reasons.setdefault(image, f"{name} is not finite at a codec's nearest file")
    return LeftOut({image: reasons[image] for image in images if image in reasons})


def _row(
    codec: str,
    target: float,
    table: Float[np.ndarray, "images n"],
    metrics: Sequence[str],
    weights: Float[np.ndarray, "b images"],
) -> AtRate:
    if not len(table):
        return AtRate(codec, target, float("nan"), 0, {name: Estimate(float("nan")) for name in metrics})
    values = {}
    for name, column in zip(metrics, table[:, 1:].T, strict=True):
        with np.errstate(invalid="ignore"):
            values[name] = Estimate(float(column.mean()), *interval(weights @ column))
    return AtRate(codec, target, float(table[:, 0].mean()), len(table), values)


def _cell(
    own: Sequence[RdPoint], metrics: Mapping[str, bool], target: float, unit: Unit, how: How
) -> list[float] | str:
    """Rate and the metrics of one image at a target, or what is said of the codec where it has none."""
    rate = np.array([p.bpp if unit == "bpp" else p.bytes for p in own], dtype=np.float64)
    known = np.isfinite(rate) & (rate > 0)
    if not known.any():
        return "has no file"
    if how == "nearest":
        best = int(np.argmin(np.where(known, np.abs(np.log(np.where(known, rate, 1.0) / target)), np.inf)))
        return [float(rate[best]), *(own[best].values.get(name, float("nan")) for name in metrics)]
    values = []
    for name, better in metrics.items():
        sign = 1.0 if better else -1.0
        quality = sign * np.array([p.values.get(name, np.nan) for p in own])[known]
        try:
            line = curve(rate[known], quality)
        except InputError:
            few = np.isfinite(quality).sum() < LEAST_POINTS
            lacking = f"a finite {name} at" if few else f"a curve of {name} through"
            return f"has {lacking} fewer than {LEAST_POINTS} {'files' if few else 'points'}"
        if not line.rate[0] <= target <= line.rate[-1]:
            return OUT_OF_REACH
        place = np.clip(np.log(target), line.logs[0], line.logs[-1])
        values.append(sign * float(interpolator(line.logs, line.quality, "pchip")(place)))
    return [target, *values]
