"""BD-rates of a model as tables of text: of the mean curves, and the mean of the images' own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vitiq.analysis.curve import LEAST_POINTS
from vitiq.analysis.refusals import NOTHING, Refusals
from vitiq.evaluation.independence import DEPENDENT_RATE, MARK, marked
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
    is_independent,
    without_values,
)
from vitiq.report.model import Column, Model
from vitiq.report.published import of_other_images, set_of
from vitiq.report.table import Table, column_head, missing_notes, rows_by_question
from vitiq.text import listed, plural


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the two means of a BD-rate over images.

    Attributes:
        name, title, note: of its table.
        fewer: what is said where it is over fewer images than the study has.
        numbers: its value and the ends of its interval, in per cent; NaN where there is none.
        count: images in it.
        marks_overlap: whether it is marked where the two curves share little.
    """

    name: str
    title: str
    note: str
    fewer: str
    numbers: Callable[[BdCell], tuple[float, float, float]]
    count: Callable[[BdCell], int]
    marks_overlap: bool

    def why(self, cell: BdCell) -> str:
        """Why it has no value; "" where it has one."""
        return (cell.why or "no image has a value") if math.isnan(self.numbers(cell)[0]) else ""

    def text(self, cell: BdCell, refusals: Refusals, *, independent: bool) -> str:
        """A cell of the table."""
        value, low, high = self.numbers(cell)
        if math.isnan(value):
            return NOTHING if cell.why == UNPUBLISHED else refusals.cell(self.why(cell))
        few = "?" if self.marks_overlap and cell.overlap < LITTLE_OVERLAP else ""
        ends = f" ({low:+.1f} … {high:+.1f})".replace("-", "−") if math.isfinite(low) else ""
        return f"{marked(percent_text(value), independent=independent)}{few}{ends}"


MEAN_CURVE = _Kind(
    "bd-rate",
    "BD-rate of the mean curves",
    "Change in bits at equal quality; negative saves bits. The mean curve weighs images by their bits.",
    "Fewer images are compared where others have no curve",
    lambda cell: (cell.percent, cell.low, cell.high),
    lambda cell: cell.count,
    marks_overlap=True,
)
OF_IMAGES = _Kind(
    "bd-rate-of-images",
    "Mean of the images' own BD-rates",
    "Change in bits at equal quality on each image, averaged; negative saves bits. Images weigh alike.",
    "Fewer images have a BD-rate of their own",
    lambda cell: (cell.mean, cell.mean_low, cell.mean_high),
    lambda cell: cell.mean_count,
    marks_overlap=False,
)


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
    made = [_bd_rates(model, anchor, curves, MEAN_CURVE)]
    means = {n for n, curve in enumerate(model.curves) if set_of(curve) is not None}  # without images of their own
    if of_images := [] if anchor in means else [curve for curve in curves if curve not in means]:
        made.append(_bd_rates(model, anchor, of_images, OF_IMAGES))
    return made


def _bd_rates(model: Model, anchor: int, curves: list[int], kind: _Kind) -> Table:
    columns = [c for c in model.columns if c.info.direction and anchor in anchors_of(model, c)]
    tables = {column: bd_table(model, column, anchor) for column in columns}
    why = {
        (c, column.info.short): said for column, table in tables.items() for c in curves if (said := kind.why(table[c]))
    }
    refusals = Refusals.of((model.curves[c].label, name, w) for (c, name), w in why.items() if w != UNPUBLISHED)
    cells = {
        column_head(column): [
            kind.text(table[c], refusals, independent=is_independent(model, column, c, anchor)) for c in curves
        ]
        for column, table in tables.items()
    }
    every = " ".join(cell for row in cells.values() for cell in row)
    notes = [kind.note, "In brackets: 95 % intervals." if "…" in every else ""]
    notes.append(
        f"? The curves share less than {share_text(LITTLE_OVERLAP)} of their qualities." if "?" in every else ""
    )
    notes.append(DEPENDENT_RATE if MARK in every else "")
    counts = {
        column.info.short: {c: kind.count(table[c]) for c in curves if kind.count(table[c])}
        for column, table in tables.items()
    }
    images, few = _compared(model, counts)
    noted = any(table[c].note for table in tables.values() for c in curves)
    other = [
        f"{kind.fewer}: {few}." if few else "",
        *(of_other_images(model, [anchor, *curves]) if noted else []),
        without_values(model, anchor, model.columns),
    ]
    if UNPUBLISHED in why.values():
        other.append(f"{NOTHING} of a published curve: {UNPUBLISHED}.")
    refused = [f"{line}." for line in refusals.lines()]
    said = " ".join(part for part in [*notes, *other, *refused, *_without_curve(model), *missing_notes(model)] if part)
    whole = f"{kind.title} against {model.curves[anchor].label}, {images}"
    labels = [model.curves[curve].label for curve in curves]
    data = tuple(_data(model, column, anchor, curve, kind) for curve in curves for column in columns)
    if len(columns) > MOST:
        body, rules = rows_by_question(model, cells)
        rules = frozenset(rule - 1 for rule in rules if rule > 1)
        return Table(kind.name, whole, ("metric", *labels), body, said, frozenset(), rules, data)
    heads = tuple(column.info.short for column in columns)
    rows = tuple(zip(labels, *cells.values(), strict=True))
    return Table(kind.name, whole, ("codec", *heads), rows, said, data=data)


def _data(model: Model, column: Column, anchor: int, curve: int, kind: _Kind) -> dict[str, object]:
    """A BD-rate as numbers."""
    cell = bd_table(model, column, anchor)[curve]
    value, low, high = kind.numbers(cell)
    return {
        "codec": model.curves[curve].label,
        "anchor": model.curves[anchor].label,
        "metric": column.info.key,
        "bd_rate_percent": value,
        "low": low,
        "high": high,
        "images": kind.count(cell) or None,
        "overlap": None if math.isnan(cell.percent) else cell.overlap,
        "independent": is_independent(model, column, curve, anchor),
        "refused": kind.why(cell),
    }


def _compared(model: Model, counts: Mapping[str, Mapping[int, int]]) -> tuple[str, str]:
    """How many images are compared, for a title; and in which metrics, of which codecs, they are fewer, for a note.

    Args:
        counts: metric -> curve -> images.
    """
    every = len(model.images)
    known = {count for found in counts.values() for count in found.values()}
    if len(known) < 2:
        most = max(known, default=every)
        return plural(most, "image") + (f" of {every}" if most < every else ""), ""
    parts = []
    for name, found in counts.items():
        fewer: dict[int, list[str]] = {}
        for curve, count in found.items():
            if count < every:
                fewer.setdefault(count, []).append(model.curves[curve].label)
        all_alike = len(set(found.values())) == 1
        said = [f"{count}{'' if all_alike else f' ({listed(labels)})'}" for count, labels in sorted(fewer.items())]
        parts += [f"{name} over {listed(said)}"] if said else []
    return plural(every, "image"), "; ".join(parts)


def _without_curve(model: Model) -> Iterator[str]:
    """The codecs that have no curve at all."""
    able = set(has_curves(model))
    if short := [curve.label for index, curve in enumerate(model.curves) if index not in able]:
        yield f"Without a curve, which takes {LEAST_POINTS} qualities: {', '.join(short)}."
