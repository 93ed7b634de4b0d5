"""A model as the JSON that the page's own code reads: compact, numbers with their formats, images as addresses."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from vitiq.analysis.bd_rate import ENOUGH_OVERLAP
from vitiq.evaluation.independence import DEPENDENT_RATE
from vitiq.evaluation.record import Record
from vitiq.report.answer import answer, seconds_text, warnings_of
from vitiq.report.asked import asked_bytes, setting_text
from vitiq.report.assets import Assets
from vitiq.report.choice import first_columns
from vitiq.report.comparisons import BdCell, agreement, anchors_of, bd_table, has_curves, pareto
from vitiq.report.details import shared_labels
from vitiq.report.metric_info import number_text
from vitiq.report.model import Column, Mean, Model
from vitiq.report.published import image_line, mean_line, set_of
from vitiq.report.source import Files, Study, previews, read_trace

STEPS = 200
"""Points of a search's loss curve that are kept."""


def payload(study: Study, model: Model, assets: Assets) -> dict[str, Any]:
    """Everything the page's code shows.

    Args:
        study: gives the files of each record.
        model: the numbers of the same records.
        assets: hands out addresses of images.
    """
    images: dict[str, int] = {name: index for index, (name, *_) in enumerate(model.images)}
    words: dict[str, int] = {}
    files = {(record.key, record.image): found for record, found in study.records}
    records = [
        _record(record, files[record.key, record.image], curve, images, model, words, assets)
        for curve, record in zip(model.curve_of, model.records, strict=True)
    ]
    originals: dict[str, Path] = {}
    for record, found in study.records:
        if found.original is not None:
            originals.setdefault(record.image, found.original)
    words_of = answer(model)
    first = first_columns(model)
    anchor = model.anchor if model.anchor in has_curves(model) else words_of.anchor
    return {
        "name": model.name,
        "primary": words_of.column.info.key if words_of.column else None,
        "metrics": [_column(column) for column in model.columns],
        "first": [index for index, column in enumerate(model.columns) if column in first],
        "codecs": [
            {
                "name": curve.codec,
                "label": curve.label,
                "light": curve.style.light,
                "dark": curve.style.dark,
                "marker": curve.style.marker,
                "dash": curve.style.dash,
                "hollow": curve.style.hollow,
                "dependent": sorted(curve.dependent),
            }
            for curve in model.curves
        ],
        "images": [_image(image, originals.get(image[0]), assets) for image in model.images],
        "records": records,
        "words": list(words),
        "points": _points(model),
        "published": _published(model),
        "anchor": anchor,
        "bd": _bd(model, anchor),
        "daggers": DEPENDENT_RATE,
        "agreement": [[_short(value, 3, _places(2)) for value in row] for row in agreement(model)],
    }


