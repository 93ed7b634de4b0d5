"""The tables of the first screen: codecs at equal bytes, or the bits they need for equal quality. For the template."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vitiq.evaluation.independence import DEPENDENT, DEPENDENT_RATE, MARK, marked
from vitiq.report.answer import (
    NEAREST,
    Answer,
    excess_text,
    first_level,
    percent_text,
    seconds_text,
    share_text,
    size_text,
    typical_seconds,
)
from vitiq.report.choice import MOST, by_question, first_columns
from vitiq.report.comparisons import (
    LITTLE_OVERLAP,
    BdCell,
    anchors_of,
    bd_table,
    is_independent,
    without_values,
)
from vitiq.report.left_out import images_text
from vitiq.report.marks import mark
from vitiq.report.metric_info import MetricInfo, number_text
from vitiq.report.model import Column, Model, Row, best, ranked
from vitiq.report.published import mean_line
from vitiq.report.table import encode_head
from vitiq.text import plural

Cell = dict[str, Any]
TOO_LARGE = "No file this small was found for some images: larger files, not compared with those above"


def lead_table(model: Model, words: Answer) -> dict[str, Any] | None:
    """The table of the first screen, a codec a row; None where nothing can be compared."""
    if model.levels:
        return _equal_table(model, first_level(model))
    return _curve_table(model, words) if words.anchor is not None else None


def every_metric(model: Model, words: Answer) -> dict[str, Any] | None:
    """All metrics, a metric a row under the question it asks; None where all fit into the first screen."""
    if len(model.columns) <= MOST or not (model.levels or words.anchor is not None):
        return None
    if model.levels:
        rows = ranked(first_level(model), model.primary)
        curves, marked = [row.curve for row in rows], {row.curve for row in rows if not row.reached}
        cells = {c.info.key: [_equal_cell(model, row, rows, c) for row in rows] for c in model.columns}
        title = f"Every metric, means over {_images(model)}, every codec at the same file size"
    else:
        curves, marked = _order(model, words), set()
        columns = _with_anchor(model, words, model.columns)
        cells = {c.info.key: [_curve_cell(model, c, words.anchor or 0, curve) for curve in curves] for c in columns}
        title = f"Bits needed for equal quality against {model.curves[words.anchor or 0].label}, in every metric"
    heads = [{"text": "metric", "about": "", "mark": ""}]
    for curve in curves:
        text = model.curves[curve].label + (" ▲" if curve in marked else "")
        heads.append({"text": text, "about": TOO_LARGE if curve in marked else "", "mark": _mark(model, curve)})
    groups = [
        {
            "title": question,
            "rows": [
                {"mark": "", "label": _named(c.info), "about": about(c), "cells": cells[c.info.key]} for c in columns
            ],
        }
        for question, columns in by_question([c for c in model.columns if c.info.key in cells])
    ]
    note = "▲: larger than requested, not compared. " if marked else ""
    return {"title": title, "heads": heads, "groups": groups, "note": note}


def _named(info: MetricInfo) -> str:
    return f"{info.short}{', ' + info.unit if info.unit else ''} {info.arrow}".strip()


def _mark(model: Model, curve: int) -> Any:
    return mark(model.curves[curve].style, curve)


def _cell(text: str, cls: str = "", about: str = "", sub: str = "") -> Cell:
    return {"text": text, "cls": cls, "about": about, "sub": sub}


def _images(model: Model) -> str:
    return plural(len(model.images), "image")


def about(column: Column) -> str:
    """What a metric is, in a line for a hover."""
    info = column.info
    parts = (info.title, info.direction_text, f"range {info.range_text}", info.formula)
    return "; ".join(part for part in (*parts, f"signature {column.signature}") if part)


def _cost_heads(model: Model) -> list[dict[str, str]]:
    heads = [{"text": encode_head(model), "about": "Median seconds an image"}]
    if any(curve.shared_bytes for curve in model.curves):
        heads.append({"text": "decoder's weights", "about": "Size of the weights that every decoder needs"})
    return heads


def _costs(model: Model, curve: int, seconds: float) -> list[Cell]:
    """What a codec costs beside bits; weights only where a codec of the study has any."""
    shared = model.curves[curve].shared_bytes
    none = "–" if model.curves[curve].published else "none"
    weights = [_cell(size_text(shared) if shared else none)] if len(_cost_heads(model)) > 1 else []
    return [_cell(seconds_text(seconds)), *weights]


def _equal_table(model: Model, rows: list[Row]) -> dict[str, Any]:
    order = ranked(rows, model.primary)
    columns = first_columns(model)
    heads = [{"text": "codec", "about": ""}, {"text": "bytes", "about": "Mean size of the whole file"}]
    heads += [{"text": _named(c.info), "about": about(c)} for c in columns]
    fair = [_equal_row(model, row, rows, columns) for row in order if row.reached]
    large = [_equal_row(model, row, rows, columns) for row in order if not row.reached]
    groups: list[dict[str, Any]] = [{"title": "", "rows": fair}] if fair else []
    if large:
        groups.append({"title": TOO_LARGE if fair else TOO_LARGE.partition(":")[0], "rows": large})
    note = "Bold: best among the codecs that reached the size. " if len(fair) > 1 else ""
    if any(row.nearest for row in rows):
        note += f"{NEAREST} "
    if any(curve.dependent for curve in model.curves):
        note += DEPENDENT
    title = f"Means over {_images(model)}, every codec at the same file size"
    return {"title": title, "heads": [*heads, *_cost_heads(model)], "groups": groups, "note": note.strip()}


def _equal_row(model: Model, row: Row, rows: list[Row], columns: list[Column]) -> dict[str, Any]:
    curve = model.curves[row.curve]
    if row.reached:
        cells = [_cell(number_text(row.bytes, 0))]
    else:
        sub = f"+{excess_text(row.excess)}"
        over = f"larger than requested {len(row.over)} of {row.count} images: {', '.join(row.over[:6])}"
        cells = [_cell(number_text(row.bytes, 0), "over", over, sub)]
    cells += [_equal_cell(model, row, rows, column) for column in columns]
    cells += _costs(model, row.curve, row.encode_seconds)
    few = f"{row.count} of {_images(model)}" if row.count < len(model.images) else ""
    return {"mark": _mark(model, row.curve), "label": curve.label, "about": "", "cells": cells, "sub": few}


def _equal_cell(model: Model, row: Row, rows: list[Row], column: Column) -> Cell:
    mean = row.means[column.info.key]
    text = marked(column.text(mean.value), independent=is_independent(model, column, row.curve))
    said = f"{mean.count} images" + (f", {mean.left_out} left out" if mean.left_out else "")
    if math.isfinite(mean.low):
        said = f"95 % interval {column.text(mean.low)} … {column.text(mean.high)} over {said}"
    return _cell(text, "top" if row.curve in best(rows, column) else "", said)


def _order(model: Model, words: Answer) -> list[int]:
    """Curves by the bits they need in the headline's metric; those without a value last."""

    def bits(curve: int) -> float:
        cell = words.bd.get(curve)
        value = 0.0 if curve == words.anchor else cell.percent if cell else math.nan
        return value if math.isfinite(value) else math.inf

    return sorted(range(len(model.curves)), key=bits)


