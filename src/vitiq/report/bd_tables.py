"""BD-rates of a model as tables of text: of the mean curves, and the mean of the images' own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

from vitiq.analysis.curve import LEAST_POINTS
from vitiq.report.answer import percent_text, share_text
from vitiq.report.choice import MOST
from vitiq.report.comparisons import (
    LITTLE_OVERLAP,
    UNPUBLISHED,
    BdCell,
    anchor_of,
    anchors_of,
    bd_table,
    has_curves,
    headline_columns,
    without_values,
)
from vitiq.report.model import Model
from vitiq.report.published import of_other_images, set_of
from vitiq.report.table import Table, column_head, missing_notes, rows_by_question
from vitiq.text import plural


def bd_rates(model: Model) -> list[Table]:
    """BD-rates in every metric against one anchor, with intervals: of the mean curves, and the mean of the images' own.

    None without two curves.
    """
    column = next(iter(headline_columns(model)), None)
    anchor = anchor_of(model, column) if column else None
    if anchor is None or column is None:
        return []
    first = bd_table(model, column, anchor)
    curves = sorted(first, key=lambda c: math.inf if math.isnan(first[c].percent) else first[c].percent)
    made = [_bd_rates(model, anchor, curves, "bd-rate", "BD-rate of the mean curves", MEAN_CURVE, _mean_curve)]
    means = {n for n, curve in enumerate(model.curves) if set_of(curve) is not None}  # without images of their own
    if of_images := [] if anchor in means else [curve for curve in curves if curve not in means]:
        title = "Mean of the images' own BD-rates"
        made.append(_bd_rates(model, anchor, of_images, "bd-rate-of-images", title, MEAN_OF_IMAGES, _mean_of_images))
    return made


def _bd_rates(  # noqa: PLR0917 - what one of two tables is made of
    model: Model, anchor: int, curves: list[int], name: str, title: str, note: str, text: Callable[[BdCell], str]
) -> Table:
    columns = [c for c in model.columns if c.info.direction and anchor in anchors_of(model, c)]
    tables = {column_head(column): bd_table(model, column, anchor) for column in columns}
    cells = {head: [text(table[curve]) for curve in curves] for head, table in tables.items()}
    every = " ".join(cell for row in cells.values() for cell in row)
    notes = [note, "In brackets: 95 % intervals." if "(" in every else ""]
    notes.append(
        f"? The curves share less than {share_text(LITTLE_OVERLAP)} of their qualities." if "?" in every else ""
    )
    shorts = {column_head(column): column.info.short for column in columns}
    counts = {shorts[head]: {cell.count for cell in table.values() if cell.count} for head, table in tables.items()}
    images, few = _compared(model, counts)
    noted = any(table[c].note for table in tables.values() for c in curves)
    other = [
        *(of_other_images(model, [anchor, *curves]) if noted else []),
        without_values(model, anchor, model.columns),
    ]
    why = {
        shorts[head]: {c: table[c].why for c in curves if text(table[c]) == NOTHING} for head, table in tables.items()
    }
    if any(UNPUBLISHED in found.values() for found in why.values()):
        other.append(f"{NOTHING} of a published curve: {UNPUBLISHED}.")
    refused = {name: {c: said for c, said in found.items() if said != UNPUBLISHED} for name, found in why.items()}
    said = " ".join(part for part in [*notes, few, *other, *_refusals(model, refused), *missing_notes(model)] if part)
    whole = f"{title} against {model.curves[anchor].label}, {images}"
    labels = [model.curves[curve].label for curve in curves]
    if len(columns) > MOST:
        body, rules = rows_by_question(model, cells)
        rules = frozenset(rule - 1 for rule in rules if rule > 1)
        return Table(name, whole, ("metric", *labels), body, said, frozenset(), rules)
    heads = tuple(column.info.short for column in columns)
    return Table(name, whole, ("codec", *heads), tuple(zip(labels, *cells.values(), strict=True)), said)


def _compared(model: Model, counts: Mapping[str, set[int]]) -> tuple[str, str]:
    """How many images are compared, for a title; and in which metrics they are fewer, for a note."""
    every = len(model.images)
    fewer = {name: found for name, found in counts.items() if found and found != {every}}
    known = set().union(*counts.values())
    if len(known) < 2:
        most = max(known, default=every)
        return plural(most, "image") + (f" of {every}" if most < every else ""), ""
    said = ", ".join(f"{name} over {' or '.join(map(str, sorted(found)))}" for name, found in fewer.items())
    return plural(every, "image"), f"Fewer images are compared where others have no curve: {said}."


def _refusals(model: Model, refused: Mapping[str, Mapping[int, str]]) -> Iterator[str]:
    """Why a BD-rate is missing, once a reason; and the codecs that have no curve at all."""
    reasons: dict[tuple[int, str], list[str]] = {}
    for name, found in refused.items():
        for curve, why in found.items():
            reasons.setdefault((curve, why.removeprefix("BD-rate refused: ")), []).append(name)
    for (curve, why), names in reasons.items():
        yield f"{NOTHING} {model.curves[curve].label}, {' and '.join(names)}: {why or 'no image has a value'}."
    able = set(has_curves(model))
    if short := [curve.label for index, curve in enumerate(model.curves) if index not in able]:
        yield f"Without a curve, which takes {LEAST_POINTS} qualities: {', '.join(short)}."


NOTHING = "–"
"""Of a BD-rate that is refused."""

MEAN_CURVE = "Change in bits at equal quality; negative saves bits. The mean curve weighs images by their bits."
MEAN_OF_IMAGES = "Change in bits at equal quality on each image, averaged; negative saves bits. Images weigh alike."


def _mean_curve(cell: BdCell) -> str:
    few = "?" if math.isfinite(cell.percent) and cell.overlap < LITTLE_OVERLAP else ""
    return percent_text(cell.percent) + _bounds(cell.low, cell.high) + few


def _mean_of_images(cell: BdCell) -> str:
    return percent_text(cell.mean) + _bounds(cell.mean_low, cell.mean_high)


def _bounds(low: float, high: float) -> str:
    return f" ({low:+.1f} … {high:+.1f})".replace("-", "−") if math.isfinite(low) else ""
