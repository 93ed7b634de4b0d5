"""What curves say about each other: BD-rate with intervals, Pareto front, agreement of metrics. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from vitiq.analysis.bd_rate import ENOUGH_OVERLAP, bd_rate
from vitiq.analysis.curve import LEAST_POINTS
from vitiq.errors import InputError
from vitiq.report.model import FEW, RESAMPLES, Column, Model, Point

LITTLE_OVERLAP = ENOUGH_OVERLAP
"""A mean over less than this share of the qualities says little."""


@dataclass(frozen=True, slots=True)
class BdCell:
    """BD-rate of one codec against an anchor: the mean of the images' own BD-rates.

    Attributes:
        percent: negative where fewer bits are needed; NaN where it is not defined, then `why` says so.
        low, high: 95 % bootstrap interval over images; NaN below `FEW` images.
        overlap: mean share of the qualities that both curves reach.
        count, left_out: images used, and those whose curves allow none.
        why: reason without a value.
    """

    percent: float
    low: float
    high: float
    overlap: float
    count: int
    left_out: int
    why: str = ""


def has_curves(model: Model) -> list[int]:
    """Curves with enough points for a BD-rate."""
    return [
        index
        for index in range(len(model.curves))
        if sum(point.curve == index for point in model.points) >= LEAST_POINTS
    ]


def bd_table(model: Model, column: Column, anchor: int) -> dict[int, BdCell]:
    """BD-rate of every other codec with a curve against the anchor; computed once a model."""
    key = (column.info.key, anchor)
    if key not in model.bd:
        model.bd[key] = {
            curve: _cell(_logs(model, column, anchor, curve), len(model.images))
            for curve in has_curves(model)
            if curve != anchor
        }
    found: dict[int, BdCell] = model.bd[key]
    return found


Logs = list["tuple[float, float] | str"]
"""For each image the logarithm of the ratio of rates and the overlap, or why there is none."""


def _logs(model: Model, column: Column, anchor: int, curve: int) -> Logs:
    """Of one pair of codecs; the pair the other way round is the same with its sign changed."""
    key = (column.info.key, min(anchor, curve), max(anchor, curve))
    if key not in model.bd:
        model.bd[key] = [_log(model, column, key[1], key[2], image) for image, *_ in model.images]
    sign = 1 if anchor < curve else -1
    return [(sign * found[0], found[1]) if isinstance(found, tuple) else found for found in model.bd[key]]


def _log(model: Model, column: Column, anchor: int, curve: int, image: str) -> tuple[float, float] | str:
    better = column.info.direction >= 0
    try:
        rates = (*_curve(model, column, anchor, image), *_curve(model, column, curve, image))
        found = bd_rate(*rates, higher_is_better=better)
    except InputError as error:
        return str(error)
    return math.log1p(found.percent / 100), found.overlap


def _cell(logs: Logs, images: int) -> BdCell:
    values = np.array([math.expm1(found[0]) * 100 for found in logs if isinstance(found, tuple)])
    overlaps = [found[1] for found in logs if isinstance(found, tuple)]
    left_out = images - len(values)
    if not len(values):
        why = next((found for found in logs if isinstance(found, str)), "")
        return BdCell(math.nan, math.nan, math.nan, 0.0, 0, left_out, why)
    low = high = math.nan
    if len(values) >= FEW:
        drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
        low, high = (float(end) for end in np.quantile(values[drawn].mean(axis=1), [0.025, 0.975]))
    return BdCell(float(values.mean()), low, high, float(np.mean(overlaps)), len(values), left_out)


def _curve(
    model: Model, column: Column, curve: int, image: str
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Rates and values of one image's files."""
    own = sorted((record.bpp, record.value(column.info.key)) for record in model.files.get((curve, image), ()))
    rates, values = np.array(own, dtype=np.float64).reshape(-1, 2).T
    return rates, values


def anchor_of(model: Model, column: Column) -> int | None:
    """The curve that most others save bits against, so that a table reads as savings; None without two curves."""
    able = has_curves(model)
    if len(able) < 2:
        return None

    def saved(anchor: int) -> float:
        found = [cell.percent for cell in bd_table(model, column, anchor).values() if math.isfinite(cell.percent)]
        return float(np.median(found)) if found else math.inf

    return min(able, key=saved)


def pareto(points: Sequence[Point], column: Column) -> set[int]:
    """Indices of the points that no other beats with at most as many bits.

    A codec that failed to reach its size is judged by the bytes it used, as every other.
    """
    sign = column.info.direction or 1
    worth = [sign * point.row.means[column.info.key].value for point in points]
    front: set[int] = set()
    top = -math.inf
    for index in sorted(range(len(points)), key=lambda i: (points[i].row.bpp, -worth[i])):
        if math.isfinite(worth[index]) and worth[index] > top:
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
            a, b = _ranks(x[keep]), _ranks(y[keep])
            row.append(
                float(np.corrcoef(a, b)[0, 1]) if keep.sum() >= FEW and a.std() > 0 and b.std() > 0 else math.nan
            )
        found.append(row)
    return found


def _ranks(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Ranks, equal values sharing their mean rank."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[places], dtype=np.float64)
