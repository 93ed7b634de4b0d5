"""Tables of a model as rows of text; their notes go with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from vitiq.evaluation.independence import DEPENDENT, marked
from vitiq.evaluation.record import Record
from vitiq.report.answer import NEAREST, excess_text, first_level, seconds_text, size_text
from vitiq.report.asked import of_main_codec
from vitiq.report.bd_tables import bd_rates
from vitiq.report.choice import MOST, first_columns
from vitiq.report.left_out import left_out_notes
from vitiq.report.metric_info import number_text
from vitiq.report.model import Column, Model, Row, best, ranked
from vitiq.report.table import Table, column_head, encode_head, missing_notes, rows_by_question

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
    header = ("codec", "setting", "bytes", "bits per pixel", *map(column_head, columns), encode_head(model))
    title = f"Means over {len(model.images)} images at each setting" if len(model.images) > 1 else "At each setting"
    data = tuple(_data(model, point.row, point.setting) for point in model.points)
    return Table("settings", title, header, cells, _equal_note(model, rows), data=data)


def equal_bytes(model: Model, rows: Sequence[Row], level: int = 0) -> Table:
    """Codecs at one size, those that could not reach it below a rule and starred.

    With more than `MOST` metrics a metric is a row and a codec a column, so that the table fits a page.
    """
    order = ranked(rows, model.primary)
    labels = [model.curves[row.curve].label + ("" if row.reached else "*") for row in order]
    sizes = [number_text(row.bytes, 0) for row in order]
    times = [seconds_text(row.encode_seconds) for row in order]
    values = [_values(model, order, column) for column in model.columns]
    heads = [column_head(column) for column in model.columns]
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
    data = tuple(_data(model, row) for row in order)
    if len(model.columns) > MOST:
        body, rules = rows_by_question(model, dict(zip(heads, values, strict=True)))
        places = {row[0]: at + 1 for at, row in enumerate(body)}
        marked = frozenset((places[heads[index]], place + 1) for place, index in bold)
        lines = (("bytes", *sizes), *body, (encode_head(model), *times))
        return Table(name, title, ("metric", *labels), lines, note, marked, rules | {1, len(lines) - 1}, data)
    fair = sum(row.reached for row in order)
    cells = tuple(zip(labels, sizes, *values, times, strict=True))
    rules = frozenset({fair} if 0 < fair < len(order) else ())
    marked = frozenset((place, index + 2) for place, index in bold)
    return Table(name, title, ("codec", "bytes", *heads, encode_head(model)), cells, note, marked, rules, data)


def _data(model: Model, row: Row, setting: str = "") -> dict[str, object]:
    """A row of means as numbers, the metrics under their keys."""
    curve = model.curves[row.curve]
    found: dict[str, object] = {"codec": curve.label, "setting": setting} if setting else {"codec": curve.label}
    found |= {"images": row.count, "bytes": row.bytes, "bpp": row.bpp, "reached": row.reached}
    for column in model.columns:
        key, mean = column.info.key, row.means[column.info.key]
        found |= {key: mean.value, f"{key}_low": mean.low, f"{key}_high": mean.high}
    found |= {"encode_seconds_median": row.encode_seconds, "decode_seconds_median": row.decode_seconds}
    return found | {"decoder_weights_bytes": curve.shared_bytes, "not_independent": " ".join(sorted(curve.dependent))}


def _values(model: Model, rows: Sequence[Row], column: Column) -> list[str]:
    key = column.info.key
    return [
        marked(column.text(row.means[key].value), independent=key not in model.curves[row.curve].dependent)
        for row in rows
    ]


def _equal_note(model: Model, rows: Sequence[Row]) -> str:
    note = []
    over = [row for row in rows if not row.reached]
    if over:
        said = _each_once(f"{model.curves[row.curve].label} by {excess_text(row.excess)}" for row in over)
        note.append(f"* Larger than requested, as no file this small was found ({said}): not compared.")
    if any(row.nearest for row in rows):
        note.append(NEAREST)
    if any(model.curves[row.curve].dependent for row in rows):
        note.append(DEPENDENT)
    shared = [c for c in (model.curves[row.curve] for row in rows) if c.shared_bytes]
    if shared:
        said = _each_once(f"{curve.label} {size_text(curve.shared_bytes)}" for curve in shared)
        note.append(f"Weights that every decoder needs: {said}.")
    few = [row for row in rows if row.count < len(model.images)]
    if few:
        said = _each_once(f"{model.curves[row.curve].label} {row.count} of {len(model.images)}" for row in few)
        note.append(f"Means over fewer images than the others: {said}.")
    note += missing_notes(model)
    note += left_out_notes(model, model.columns)
    if any(model.without[column.info.key].images for column in model.columns):
        note.append("Sizes and times are over all images of a row.")
    if any(math.isnan(row.means[column.info.key].value) for column in model.columns for row in rows):
        note.append("–: an image has no finite value there.")
    common = _common(model)
    notes = dict.fromkeys((r.label, line) for r in model.records for line in r.notes if line in common)
    note += [f"{label}: {line.rstrip('.')}." for label, line in list(notes)[:4]]
    return " ".join(note)


def _each_once(texts: Iterable[str]) -> str:
    """Texts in a row; a codec has as many rows as settings."""
    return ", ".join(dict.fromkeys(texts))


def _common(model: Model) -> set[str]:
    """Notes that several files have, so that they are about a codec and not about one size."""
    counts = Counter(note for record in model.records for note in set(record.notes))
    return {note for note, count in counts.items() if count > max(1, len(model.images) // 2)}


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
    rows, data = [], []
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
        data.append(
            {
                "image": record.image,
                "vit-topk": record.value("vit-topk"),
                **{name: _float(found.get(name)) for name in ("chance", "chance_deviation", "adjusted", "p_value")},
                "top1_original": first,
                "top1_reconstruction": second,
            }
        )
    header = ("image", "ViT-Score", "chance", "corrected", "p", "top label, original", "top label, reconstruction")
    note = "p: probability that two random label lists share as many labels."
    k = next((_details(r, "vit-topk").get("k") for r in records if "vit-topk" in r.scores), 100)
    title = f"ViT-Score (top-K label overlap), K = {k} (the thesis's Table 3.1)"
    return Table("vit-scores", title, header, tuple(rows), note, data=tuple(data))


def _brisque(records: Sequence[Record]) -> Table:
    names = ("original", "generated", "delta")
    rows = tuple(
        (r.image, *(number_text(_float(_details(r, "brisque").get(name)), 2) for name in names)) for r in records
    )
    data = tuple({"image": r.image, **{n: _float(_details(r, "brisque").get(n)) for n in names}} for r in records)
    title = "BRISQUE, lower is more natural (the thesis's Table 3.2)"
    return Table("brisque", title, ("image", "original", "reconstruction", "difference"), rows, data=data)


def _summary(model: Model, keys: set[str]) -> Table:
    columns = [(key, places) for key, places in SUMMARY if key in keys]
    rows = []
    data: list[dict[str, object]] = []
    for record in main_records(model):
        sections = record.details.get("sections")
        original = _float(record.details.get("original_bytes"))
        latent = _float(sections.get("latents")) if isinstance(sections, dict) else math.nan
        ratios = (number_text(original / record.bytes, 0), number_text(original / latent, 0) if latent else "–")
        values = (number_text(record.value(key), places) for key, places in columns)
        rows.append((record.image, number_text(record.bytes, 0), *ratios, *values))
        known = {key: record.value(key) for key, _ in columns}
        sizes = {"bytes": record.bytes, "original_bytes": original, "latent_bytes": latent}
        data.append({"image": record.image, "published": False, **sizes, **known})
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
        sizes = {"bytes": 1540, "original_bytes": math.nan, "latent_bytes": math.nan}
        data.append({"image": name, "published": True, **sizes, **{key: known[key] for key, _ in columns}})
    titles = {key: model.column(key).info for key, _ in columns}
    heads = tuple(", ".join(part for part in (titles[key].short, titles[key].unit) if part) for key, _ in columns)
    note = (
        "Rows marked (thesis) are published, on other images, with ViT-B/16: the sizes compare, the images do not."
        + (" The last column is what the thesis calls FID." if "frechet-pixel" in keys else "")
    )
    header = ("image", "bytes", "file : file", "file : latent", *heads)
    title = "Summary (the thesis's Table 3.3)"
    return Table("summary", title, header, tuple(rows), note, frozenset(), frozenset({rule}), tuple(data))
