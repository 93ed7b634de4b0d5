"""Exports for papers. Truth: pdfLaTeX of Debian's texlive compiles them; readers of CSV and PDF find what went in."""

from __future__ import annotations

import csv
import math
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest
from click.testing import CliRunner

from report_studies import curves, equal_bytes, with_hostile_names, with_many_metrics
from vitiq.analysis.comparison import compare
from vitiq.analysis.points import points_of
from vitiq.cli.report import command
from vitiq.errors import InputError
from vitiq.report import build, figures
from vitiq.report.build import build_report, summary_table
from vitiq.report.model import build_model
from vitiq.report.paper import export
from vitiq.report.source import Study

HOSTILE = "100 % of a_b & $x^2$ #1 {\\cmd} ~ <Äß☃>"


@pytest.fixture
def thesis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    study = equal_bytes(tmp_path, preset="thesis")
    named = Study(study.name, study.records, missing=[f"{HOSTILE}: could not be made"])
    monkeypatch.setattr(build, "read_study", lambda *_: named)
    return tmp_path


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_csv_and_markdown_hold_every_table_with_its_notes(thesis: Path) -> None:
    made = {path.name for path in export(thesis, "csv").files}
    assert made == {"equal-bytes-1.csv", "vit-scores.csv", "brisque.csv", "summary.csv", "notes.txt"}
    rows = read_csv(thesis / "paper" / "equal-bytes-1.csv")
    assert [(row["codec"], row["reached"]) for row in rows] == [
        ("vitiq inversion", "True"),
        ("AVIF", "True"),
        ("JPEG", "False"),
    ]
    said = (thesis / "paper" / "notes.txt").read_text(encoding="utf-8")
    assert "Larger than requested" in said
    assert HOSTILE in said
    (page,) = export(thesis, "md").files
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# At about ")
    assert "What this does not show" in text
    assert "\\* Larger than requested" in text
    assert HOSTILE.replace("<", "\\<") in text


def test_figures_are_vector_pdf_of_one_and_two_columns(thesis: Path) -> None:
    with mpl.rc_context({"font.size": 23.0, "pdf.fonttype": 3}):
        made = {path.stem: path.read_bytes() for path in export(thesis, "pdf").files}
        assert (mpl.rcParams["font.size"], mpl.rcParams["pdf.fonttype"]) == (23.0, 3), "a notebook's own"
    assert {"equal-bytes", "rd-psnr-rgb", "inputs", "inputs-above-reconstructions", "latent-1", "loss-1"} <= set(made)
    assert {"previews-1", "image-1", "map-1"} <= set(made)
    assert all(data.startswith(b"%PDF") for data in made.values())
    box = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", made["rd-psnr-rgb"])
    wide = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+)", made["equal-bytes"])
    assert box is not None
    assert wide is not None
    assert float(box[1]) == pytest.approx(3.4 * 72, abs=1)
    assert float(wide[1]) == pytest.approx(7.1 * 72, abs=1)


def compiled(folder: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here: apt-get install texlive-latex-recommended texlive-fonts-recommended")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    assert (folder / "paper.pdf").stat().st_size > 20_000
    log = (folder / "paper.log").read_text(encoding="latin-1")
    assert "Overfull \\hbox" not in log.replace("Overfull \\hbox (0.", "")
    assert "undefined" not in log.lower()


def test_the_document_compiles(thesis: Path) -> None:
    export(thesis, "tex")
    compiled(thesis / "paper")


@pytest.mark.parametrize("make", [equal_bytes, curves])
def test_a_document_of_many_metrics_and_hostile_names_compiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Study]
) -> None:
    study = with_hostile_names(with_many_metrics(make(tmp_path), 6))
    monkeypatch.setattr(build, "read_study", lambda *_: study)
    export(tmp_path, "tex")
    compiled(tmp_path / "paper")


def test_a_study_of_curves_has_its_bd_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = curves(tmp_path)
    monkeypatch.setattr(build, "read_study", lambda *_: study)
    made = {path.name: path for path in export(tmp_path, "csv").files}
    assert set(made) == {"bd-rate.csv", "bd-rate-of-images.csv", "notes.txt"}
    points = points_of(record for record, _ in study.records)
    mean_curve, of_images = read_csv(made["bd-rate.csv"]), read_csv(made["bd-rate-of-images.csv"])
    assert len(mean_curve) == len(of_images) == 2 * 4
    for curve, own in zip(mean_curve, of_images, strict=True):
        sign = curve["metric"] != "mse"
        peer = compare(points, curve["codec"], "JPEG", curve["metric"], higher_is_better=sign)
        assert (curve["codec"], curve["metric"]) == (own["codec"], own["metric"])
        for row, found in ((curve, peer.rate), (own, peer.mean_rate)):
            shown = [float(row[name]) for name in ("bd_rate_percent", "low", "high")]
            assert shown == pytest.approx([found.value, found.low, found.high], rel=1e-6)
        assert (int(curve["images"]), int(own["images"])) == (6, sum(map(math.isfinite, peer.image_rate.values())))
        assert float(curve["overlap"]) == pytest.approx(peer.overlap)
    assert "BD-rate of the mean curves against JPEG" in summary_table(tmp_path)
    assert build_report(tmp_path).name == "report.html"
    single = build_report(tmp_path, single_file=True)
    assert "assets/" not in single.read_text(encoding="utf-8").split('id="data"')[1]


