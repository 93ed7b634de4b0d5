"""Marks of numbers in tables: †, and the numbers of reasons. Truth: the report's own, and counting by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from report_studies import curves
from vitiq.analysis.comparison import Comparison, Settings
from vitiq.cli.bd import refusals_of, to_json
from vitiq.cli.bd import to_markdown as bd_markdown
from vitiq.cli.bench import bd_notes, bd_row
from vitiq.cli.bench_manage import means_table
from vitiq.cli.set_table import sets_json, sets_text
from vitiq.cli.study_options import results_of
from vitiq.evaluation.independence import DEPENDENT, DEPENDENT_RATE
from vitiq.evaluation.points import Gathered, points_beside
from vitiq.evaluation.record import Record
from vitiq.evaluation.study import Study as PlannedStudy
from vitiq.metrics.scoring import to_json as to_score
from vitiq.report.bd_tables import bd_rates
from vitiq.report.build import model_of
from vitiq.report.page import _sets
from vitiq.report.source import Study
from vitiq.types import Score

AGAINST = {"optimised_against": [{"backbone": "vit", "weights_sha256": "abcdefabcdef"}]}


def changed(study: Study, change: Callable[[Record], Record]) -> Study:
    return replace(study, records=[(change(record), files) for record, files in study.records])


def gathered(study: Study, folder: Path) -> Gathered:
    return points_beside({folder: [record for record, _ in study.records]})


def compared(study: Study, folder: Path, anchor: str, metrics: str) -> list[Comparison]:
    found = gathered(study, folder)
    return found.compared(anchor, found.metrics(metrics), how=Settings(resamples=0))


@pytest.mark.parametrize("anchor", ["JPEG", "WebP"])
def test_every_table_marks_the_rates_that_the_report_marks(tmp_path: Path, anchor: str) -> None:
    study = changed(
        replace(curves(tmp_path), anchor=anchor),
        lambda r: replace(r, details={**r.details, **AGAINST}) if r.codec == "webp" else r,
    )
    wanted = {(row["codec"], row["metric"]) for row in bd_rates(model_of(study))[0].data if not row["independent"]}
    assert wanted == {(codec, "vit-topk") for codec in ({"WebP"} if anchor == "JPEG" else {"JPEG", "AVIF"})}
    found = compared(study, tmp_path, anchor, "psnr-rgb,ssim,vit-topk")
    assert {(c.codec, c.metric) for c in found if not c.independent} == wanted
    assert {(c.codec, c.metric) for c in found if not to_json(c)["independent"]} == wanted
    shown = [bd_row(c, refusals_of(found)).split(" | ") for c in found]
    assert {(row[0].strip("| "), row[1]) for row in shown if "†" in row[2] and "†" in row[3]} == wanted
    assert sum("†" in cell for row in shown for cell in row) == 2 * len(wanted)
    text = bd_markdown(found, {str(codec): 1.0 for codec, _ in wanted}, per_image=True)
    metric, marked = "", set()
    for line in text.splitlines():
        metric = line.split()[1].rstrip(":") if line.startswith("###") else metric
        if line.startswith("| ") and "†" in line and metric != "mean":
            marked.add((line.split(" | ")[0].strip("| "), metric))
    assert {row for row in marked if not row[0].startswith("piece")} == wanted
    assert {metric for image, metric in marked if image.startswith("piece")} == {"vit-topk"}
    assert text.count(DEPENDENT_RATE) == "\n".join(bd_notes(found)).count(DEPENDENT_RATE) == 1
    assert "†" in text.partition("mean over the metrics above")[2].splitlines()[4], "one of the metrics averaged"
    assert "†" not in bd_markdown([c for c in found if c.metric == "ssim"], {})


def test_tables_of_means_mark_the_scores_that_the_report_marks(tmp_path: Path) -> None:
    study = changed(
        curves(tmp_path), lambda r: replace(r, details={**r.details, **AGAINST}) if r.codec == "webp" else r
    )
    records = [record for record, _ in study.records]
    dependent = {curve.label: set(curve.dependent) for curve in model_of(study).curves}
    assert dependent["WebP"] == {"vit-topk"}
    head, _, *rows = [line.split(" | ") for line in means_table(records).splitlines() if line.startswith("|")]
    names = [name.strip("| ") for name in head]
    for row in rows:
        marked = {name for name, cell in zip(names, row, strict=True) if "†" in cell}
        assert marked == dependent[row[0].strip("| ")]
    assert DEPENDENT in means_table(records)
    assert "†" not in means_table([record for record in records if record.codec != "webp"])
    assert {r["label"]: set(r["not_independent"]) for r in json.loads(json.dumps(results_of(records)))} == dependent
    found = gathered(study, tmp_path)
    assert not found.is_independent("vit-topk", "JPEG", "WebP")
    assert found.is_independent("ssim", "JPEG", "WebP")


def test_tables_of_sets_mark_a_codecs_own_network(tmp_path: Path) -> None:
    study = changed(
        curves(tmp_path), lambda r: replace(r, details={**r.details, **AGAINST}) if r.codec == "webp" else r
    )
    own = {
        "patch-kid-vit": Score(0.25, "patch-kid-vit|weights:abcdefabcdef|v1"),
        "patch-kid-pixel": Score(0.5, "patch-kid-pixel|v1"),
        "fid-vit": Score(math.nan, "fid-vit|weights:abcdefabcdef|v1", {"undefined": "few"}),
    }
    sets = {"JPEG @quality=10": own, "WebP @quality=10": own, "WebP": own}
    records = [record for record, _ in study.records]
    planned = PlannedStudy((), (), tuple(own), {})
    text = sets_text(planned, sets, records)
    assert "| JPEG @quality=10 | 0.2500 | 0.5000 | – |" in text
    assert "| WebP @quality=10 | 0.2500† | 0.5000 | – |" in text
    assert "| WebP | 0.2500† | 0.5000 | – |" in text
    assert text.count(DEPENDENT) == 1
    values = sets_json(sets, records)
    independent = {name: [score["independent"] for score in scores.values()] for name, scores in values.items()}
    assert independent == {name: [not name.startswith("WebP"), True, not name.startswith("WebP")] for name in sets}
    page = _sets(replace(study, sets={name: {m: to_score(s) for m, s in own.items()} for name in sets}))
    assert page is not None
    assert page["rows"] == [
        ["JPEG @quality=10", "0.25", "0.5", "–"],
        *([name, "0.25†", "0.5", "–"] for name in ("WebP @quality=10", "WebP")),
    ]
    assert DEPENDENT in page["notes"]


def test_a_reason_stands_once_below_a_table_however_many_rates_it_refuses(tmp_path: Path) -> None:
    """The anchor has no curve in two metrics, so no codec has a BD-rate in them: one reason, four rows."""

    def flat(record: Record) -> Record:
        if record.codec != "jpeg":
            return record
        same = {name: replace(record.scores[name], value=0.5) for name in ("ssim", "vit-topk")}
        return replace(record, scores={**record.scores, **same})

    study = changed(replace(curves(tmp_path), anchor="JPEG"), flat)
    found = compared(study, tmp_path, "JPEG", "psnr-rgb,ssim,vit-topk")
    (why,) = {c.refused for c in found if c.refused}
    assert sum(c.refused == why for c in found) == 4
    reason = why.removeprefix("BD-rate refused: ")
    refusals = refusals_of(found)
    assert refusals.named() == [f"WebP, ssim and vit-topk; AVIF, ssim and vit-topk: {why}"]
    bench = "\n".join([*(bd_row(c, refusals) for c in found), *bd_notes(found)])
    (table,) = [table for table in bd_rates(model_of(study)) if table.name == "bd-rate"]
    report = " ".join([*(cell for row in table.rows for cell in row), table.note])
    for text in (bd_markdown(found, {}), bench, report):
        assert text.count("– (1)") == 4
        assert text.count(f"(1) {reason}") == 1
        assert text.count(reason) == 1
    assert {c.notes for c in found if c.refused} == {("6 of 6 images have no delta of their own, for the same reason",)}
    assert [c.refused for c in found if c.metric == "psnr-rgb"] == [None, None]
