"""Tables of BD-rates and their notes, of every door. Truth: `vitiq bd`'s own comparison; names and times by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from report_studies import curves
from vitiq.analysis.comparison import compare
from vitiq.analysis.points import points_of
from vitiq.cli.bd import refusals_of, to_json
from vitiq.cli.bd import to_markdown as bd_markdown
from vitiq.cli.bench import bd_notes, bd_row
from vitiq.cli.bench_manage import means_table
from vitiq.evaluation.record import Record
from vitiq.report.answer import _of_curves, answer
from vitiq.report.assets import FolderAssets
from vitiq.report.bd_tables import bd_rates
from vitiq.report.build import model_of
from vitiq.report.comparisons import bd_table
from vitiq.report.first_screen import bd_words, lead_table
from vitiq.report.payload import payload
from vitiq.report.source import Study
from vitiq.report.tables import all_tables, each_setting
from vitiq.report.written import to_latex, to_markdown


def without_curve(study: Study, metric: str, images: int, codec: str = "webp") -> Study:
    """The same study, a codec's score one and the same at every quality of some images: no curve of them."""
    names = sorted({record.image for record, _ in study.records})[:images]

    def flat(record: Record) -> Record:
        if record.codec != codec or record.image not in names:
            return record
        return replace(record, scores={**record.scores, **{metric: replace(record.scores[metric], value=0.5)}})

    return replace(study, records=[(flat(record), files) for record, files in study.records])


def test_a_mean_of_the_images_own_bd_rates_says_over_how_many(tmp_path: Path) -> None:
    study = without_curve(curves(tmp_path), "ssim", images=2)
    model = model_of(study)
    column, labels = model.column("ssim"), [curve.label for curve in model.curves]
    cell = bd_table(model, column, labels.index("JPEG"))[labels.index("WebP")]
    found = compare(points_of(record for record, _ in study.records), "WebP", "JPEG", "ssim")
    own = [rate for rate in found.image_rate.values() if math.isfinite(rate)]
    assert (cell.count, cell.mean_count, len(own)) == (6, 3, 3)
    assert cell.mean == pytest.approx(np.mean(own))
    tables = {table.name: table for table in all_tables(model)}
    assert "SSIM over 3 (WebP)" in tables["bd-rate-of-images"].note
    assert "over 3" not in tables["bd-rate"].note
    assert "over the 3 that have one" in bd_words(cell)
    data = payload(study, model, FolderAssets(tmp_path))
    assert data["bd"]["ssim"][labels.index("JPEG")][labels.index("WebP")][4:9:4] == [6, 3]
    assert to_json(found)["images_of_mean"] == 3
    assert "(3 of 6)" in bd_row(found, refusals_of([found]))
    assert bd_notes([found])[-1].startswith("- WebP: 3 of 6 images have no delta of their own; piece-00.png: ")


def test_a_bd_rate_of_dependent_scores_is_marked_in_every_table(tmp_path: Path) -> None:
    study = curves(tmp_path)
    against = {"optimised_against": [{"backbone": "vit", "weights_sha256": "abcdefabcdef"}]}
    records = [
        (replace(r, details={**r.details, **against}) if r.codec == "webp" else r, files) for r, files in study.records
    ]
    for anchor, marked in ((None, {"WebP"}), ("WebP", {"JPEG", "AVIF"})):
        for table in bd_rates(model_of(replace(study, records=records, anchor=anchor))):
            place = table.header.index("ViT-Score")
            cells = {row[0]: row for row in table.rows}
            assert {label for label, row in cells.items() if "†" in row[place]} == marked
            assert not any("†" in cell for row in cells.values() for cell in row[:place])
            assert {row["codec"] for row in table.data if not row["independent"]} == marked
            assert "†" in table.note
            for text in (to_markdown(table), to_latex(table)):
                assert text.count("†") + text.count("dag") == len(marked) + 1


def test_a_refusal_blames_the_curve_that_is_at_fault_whatever_the_anchor(tmp_path: Path) -> None:
    """The codec before the anchor in the study was compared once and its refusal kept for both directions."""
    study = curves(tmp_path)
    exact = [
        (replace(r, scores={**r.scores, "psnr-rgb": replace(r.scores["psnr-rgb"], value=math.inf)}), files)
        if r.codec == "jpeg"
        else (r, files)
        for r, files in study.records
    ]
    model, points = model_of(replace(study, records=exact)), points_of(r for r, _ in exact)
    labels = [curve.label for curve in model.curves]
    for anchor, tested in (("JPEG", "WebP"), ("WebP", "JPEG")):
        cell = bd_table(model, model.column("psnr-rgb"), labels.index(anchor))[labels.index(tested)]
        assert cell.why
        assert cell.why == compare(points, tested, anchor, "psnr-rgb").refused