@pytest.mark.parametrize("more", ["", "[subsampling=4:4:4, method=6, of a long label in two lines]"])
def test_the_legend_of_curves_lies_below_them_within_the_figure(tmp_path: Path, more: str) -> None:
    records = [record for record, _ in curves(tmp_path, images=1).records]
    records += [replace(record, label=f"{record.label} {more}") for record in records if more]
    model = build_model("study", records)
    with figures.styled():
        figure = figures.rate_distortion(model, model.columns[0])
        figure.draw_without_rendering()
        legend, axes = figure.legends[0].get_window_extent(), figure.axes[0].get_tightbbox()
    assert len(figure.legends[0].get_texts()) == len(model.curves)
    assert axes is not None
    assert legend.y1 <= axes.y0 + 1
    assert figure.bbox.x0 <= legend.x0 < legend.x1 <= figure.bbox.x1
    assert figure.bbox.y0 <= legend.y0


def test_the_command_writes_what_was_asked_for(thesis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitiq.evaluation.rows.tables_are_newest", lambda _: True)  # made up, so it has no rows
    run = CliRunner()
    done = run.invoke(command, [str(thesis), "--format", "csv"])
    assert done.exit_code == 0
    assert all(Path(line).is_file() for line in done.stdout.split())
    assert run.invoke(command, [str(thesis), "--format", "csv", "--single-file"]).exit_code == 2
    assert run.invoke(command, [str(thesis)]).stdout.strip().endswith("report.html")


def test_what_no_longer_fits_the_study_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, folder = curves(tmp_path), tmp_path / "paper"
    monkeypatch.setattr(build, "read_study", lambda *_: study)
    monkeypatch.setattr("vitiq.evaluation.rows.tables_are_newest", lambda _: True)
    first = export(tmp_path, "pdf")
    export(tmp_path, "md")
    export(tmp_path, "csv")
    (folder / "own.txt").write_text("mine")
    again = export(tmp_path, "csv")
    assert first.removed == again.removed == [], "all of it is of this study"
    fewer = [(replace(r, scores={"ssim": r.scores["ssim"]}), found) for r, found in study.records]
    study = Study(study.name, fewer)
    kept = folder / "rd-mse.pdf"
    kept.write_bytes(b"changed by hand")
    done = export(tmp_path, "csv")
    assert {path.name for path in done.removed} == {"tables.md", *(p.name for p in first.files)} - {kept.name}
    assert {path.name for path in folder.iterdir()} == {
        ".vitiq-made", "own.txt", kept.name, *(path.name for path in done.files)
    }  # fmt: skip
    assert done.note == (
        f"{folder}: {len(done.removed)} files of earlier exports removed that no longer fit the study "
        f"({', '.join(path.name for path in done.removed[:5])}{', …' if len(done.removed) > 5 else ''})"
    )
    assert (folder / "own.txt").read_text() == "mine"


def test_a_file_of_another_hand_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = curves(tmp_path)
    monkeypatch.setattr(build, "read_study", lambda *_: study)
    (page,) = export(tmp_path, "md").files
    wrote = page.read_bytes()
    page.write_bytes(wrote + b"a remark of mine")
    with pytest.raises(
        InputError, match=r"tables\.md: exists already and is not as `vitiq report` wrote it; rename it"
    ):
        export(tmp_path, "md")
    assert page.read_bytes().endswith(b"mine")
    page.write_bytes(wrote)
    assert export(tmp_path, "md").files == [page]


def test_a_single_file_is_brought_up_to_date(thesis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vitiq.evaluation.rows.tables_are_newest", lambda _: True)
    run = CliRunner()
    assert run.invoke(command, [str(thesis), "--single-file"]).stdout.split() == [str(thesis / "report-single.html")]
    (thesis / "report-single.html").write_text("of an earlier state")
    names = [Path(line).name for line in run.invoke(command, [str(thesis)]).stdout.split()]
    assert names == ["report.html", "report-single.html"]
    assert "<html" in (thesis / "report-single.html").read_text(encoding="utf-8")


def test_nothing_to_report_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "read_study", lambda *_: Study("nothing", []))
    with pytest.raises(InputError, match="no finished task"):
        export(tmp_path, "md")
    monkeypatch.setattr(build, "read_study", lambda *_: Study("nothing", [], ["a.png: jpeg: broken", "more"]))
    with pytest.raises(InputError, match="its tasks failed; the first: a"):
        export(tmp_path, "md")
    with pytest.raises(InputError, match="expected one of md"):
        export(tmp_path, "docx")  # type: ignore[arg-type]
