"""One typical image from every codec at one size, on the first screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vitiq.evaluation.record import Record
from vitiq.report.answer import Answer, first_level, size_text
from vitiq.report.assets import Assets
from vitiq.report.marks import mark
from vitiq.report.metric_info import number_text
from vitiq.report.model import Model, ranked
from vitiq.report.source import Files, Study

MOST = 10
"""Images on the first screen at most, the original among them."""


def gallery(study: Study, model: Model, assets: Assets, start: int, words: Answer) -> dict[str, Any] | None:
    """Thumbnails of one image with their words; None without a reconstruction.

    Args:
        study, model: the same records.
        assets: hands out addresses of thumbnails.
        start: index of the image.
        words: gives the metric that each thumbnail names.
    """
    name, width, height, size = model.images[start]
    where = {(record.key, record.image): found for record, found in study.records}
    chosen = _chosen(model, name, where)[: MOST - 1]
    if not chosen:
        return None
    shown = []
    for curve, record in chosen:
        path = where[record.key, name].reconstruction
        source = assets.thumbnail(path) if path is not None else ""
        shown.append({"src": source, "key": f"{record.key[:10]}.{start}", **_words(model, curve, record, words)})
    original = next((f.original for r, f in study.records if r.image == name and f.original), None)
    if original is not None:
        first = {"src": assets.thumbnail(original), "alt": f"{name}, original", "label": "Original", "mark": ""}
        shown.insert(0, {**first, "text": size_text(size) if size else "", "key": shown[0]["key"]})
    what = "" if model.levels else " Files nearest in size, not of equal bytes."
    middle = ", the image of the median score" if len(model.images) > 2 else ""
    title = f"{name}{middle}. Select a file to compare it with the original.{what}"
    return {"title": title, "shown": [{**item, "width": width, "height": height} for item in shown]}


def _chosen(model: Model, image: str, where: Mapping[tuple[str, str], Files]) -> list[tuple[int, Record]]:
    """One file a codec: of the first screen's bytes, else the files nearest in size to what every codec reaches."""
    own = [
        (curve, record)
        for curve, record in zip(model.curve_of, model.records, strict=True)
        if record.image == image and where[record.key, image].reconstruction is not None
    ]
    if model.levels:
        rows = ranked(first_level(model), model.primary)
        pairs = ((row, [r for c, r in own if c == row.curve and r.bytes in row.sizes]) for row in rows)
        return [(row.curve, records[0]) for row, records in pairs if records]
    sizes: dict[int, list[Record]] = {}
    for curve, record in own:
        sizes.setdefault(curve, []).append(record)
    aim = max((min(record.bytes for record in records) for records in sizes.values()), default=1) * 1.15
    return [(c, min(records, key=lambda r: abs(math.log(r.bytes / aim)))) for c, records in sizes.items()]


def _words(model: Model, curve: int, record: Record, words: Answer) -> dict[str, Any]:
    column, label = words.column, model.curves[curve].label
    score = f", {column.info.short} {column.text(record.value(column.info.key))}" if column else ""
    return {
        "alt": f"{record.image}, {label}, {record.bytes} bytes",
        "label": label,
        "mark": mark(model.curves[curve].style, curve),
        "text": f"{number_text(record.bytes, 0)} bytes{'' if record.reached else ' ▲'}{score}",
    }
