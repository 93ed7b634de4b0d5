"""Tables of a model as rows of text; their notes go with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vitiq.analysis.curve import LEAST_POINTS
from vitiq.evaluation.record import Record
from vitiq.report.answer import NEAREST, excess_text, first_level, percent_text, seconds_text, share_text, size_text
from vitiq.report.asked import of_main_codec
from vitiq.report.choice import MOST, by_question, first_columns
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
from vitiq.report.left_out import left_out_notes
from vitiq.report.metric_info import number_text
from vitiq.report.model import Column, Model, Row, best, ranked
from vitiq.report.published import of_other_images, set_of
from vitiq.text import plural

THESIS = (
    ("Bevo", 0.14, 0.26, 3479.34, 12.68, 32.92, 39.55, 1241999.9),
    ("Kliment", 0.54, 0.56, 1759.28, 15.64, -8.36, 44.36, 549089.5),
    ("Logo", 0.29, 0.91, 393.69, 22.15, 102.90, 97.18, 81105.2),
    ("Tower", 0.03, 0.53, 1315.75, 16.90, 14.60, 52.84, 331171.6),
)
"""Published in the thesis (Tables 3.1-3.3): ViT-Score, SSIM, MSE, PSNR, BRISQUE original and generated, "FID"."""
THESIS_PRESET = "thesis"
SUMMARY = (("vit-topk", 2), ("ssim", 2), ("mse", 2), ("psnr-rgb", 2), ("brisque", 2), ("frechet-pixel", 0))
"""Columns of the thesis's summary, and their digits."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of text.

    Attributes:
        name: file-safe name.
        title: caption.
        header: column names.
        rows: cells.
        note: what a reader must know.
        bold: cells (row, column) that are the best of their column.
        rules: rows above which a rule stands.
    """

    name: str
    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    bold: frozenset[tuple[int, int]] = frozenset()
    rules: frozenset[int] = frozenset()


def all_tables(model: Model) -> list[Table]:
    """Every table that the study has numbers for: at least the means of each setting."""
    made = [equal_bytes(model, rows, index) for index, rows in enumerate(model.levels)]
    return [*made, *bd_rates(model), *thesis_tables(model)] or [each_setting(model)]


def answer_table(model: Model) -> Table:
    """The one table that answers the study's question: codecs at equal bytes, or BD-rates, or what each made."""
    if model.levels:
        return equal_bytes(model, first_level(model))
    return next(iter(bd_rates(model)), None) or each_setting(model)


def each_setting(model: Model) -> Table:
    """Codecs at each of their settings, where nothing is to be compared; the first metrics, where there are many."""
    columns = first_columns(model)
    rows = [point.row for point in model.points]
    labels = [model.curves[row.curve].label + ("" if row.reached else "*") for row in rows]
    sizes = [(number_text(row.bytes, 0), f"{row.bpp:.4f}") for row in rows]
    values = zip(*(_values(model, rows, column) for column in columns), strict=True) if columns else [()] * len(rows)
    cells = tuple(
        (label, point.setting, *size, *own, seconds_text(point.row.encode_seconds))
        for label, point, size, own in zip(labels, model.points, sizes, values, strict=True)
    )
    header = ("codec", "setting", "bytes", "bits per pixel", *map(_head, columns), "encode")
    title = f"Means over {len(model.images)} images at each setting" if len(model.images) > 1 else "At each setting"
    return Table("settings", title, header, cells, _equal_note(model, rows))


def equal_bytes(model: Model, rows: Sequence[Row], level: int = 0) -> Table:
    """Codecs at one size, those that could not reach it below a rule and starred.

    With more than `MOST` metrics a metric is a row and a codec a column, so that the table fits a page.
    """
    order = ranked(rows, model.primary)
    labels = [model.curves[row.curve].label + ("" if row.reached else "*") for row in order]
    sizes = [number_text(row.bytes, 0) for row in order]
    times = [seconds_text(row.encode_seconds) for row in order]
    values = [_values(model, order, column) for column in model.columns]
    heads = [_head(column) for column in model.columns]
    bold = {
        (place, index)
        for index, column in enumerate(model.columns)
        for place, row in enumerate(order)
        if row.curve in best(rows, column)
    }
    title = (
        f"Means over {len(model.images)} images, every codec at the same file size"
        if len(model.images) > 1
        else "At the same file size"
    )
    note, name = _equal_note(model, order), f"equal-bytes-{level + 1}"
    if len(model.columns) > MOST:
        body, rules = _by_question(model, dict(zip(heads, values, strict=True)))
        places = {row[0]: at + 1 for at, row in enumerate(body)}
        marked = frozenset((places[heads[index]], place + 1) for place, index in bold)
        lines = (("bytes", *sizes), *body, ("encode", *times))
        return Table(name, title, ("metric", *labels), lines, note, marked, rules | {1, len(lines) - 1})
    fair = sum(row.reached for row in order)
    cells = tuple(zip(labels, sizes, *values, times, strict=True))
    rules = frozenset({fair} if 0 < fair < len(order) else ())
    marked = frozenset((place, index + 2) for place, index in bold)
    return Table(name, title, ("codec", "bytes", *heads, "encode"), cells, note, marked, rules)


