"""Published curves in a report. Truth: BD-rates as `vitiq bd` compares, the points themselves, means by hand."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from report_studies import curves, equal_bytes, published
from vitiq.analysis.anchors import read_anchors
from vitiq.analysis.points import RdPoint
from vitiq.evaluation.points import points_beside
from vitiq.report import figures
from vitiq.report.answer import answer
from vitiq.report.assets import FolderAssets
from vitiq.report.build import model_of
from vitiq.report.comparisons import anchor_of, bd_table
from vitiq.report.first_screen import bd_words, lead_table
from vitiq.report.page import contents, render
from vitiq.report.published import mean_line
from vitiq.report.source import Study, visible
from vitiq.report.style import MARKERS, published_style
from vitiq.report.tables import all_tables
from vitiq.report.written import to_csv, to_latex, to_markdown

VTM = "VTM [published]"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return curves(tmp_path_factory.mktemp("curves"), qualities=(10, 30, 55, 80))


def folder_of(study: Study) -> Path:
    """The study's own, outside which nothing is shown."""
    found = study.records[0][1].reconstruction
    assert found is not None
    return found.parents[2]


def data_of(study: Study) -> dict[str, Any]:
    data, _ = contents(study, model_of(study), FolderAssets(folder_of(study)))
    return data


def own_points(study: Study, codec: str) -> list[RdPoint]:
    """A codec's points as a table with a row an image has them, under another name, at 5 % fewer bits."""
    gathered = points_beside({Path("study"): [record for record, _ in study.records]})
    return [replace(p, codec="Theirs", bpp=0.95 * p.bpp) for p in gathered.points if p.codec == codec]


@pytest.mark.parametrize("asked", [True, False])
def test_bd_rates_with_a_published_curve_are_those_of_vitiq_bd(study: Study, asked: bool) -> None:
    beside = replace(study, published=published(), anchor="VTM" if asked else None)
    model = model_of(beside)
    labels = [curve.label for curve in model.curves]
    assert labels == ["JPEG", "WebP", "AVIF", VTM]
    assert model.anchor == (3 if asked else None)
    gathered = points_beside({Path("study"): [record for record, _ in study.records]}, published())
    for anchor in ("VTM", "JPEG"):
        cells = bd_table(model, model.column("psnr-rgb"), labels.index(VTM if anchor == "VTM" else anchor))
        for found in gathered.compared(anchor, {"psnr-rgb": True}):
            cell = cells[labels.index(VTM if found.codec == "VTM" else found.codec)]
            assert cell.percent == pytest.approx(found.rate.value, rel=1e-9)
            assert (cell.low, cell.high) == pytest.approx((found.rate.low, found.rate.high), rel=0.02)
            assert cell.overlap == pytest.approx(found.overlap)
            is_published = "VTM" in {found.codec, anchor}
            assert cell.count == found.images == (0 if is_published else 6)
            assert math.isnan(cell.mean) == is_published
            assert ("of other images, as far as is known" in cell.note) == is_published


def test_of_a_real_table_too(study: Study) -> None:
    data = os.environ.get("VITIQ_DATA")
    table = Path(data or "", "rd_tables/compressai/image/kodak/vtm.json")
    if data is None or not table.is_file():
        pytest.skip("VITIQ_DATA has no published tables")
    points = read_anchors([table])
    model = model_of(replace(study, published=points, anchor="VTM"))
    gathered = points_beside({Path("study"): [record for record, _ in study.records]}, points)
    cells = bd_table(model, model.column("psnr-rgb"), 3)
    for found in gathered.compared("VTM", {"psnr-rgb": True}):
        cell = cells[[curve.label for curve in model.curves].index(found.codec)]
        assert (cell.percent, cell.low, cell.high) == (found.rate.value, found.rate.low, found.rate.high)


