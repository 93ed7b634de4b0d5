"""report.html: one page of words, numbers and code, with its images beside it or inside it. It asks no network."""

from __future__ import annotations

import base64
import gzip
import json
import math
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vitiq.evaluation.independence import DEPENDENT, MARK, dependent_sets, marked
from vitiq.report.answer import Answer, answer, first_level
from vitiq.report.assets import Assets, InlineAssets
from vitiq.report.first_screen import every_metric, lead_table
from vitiq.report.gallery import gallery
from vitiq.report.marks import mark
from vitiq.report.metric_info import metric_info, metric_infos, number_text
from vitiq.report.model import FEW, Model, ranked
from vitiq.report.payload import payload, to_script
from vitiq.report.source import Study
from vitiq.report.tables import thesis_tables

if TYPE_CHECKING:
    from jinja2 import Environment

SINGLE_FILE_BUDGET = 24_000_000
"""Bytes of images in a page of its own."""
PLAIN = 250_000
"""Bytes of data that stand in a page as readable JSON; more are compressed, so that a large study is a small page."""


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


def gzipped(text: str) -> str:
    """Text as gzip in base64, equal for equal text."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


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
    blobs, text = data.pop("blobs", None), to_script(data)
    packed_data = not live and len(text.encode()) > PLAIN
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
            topk=_topk(model),
            metrics=data["metrics"],
            settings=_settings(study, model),
            gzip=packed_data,
            data=Markup(gzipped(text) if packed_data else text),
            blobs=Markup(to_script(blobs)) if blobs is not None else "",
            script=Markup(f"/* uPlot\n{licence}*/\n" + "\n".join(code)),
        )
    )


def contents(study: Study, model: Model, assets: Assets) -> tuple[dict[str, Any], dict[str, str]]:
    """What changes during a run: the page's data, and the HTML of its first screen and of the codecs' marks."""
    data = payload(study, model, assets)
    words, shown = answer(model), None
    if model.images:
        start = [name for name, *_ in model.images].index(typical_image(model))
        data |= {"start": start, "lead": _leader(model)}
        shown = gallery(study, model, assets, start, words)
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
            table=lead_table(model, words),
            every=every_metric(model, words),
            count=len(model.columns),
            meaning=meaning(model, words),
            gallery=shown,
            problems=study.problems,
            inline=inline,
        )
    )
    marks = "".join(str(mark(curve.style, index)) for index, curve in enumerate(model.curves))
    return data, {"answer": first, "marks": marks}


def meaning(model: Model, words: Answer) -> str:
    """What the headline's metric is, for a reader who never heard of it."""
    if words.column is None:
        return ""
    info, topk = words.column.info, _topk(model)
    if info.key.partition("@")[0] == "vit-topk" and topk:
        return (
            f"{info.short}: a Vision Transformer names the original and the reconstruction; the score is the share of "
            f"its {topk['k']} most probable labels that both have in common. 1 is all; two random lists of "
            f"labels share {topk['chance']}."
        )
    low_high = f", {info.range_text}" if math.isfinite(info.low) and math.isfinite(info.high) else ""
    return f"{info.short}: {info.formula} ({info.direction_text}{low_high})." if info.formula else ""


def _topk(model: Model) -> dict[str, Any] | None:
    """How many labels ViT-Score compares, and how many are shared by chance."""
    found = next((r.scores["vit-topk"].details for r in model.records if "vit-topk" in r.scores), {})
    chance: Any = found.get("chance")
    return {"k": found["k"], "chance": number_text(float(chance), 2)} if chance is not None else None


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
    """The curve of the headline, which has files."""
    if model.levels:
        return ranked(first_level(model), model.primary)[0].curve
    cells = answer(model).bd
    rates = {
        curve: cells[curve].percent for curve in model.own if curve in cells and math.isfinite(cells[curve].percent)
    }
    return min(rates, key=lambda curve: rates[curve]) if rates else 0


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
    infos = metric_infos(keys)
    signatures = {
        name: {key: str(score.get("signature")) for key, score in scores.items()} for name, scores in study.sets.items()
    }
    dependent = dependent_sets((record for record, _ in study.records), signatures)
    rows = []
    for codec, scores in study.sets.items():
        values = {key: scores.get(key, {}).get("value") for key in keys}
        texts = {key: f"{value:.4g}" if isinstance(value, int | float) else "–" for key, value in values.items()}
        marks = dependent.get(codec, frozenset())
        rows.append([codec, *(marked(text, independent=key not in marks) for key, text in texts.items())])
    notes += [DEPENDENT] if any(MARK in cell for row in rows for cell in row) else []
    if "fid" not in keys and any("fid" in key for key in keys):
        notes.append("Not the FID of the literature, which uses InceptionV3 on thousands of images.")
    heads = [
        {"text": f"{i.short} {i.arrow}", "about": "; ".join((i.title, i.direction_text, i.formula))} for i in infos
    ]
    return {"heads": heads, "rows": rows, "notes": notes}


def _settings(study: Study, model: Model) -> str:
    codecs: dict[str, object] = {}
    for index, record in zip(model.curve_of, model.records, strict=True):
        codecs.setdefault(model.curves[index].label, record.settings)
    versions = model.records[0].details.get("versions") if model.records else None
    device = model.records[0].details.get("device") if model.records else None
    settings = {"run": study.settings, "codecs": codecs, "versions": versions, "device": device}
    return json.dumps(settings, indent=1, ensure_ascii=False, default=str)
