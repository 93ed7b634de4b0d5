"""report.html: one page of words, numbers and code, with its images beside it or inside it. It asks no network."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vitiq.report.answer import Answer, answer, first_level, percent_text, seconds_text, size_text
from vitiq.report.assets import Assets, InlineAssets
from vitiq.report.comparisons import LITTLE_OVERLAP, bd_table
from vitiq.report.metric_info import metric_info, number_text
from vitiq.report.model import FEW, Model, Row, asked_bytes, best, ranked, sets_the_size
from vitiq.report.payload import payload, to_script
from vitiq.report.source import Study
from vitiq.report.style import CodecStyle
from vitiq.report.tables import thesis_tables

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

SINGLE_FILE_BUDGET = 24_000_000
"""Bytes of images in a page of its own."""
GALLERY = 10
"""Images on the first screen at most."""


def static(name: str) -> str:
    """A file of `report/static`."""
    return files("vitiq.report").joinpath("static", name).read_text(encoding="utf-8")


@lru_cache(maxsize=8)
def packed(name: str) -> str:
    """Own code as it is sent: without indentation and comments of whole lines."""
    lines = (line.strip() for line in static(name).splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@lru_cache(maxsize=1)
def _templates() -> Environment:
    from jinja2 import Environment as NewEnvironment  # noqa: PLC0415 - slow to import
    from jinja2 import PackageLoader, StrictUndefined  # noqa: PLC0415

    return NewEnvironment(
        loader=PackageLoader("vitiq.report", "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def render(study: Study, model: Model, assets: Assets, *, live: str = "", version: str = "", panel: str = "") -> str:
    """The page as HTML.

    Args:
        study, model: the same records.
        assets: gives the address of each image; of `InlineAssets` the images are put into the page.
        live: "study" or "trial": the page asks its own server for what is new there; "" for a page of a file.
        version: what the server calls this state of it.
        panel: HTML of the place where a person drops images, for the server's page.
    """
    from markupsafe import Markup  # noqa: PLC0415 - with jinja2

    data, head = contents(study, model, assets)
    words = answer(model)
    topk = model.column("vit-topk") if any(c.info.key == "vit-topk" for c in model.columns) else None
    chance: dict[str, Any] = {}
    if topk:
        chance = dict(next(r.scores["vit-topk"].details for r in model.records if "vit-topk" in r.scores))
    code = [static("uplot.min.js"), packed("viewer.js"), packed("page.js"), packed("live.js") if live else ""]
    licence = static("uplot.LICENSE").replace("*/", "")
    return (
        _templates()
        .get_template("report.html.j2")
        .render(
            words=words,
            name=model.name,
            css=Markup(static("uplot.min.css") + packed("style.css")),
            answer=Markup(head["answer"]),
            marks=Markup(head["marks"]),
            live=live,
            version=version,
            panel=Markup(panel),
            bands=len(model.images) >= FEW,
            sets=_sets(study),
            thesis=thesis_tables(model),
            topk={"k": chance["k"], "chance": number_text(float(chance["chance"]), 2)} if "chance" in chance else None,
            metrics=data["metrics"],
            settings=_settings(study, model),
            data=Markup(to_script(data)),
            script=Markup(f"/* uPlot\n{licence}*/\n" + "\n".join(code)),
        )
    )


def contents(study: Study, model: Model, assets: Assets) -> tuple[dict[str, Any], dict[str, str]]:
    """What changes while a run goes on: the page's data, and the HTML of its first screen and of the codecs' marks."""
    data = payload(study, model, assets)
    if model.images:
        data["start"] = [name for name, *_ in model.images].index(typical_image(model))
        data["lead"] = _leader(model)
    words = answer(model)
    inline = isinstance(assets, InlineAssets)
    if isinstance(assets, InlineAssets):
        data["blobs"] = assets.contents()
        if assets.quality is not None:
            data["display"] = (
                f"Display copies, not exact: WebP quality {assets.quality}, so that the page holds all images. "
                "The numbers are of the exact images."
            )
    first = (
        _templates()
        .get_template("answer.html.j2")
        .render(
            words=words,
            table=_lead(model, words),
            gallery=_gallery(model, data, words),
            problems=study.problems,
            inline=inline,
        )
    )
    marks = "".join(str(mark(curve.style, index)) for index, curve in enumerate(model.curves))
    return data, {"answer": first, "marks": marks}


def typical_image(model: Model) -> str:
    """The image whose score by the leading codec is the median, so that the first one shown is not the best one."""
    column = model.primary
    if column is None:
        return model.images[0][0]
    lead = _leader(model)
    own = [(r.value(column.info.key), r.image) for c, r in zip(model.curve_of, model.records, strict=True) if c == lead]
    finite = sorted((value, image) for value, image in own if math.isfinite(value))
    return finite[len(finite) // 2][1] if finite else model.images[0][0]


def _leader(model: Model) -> int:
    """The curve of the headline."""
    if model.levels:
        return ranked(first_level(model), model.primary)[0].curve
    rates = {curve: cell.percent for curve, cell in answer(model).bd.items() if math.isfinite(cell.percent)}
    return min(rates, key=lambda curve: rates[curve]) if rates else 0


PATHS = {
    "circle": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
    "square": "M-4.4-4.4h8.8v8.8h-8.8z",
    "triangle": "M0-5.4L5 4H-5z",
    "down": "M0 5.4L5-4H-5z",
    "diamond": "M0-5.8L5.2 0L0 5.8L-5.2 0z",
    "star": "M0-6L1.5-1.9L5.7-1.9L2.4.8L3.5 4.9L0 2.5L-3.5 4.9L-2.4.8L-5.7-1.9L-1.5-1.9z",
    "plus": "M-5 0H5M0-5V5",
    "cross": "M-4-4L4 4M-4 4L4-4",
}


def mark(style: CodecStyle, index: int) -> Markup:
    """Line and marker of a codec as a small drawing."""
    from markupsafe import Markup  # noqa: PLC0415 - with jinja2

    fill = "var(--ground)" if style.hollow else "currentColor"
    dash = f' stroke-dasharray="{" ".join(map(str, style.dash))}"' if style.dash else ""
    return Markup(
        f'<svg class="mark" data-codec="{index}" style="color:light-dark({style.light},{style.dark})" '
        f'viewBox="-13 -6 26 12" aria-hidden="true">'
        f'<path d="M-13 0H13" stroke="currentColor" stroke-width="1.6"{dash}/>'
        f'<path d="{PATHS[style.marker]}" fill="{fill}" stroke="currentColor" stroke-width="1.7"/></svg>'
    )


def _cell(text: str, cls: str = "", about: str = "", sub: str = "") -> dict[str, str]:
    return {"text": text, "cls": cls, "about": about, "sub": sub}


def _lead(model: Model, words: Answer) -> dict[str, Any] | None:
    """The table of the first screen."""
    if model.levels:
        return _equal_table(model, first_level(model))
    return _curve_table(model, words) if words.anchor is not None else None


def _equal_table(model: Model, rows: list[Row]) -> dict[str, Any]:
    column = model.primary
    order = ranked(rows, column)
    heads: list[dict[str, str]] = [
        {"text": "codec", "about": ""},
        {"text": "bytes", "about": "Mean size of the whole file"},
    ]
    heads += [
        {
            "text": f"{c.info.short}{', ' + c.info.unit if c.info.unit else ''} {c.info.arrow}",
            "about": about(c.info.key),
        }
        for c in model.columns
    ]
    heads += [
        {"text": "encode", "about": "Median seconds an image"},
        {"text": "decoder's weights", "about": "Bytes every decoder must own"},
    ]
    fair = [_equal_row(model, row, rows) for row in order if row.reached]
    large = [_equal_row(model, row, rows) for row in order if not row.reached]
    groups: list[dict[str, Any]] = [{"title": "", "rows": fair}]
    if large:
        groups.append(
            {"title": "Cannot write every file this small: larger files, not compared with those above", "rows": large}
        )
    note = "Bold: best among the codecs that reached the size."
    if any(curve.dependent for curve in model.curves):
        note += " †: scored by a network, or a relative of it, that the codec was optimised against."
    return {"title": f"Means over {_images(model)} at equal bytes", "heads": heads, "groups": groups, "note": note}


def _images(model: Model) -> str:
    return f"{len(model.images)} image{'s' if len(model.images) != 1 else ''}"


def _equal_row(model: Model, row: Row, rows: list[Row]) -> dict[str, Any]:
    curve = model.curves[row.curve]
    if row.reached:
        cells = [_cell(number_text(row.bytes, 0))]
    else:
        sub = f"+{(row.bytes / row.asked - 1) * 100:.0f} %"
        over = f"larger than asked for {len(row.over)} of {row.count} images: {', '.join(row.over[:6])}"
        cells = [_cell(number_text(row.bytes, 0), "over", over, sub)]
    for column in model.columns:
        mean = row.means[column.info.key]
        text = column.text(mean.value) + ("†" if column.info.key in curve.dependent else "")
        said = f"{mean.count} images" + (f", {mean.left_out} without a finite value" if mean.left_out else "")
        if math.isfinite(mean.low):
            said = f"95 % interval {column.text(mean.low)} … {column.text(mean.high)} over {said}"
        cells.append(_cell(text, "top" if row.curve in best(rows, column) else "", said))
    cells.append(_cell(seconds_text(row.encode_seconds)))
    cells.append(_cell(size_text(curve.shared_bytes) if curve.shared_bytes else "none"))
    return {"mark": mark(curve.style, row.curve), "label": curve.label, "cells": cells}


def _curve_table(model: Model, words: Answer) -> dict[str, Any]:
    anchor = words.anchor or 0
    columns = [column for column in model.columns if column.info.direction]
    tables = {column.info.key: bd_table(model, column, anchor) for column in columns}
    key = words.column.info.key if words.column else columns[0].info.key

    def worth(curve: int) -> float:
        value = 0.0 if curve == anchor else tables[key][curve].percent if curve in tables[key] else math.nan
        return value if math.isfinite(value) else math.inf

    rows: list[dict[str, Any]] = []
    for curve in sorted(range(len(model.curves)), key=worth):
        cells = []
        for column in columns:
            cell = tables[column.info.key].get(curve)
            if cell is None or math.isnan(cell.percent):
                cells.append(_cell("anchor" if curve == anchor else "–", "", cell.why if cell else ""))
                continue
            values = [t.percent for t in tables[column.info.key].values() if math.isfinite(t.percent)]
            few = cell.overlap < LITTLE_OVERLAP
            interval = f"95 % {percent_text(cell.low)} … {percent_text(cell.high)}, " if math.isfinite(cell.low) else ""
            said = f"{interval}{cell.count} images, the curves share {cell.overlap:.0%} of their qualities"
            top = "top" if cell.percent == min(values) and cell.percent < 0 else ""
            dagger = "†" if column.info.key in model.curves[curve].dependent else ""
            cells.append(_cell(percent_text(cell.percent) + dagger + ("?" if few else ""), top, said))
        points = [point.row for point in model.points if point.curve == curve]
        rates = f"{min(p.bpp for p in points):.2f} … {max(p.bpp for p in points):.2f}"
        encode = sorted(point.encode_seconds for point in points)[len(points) // 2]
        shared = model.curves[curve].shared_bytes
        cells += [_cell(rates), _cell(seconds_text(encode)), _cell(size_text(shared) if shared else "none")]
        rows.append(
            {"mark": mark(model.curves[curve].style, curve), "label": model.curves[curve].label, "cells": cells}
        )
    heads: list[dict[str, str]] = [{"text": "codec", "about": ""}]
    heads += [{"text": f"bits for equal {c.info.short}", "about": about(c.info.key)} for c in columns]
    heads += [
        {"text": "bits per pixel", "about": "From the least to the most of its mean points"},
        {"text": "encode", "about": "Median seconds an image"},
        {"text": "decoder's weights", "about": "Bytes every decoder must own"},
    ]
    note = (
        "BD-rate: mean change in bits at equal quality, averaged over images; negative saves bits. Intervals on hover."
    )
    if any("?" in cell["text"] for row in rows for cell in row["cells"]):
        note += f" ?: the curves share less than {LITTLE_OVERLAP:.0%} of their qualities, so the number says little."
    title = f"Bits needed against {model.curves[anchor].label}, {_images(model)}"
    return {"title": title, "heads": heads, "groups": [{"title": "", "rows": rows}], "note": note}


def about(key: str) -> str:
    """What a metric is, in a line for a hover."""
    info = metric_info(key)
    return "; ".join(x for x in (info.title, info.direction_text, f"range {info.range_text}", info.formula) if x)


def _gallery(model: Model, data: dict[str, Any], words: Answer) -> dict[str, Any] | None:
    """One typical image from every codec at one size."""
    if not model.images:
        return None
    image = data["start"]
    width, height = data["images"][image]["w"], data["images"][image]["h"]
    own = [n for n, record in enumerate(data["records"]) if record["i"] == image and "t" in record]
    chosen = [n for n in own if asked_bytes(model.records[n]) is not None or sets_the_size(model.records[n])]
    if not chosen and own:
        least = [
            min(data["records"][n]["b"] for n in own if data["records"][n]["c"] == c)
            for c in {data["records"][n]["c"] for n in own}
        ]
        aim = max(least) * 1.15
        by_codec = {
            data["records"][n]["c"]: n for n in sorted(own, key=lambda n: -abs(math.log(data["records"][n]["b"] / aim)))
        }
        chosen = list(by_codec.values())
    key = words.column.info.key if words.column else None
    order = {row.curve: at for at, row in enumerate(ranked(first_level(model), words.column))} if model.levels else {}
    chosen = sorted(chosen, key=lambda n: order.get(data["records"][n]["c"], n))[: GALLERY - 1]
    shown = []
    if "thumb" in data["images"][image] and chosen:
        size = data["images"][image]["bytes"]
        shown.append(
            {
                "src": data["images"][image]["thumb"],
                "alt": f"{model.images[image][0]}, original",
                "label": "Original",
                "mark": "",
                "text": size_text(size) if size else "",
                "key": f"{data['records'][chosen[0]]['k']}.{image}",
            }
        )
    for n in chosen:
        record, item = model.records[n], data["records"][n]
        curve = model.curves[item["c"]]
        score = f", {words.column.info.short} {words.column.text(record.value(key))}" if words.column and key else ""
        text = f"{number_text(record.bytes, 0)} bytes{' ▲' if not record.reached else ''}{score}"
        shown.append(
            {
                "src": item["t"],
                "alt": f"{record.image}, {curve.label}, {record.bytes} bytes",
                "label": curve.label,
                "mark": mark(curve.style, item["c"]),
                "text": text,
                "key": f"{item['k']}.{image}",
            }
        )
    what = "" if model.levels else " Files nearest in size; they are not of equal bytes."
    title = f"{model.images[image][0]}, a typical image: select a file to compare it with the original.{what}"
    sized = [{**item, "width": width, "height": height} for item in shown]
    return {"title": title, "shown": sized} if sized else None


def _sets(study: Study) -> dict[str, Any] | None:
    keys = list(dict.fromkeys(key for scores in study.sets.values() for key in scores))
    if not keys:
        return None
    notes = list(
        dict.fromkeys(
            f"{metric_info(key).short}: {score['undefined']}."
            for scores in study.sets.values()
            for key, score in scores.items()
            if score.get("undefined")
        )
    )
    rows = []
    for codec, scores in study.sets.items():
        values = [scores.get(key, {}).get("value") for key in keys]
        rows.append([codec, *(f"{value:.4g}" if isinstance(value, int | float) else "–" for value in values)])
    if "fid" not in keys and any("fid" in key for key in keys):
        notes.append("Not the FID of the literature, which uses InceptionV3 on thousands of images.")
    heads = [{"text": f"{metric_info(key).short} {metric_info(key).arrow}", "about": about(key)} for key in keys]
    return {"heads": heads, "rows": rows, "notes": notes}


def _settings(study: Study, model: Model) -> str:
    codecs: dict[str, object] = {}
    for index, record in zip(model.curve_of, model.records, strict=True):
        codecs.setdefault(model.curves[index].label, record.settings)
    versions = model.records[0].details.get("versions") if model.records else None
    device = model.records[0].details.get("device") if model.records else None
    settings = {"run": study.settings, "codecs": codecs, "versions": versions, "device": device}
    return json.dumps(settings, indent=1, ensure_ascii=False, default=str)