def _with_anchor(model: Model, words: Answer, columns: Sequence[Column]) -> list[Column]:
    """The metrics that the anchor has values of."""
    return [c for c in columns if c.info.direction and words.anchor in anchors_of(model, c)]


def _bits(model: Model, curve: int, headline: Column | None) -> str:
    """From the least to the most bits per pixel of a curve's mean points; a dash without one."""
    rows = [point.row for point in model.points if point.curve == curve]
    rates = [row.means[headline.info.key].bpp if headline else math.nan for row in rows]
    lines = (mean_line(model, curve, column) for column in (headline, *model.columns) if column)
    if line := next((line for line in lines if line is not None), None):
        rates = [float(rate) for rate in line.rate]
    known = [rate for rate in rates if math.isfinite(rate)] or [row.bpp for row in rows]
    return f"{min(known):.2f} … {max(known):.2f}" if known else "–"


def _curve_table(model: Model, words: Answer) -> dict[str, Any]:
    anchor, headline = words.anchor or 0, words.column
    columns = _with_anchor(model, words, first_columns(model)) or [column for column in [headline] if column]
    rows = []
    for curve in _order(model, words):
        cells = [_curve_cell(model, column, anchor, curve) for column in columns]
        cells += [_cell(_bits(model, curve, headline)), *_costs(model, curve, typical_seconds(model, curve))]
        rows.append({"mark": _mark(model, curve), "label": model.curves[curve].label, "about": "", "cells": cells})
    heads = [{"text": "codec", "about": ""}]
    heads += [{"text": f"bits for equal {c.info.short}", "about": about(c)} for c in columns]
    heads += [{"text": "bits per pixel", "about": "From the least to the most of the mean points"}, *_cost_heads(model)]
    note = (
        "Change in bits at equal quality (BD-rate) of the mean curve over the images; negative saves bits. "
        "On hover: 95 % intervals, and the mean of each image's own BD-rate, which weights images equally."
    )
    texts = [cell["text"] for row in rows for cell in row["cells"][: len(columns)]]
    if any(text.endswith("?") for text in texts):
        part = share_text(LITTLE_OVERLAP)
        note += f" ?: the curves share less than {part} of their qualities, so the number says little."
    if any(MARK in text for text in texts):
        note += f" {DEPENDENT_RATE}"
    if any(text == "–" for text in texts):
        note += " –: refused; why on hover."
    if lacking := without_values(model, anchor, first_columns(model)):
        note += f" {lacking}"
    over = images_text(model, headline) if headline else _images(model)
    title = f"Bits needed against {model.curves[anchor].label}, {over}"
    return {"title": title, "heads": heads, "groups": [{"title": "", "rows": rows}], "note": note}


