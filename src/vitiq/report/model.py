"""The numbers of a report with their formats: a pure function of records. Page, tables and figures all read this.

Nothing here opens a file, so that a number printed in two places is the same number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vitiq.analysis.left_out import LeftOut, left_out
from vitiq.analysis.points import RdPoint
from vitiq.evaluation.independence import dependent_of
from vitiq.evaluation.record import Record
from vitiq.report.asked import asked_bytes, common_setting, excess, sets_the_size
from vitiq.report.metric_info import MetricInfo, digits, metric_infos, number_text
from vitiq.report.style import CodecStyle, styles

FEW = 5
"""Below so many images no interval is printed: it would be a number without meaning."""
RESAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Column:
    """A metric as a column: its metadata, the digits its values deserve, and the level of chance (NaN without one)."""

    info: MetricInfo
    places: int
    signature: str
    chance: float = math.nan

    def text(self, value: float) -> str:
        """A value of this column for people."""
        return number_text(value, self.places)


@dataclass(frozen=True, slots=True)
class Curve:
    """One codec with its settings: what is one line in a chart and one row in a table; or a published curve.

    Attributes:
        codec: registered name.
        label: its title with options that differ from the default, unique in the study.
        style: colour, marker and line.
        shared_bytes: weights the decoder must own.
        dependent: metrics scored by a network that the codec was optimised against -> that network.
        points: of a published curve, which has no files; empty of a codec of the study.
    """

    codec: str
    label: str
    style: CodecStyle
    shared_bytes: int
    dependent: dict[str, str]
    points: tuple[RdPoint, ...] = ()

    @property
    def published(self) -> bool:
        """Whether this is of a published table."""
        return bool(self.points)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over images.

    Attributes:
        value: NaN without a finite value.
        low, high: 95 % bootstrap interval over images; NaN below `FEW` images.
        count: images in it; left_out: the others.
        bytes, bpp: mean size of the same files.
    """

    value: float
    low: float
    high: float
    count: int
    left_out: int
    bytes: float
    bpp: float


@dataclass(frozen=True, slots=True)
class Row:
    """A codec at one level of bytes: means over the images.

    Attributes:
        curve: index into `Model.curves`.
        bytes, asked: mean size, and mean size asked for (NaN where this codec set the size itself).
        over: names of the images whose file is larger than requested.
        excess: how much larger than requested those files are, together, as a share; NaN where `over` is empty.
        nearest: the files are the closest to the size asked for, some of which may be larger, though within reach.
        sizes: bytes of each file.
        count: images.
        encode_seconds, decode_seconds: medians.
        means: metric -> mean.
    """

    curve: int
    bytes: float
    asked: float
    bpp: float
    over: tuple[str, ...]
    excess: float
    nearest: bool
    sizes: frozenset[int]
    count: int
    encode_seconds: float
    decode_seconds: float
    means: dict[str, Mean]

    @property
    def reached(self) -> bool:
        """Every file is as small as asked for."""
        return not self.over


@dataclass(frozen=True, slots=True)
class Point:
    """A codec at one quality: one point of its mean curve."""

    curve: int
    setting: str
    row: Row


@dataclass(frozen=True, slots=True)
class Model:
    """A study in numbers.

    Attributes:
        name: of the study.
        images: names in order, with width, height and bytes of the original file (0 where not known).
        columns: metrics asked for, in order.
        curves: codecs with settings, in order, and published curves after them.
        records: every finished record.
        curve_of: index of each record's curve.
        levels: rows at equal bytes, one list a level of bytes, from few to many; empty in a study of qualities.
        points: mean curves over quality.
        preset: "thesis" where the thesis's own tables belong here, else "".
        problems: lines.
        missing: files that could not be made, a line each.
        files: records by curve and image.
        without: metric -> images that no mean of it holds.
        unfinished: what the study's command would still do, in lines.
        anchor: index of the curve that BD-rates are relative to; None where none was asked for.
        unmatched: names of published curves that have no metric of the study.
        bd: what `comparisons` and `published` have computed of this model.
    """

    name: str
    images: list[tuple[str, int, int, int]]
    columns: list[Column]
    curves: list[Curve]
    records: list[Record]
    curve_of: list[int]
    levels: list[list[Row]]
    points: list[Point]
    preset: str
    problems: list[str]
    missing: list[str]
    files: dict[tuple[int, str], list[Record]]
    without: dict[str, LeftOut]
    unfinished: list[str] = field(default_factory=list)
    anchor: int | None = None
    unmatched: list[str] = field(default_factory=list)
    bd: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def column(self, key: str) -> Column:
        """The column of a metric key."""
        return next(column for column in self.columns if column.info.key == key)

    @property
    def own(self) -> list[int]:
        """Indices of the curves that have files: all but the published ones."""
        return [index for index, curve in enumerate(self.curves) if not curve.published]

    @property
    def primary(self) -> Column | None:
        """The metric the study is about: the first one of meaning, else the first with a direction."""
        known = [column for column in self.columns if column.info.direction]
        semantic = [column for column in known if column.info.kind == "semantic"]
        return (semantic or known or [None])[0]  # type: ignore[list-item]

    @property
    def pixel_metric(self) -> Column | None:
        """The first metric that compares pixels: no network that tuned a codec can have a hand in it."""
        found = [c for c in self.columns if c.info.direction and c.info.kind == "full-reference"]
        return next((c for c in found if c.info.unit == "dB"), found[0] if found else None)


