"""What is said of images that some means do not hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vitiq.report.model import Column, Model
from vitiq.text import plural

NAMED = 4
"""Images, or settings, that are named in a note."""


def left_out_notes(model: Model, columns: Sequence[Column]) -> list[str]:
    """Which images the means of some metrics do not hold, and why."""
    found: dict[tuple[str, int], list[str]] = {}
    for column in columns:
        without = model.without[column.info.key]
        if without.images:
            found.setdefault((without.text(NAMED), len(without.images)), []).append(column.info.short)
    every = len(model.images)
    said = [
        f"Means of {', '.join(names)} are over {every - count} of {every} images. Left out, as {why}."
        for (why, count), names in found.items()
    ]
    return said + _undrawn(model, columns) + _undefined(model, columns)


def _undrawn(model: Model, columns: Sequence[Column]) -> list[str]:
    """Settings at which a mean has no finite value though other settings of the codec have one."""
    found = []
    for column in columns:
        means = [(point, point.row.means[column.info.key]) for point in model.points]
        able = {point.curve for point, mean in means if math.isfinite(mean.value)}
        lost = [
            f"{model.curves[point.curve].label} at {point.setting}"
            for point, mean in means
            if point.curve in able and math.isnan(mean.value)
        ]
        if lost:
            more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
            found.append(
                f"No mean of {column.info.short}, as a file has no finite value: {', '.join(lost[:NAMED])}{more}."
            )
    return found


def _undefined(model: Model, columns: Sequence[Column]) -> list[str]:
    """Metrics that have no value of any file, and the first reason."""
    found = []
    for column in columns:
        scores = [score for record in model.records if (score := record.scores.get(column.info.key))]
        if not any(math.isfinite(score.value) for score in scores):
            reason = next((str(score.details["undefined"]) for score in scores if "undefined" in score.details), "")
            found.append(f"{column.info.short} has no finite value of any file{': ' + reason if reason else ''}.")
    return found


def images_text(model: Model, column: Column) -> str:
    """How many images the means of a metric hold: "12 images", or "11 of 12 images"."""
    every, lacking = len(model.images), len(model.without[column.info.key].images)
    return f"{every - lacking} of {plural(every, 'image')}" if lacking else plural(every, "image")