def _values(model: Model, rows: Sequence[Row], column: Column) -> list[str]:
    key = column.info.key
    return [
        column.text(row.means[key].value) + ("†" if key in model.curves[row.curve].dependent else "") for row in rows
    ]


def _by_question(
    model: Model, values: Mapping[str, Sequence[str]]
) -> tuple[tuple[tuple[str, ...], ...], frozenset[int]]:
    """Rows of metrics under a rule a question, and where the rules stand, counted with one row before them."""
    rows: list[tuple[str, ...]] = []
    rules = set()
    for _, columns in by_question(model.columns):
        rules.add(len(rows) + 1)
        rows += [(_head(column), *values[_head(column)]) for column in columns if _head(column) in values]
    return tuple(rows), frozenset(rules)


def _head(column: Column) -> str:
    info = column.info
    return " ".join(part for part in (f"{info.short}, {info.unit}" if info.unit else info.short, info.arrow) if part)


def _equal_note(model: Model, rows: Sequence[Row]) -> str:
    note = []
    over = [row for row in rows if not row.reached]
    if over:
        said = ", ".join(f"{model.curves[row.curve].label} by {excess_text(row.excess)}" for row in over)
        note.append(f"* Larger than requested, as no file this small was found ({said}): not compared.")
    if any(row.nearest for row in rows):
        note.append(NEAREST)
    if any(model.curves[row.curve].dependent for row in rows):
        note.append("† Scored by a network, or a relative of it, that the codec was optimised against.")
    shared = [c for c in (model.curves[row.curve] for row in rows) if c.shared_bytes]
    if shared:
        said = ", ".join(f"{curve.label} {size_text(curve.shared_bytes)}" for curve in shared)
        note.append(f"Weights that every decoder needs: {said}.")
    few = [row for row in rows if row.count < len(model.images)]
    if few:
        said = ", ".join(f"{model.curves[row.curve].label} {row.count} of {len(model.images)}" for row in few)
        note.append(f"Means over fewer images than the others: {said}.")
    note += _missing(model)
    note += left_out_notes(model, model.columns)
    if any(model.without[column.info.key].images for column in model.columns):
        note.append("Sizes and times are over all images of a row.")
    if any(math.isnan(row.means[column.info.key].value) for column in model.columns for row in rows):
        note.append("–: an image has no finite value there.")
    common = _common(model)
    notes = dict.fromkeys((r.label, line) for r in model.records for line in r.notes if line in common)
    note += [f"{label}: {line.rstrip('.')}." for label, line in list(notes)[:4]]
    return " ".join(note)


def _missing(model: Model) -> list[str]:
    """Files that could not be made, the first ones by name."""
    if not model.missing:
        return []
    more = f", and {len(model.missing) - NAMED} more" if len(model.missing) > NAMED else ""
    return [f"Not in the means: {'; '.join(model.missing[:NAMED])}{more}."]


NAMED = 6
"""Files that could not be made, named in a note."""