def build_model(
    name: str,
    records: Sequence[Record],
    problems: Sequence[str] = (),
    missing: Sequence[str] = (),
    *,
    unfinished: Sequence[str] = (),
    anchor: str | None = None,
) -> Model:
    """The numbers of a study.

    Args:
        name: of the study.
        records: finished ones; those with an error are left out.
        problems: lines to show.
        missing: lines about files that could not be made, so that no mean holds them.
        unfinished: lines about what is still to be done.
        anchor: label of the curve that BD-rates are relative to; None where none was asked for.
    """
    records = [record for record in records if record.error is None]
    curves, curve_of = _curves(records)
    keys = list(dict.fromkeys(key for record in records for key in record.scores))
    columns = [_column(info, records) for info in metric_infos(keys)]
    images: dict[str, tuple[str, int, int, int]] = {}
    for record in records:
        size = int(_number(record.details.get("original_bytes")))
        images.setdefault(record.image, (record.image, record.width, record.height, size))
    files: dict[tuple[int, str], list[Record]] = {}
    for curve, record in zip(curve_of, records, strict=True):
        files.setdefault((curve, record.image), []).append(record)
    presets = {str(record.details.get("preset") or "") for record in records}
    model = Model(
        name,
        list(images.values()),
        columns,
        curves,
        records,
        curve_of,
        [],
        [],
        max(presets, default=""),
        [*problems],
        [*missing],
        files,
        {
            column.info.key: left_out(
                (curves[curve].label, record.image, record.value(column.info.key))
                for curve, record in zip(curve_of, records, strict=True)
                if column.info.key in record.scores
            )
            for column in columns
        },
        [*unfinished],
        next((curve for curve, record in zip(curve_of, records, strict=True) if record.label == anchor), None),
    )
    model.levels.extend(_levels(model))
    model.points.extend(_points(model))
    return model


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _curves(records: Sequence[Record]) -> tuple[list[Curve], list[int]]:
    names = list(dict.fromkeys((record.codec, record.label) for record in records))
    clashing = {label for _, label in names if sum(label == other for _, other in names) > 1}
    found = []
    for (codec, label), style in zip(names, styles(names), strict=True):
        own = [record for record in records if (record.codec, record.label) == (codec, label)]
        shared = max(int(_number(record.details.get("shared_bytes"))) for record in own)
        unique = f"{label} ({codec})" if label in clashing else label
        found.append(Curve(codec, unique, style, shared, dependent_of(own)))
    return found, [names.index((record.codec, record.label)) for record in records]


def _column(info: MetricInfo, records: Sequence[Record]) -> Column:
    scores = [record.scores[info.key] for record in records if info.key in record.scores]
    chance = scores[0].details.get("chance")
    known = float(chance) if isinstance(chance, int | float) and not info.key.startswith("vit-topk-adj") else math.nan
    return Column(info, _places(info.key, records), scores[0].signature, known)


def _places(key: str, records: Sequence[Record]) -> int:
    """Digits of a column; those of the share of labels for the same share corrected for chance, which is no finer."""
    share = key.replace("vit-topk-adj", "vit-topk")
    own = share if any(share in record.scores for record in records) else key
    return digits(record.scores[own].value for record in records if own in record.scores)


