"""What curves say about each other: BD-rate with intervals, Pareto front, agreement of metrics. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitiq.analysis.bd_rate import ENOUGH_OVERLAP
from vitiq.analysis.bootstrap import draws, interval
from vitiq.analysis.comparison import Settings, compare_tables, of_other_images
from vitiq.analysis.correlation import spearman
from vitiq.analysis.curve import LEAST_POINTS
from vitiq.analysis.points import CodecTable, RdPoint, gather, points_of
from vitiq.errors import InputError
from vitiq.evaluation.schema import MAIN, MAIN_APART
from vitiq.report.model import FEW, RESAMPLES, Column, Model, Point
from vitiq.text import listed

LITTLE_OVERLAP = ENOUGH_OVERLAP
"""A mean over less than this share of the qualities says little."""
SINGLE = (MAIN, MAIN_APART, "equal-bytes")
"""Groups of files that are made one an image, of a size that differs from image to image: no settings of a curve."""

UNPUBLISHED = "no published value of this metric"
"""Why a published curve has no BD-rate in some metrics."""


@dataclass(frozen=True, slots=True)
class BdCell:
    """BD-rate of one codec against an anchor, as `vitiq bd` states it.

    Attributes:
        percent: of the mean curves, negative where fewer bits are needed; NaN where it is refused, then `why` says so.
        low, high: its 95 % bootstrap interval over images; NaN below `FEW` images.
        overlap: share of the qualities of both mean curves that both reach, 0 … 1.
        count, left_out: images compared, and those that one of the codecs lacks at a setting.
        mean, mean_low, mean_high: mean over the images of each image's own BD-rate, and its interval; NaN without one.
        mean_count: images in that mean: those that have a BD-rate of their own.
        why: reason without a value.
        note: what is said of a published mean against images not known to be its own; `count` is then 0, as it is of
            two published means.
    """

    percent: float
    low: float = math.nan
    high: float = math.nan
    overlap: float = 0.0
    count: int = 0
    left_out: int = 0
    mean: float = math.nan
    mean_low: float = math.nan
    mean_high: float = math.nan
    mean_count: int = 0
    why: str = ""
    note: str = ""


def has_curves(model: Model) -> list[int]:
    """Curves with enough settings for a BD-rate."""
    settings = [{point.setting for point in _rd_points(model, index)} for index in range(len(model.curves))]
    return [index for index, own in enumerate(settings) if len(own) >= LEAST_POINTS]


def anchors_of(model: Model, column: Column) -> list[int]:
    """Curves that others can be compared with in a metric: published ones need not have every metric."""
    return [curve for curve in has_curves(model) if _has_values(model, curve, column)]


def _has_values(model: Model, curve: int, column: Column) -> bool:
    points = model.curves[curve].points
    return not points or any(column.info.key in point.values for point in points)


def without_values(model: Model, anchor: int, columns: Sequence[Column]) -> str:
    """A sentence that names the metrics with a direction that a published anchor has no values of; "" for none."""
    lacking = [c.info.short for c in columns if c.info.direction and not _has_values(model, anchor, c)]
    return f"{model.curves[anchor].label} has no value of {listed(lacking)}." if lacking else ""


def is_independent(model: Model, column: Column, *curves: int) -> bool:
    """Whether no curve of a comparison was optimised against the network that gives the scores, or a relative of it."""
    return not any(column.info.key in model.curves[curve].dependent for curve in curves)


def bd_table(model: Model, column: Column, anchor: int) -> dict[int, BdCell]:
    """BD-rate of every other codec with a curve against the anchor; computed once a model."""
    return {curve: _cell(model, column, anchor, curve) for curve in has_curves(model) if curve != anchor}


def _rd_points(model: Model, curve: int) -> list[RdPoint]:
    """Points of one codec's curve; files made at the size of another codec's are no setting of its own."""
    if model.curves[curve].published:
        return [*model.curves[curve].points]
    key = ("points", curve)
    if key not in model.bd:
        own = [record for index, record in zip(model.curve_of, model.records, strict=True) if index == curve]
        chosen = [record for record in own if record.details.get("group") not in SINGLE]
        model.bd[key] = [replace(point, codec=model.curves[curve].label) for point in points_of(chosen)]
    found: list[RdPoint] = model.bd[key]
    return found


def _cell(model: Model, column: Column, anchor: int, curve: int) -> BdCell:
    """Of one pair; the pair the other way round comes with it."""
    key = (column.info.key, anchor, curve)
    if key not in model.bd:
        model.bd[key], model.bd[column.info.key, curve, anchor] = _both_ways(model, column, anchor, curve)
    made: BdCell = model.bd[key]
    return made


def _both_ways(model: Model, column: Column, anchor: int, curve: int) -> tuple[BdCell, BdCell]:
    """A codec against the anchor, and the anchor against the codec: the same curves, resampled once."""
    if not all(_has_values(model, c, column) for c in (anchor, curve)):
        refused = BdCell(math.nan, why=UNPUBLISHED)
        return refused, refused
    how = Settings(higher_is_better=column.info.direction >= 0)
    try:
        one, other = (gather(_rd_points(model, c), model.curves[c].label, column.info.key) for c in (anchor, curve))
        found = compare_tables(one, other, column.info.key, how)
    except InputError as error:
        refused = BdCell(math.nan, why=str(error))
        return refused, refused
    rate, own = found.rate, [*found.image_rate.values()]
    resampled = found.images or max(len(one.images), len(other.images))
    low, high = (rate.low, rate.high) if resampled >= FEW else (math.nan, math.nan)
    overlap = found.overlap if math.isfinite(found.overlap) else 0.0
    images = found.images, len(model.images) - found.images if found.images else 0
    note = " ".join(of_other_images(one, other))

    def cell(value: float, ends: tuple[float, float], rates: Sequence[float], why: str) -> BdCell:
        mean = _mean_of_images(rates)
        return BdCell(value, *ends, overlap, *images, *mean, sum(map(math.isfinite, rates)), why, note)

    back = turned(high), turned(low)
    return (
        cell(rate.value, (low, high), own, found.refused or ""),
        cell(
            turned(rate.value),
            back if low > -100 else (math.nan, math.nan),
            [turned(percent) for percent in own],
            _refusal(other, one, column, how) if found.refused else "",
        ),
    )


def _refusal(anchor: CodecTable, tested: CodecTable, column: Column, how: Settings) -> str:
    """Why a pair is refused; it names the curve at fault as the anchor or the one tested, so each way has its own."""
    return compare_tables(anchor, tested, column.info.key, replace(how, resamples=0)).refused or ""


def turned(percent: float) -> float:
    """A BD-rate of the pair the other way round: the logarithm of the ratio of rates changes its sign.

    Infinite of -100 %, which stands for every ratio too small for its digits.
    """
    return math.inf if percent <= -100 else 100 * math.expm1(-math.log1p(percent / 100))


def _mean_of_images(rates: Sequence[float]) -> tuple[float, float, float]:
    """Mean of each image's own BD-rate, with its interval from `FEW` images on; NaN without one."""
    known = np.array([rate for rate in rates if math.isfinite(rate)])
    if not known.size:
        return math.nan, math.nan, math.nan
    ends = interval(draws(known.size, RESAMPLES) @ known) if known.size >= FEW else (math.nan, math.nan)
    return float(known.mean()), *ends