def _common(model: Model) -> set[str]:
    """Notes that several files have, so that they are about a codec and not about one size."""
    counts = Counter(note for record in model.records for note in set(record.notes))
    return {note for note, count in counts.items() if count > max(1, len(model.images) // 2)}


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
    tables = {_head(column): bd_table(model, column, anchor) for column in columns}
    cells = {head: [text(table[curve]) for curve in curves] for head, table in tables.items()}
    every = " ".join(cell for row in cells.values() for cell in row)
    notes = [note, "In brackets: 95 % intervals." if "(" in every else ""]
    notes.append(
        f"? The curves share less than {share_text(LITTLE_OVERLAP)} of their qualities." if "?" in every else ""
    )
    shorts = {_head(column): column.info.short for column in columns}
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
    said = " ".join(part for part in [*notes, few, *other, *_refusals(model, refused), *_missing(model)] if part)
    whole = f"{title} against {model.curves[anchor].label}, {images}"
    labels = [model.curves[curve].label for curve in curves]
    if len(columns) > MOST:
        body, rules = _by_question(model, cells)
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


def main_records(model: Model) -> list[Record]:
    """Records of the main codec, one an image."""
    return [record for record in model.records if of_main_codec(record)]


def thesis_tables(model: Model) -> list[Table]:
    """The thesis's tables 3.1-3.3, where the study is the thesis's own comparison and has those metrics; else none."""
    if model.preset != THESIS_PRESET or not main_records(model):
        return []
    keys = {column.info.key for column in model.columns}
    made = []
    if "vit-topk" in keys:
        made.append(_vit_scores(main_records(model)))
    if "brisque" in keys:
        made.append(_brisque(main_records(model)))
    if keys & {key for key, _ in SUMMARY}:
        made.append(_summary(model, keys))
    return made


def _details(record: Record, key: str) -> dict[str, Any]:
    score = record.scores.get(key)
    return dict(score.details) if score else {}


def _float(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def p_text(value: float) -> str:
    """A p-value, with very small ones as a bound."""
    return "–" if math.isnan(value) else ("< 1e-6" if value < 1e-6 else f"{value:.2g}")


def _vit_scores(records: Sequence[Record]) -> Table:
    rows = []
    for record in records:
        found = _details(record, "vit-topk")
        if "chance" not in found:
            continue
        chance = f"{number_text(_float(found['chance']), 2)} ± {number_text(_float(found['chance_deviation']), 2)}"
        first, second = found["top1"]
        corrected, p = number_text(_float(found["adjusted"]), 2), p_text(_float(found["p_value"]))
        rows.append(
            (record.image, number_text(record.value("vit-topk"), 2), chance, corrected, p, str(first), str(second))
        )
    header = ("image", "ViT-Score", "chance", "corrected", "p", "top label, original", "top label, reconstruction")
    note = "p: probability that two random label lists share as many labels."
    k = next((_details(r, "vit-topk").get("k") for r in records if "vit-topk" in r.scores), 100)
    return Table(
        "vit-scores", f"ViT-Score (top-K label overlap), K = {k} (the thesis's Table 3.1)", header, tuple(rows), note
    )


def _brisque(records: Sequence[Record]) -> Table:
    names = ("original", "generated", "delta")
    rows = tuple(
        (r.image, *(number_text(_float(_details(r, "brisque").get(name)), 2) for name in names)) for r in records
    )
    title = "BRISQUE, lower is more natural (the thesis's Table 3.2)"
    return Table("brisque", title, ("image", "original", "reconstruction", "difference"), rows)


def _summary(model: Model, keys: set[str]) -> Table:
    columns = [(key, places) for key, places in SUMMARY if key in keys]
    rows = []
    for record in main_records(model):
        sections = record.details.get("sections")
        original = _float(record.details.get("original_bytes"))
        latent = _float(sections.get("latents")) if isinstance(sections, dict) else math.nan
        ratios = (number_text(original / record.bytes, 0), number_text(original / latent, 0) if latent else "–")
        values = (number_text(record.value(key), places) for key, places in columns)
        rows.append((record.image, number_text(record.bytes, 0), *ratios, *values))
    rule = len(rows)
    for name, vit, ssim, mse, psnr, _, generated, fid in THESIS:
        known = {
            "vit-topk": vit,
            "ssim": ssim,
            "mse": mse,
            "psnr-rgb": psnr,
            "brisque": generated,
            "frechet-pixel": fid,
        }
        rows.append(
            (f"{name} (thesis)", "1,540", "266", "–", *(number_text(known[k], places) for k, places in columns))
        )
    titles = {key: model.column(key).info for key, _ in columns}
    heads = tuple(", ".join(part for part in (titles[key].short, titles[key].unit) if part) for key, _ in columns)
    note = (
        "Rows marked (thesis) are published, on other images, with ViT-B/16: the sizes compare, the images do not."
        + (" The last column is what the thesis calls FID." if "frechet-pixel" in keys else "")
    )
    header = ("image", "bytes", "file : file", "file : latent", *heads)
    title = "Summary (the thesis's Table 3.3)"
    return Table("summary", title, header, tuple(rows), note, frozenset(), frozenset({rule}))