def test_ranges_of_curves_that_share_little_are_named_anchor_first(tmp_path: Path) -> None:
    study = curves(tmp_path)
    low = [
        (replace(r, scores={**r.scores, "ssim": replace(r.scores["ssim"], value=r.value("ssim") / 4)}), files)
        if r.codec == "webp"
        else (r, files)
        for r, files in study.records
    ]
    model = model_of(replace(study, records=low))
    labels = [curve.label for curve in model.curves]
    cells = {
        anchor: bd_table(model, model.column("ssim"), labels.index(anchor))[labels.index(tested)].why
        for anchor, tested in (("JPEG", "WebP"), ("WebP", "JPEG"))
    }
    points = points_of(r for r, _ in low)
    assert cells["WebP"] == compare(points, "JPEG", "WebP", "ssim").refused != cells["JPEG"]


def test_a_codec_is_named_once_in_a_note_however_many_settings_it_has(tmp_path: Path) -> None:
    study = curves(tmp_path, images=1)
    heavy = [(replace(r, details={**r.details, "shared_bytes": 5_000_000}), f) for r, f in study.records]
    note = each_setting(model_of(replace(study, records=heavy))).note
    assert "Weights that every decoder needs: JPEG 5.0 MB, WebP 5.0 MB, AVIF 5.0 MB." in note


def test_the_cautions_of_a_headline_are_sentences(tmp_path: Path) -> None:
    study = curves(tmp_path)
    against = {"optimised_against": [{"backbone": "vit", "weights_sha256": "abcdefabcdef"}]}
    model = model_of(
        replace(study, records=[(replace(r, details={**r.details, **against}), f) for r, f in study.records])
    )
    column = model.column("vit-topk")
    table = {n: replace(cell, overlap=0.5) for n, cell in bd_table(model, column, 0).items()}
    said = dict(_of_curves(model, column, 0, table).remarks)["Caution"]
    assert said.endswith(
        "beyond these nothing is known. The score is not independent (†): it comes from a network the "
        "codec was optimised against."
    )


def test_times_of_several_images_are_medians_and_named_so(tmp_path: Path) -> None:
    study = curves(tmp_path, images=3)
    slow = [
        (replace(r, encode_seconds=9.0 if r.image == "piece-00.png" else 0.004), files) for r, files in study.records
    ]
    model = model_of(replace(study, records=slow))
    table = each_setting(model)
    assert table.header[-1] == "encode, median"
    assert {row[-1] for row in table.rows} == {"4 ms"}
    shown = lead_table(model, answer(model))
    assert shown is not None
    assert "encode, median" in [head["text"] for head in shown["heads"]]
    printed = means_table([r for r, _ in slow])
    assert printed.splitlines()[2].endswith("| 0.004 | 0.002 |")
    assert "Times are medians." in printed
    alone = model_of(replace(study, records=slow[:12]))
    assert each_setting(alone).header[-1] == "encode"


def test_names_from_outside_are_no_markup_in_markdown(tmp_path: Path) -> None:
    study, label = curves(tmp_path), "A|B<b>x</b> *y* [z](u) `c`"
    records = [(replace(r, label=label) if r.codec == "webp" else r, files) for r, files in study.records]
    model = model_of(replace(study, records=records, missing=["x.png: <b>image too wide</b>"]))
    escaped = "A\\|B\\<b>x\\</b> \\*y\\* [z\\](u) \\`c\\`"
    for table in (*all_tables(model), each_setting(model)):
        text = to_markdown(table)
        assert escaped in text
        assert "\\<b>image too wide\\</b>" in text
        rows = [line for line in text.splitlines() if line.startswith("| ")]
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(table.header) + 1}
    assert f"| {escaped} | quality 10 |" in means_table([record for record, _ in records])
    found = compare(points_of(record for record, _ in records), label, "JPEG", "ssim")
    assert bd_row(found, refusals_of([found])).startswith(f"| {escaped} | ssim |")
    assert f"| {escaped} |" in bd_markdown([found], {})