def _levels(model: Model) -> list[list[Row]]:
    """Records at equal bytes: an image's targets in growing order are its levels.

    Of two files of one codec at one level, as of a main codec whose own file has the size asked for, the last counts.
    """
    levels: dict[int, dict[int, dict[str, Record]]] = {}
    targets: dict[str, set[float]] = {}
    for record in model.records:
        target = record.bytes if sets_the_size(record) else asked_bytes(record)
        if target is not None:
            targets.setdefault(record.image, set()).add(round(target))
    for curve, record in zip(model.curve_of, model.records, strict=True):
        target = record.bytes if sets_the_size(record) else asked_bytes(record)
        if target is not None:
            level = sorted(targets[record.image]).index(round(target))
            levels.setdefault(level, {}).setdefault(curve, {})[record.image] = record
    found = [
        [_row(model, curve, list(own.values())) for curve, own in levels[level].items()] for level in sorted(levels)
    ]
    return [rows for rows in found if len(rows) > 1]


def _points(model: Model) -> list[Point]:
    """Mean points of every codec and rate that was asked for, over the images."""
    groups: dict[tuple[int, str, float], list[Record]] = {}
    for curve, record in zip(model.curve_of, model.records, strict=True):
        groups.setdefault((curve, record.rate_kind, _setting(model, curve, record)), []).append(record)
    found = [Point(curve, common_setting(own), _row(model, curve, own)) for (curve, _, _), own in groups.items()]
    return sorted(found, key=lambda point: (point.curve, point.row.bpp))


def _setting(model: Model, curve: int, record: Record) -> float:
    """What files of several images have in common: the rate asked for.

    Files made at the size of another codec's are one setting; of files made elsewhere, whose settings are not known,
    the n-th of each image are.
    """
    if record.rate_kind == "bytes" and record.details.get("group") == "equal-bytes":
        return -1.0
    if record.rate_kind == "quality" and record.quality is None:
        return float(sum(other.bytes < record.bytes for other in model.files[curve, record.image]))
    return record.rate_value


def _row(model: Model, curve: int, own: Sequence[Record]) -> Row:
    targets = [target for record in own if (target := asked_bytes(record)) is not None]
    return Row(
        curve,
        float(np.mean([record.bytes for record in own])),
        float(np.mean(targets)) if targets else math.nan,
        float(np.mean([record.bpp for record in own])),
        tuple(record.image for record in own if not record.reached),
        excess(own),
        any(record.nearest for record in own),
        frozenset(record.bytes for record in own),
        len(own),
        _median([record.encode_seconds for record in own]),
        _median([record.decode_seconds for record in own]),
        {column.info.key: _mean(own, column.info.key, model.without[column.info.key]) for column in model.columns},
    )


def _median(values: Sequence[float]) -> float:
    """Median of the finite values; NaN without one."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.median(finite)) if finite else math.nan


def _mean(own: Sequence[Record], key: str, without: LeftOut) -> Mean:
    """Mean of a metric with its bootstrap interval (Efron 1979, percentiles, fixed seed).

    NaN where a file of an image that the other means hold has no finite value: without it the mean would be of others.
    """
    scored = [record for record in own if key in record.scores]
    held = [record for record in scored if record.image not in without.images]
    values = np.array([record.value(key) for record in held])
    if not held or not np.isfinite(values).all():
        return Mean(math.nan, math.nan, math.nan, 0, len(scored), math.nan, math.nan)
    low = high = math.nan
    if len(values) >= FEW:
        drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
        low, high = (float(end) for end in np.quantile(values[drawn].mean(axis=1), [0.025, 0.975]))
    size, rate = float(np.mean([r.bytes for r in held])), float(np.mean([r.bpp for r in held]))
    return Mean(float(values.mean()), low, high, len(held), len(scored) - len(held), size, rate)


def ranked(rows: Sequence[Row], column: Column | None) -> list[Row]:
    """Rows that reached their size from best to worst, then the others likewise."""

    def place(row: Row) -> tuple[bool, float]:
        value = row.means[column.info.key].value if column else math.nan
        worth = -value * (column.info.direction if column else 1)
        return (not row.reached, worth if math.isfinite(worth) else math.inf)

    return sorted(rows, key=place)


def first_rows(model: Model, rows: Sequence[Row]) -> list[Row]:
    """Rows in the order of the study's own metric."""
    return ranked(rows, model.primary)


def best(rows: Sequence[Row], column: Column) -> set[int]:
    """Curves with the best mean among those that reached their size, ties as printed."""
    fair = [row for row in rows if row.reached and math.isfinite(row.means[column.info.key].value)]
    if len(fair) < 2 or not column.info.direction:
        return set()
    top = max(fair, key=lambda row: column.info.direction * row.means[column.info.key].value)
    shown = column.text(top.means[column.info.key].value)
    return {row.curve for row in fair if column.text(row.means[column.info.key].value) == shown}