def test_a_published_curve_has_its_line_and_counts_nowhere_as_a_codec(study: Study) -> None:
    alone, beside = data_of(study), data_of(replace(study, published=published()))
    (line,) = beside["published"]
    assert [(x, y) for _, x, y in line["points"]] == [(p.bpp, p.values["psnr-rgb"]) for p in published()]
    assert (line["c"], line["k"], line["of"]) == (3, 0, "mean of kodak")
    assert [codec["label"] for codec in beside["codecs"]] == ["JPEG", "WebP", "AVIF", VTM]
    for part in ("records", "points", "images", "agreement", "lead", "start", "anchor"):
        assert beside[part] == alone[part], part
    # a metric that the table lacks is compared as without it
    assert beside["bd"]["ssim"] == alone["bd"]["ssim"]
    assert set(beside["bd"]["psnr-rgb"]) == {0, 1, 2, 3}
    words, plain = answer(model_of(replace(study, published=published()))), answer(model_of(study))
    assert (words.headline, words.compared, words.remarks) == (plain.headline, plain.compared, plain.remarks)
    assert f"{VTM} is a published mean of 'kodak': of other images, as far as is known." in words.limits
    shown = lead_table(model_of(replace(study, published=published())), words)
    assert shown is not None
    cells = {row["label"]: row["cells"] for row in shown["groups"][0]["rows"]}
    assert cells[VTM][-2]["text"] == "0.20 … 4.10"  # bits per pixel, though the headline's metric is not in the table
    assert not any(cell["cls"] for cell in cells[VTM]), "bold is the best of those that are measured here"
    assert any(cell["cls"] == "top" for cell in cells["AVIF"])


def test_a_published_anchor_is_that_of_every_table_even_where_the_first_metric_is_not_in_it(study: Study) -> None:
    model = model_of(replace(study, published=published(), anchor="VTM"))
    assert model.primary is not None
    assert model.primary.info.key == "vit-topk"
    words = answer(model)
    assert words.headline.startswith("For the same PSNR, AVIF needs ")
    assert words.headline.endswith(f" bits than {VTM}")
    assert "published mean" in dict(words.remarks)["How sure"]
    (table,) = all_tables(model)
    assert table.title == f"BD-rate of the mean curves against {VTM}, 6 images"
    assert table.header == ("codec", "PSNR")
    assert f"{VTM} has no value of SSIM, MSE and ViT-Score." in table.note
    assert data_of(replace(study, published=published(), anchor="VTM"))["anchor"] == 3


def test_one_codec_is_compared_with_the_published_curve(study: Study) -> None:
    one = replace(study, records=[pair for pair in study.records if pair[0].codec == "webp"])
    model = model_of(replace(one, published=published()))
    assert anchor_of(model, model.column("psnr-rgb")) == 1
    assert "WebP needs" in answer(model_of(replace(one, published=published(), anchor="VTM"))).headline
    assert "1 codec, 24 files" in answer(model).compared


def test_nothing_at_equal_bytes_shows_a_published_curve(tmp_path: Path) -> None:
    plain = equal_bytes(tmp_path)
    beside = replace(plain, published=published(), anchor="VTM")
    assert model_of(beside).levels == model_of(plain).levels
    assert answer(model_of(beside)).headline == answer(model_of(plain)).headline
    tables = [[to_markdown(table) for table in all_tables(model_of(one))] for one in (beside, plain)]
    assert tables[0] == tables[1]
    assert VTM in render(beside, model_of(beside), FolderAssets(tmp_path))


def test_a_table_of_images_is_compared_image_by_image(study: Study) -> None:
    rows = own_points(study, "WebP")
    # the table names the images without their suffix, and has one that the study has not
    rows = [replace(p, image=p.image.removesuffix(".png")) for p in rows]
    rows += [replace(p, image="other", bpp=9 * p.bpp) for p in rows if p.image == "piece-00"]
    beside = replace(study, published=rows)
    model = model_of(beside)
    cell = bd_table(model, model.column("psnr-rgb"), 1)[3]
    assert cell.percent == pytest.approx(-5)
    assert cell.mean == pytest.approx(-5)
    assert (cell.count, cell.note) == (6, "")
    line = mean_line(model, 3, model.column("psnr-rgb"))
    own = [point.row for point in model.points if point.curve == 1]
    assert line is not None
    assert line.rate == pytest.approx([0.95 * row.bpp for row in own])
    assert line.value == pytest.approx([row.means["psnr-rgb"].value for row in own])
    lines = data_of(beside)["published"]
    psnr = [one for one in lines if one["k"] == 0]
    assert [one.get("i") for one in psnr] == [None, 0, 1, 2, 3, 4, 5]
    assert psnr[0]["of"] == "mean of 6 images"
    assert not any("Theirs" in line for line in answer(model).limits)
    names = [table.name for table in all_tables(model)]
    assert names == ["bd-rate", "bd-rate-of-images"]