def anchor_of(model: Model, column: Column) -> int | None:
    """The curve that was asked for, else the one that most others save bits against, so that a table reads as savings.

    A published one that was not asked for only where there is one codec besides. None without two curves.
    """
    able = anchors_of(model, column)
    own = [curve for curve in able if not model.curves[curve].published]
    if len(able) < 2 or not own:
        return None
    if model.anchor in able:
        return model.anchor
    able = own if len(own) > 1 else [curve for curve in able if curve not in own]

    def saved(anchor: int) -> float:
        cells = [cell for curve, cell in bd_table(model, column, anchor).items() if curve in own]
        found = [cell.percent for cell in cells if math.isfinite(cell.percent)]
        return float(np.median(found)) if found else math.inf

    return min(able, key=saved)


def headline_columns(model: Model) -> list[Column]:
    """Metrics that a comparison of curves may be summed up in, best first: the study's own, then one of pixels.

    Where a published curve is the anchor that was asked for, those that it has come before.
    """
    found = [column for column in (model.primary, model.pixel_metric) if column is not None]
    if model.anchor is not None and model.curves[model.anchor].published:
        every = [*found, *(column for column in model.columns if column.info.direction)]
        found = [*(column for column in every if model.anchor in anchors_of(model, column)), *found]
    return list(dict.fromkeys(found))


def pareto(points: Sequence[Point], column: Column) -> set[int]:
    """Indices of the points that no other beats with at most as many bits.

    A codec that failed to reach its size is judged by the bytes it used, as every other.
    """
    sign = column.info.direction or 1
    means = [point.row.means[column.info.key] for point in points]
    worth = [sign * mean.value for mean in means]
    front: set[int] = set()
    top = -math.inf
    finite = [index for index in range(len(points)) if math.isfinite(worth[index])]
    for index in sorted(finite, key=lambda i: (means[i].bpp, -worth[i])):
        if worth[index] > top:
            front.add(index)
            top = worth[index]
    return front


def agreement(model: Model) -> list[list[float]]:
    """Spearman's rank correlation of every two metrics over all files, each turned so that higher is better.

    NaN on pairs with fewer than five files, or where a metric is the same everywhere.
    """
    table = np.array(
        [
            [record.value(column.info.key) * (column.info.direction or 1) for column in model.columns]
            for record in model.records
        ]
    ).reshape(len(model.records), len(model.columns))
    found = []
    for x in table.T:
        row = []
        for y in table.T:
            keep = np.isfinite(x) & np.isfinite(y)
            row.append(spearman(x[keep], y[keep]) if keep.sum() >= FEW else math.nan)
        found.append(row)
    return found