def _curve_cell(model: Model, column: Column, anchor: int, curve: int) -> Cell:
    table = bd_table(model, column, anchor)
    cell = table.get(curve)
    if curve == anchor:
        return _cell("anchor")
    if cell is None or math.isnan(cell.percent):
        return _cell("–", "", cell.why if cell else "too few qualities for a curve")
    values = [table[own].percent for own in model.own if own in table and math.isfinite(table[own].percent)]
    top = "top" if curve in model.own and cell.percent == min(values) and cell.percent < 0 else ""
    shown = marked(percent_text(cell.percent), independent=is_independent(model, column, curve, anchor))
    few = "?" if cell.overlap < LITTLE_OVERLAP else ""
    return _cell(shown + few, top, bd_words(cell))


def bd_words(cell: BdCell) -> str:
    """Both means of a BD-rate, their intervals and what they rest on."""
    mean = f"; mean of the images' own {percent_text(cell.mean)}{_between(cell.mean_low, cell.mean_high)}"
    mean += f" over the {cell.mean_count} that have one" if cell.mean_count < cell.count else ""
    return (
        f"mean curve {percent_text(cell.percent)}{_between(cell.low, cell.high)}"
        f"{mean if math.isfinite(cell.mean) else ''}; {cell.note or _over(cell.count)}"
        f"{f', {cell.left_out} left out' if cell.left_out else ''}, "
        f"the curves share {share_text(cell.overlap)} of their qualities"
    )


def _over(count: int) -> str:
    return plural(count, "image") if count else "published means of one set of images"


def _between(low: float, high: float) -> str:
    return f" (95 % {percent_text(low)} … {percent_text(high)})" if math.isfinite(low) else ""
