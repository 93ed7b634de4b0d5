"""Published curves beside a study's own: lines in its charts and partners of BD-rates. They have no files. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from vitiq.analysis.anchors import aligned
from vitiq.analysis.mean_curve import MeanCurve, mean_curves
from vitiq.analysis.points import RdPoint, codecs_of, points_of
from vitiq.errors import InputError
from vitiq.report.model import Column, Curve, Model
from vitiq.report.style import published_style
from vitiq.text import listed

MARK = " [published]"


def with_published(model: Model, points: Sequence[RdPoint], anchor: str | None = None) -> Model:
    """A study's model with published curves after its own, those that have a metric of the study.

    Args:
        model: of the study alone.
        points: of published tables, under the labels that `vitiq bd` gives them.
        anchor: label of the curve that BD-rates are relative to, where one was asked for.
    """
    if not model.records:
        return model
    known = {column.info.key for column in model.columns}
    placed = aligned(points_of(model.records), points)
    able = codecs_of([point for point in placed if known & point.values.keys()])
    marked = dict(zip(able, _marked(able, [curve.label for curve in model.curves]), strict=True))
    curves = [
        Curve("", label, published_style(n), 0, {}, tuple(replace(p, codec=label) for p in placed if p.codec == name))
        for n, (name, label) in enumerate(marked.items())
    ]
    asked = len(model.curves) + able.index(anchor) if anchor in able else None
    return replace(
        model,
        curves=[*model.curves, *curves],
        anchor=asked if model.anchor is None else model.anchor,
        unmatched=_marked((name for name in codecs_of(placed) if name not in marked), marked.values()),
    )


def _marked(labels: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Labels that say of themselves that they are published, each other than all the others."""
    used, found = set(taken), []
    for label in labels:
        name = label if label.endswith(MARK) else label + MARK
        while name in used:
            name += MARK
        used.add(name)
        found.append(name)
    return found


def mean_line(model: Model, curve: int, column: Column) -> MeanCurve | None:
    """Points of a published curve's line by growing rate; None where it has none in this metric.

    Of a table with a row an image they are means over those of the study's images that the study's own means hold;
    where it has none of them, over its own.
    """
    key = ("line", curve, column.info.key)
    if key not in model.bd:
        model.bd[key] = _mean_line(model, curve, column.info.key)
    found: MeanCurve | None = model.bd[key]
    return found


def _mean_line(model: Model, curve: int, metric: str) -> MeanCurve | None:
    points = [p for p in model.curves[curve].points if metric in p.values]
    if not points:
        return None
    held = {name for name, *_ in model.images} - set(model.without[metric].images)
    shared = [p for p in points if p.aggregate or p.image in held]
    try:
        (line,) = mean_curves(shared or points, metric, resamples=0)
    except InputError:  # no image has a value at every setting
        return None
    return line if line.settings else None


def image_line(model: Model, curve: int, column: Column, image: str) -> list[RdPoint]:
    """A published curve's own points of one image by growing rate, of tables with a row an image."""
    points = [p for p in model.curves[curve].points if p.image == image and not p.aggregate]
    key = column.info.key
    return sorted((p for p in points if math.isfinite(p.values.get(key, math.nan))), key=lambda p: p.bpp)


def set_of(curve: Curve) -> str | None:
    """Name of the images that a published mean is over, "" where it is not known; None of a table of images."""
    return next((p.image for p in curve.points if p.aggregate), None)


def of_other_images(model: Model, curves: Iterable[int]) -> list[str]:
    """What is said of the published curves among some: that they are of other images than the study's."""
    images = {name for name, *_ in model.images}
    means: dict[str, list[str]] = {}
    apart = []
    for curve in (model.curves[index] for index in curves):
        name = set_of(curve)
        if name is not None:
            means.setdefault(name, []).append(curve.label)
        elif curve.published and not images & {point.image for point in curve.points}:
            apart.append(f"{curve.label} is of other images than the study's.")
    said = []
    for name, labels in means.items():
        what = "is a published mean" if len(labels) == 1 else "are published means"
        of = f" of {name!r}" if name else ""
        said.append(f"{listed(labels)} {what}{of}: of other images, as far as is known.")
    return said + apart


def published_limits(model: Model) -> list[str]:
    """What is said of a study's published curves: that they are of other images, or share no metric with it."""
    found = of_other_images(model, range(len(model.curves)))
    if model.unmatched:
        found.append(f"Not shown, as no metric of this study is in it: {', '.join(model.unmatched)}.")
    return found