def test_two_published_means_of_one_set_are_compared_without_images(study: Study) -> None:
    one = replace(study, records=[pair for pair in study.records if pair[0].codec == "webp"])
    other = [replace(p, codec="AV1", bpp=1.1 * p.bpp) for p in published()]
    model = model_of(replace(one, published=[*published(), *other], anchor="VTM"))
    cell = bd_table(model, model.column("psnr-rgb"), 1)[2]
    assert cell.percent == pytest.approx(10)
    assert (cell.count, cell.note) == (0, "")
    assert bd_words(cell).startswith("mean curve +10.0 %; published means of one set of images, the curves share ")
    (table,) = all_tables(model)
    assert "VTM [published] and AV1 [published] are published means of 'kodak': " in table.note
    shown = lead_table(model, answer(model))
    assert shown is not None
    assert "refused" not in shown["note"]


def test_what_shares_nothing_with_the_study_is_said(study: Study) -> None:
    foreign = [replace(p, codec="Foreign", image=f"x{n}", aggregate=False) for n, p in enumerate(published())]
    model = model_of(replace(study, published=[*published("Odd", "vmaf"), *foreign]))
    assert [curve.label for curve in model.curves][3:] == ["Foreign [published]"]
    said = " ".join(answer(model).limits)
    assert "Not shown, as no metric of this study is in it: Odd [published]." in said
    assert "Foreign [published] is of other images than the study's." in said


HOSTILE = visible("</script><b>\"V\u202e\nTM' $\\frac$ | &_{}%")


def test_nothing_hostile_in_a_published_name_is_markup_or_a_formula(study: Study) -> None:
    beside = replace(study, published=published(HOSTILE), anchor=HOSTILE)
    model = model_of(beside)
    page = render(beside, model, FolderAssets(folder_of(study)))
    assert '<b>"V' not in page
    assert page.count("</script>") == 3
    assert "\u202e" not in page
    (table,) = all_tables(model)
    assert r"\textless{}b\textgreater{}" in to_latex(table)
    assert "\n" not in table.rows[0][0]
    assert HOSTILE in to_csv(table).replace('""', '"')
    with figures.styled():
        figure = figures.rate_distortion(model, model.column("psnr-rgb"))
        figure.draw_without_rendering()
    assert "$" in figure.legends[0].get_texts()[-1].get_text()
    json.dumps(data_of(beside), allow_nan=False)


def test_a_figure_draws_published_points_dashed(study: Study) -> None:
    model = model_of(replace(study, published=published()))
    with figures.styled():
        lines = figures.rate_distortion(model, model.column("psnr-rgb")).axes[0].lines
        other = figures.rate_distortion(model, model.column("ssim")).axes[0].lines
    (line,) = [line for line in lines if line.get_label() == VTM]
    assert np.asarray(line.get_xdata()).tolist() == [p.bpp for p in published()]
    assert line.get_linestyle() == "--"
    assert VTM not in [line.get_label() for line in other]


def test_published_curves_of_one_study_are_drawn_apart() -> None:
    drawn = [published_style(n) for n in range(20)]
    assert len(set(drawn)) == 20
    assert all(style.hollow and style.dash and style.marker in MARKERS for style in drawn)


@pytest.mark.parametrize("count", [1, 2])
def test_a_published_curve_of_few_points_is_drawn_and_not_compared(study: Study, count: int) -> None:
    beside = replace(study, published=published()[:count], anchor="VTM")
    data = data_of(beside)
    assert len(data["published"][0]["points"]) == count
    assert set(data["bd"]["psnr-rgb"]) == {0, 1, 2}
    assert f"Without a curve, which takes 3 qualities: {VTM}." in all_tables(model_of(beside))[0].note
    alone = data_of(study)
    assert (data["bd"], data["anchor"]) == (alone["bd"], alone["anchor"])