def to_script(value: object) -> str:
    """JSON that may stand inside a script element, whatever the names in it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


Text = Callable[[float], str]


def _short(value: float | None, figures: int = 5, shown: Text | None = None) -> float | None:
    """A number with so many figures; None where JSON has no word for it.

    Args:
        shown: what the page makes of it. Where that differs from what it makes of the number itself, since rounding
            twice is not rounding once (41.648 to 41.65 to 41.7), there are as many figures more as it takes.
    """
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{figures}g}")
    while shown is not None and figures < 17 and shown(short) != shown(value):
        figures += 1
        short = float(f"{value:.{figures}g}")
    return int(short) if short == int(short) and abs(short) < 1e15 else short


def _places(count: int) -> Text:
    """The text of a number with so many decimal places."""
    return partial(number_text, places=count)


WHOLE, PERCENT, BPP = _places(0), _places(1), _places(3)


def _share(value: float) -> str:
    """Overlap of two curves in per cent, and whether it is marked as small."""
    return f"{value:.0%}{value < ENOUGH_OVERLAP}"


def _column(column: Column) -> dict[str, Any]:
    info = column.info
    about = [info.title, info.direction_text, f"range {info.range_text} {info.unit}".strip(), info.formula]
    about += [info.reference, f"signature {column.signature}" if column.signature else ""]
    return {
        "key": info.key,
        "short": info.short,
        "unit": info.unit,
        "places": column.places,
        "sign": info.direction,
        "asks": info.question,
        "chance": _short(column.chance, 3),
        "about": "\n".join(line for line in about if line),
    }


def _image(image: tuple[str, int, int, int], path: Path | None, assets: Assets) -> dict[str, Any]:
    name, width, height, size = image
    found = {"name": name, "w": width, "h": height, "bytes": size}
    if path is not None:
        found["src"] = assets.full(path)
    return found


def _record(  # noqa: PLR0917 - what a file is made of
    record: Record,
    files: Files,
    curve: int,
    images: Mapping[str, int],
    model: Model,
    words: dict[str, int],
    assets: Assets,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "k": f"{record.key[:10]}",
        "i": images[record.image],
        "c": curve,
        "q": setting_text(record),
        "b": record.bytes,
        "p": _short(record.bpp, 4, BPP),
        "e": _short(record.encode_seconds, 3, seconds_text),
        "d": _short(record.decode_seconds, 3, seconds_text),
        "s": [_value(record, column) for column in model.columns],
    }
    asked = asked_bytes(record)
    if asked is not None:
        found["a"] = round(asked)
    if record.quality is not None and record.rate_kind != "quality":
        found["q"] += f" (quality {record.quality:.10g})"
    if not record.reached:
        found["over"] = 1
    if files.reconstruction is not None:
        found["src"] = assets.full(files.reconstruction)
        found["ov"] = _overlays(files, assets)
    sections = record.details.get("sections")
    if isinstance(sections, Mapping) and len(sections) > 1:
        found["parts"] = [[str(name), int(size)] for name, size in sections.items()]
    labels = _labels(record, words)
    if labels:
        found["l"] = labels
    notes = warnings_of(record)
    if notes:
        found["n"] = notes
    if files.trace is not None and files.trace.exists():
        found |= _trace(files, assets)
    return found


def _value(record: Record, column: Column) -> float | str | None:
    value = record.value(column.info.key)
    return number_text(value, 0) if math.isinf(value) else _short(value, shown=column.text)


def _overlays(files: Files, assets: Assets) -> dict[str, str]:
    found = {}
    if files.original is not None and files.reconstruction is not None:
        found["ssim"] = assets.overlay("ssim", files.original, files.reconstruction)
    if files.map is not None and files.map.exists():
        found |= {kind: assets.overlay(kind, files.map) for kind in ("semantic", "attention")}
    return found


def _labels(record: Record, words: dict[str, int]) -> dict[str, Any]:
    score = record.scores.get("vit-topk")
    details: Any = score.details if score else {}
    shared = shared_labels(details)
    first: Sequence[str] = details.get("top1") or ()
    if not shared.total and not first:
        return {}

    def word(label: str) -> int:
        return words.setdefault(label, len(words))

    rows = [[word(label), _short(original, 2), _short(rebuilt, 2)] for label, original, rebuilt in shared.rows]
    return {
        "top": [word(str(label)) for label in first],
        "rows": rows,
        "shared": shared.total,
        "k": details.get("k"),
        "chance": _short(details.get("chance"), 3),
        "p": _short(details.get("p_value"), 2),
    }


def _trace(files: Files, assets: Assets) -> dict[str, Any]:
    if files.trace is None:
        return {}
    trace = read_trace(files.trace)
    # Previews are shown in the place of the decoded image, so a file without one has no use for them.
    shown = previews(files.trace, trace) if files.reconstruction is not None else []
    strip = [[iteration, assets.full(path)] for iteration, path in shown]
    losses = [float(value) for value in trace.get("loss", ())]
    step = max(1, len(losses) // STEPS)
    found: dict[str, Any] = {"loss": [[i + 1, _short(losses[i], 4)] for i in range(0, len(losses), step)]}
    return {**found, "strip": strip} if len(strip) > 1 else found


def _points(model: Model) -> list[dict[str, Any]]:
    fronts = {column.info.key: pareto(model.points, column) for column in model.columns if column.info.direction}
    found = []
    for index, point in enumerate(model.points):
        row = point.row
        means = [(row.means[column.info.key], column.text) for column in model.columns]
        item: dict[str, Any] = {
            "c": point.curve,
            "q": point.setting if not math.isfinite(row.asked) or point.setting.endswith("pixel") else "at equal bytes",
            "b": _short(row.bytes, shown=WHOLE),
            "p": _short(row.bpp, 4, BPP),
            "n": row.count,
            "m": [_short(mean.value, shown=text) for mean, text in means],
            "f": [int(index in fronts.get(column.info.key, ())) for column in model.columns],
            "e": _short(row.encode_seconds, 3, seconds_text),
        }
        if any(math.isfinite(mean.low) for mean, _ in means):
            item["lo"] = [_short(mean.low, shown=text) for mean, text in means]
            item["hi"] = [_short(mean.high, shown=text) for mean, text in means]
        own = [None if mean.count in {0, row.count} else _held(mean) for mean, _ in means]
        if any(own):
            item["o"] = own
        if not row.reached:
            item["over"] = len(row.over)
        found.append(item)
    return found


def _held(mean: Mean) -> list[Any]:
    """Images, bytes and bits per pixel of a mean that leaves some images out."""
    return [mean.count, _short(mean.bytes, shown=WHOLE), _short(mean.bpp, 4, BPP)]


def _published(model: Model) -> list[dict[str, Any]]:
    """Lines of published curves, one a metric and one more an image of tables that have a row an image."""
    found = []
    for curve in (index for index, one in enumerate(model.curves) if one.published):
        for k, column in enumerate(model.columns):
            line = mean_line(model, curve, column)
            if line is not None:
                name = set_of(model.curves[curve])
                of = f"mean of {line.images} image{'s' * (line.images > 1)}" if name is None else f"mean of {name}"
                text = of if name != "" else "mean"
                found.append(_line(curve, k, column, text, zip(line.settings, line.rate, line.value, strict=True)))
            for i, (image, *_) in enumerate(model.images):
                if own := image_line(model, curve, column, image):
                    values = ((p.setting, p.bpp, p.values[column.info.key]) for p in own)
                    found.append(_line(curve, k, column, image, values) | {"i": i})
    return found


def _line(curve: int, k: int, column: Column, of: str, points: Iterable[tuple[str, float, float]]) -> dict[str, Any]:
    shown = [[q.replace("=", " "), _short(float(x), 4, BPP), _short(float(y), shown=column.text)] for q, x, y in points]
    return {"c": curve, "k": k, "of": of, "points": shown}


PAIRS = 600
"""BD-rates that are computed at most, some hundredths of a second each: of more, those of one anchor alone."""


def _bd(model: Model, anchor: int | None) -> dict[str, dict[int, dict[int, list[Any]]]]:
    """Metric -> anchor -> curve -> percent, low, high, overlap, images, mean of the images' own, its interval, how many
    have one, why, and what is said of published means.

    Curves are those that have values of the metric.
    """
    able = {column.info.key: anchors_of(model, column) for column in model.columns if column.info.direction}
    columns = [column for column in model.columns if len(able.get(column.info.key, ())) > 1]
    curves = len(has_curves(model))
    many = len(columns) * curves * (curves - 1) > 2 * PAIRS
    found = {}
    for column in columns:
        own = able[column.info.key]
        anchors = [anchor if anchor is not None and anchor in own else own[0]] if many else own
        found[column.info.key] = {
            a: {curve: _bd_cell(cell) for curve, cell in bd_table(model, column, a).items() if curve in own}
            for a in anchors
        }
    return found


def _bd_cell(cell: BdCell) -> list[Any]:
    mean = [_short(value, 4, PERCENT) for value in (cell.mean, cell.mean_low, cell.mean_high)]
    bounds = [_short(value, 4, PERCENT) for value in (cell.percent, cell.low, cell.high)]
    said = [cell.why, cell.note] if cell.note else [cell.why] if cell.why else []
    return [*bounds, _short(cell.overlap, 2, _share), cell.count, *mean, cell.mean_count, *said]
