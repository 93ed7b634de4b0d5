"""`vitiq bench` as a user meets it. Truth: counting by hand, and the same numbers by other commands."""

from __future__ import annotations

import csv
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitiq as library
from program import Vitiq
from vitiq.cli.bench import config_of
from vitiq.evaluation import task as task_module
from vitiq.evaluation.record import Record
from vitiq.evaluation.store import Store
from vitiq.image.io import read_image, write_png
from vitiq.types import ImageU8

MOMENTS = int(os.environ.get("VITIQ_KILLS", "3"))
"""Random moments at which a running study is killed; `make hardening` takes 20."""


@pytest.fixture(scope="module")
def images(bundled: dict[str, ImageU8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name in ("animal", "building", "portrait"):
        write_png(folder / f"{name}.png", np.ascontiguousarray(bundled[name][100:180, 100:200]))
    return folder


def records(out: Path) -> list[str]:
    """Records but for times."""
    names = [name for name in Record.__dataclass_fields__ if "seconds" not in name]
    return [repr({name: getattr(record, name) for name in names}) for record in Store(out).records()]


def files(out: Path) -> dict[str, bytes]:
    kinds = ("bitstreams", "reconstructions", "originals")
    found = (path for kind in kinds for path in (out / kind).rglob("*") if path.is_file())
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def test_a_study_from_the_command_line(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    command = ("bench", images, "-c", "jpeg@10:90:20,webp@10,50", "-c", "webp@90,30", "-m", "psnr-rgb,mse", "-o", out)
    answer = vitiq(*command, "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert "## BD-rate against JPEG" in answer.out
    assert "| codec | metric | mean curve | mean of images | range |" in answer.out
    assert answer.out.splitlines()[-1] == str(out / "report.html")
    with (out / "records.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 9
    for row in rows:
        original, rebuilt = read_image(images / row["image"]), read_image(out / row["reconstruction"])
        assert float(row["mse"]) == pytest.approx(np.square(original.astype(float) - rebuilt).mean())
        assert (out / row["bitstream"]).stat().st_size == int(row["bytes"])
    again = vitiq(*command, "--quiet", "--json")
    assert json.loads(again.out)["problems"] == []
    results = json.loads(again.out)["results"]
    shown = json.loads(vitiq("bench", "show", out, "--json").out)
    assert results == shown["results"]
    rebuilt_file, original_file = out / rows[0]["reconstruction"], images / rows[0]["image"]
    table = tmp_path / "t.csv"
    scored = vitiq("score", original_file, rebuilt_file, "-m", "psnr-rgb,mse", "--out", table, "--json").out
    signatures = {key: score["signature"] for key, score in json.loads(scored)["pairs"][0]["scores"].items()}
    with table.open(newline="", encoding="utf-8") as file:
        (pair,) = csv.DictReader(file)
    for recorded in (*rows, pair):  # what a number hangs on stands beside it, in every table and answer alike
        assert json.loads(recorded["signatures"]) == signatures
        assert json.loads(recorded["versions"]) == json.loads(pair["versions"])
    for said in (json.loads(again.out), shown):
        assert said["metrics"] == signatures
        assert said["versions"] == [json.loads(pair["versions"])] == json.loads(scored)["versions"]
        assert [one["settings"] for one in said["series"]] == [
            json.loads(settings) for settings in dict.fromkeys(row["settings"] for row in rows)
        ]
    for row, found in zip(rows, results, strict=True):
        assert [found[name] for name in ("image", "codec", "label", "rate_kind")] == [
            row[name] for name in ("image", "codec", "label", "rate_kind")
        ]
        for name in ("quality", "rate_value", "bytes", "bpp", "encode_seconds", "decode_seconds"):
            assert found[name] == float(row[name])
        assert found["scores"] == {name: float(row[name]) for name in ("psnr-rgb", "mse")}
    listed = json.loads(vitiq("bench", "ls", out, "--json").out)
    assert [(one["tasks"], one["done"], one["last"]) for one in listed] == [(27, 27, True)]
    assert "jpeg" in vitiq("bench", "show", out, "--json").out


def test_an_unfinished_study_says_so_wherever_it_is_shown(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    command = ("bench", images, "-c", "jpeg@10:70:20,webp@10:70:20", "-o", out, "--quiet")
    assert vitiq(*command, "-m", "psnr-rgb").code == 0
    assert vitiq(*command, "-m", "psnr-rgb,ssim", "--plan").code == 0
    study = Store(out).study()
    shared = [int(task.key[:12], 16) % 2 for task in study.tasks()].count(0)
    assert vitiq("bench", "worker", out, "--shard", "1/2").code == 0
    unfinished = f"Unfinished: {shared} of 24 tasks done; run the study's command again."
    lacking = f"{24 - shared} of 24 files without a score; means are of the others."
    listed = json.loads(vitiq("bench", "ls", out, "--json").out)[-1]
    shown = json.loads(vitiq("bench", "show", out, "--json").out)
    assert (listed["done"], shown["done"], shown["unscored"]) == (shared, shared, {"ssim": 24 - shared})
    text = vitiq("bench", "show", out).out
    assert text.startswith(f"{study.name}: {shared} of 24 tasks done\n")
    assert text.endswith(f"\n{unfinished}\n\nssim: {lacking}\n")
    vitiq("report", out, "--format", "md", "--quiet")
    paper = (out / "paper" / "tables.md").read_text()
    assert f"- {unfinished}\n- SSIM: {lacking}\n" in paper
    assert f"24 files. Rate is the bytes of the whole file. {unfinished}" in paper
    why = "no image has a score at every setting yet; run the study's command again, it makes what is missing"
    assert why in vitiq("rd", out, "--table", "means", "-m", "ssim").err
    assert why in vitiq("bd", out, "--anchor", "jpeg", "-m", "ssim").err
    assert vitiq(*command, "-m", "psnr-rgb,ssim").code == 0
    assert "Unfinished" not in vitiq("bench", "show", out).out


def test_the_worker_that_ends_a_study_and_a_report_write_its_tables(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out, columns = tmp_path / "out", ["psnr-rgb", "ssim"]
    command = ("bench", images, "-c", "jpeg@10,30,50,70", "-o", out, "--quiet")
    assert vitiq(*command, "-m", "psnr-rgb").code == 0
    assert vitiq(*command, "-m", ",".join(columns), "--plan").code == 0
    table = out / "records.csv"

    def read() -> tuple[list[str], int]:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [name for name in rows[0] if name in columns], sum(
            all(row.get(name) for name in columns) for row in rows
        )

    for shard in ("1/2", "2/2"):
        assert read() == (["psnr-rgb"], 0)
        assert vitiq("bench", "worker", out, "--shard", shard).code == 0
    assert read() == (columns, 12)
    table.unlink()
    (out / "records.parquet").unlink()
    assert vitiq("report", out, "--quiet").code == 0
    assert read() == (columns, 12)
    before = table.stat().st_mtime_ns
    assert vitiq("report", out, "--quiet").code == 0
    assert table.stat().st_mtime_ns == before, "nothing has come since"


def test_a_study_whose_images_were_moved_is_planned_again_and_stays_one(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    here, there, out = tmp_path / "here", tmp_path / "there", tmp_path / "out"
    shutil.copytree(images, here)
    options = ("-c", "jpeg@33", "-m", "mse", "-o", out, "--quiet", "--plan")
    planned = vitiq("bench", here, *options).out
    here.rename(there)
    task_module._held.image = None
    answer = vitiq("bench", "worker", out)
    assert answer.out == "shard 1/1: 0 tasks done, 3 failed, 0 already done before\n"
    assert f"{here / 'animal.png'}: no such file, where it was when the study was planned; if it was mov" in answer.err
    assert vitiq("bench", there, *options).out == planned
    assert len(json.loads(vitiq("bench", "ls", out, "--json").out)) == 1
    assert vitiq("bench", "worker", out).out == "shard 1/1: 3 tasks done, 0 already done before\n"


def test_the_anchor_of_a_study_is_that_of_its_report(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    command = ("bench", images, "-c", "jpeg@10:90:20,webp@10:90:20", "-m", "psnr-rgb", "-o", out, "--quiet")
    for asked, label in (("jpeg", "JPEG"), ("webp", "WebP")):
        answer = vitiq(*command, "--anchor", asked)
        assert f"## BD-rate against {label}\n" in answer.out
        assert f"BD-rate of the mean curves against {label}, " in (out / "table.md").read_text()
        vitiq("report", out, "--format", "md", "--quiet")
        assert f"BD-rate of the mean curves against {label}, " in (out / "paper" / "tables.md").read_text()
    assert len(Store(out).study_names()) == 1  # another anchor is no other study


def test_a_study_file_says_the_same(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    study = tmp_path / "study.toml"
    study.write_text(
        f'images = ["{images}"]\ncodecs = ["jpeg@10:90:40"]\nmetrics = ["mse"]\nkeep = ["bitstreams"]\n'
        '[[codec]]\nname = "webp"\nbytes = [900]\nrates = [50]\n'
    )
    answer = vitiq("bench", study, "-o", tmp_path / "file", "--quiet")
    assert (answer.code, answer.err) == (0, "")
    codecs = ("-c", "jpeg@10:90:40,webp@50,bytes=900")
    vitiq("bench", images, *codecs, "-m", "mse", "--keep", "bitstreams", "-o", tmp_path / "line", "--quiet")
    assert records(tmp_path / "file") == records(tmp_path / "line")
    assert not list((tmp_path / "file").glob("reconstructions/*"))
    study.write_text('image = ["x"]\ncodecs = "jpeg"\n[[codec]]\nname = "webp"\nrate = 3\n')
    answer = vitiq("bench", study, "-o", tmp_path / "x", "--quiet")
    assert answer.code == 1
    for word in ("'image'", "images", "codecs = 'jpeg'", "'rate'", "rates"):
        assert word in answer.err
    assert not (tmp_path / "x").exists()


def test_each_option_counts_before_what_a_study_file_says(images: Path, tmp_path: Path) -> None:
    """A checkpoint that the command names was left aside, without a word, where the file named metrics."""
    study = tmp_path / "study.toml"
    study.write_text(f'images = ["{images}"]\ncodecs = ["jpeg@10"]\nmetrics = ["vit-topk"]\nweights = "of-file"\n')
    given = {"precomputed": (), "anchors": (), "anchor": None, "device": "cpu", "keep": "bitstreams,images"}
    named = {"metrics": "default", "weights": Path("of-command"), "panel": (Path("second"),)}
    found = config_of((study,), (), given | named).metrics
    assert (found.names, found.weights, found.panel) == ("vit-topk", Path("of-command"), (Path("second"),))
    found = config_of((study,), (), given | {"metrics": "ssim", "weights": None, "panel": ()}).metrics
    assert (found.names, found.weights, found.panel) == ("ssim", tmp_path / "of-file", ())


@pytest.mark.parametrize(
    ("name", "said"),
    [("j,peg", "names 2 codecs"), ("", "no codec named"), (" , ", "no codec named"), ("jpeg,webp,avif", "names 3")],
)
def test_a_table_of_a_study_file_is_one_codec(name: str, said: str, images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    study = tmp_path / "study.toml"
    study.write_text(f'images = ["{images}"]\nmetrics = ["mse"]\n[[codec]]\nname = "{name}"\n')
    answer = vitiq("bench", study, "-o", tmp_path / "x", "--quiet")
    assert answer.code == (1 if "names" in said else 2)
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_faults_are_named_at_once_before_any_work(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    answer = vitiq("bench", images, tmp_path / "gone", "-c", "jpge", "-c", "jpeg@1000", "-m", "foo", "-o", out)
    assert answer.code == 1
    for word in ("4 problems", "gone", "jpge", "1000", "foo"):
        assert word in answer.err
    assert not out.exists()
    assert vitiq("bench", "-c", "jpeg", "-o", out).code == 2


def test_anchors_are_checked_before_any_work_and_compared_at_the_end(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    out, table = tmp_path / "out", tmp_path / "theirs.json"
    command = ("bench", images, "-c", "jpeg@10:90:20,webp@10:90:20", "-m", "psnr-rgb", "-o", out, "--quiet")
    answer = vitiq(*command, "--anchors", table, "--anchor", "jpeg")
    assert answer.code == 1
    assert f"{table}: cannot be read" in answer.err
    table.write_text(
        '{"name": "Theirs", "results": {"bpp": [0.3, 0.6, 1.2, 2.4], "psnr": [24, 28, 32, 36], "odd": [1, 2, 3, 4]}}'
    )
    answer = vitiq(*command, "--anchors", table, "--anchor", "avif")
    assert answer.code == 1
    assert "'avif' is no curve here; choose from 'JPEG', 'WebP', 'Theirs'" in answer.err
    assert not out.exists()
    answer = vitiq(*command, "--anchors", table, "--anchor", "theirs")
    assert answer.code == 0
    assert "## BD-rate against Theirs" in answer.out
    wanted = json.loads(vitiq("bd", out, table, "--anchor", "theirs", "--json").out)["comparisons"]
    for found in wanted:
        row = next(line for line in answer.out.splitlines() if line.startswith(f"| {found['codec']} | psnr-rgb |"))
        assert f"{found['rate']['value']:+.1f} %" in row
    study = tmp_path / "study.toml"
    text = f'images = ["{images}"]\ncodecs = ["jpeg@10:90:20,webp@10:90:20"]\nmetrics = ["psnr-rgb"]\n'
    study.write_text(text + 'anchors = ["theirs.json"]\nanchor = "theirs"\n')
    assert vitiq("bench", study, "-o", out, "--quiet").out == answer.out
    study.write_text(text + 'keep = ["photographs"]\nanchor = 3\n')
    answer = vitiq("bench", study, "-o", out, "--quiet")
    assert answer.code == 1
    assert "anchor = 3 given, a text expected" in answer.err
    study.write_text(text + 'keep = ["photographs"]\n')
    assert "--keep 'photographs' given" in vitiq("bench", study, "-o", out, "--quiet").err


def test_published_tables_are_kept_with_the_study_and_stand_in_its_report(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    out, table, other = tmp_path / "out", tmp_path / "theirs.json", tmp_path / "other.json"
    command = ("bench", images, "-c", "jpeg@10:90:20,webp@10:90:20", "-m", "psnr-rgb", "-o", out, "--quiet")
    numbers = '"results": {"bpp": [0.3, 0.6, 1.2, 2.4], "psnr": [24, 28, 32, 36]}}'
    table.write_text('{"name": "<b>Their\u202e", ' + numbers)
    other.write_text('{"name": "JPEG", ' + numbers)
    assert vitiq(*command, "--anchors", table).code == 0
    name, page = Store(out).study().name, (out / "report.html").read_text("utf-8")
    assert "\u003c" in page
    assert "<b>Their" not in page
    assert "\u202e" not in page
    answer = vitiq(*command, "--anchors", other, "--anchor", "JPEG [published]")
    assert answer.code == 0
    wanted = json.loads(vitiq("bd", out, other, "--anchor", "JPEG [published]", "--json").out)["comparisons"]
    table.unlink()
    other.unlink()  # the study has the numbers
    assert vitiq("report", out, "--quiet").code == 0
    data = json.loads((out / "report.html").read_text("utf-8").split('id="data">')[1].split("</script>")[0])
    labels = [codec["label"] for codec in data["codecs"]]
    assert labels == ["JPEG", "WebP", "JPEG [published]"]
    assert data["anchor"] == 2
    cells = data["bd"]["psnr-rgb"]["2"]
    assert {labels[int(curve)]: f"{cell[0]:+.1f}" for curve, cell in cells.items()} == {
        one["codec"]: f"{one['rate']['value']:+.1f}" for one in wanted
    }
    text = (out / "table.md").read_text("utf-8")
    assert "against JPEG [published], 3 images" in text
    assert "is a published mean of" in text
    for kind in ("md", "csv", "pdf", "tex"):
        assert vitiq("report", out, "--format", kind, "--quiet").code == 0
    assert vitiq(*command).code == 0  # as an anchor that is named no longer
    assert "[published]" not in (out / "report.html").read_text("utf-8").split('id="data">')[1].split("</script>")[0]
    assert (Store(out).study().name, len(Store(out).study_names())) == (name, 1)


def test_a_dry_run_does_nothing(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    answer = vitiq("bench", images, "-c", "jpeg@10:90:20", "-m", "mse", "-o", out, "--dry-run", "--json")
    values = json.loads(answer.out)
    assert (values["images"], values["tasks"], values["files"]["bitstreams"]) == (3, 15, 15)
    assert values["seconds"] > 0
    assert not out.exists()


def test_a_dry_run_counts_what_the_study_does(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    """Codecs and rates that are named twice are done once."""
    codecs = ("-c", "jpeg@20,40", "-c", "jpeg@40", "-c", "webp@bytes=900")
    answer = vitiq("bench", images, *codecs, "-m", "mse", "-o", tmp_path / "out", "--dry-run", "--json")
    values = json.loads(answer.out)
    assert (values["tasks"], values["files"]["bitstreams"]) == (9, 9)
    assert vitiq("bench", images, *codecs, "-m", "mse", "-o", tmp_path / "out", "--plan").out.endswith(": 9 tasks\n")


def test_a_dry_run_counts_what_is_missing_of_a_study(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    bench = ("bench", images, "-o", out, "--executor", "inline", "--quiet")
    assert vitiq(*bench, "-c", "jpeg@30,50", "-m", "mse").code == 0

    def missing(codecs: str, metrics: str) -> tuple[object, ...]:
        values = json.loads(vitiq(*bench, "-c", codecs, "-m", metrics, "--dry-run", "--json").out)
        kinds = ("bitstreams", "reconstructions", "originals")
        return (values["tasks"], values["kept"], *(values["files"][kind] for kind in kinds))

    assert missing("jpeg@30,50", "mse") == (0, 6, 0, 0, 0)
    assert missing("jpeg@30,50,70", "mse") == (3, 6, 3, 3, 0)
    assert missing("jpeg@30,50", "mse,psnr-rgb") == (6, 0, 0, 0, 0)
    said = vitiq(*bench, "-c", "jpeg@30,50", "-m", "mse", "--dry-run").out
    assert said.startswith("0 tasks on 3 images, 6 more are done\n")
    assert "about" not in said


def test_options_of_a_filter_in_a_table_are_pointed_to_the_name(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    study = tmp_path / "study.toml"
    text = f'images = ["{images}"]\n[[codec]]\nname = "jpeg+deblock"\n'
    study.write_text(text + "options = { percent = 30 }\n")
    answer = vitiq("bench", study, "-o", tmp_path / "out", "--dry-run")
    assert 'options of a filter stand in the name: "jpeg+deblock[percent=30]"' in answer.err
    study.write_text(text + "options = { progressive = true }\n")
    assert vitiq("bench", study, "-m", "mse", "-o", tmp_path / "out", "--plan").code == 0


@pytest.mark.parametrize(
    "name", ["records.csv", "records.parquet", "report.html", "table.md", "table.tex", "study.json"]
)
def test_a_folder_of_others_is_not_written_over(name: str, images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    mine = tmp_path / name
    mine.write_text("mine")
    bench = ("bench", images, "-c", "jpeg@30", "-m", "mse", "-o", tmp_path)
    run = ("run", images, "-c", "jpeg", "--comparators", "", "-m", "mse", "-o", tmp_path)
    for command in (bench, (*bench, "--dry-run"), (*bench, "--plan"), run):
        answer = vitiq(*command)
        assert answer.code == 1
        assert f"{mine}: exists already" in answer.err
        assert "-o" in answer.err
        assert list(tmp_path.iterdir()) == [mine]
    assert mine.read_text() == "mine"


def test_results_are_continued_beside_other_files_and_without_their_mark(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    """A folder may hold what no study writes; a copy of results may lack the mark, a hidden file."""
    (tmp_path / "notes.txt").write_text("mine")
    bench = ("bench", images, "-m", "mse", "-o", tmp_path, "--executor", "inline")
    assert vitiq(*bench, "-c", "jpeg@30").code == 0
    assert vitiq(*bench, "-c", "jpeg@40").code == 0
    (tmp_path / ".vitiq").unlink()
    assert vitiq(*bench, "-c", "jpeg@50").code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_show_says_why_a_metric_has_no_value(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    small = tmp_path / "small.png"
    Image.fromarray(np.ascontiguousarray(read_image(min(images.glob("*.png")))[:40, :40])).save(small)
    run = vitiq("bench", small, "-c", "jpeg@50", "-m", "ms-ssim", "-o", tmp_path / "out", "--quiet")
    (said,) = [line for line in run.out.splitlines() if line.startswith("ms-ssim: no finite value: ")]
    assert said in vitiq("bench", "show", tmp_path / "out").out.splitlines()


def test_metrics_of_sets_are_shown_as_data_with_the_reason_where_one_has_no_value(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    """Truth: `score` on the study's own originals and reconstructions."""
    out, metrics = tmp_path / "out", "psnr-rgb,kid-pixel,fid-pixel"
    command = ("bench", images, "-c", "jpeg@10,90", "-m", metrics, "-o", out, "--quiet")
    answer = vitiq(*command)
    assert answer.code == 0
    rebuilt = tmp_path / "rebuilt"
    rebuilt.mkdir()
    for record in Store(out).records():
        if record.quality == 10:
            (rebuilt / record.image).write_bytes(Store(out).path("reconstructions", record.key).read_bytes())
    expected = json.loads(vitiq("score", images, rebuilt, "-m", "kid-pixel,fid-pixel", "--json", "--quiet").out)["sets"]
    why = "fid-pixel: no value: 3 and 3 images given, more than 192 expected (the dimensions)"
    for said in (answer.out, vitiq("bench", "show", out).out):
        assert "| codec | kid-pixel | fid-pixel |" in said
        assert f"| JPEG @quality=10 | {expected['kid-pixel']['value']:.4f} (3) | – |" in said
        assert said.count(why) == 1
    for data in (json.loads(vitiq(*command, "--json").out), json.loads(vitiq("bench", "show", out, "--json").out)):
        stated = {metric: score | {"independent": True} for metric, score in expected.items()}
        assert data["sets"]["JPEG @quality=10"] == stated
        assert data["sets"]["JPEG @quality=90"]["fid-pixel"]["value"] is None
    found = library.run_study(images, "jpeg@10,90", out, metrics, progress=False).sets["JPEG @quality=10"]
    assert found["kid-pixel"].value == expected["kid-pixel"]["value"]
    assert math.isnan(found["fid-pixel"].value)
    assert found["fid-pixel"].details["undefined"] == expected["fid-pixel"]["undefined"]


def test_metrics_of_sets_say_that_they_read_the_images_a_study_keeps(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    command = ("bench", images, "-c", "jpeg@50", "-m", "psnr-rgb,kid-pixel", "--keep", "bitstreams", "--quiet")
    answer = vitiq(*command, "-o", tmp_path)
    assert "kid-pixel: no value, as metrics of sets read the images of the study, which are not kept" in answer.out


def test_precomputed_reconstructions_are_scored_like_a_codec(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    sizes = ["image,rate,bytes"]
    for rate in (20, 60):
        for path in sorted(images.glob("*.png")):
            file = tmp_path / "made" / str(rate) / f"{path.stem}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(read_image(path)).save(file, quality=rate)
            sizes.append(f"{path.name},{rate},{file.stat().st_size}")
    (tmp_path / "made" / "sizes.csv").write_text("\n".join(sizes[:-1]) + "\n")
    out = tmp_path / "out"
    command = ("bench", images, "--precomputed", f"Theirs={tmp_path / 'made'}", "-m", "mse", "-o", out, "--quiet")
    answer = vitiq(*command)
    assert answer.code == 1
    assert "no bytes of portrait.png at rate 60" in answer.err
    found = Store(out).records()
    assert [(r.label, r.rate_value) for r in found] == [("Theirs", 20), ("Theirs", 60)] * 2 + [("Theirs", 20)]
    for record in found:
        file = tmp_path / "made" / f"{record.rate_value:g}" / f"{Path(record.image).stem}.jpg"
        difference = read_image(images / record.image).astype(float) - read_image(file)
        assert record.value("mse") == pytest.approx(np.square(difference).mean())
        assert record.bytes == file.stat().st_size
    (tmp_path / "made" / "sizes.csv").write_text("\n".join(sizes) + "\n")
    assert vitiq(*command).code == 0


def test_what_reading_a_precomputed_reconstruction_changed_is_in_its_record(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    image, made = min(images.glob("*.png")), tmp_path / "made"
    made.mkdir()
    transparent = Image.fromarray(read_image(image)).convert("RGBA")
    transparent.putalpha(200)
    transparent.save(made / image.name)
    (made / "sizes.csv").write_text(f"image,bytes\n{image.name},100\n")
    vitiq("bench", image, "--precomputed", f"Theirs={made}", "-m", "mse", "-o", tmp_path / "out", "--quiet")
    (record,) = Store(tmp_path / "out").records()
    assert len(record.notes) == 1
    assert record.notes[0].startswith("reconstruction: ")
    assert "transpar" in record.notes[0]


def test_a_precomputed_reconstruction_belongs_to_the_image_of_just_its_name(
    images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    """The study calls x.png beside X.png x-2.png, which no file is called."""
    source, made, out = tmp_path / "in", tmp_path / "made", tmp_path / "out"
    first, second = sorted(images.glob("*.png"))[:2]
    for folder in (source, made):
        folder.mkdir()
    for target, image in ((source / "X.png", first), (source / "x.png", second), (made / "x.png", second)):
        target.write_bytes(image.read_bytes())
    if len(list(source.iterdir())) < 2:
        pytest.skip("this file system takes these names for one")
    (made / "sizes.csv").write_text("image,bytes\nx.png,100\n")
    answer = vitiq("bench", source, "--precomputed", f"Theirs={made}", "-m", "mse", "-o", out, "--quiet")
    assert answer.code == 1
    assert "Theirs: no reconstruction of X.png" in answer.err
    assert "x-2" not in answer.err
    assert [(record.bytes, record.value("mse")) for record in Store(out).records()] == [(100, 0)]


def test_exports(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    vitiq("bench", images, "-c", "jpeg@10,50,webp@10,50", "-m", "psnr-rgb", "-o", out, "--quiet")
    rows = list(csv.DictReader(vitiq("bench", "export", out, "--to", "csv").out.splitlines()))
    assert len(rows) == 12
    table = json.loads(vitiq("bench", "export", out, "--to", "compressai", "--codec", "jpeg").out)
    assert table["name"] == "JPEG"
    mean = np.mean(
        [float(row["psnr-rgb"]) for row in rows if row["codec"] == "JPEG" and row["setting"] == "quality=10"]
    )
    assert table["results"]["psnr-rgb"][0] == pytest.approx(mean)
    vitiq("bench", "export", out, "--to", "codec-compare", "-o", tmp_path / "cc")
    assert sorted(path.name for path in (tmp_path / "cc").iterdir()) == ["JPEG.json", "WebP.json"]


def test_curves_of_like_names_are_exported_to_files_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vitiq: Vitiq
) -> None:
    """Signs that no file name should hold become a dash; two such labels would else share a file."""
    sizes = (True, 8, 8, 9, 1.125, 0.1, 0.1)
    made = [Record("", "a.png", "", "x", label, {}, "quality", 1.0, 1.0, *sizes) for label in ("x[q=1]", "x(q=1)")]
    monkeypatch.setattr(Store, "records", lambda *_, **__: made)
    assert vitiq("bench", "export", tmp_path, "--to", "compressai", "-o", tmp_path / "out").code == 0
    tables = [json.loads(path.read_text()) for path in sorted((tmp_path / "out").iterdir())]
    assert sorted(table["name"] for table in tables) == ["x(q=1)", "x[q=1]"]


def test_clean_leaves_what_is_referred_to(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    for codecs in ("jpeg@10,50", "webp@10,50"):
        vitiq("bench", images, "-c", codecs, "-m", "mse", "-o", out, "--quiet")
    before, kept = records(out), files(out)
    orphan = out / "bitstreams" / "ab" / ("ab" * 32 + ".jpg")
    orphan.parent.mkdir(exist_ok=True)
    for path in (orphan, orphan.with_name(".half.jpg.123"), out / "store" / "v1" / "scores" / ".part-1.parquet"):
        path.write_bytes(b"x")
    done = json.loads(vitiq("bench", "clean", out, "--json").out)
    assert (done["files"], done["half_made"]) == (1, 2)
    assert (records(out), files(out)) == (before, kept)
    done = json.loads(vitiq("bench", "clean", out, "--only-last", "--json").out)
    assert done["files"] == 12
    assert records(out) == before
    assert len(json.loads(vitiq("bench", "ls", out, "--json").out)) == 1


def test_clean_removes_nothing_outside_its_folder(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out, others = tmp_path / "out", tmp_path / "others"
    vitiq("bench", images, "-c", "jpeg@10,50", "-m", "mse", "-o", out, "--quiet")
    name = "ab" * 32 + ".png"
    for place in (others / "ab", others / ".vitiq-half"):
        place.mkdir(parents=True)
        (place / name).write_bytes(b"theirs")
    (others / ".half.png.1").write_bytes(b"theirs")
    before = sorted(others.rglob("*"))
    (out / "traces").symlink_to(others, target_is_directory=True)
    (out / "maps").mkdir()
    (out / "maps" / "ab").symlink_to(others / "ab", target_is_directory=True)
    (out / "previews" / "ab").mkdir(parents=True)
    orphan = out / "previews" / "ab" / ("ab" * 32)
    orphan.symlink_to(others, target_is_directory=True)
    answer = vitiq("bench", "clean", out, "--json")
    assert (answer.code, json.loads(answer.out)["files"]) == (0, 1)
    assert json.loads(answer.out)["links"] == [str(out / "traces"), str(out / "maps" / "ab")]
    assert sorted(others.rglob("*")) == before
    assert not orphan.is_symlink()
    assert f"vitiq: {out / 'traces'}: a link, what lies behind it was left as it is" in vitiq("bench", "clean", out).err


@pytest.mark.parametrize("place", ["store", "store/v1/scores", "studies"])
def test_clean_refuses_rows_and_studies_of_another_folder(
    images: Path, tmp_path: Path, vitiq: Vitiq, place: str
) -> None:
    out, others = tmp_path / "out", tmp_path / "others"
    for codecs in ("jpeg@10,50", "webp@10,50"):
        vitiq("bench", images, "-c", codecs, "-m", "mse", "-o", out, "--quiet")
    shutil.move(out / place, others)
    (out / place).symlink_to(others, target_is_directory=True)
    before = sorted(others.rglob("*"))
    for option in ("--only-last", "--compact"):
        answer = vitiq("bench", "clean", out, option)
        assert answer.code == 1
        assert f"{out / place}: a link to {others}" in answer.err
    assert sorted(others.rglob("*")) == before


def test_compact_merges_parts_and_removes_nothing(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    out = tmp_path / "out"
    for codecs in ("jpeg@10,50", "webp@10,50"):
        vitiq("bench", images, "-c", codecs, "-m", "mse", "-o", out, "--quiet")
    orphan = out / "bitstreams" / "ab" / ("ab" * 32 + ".jpg")
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    before, kept = records(out), files(out)
    count = len(list(out.glob("store/v1/*/*/*.parquet")))
    done = json.loads(vitiq("bench", "clean", out, "--compact", "--json").out)
    assert (done["files"], done["parts"]) == (0, count)
    assert len(list(out.glob("store/v1/*/*/*.parquet"))) == 2
    assert (records(out), files(out)) == (before, kept)
    assert vitiq("bench", "clean", out, "--compact", "--only-last").code == 2


def test_a_study_killed_at_random_moments_equals_an_undisturbed_one(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    command = ["bench", str(images), "-c", "jpeg@5:95:10,jpeg2000@bpp=0.5,1,2", "-m", "mse", "--quiet", "-j", "2"]
    command += ["--executor", "processes", "-o"]
    out, whole = tmp_path / "out", tmp_path / "whole"
    rng = random.Random(MOMENTS)
    start = time.monotonic()
    vitiq(*command[:-3], "--executor", "processes", "-o", whole)
    usual = time.monotonic() - start
    for _ in range(MOMENTS):
        with subprocess.Popen(
            [sys.executable, "-m", "vitiq", *command, str(out)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        ) as process:
            try:
                process.wait(rng.uniform(0.2, 1.2) * usual)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
    assert vitiq(*command, out).code == 0
    assert records(out) == records(whole)
    vitiq("bench", "clean", out)
    assert records(out) == records(whole)
    assert files(out) == files(whole)
    assert not [path for path in out.rglob(".*") if path.name != ".vitiq"]


def test_an_anchor_without_a_metric_of_the_study_is_named(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    table = tmp_path / "theirs.json"
    table.write_text('{"name": "Theirs", "results": {"bpp": [0.3, 0.6, 1.2], "psnr-rgb": [24, 28, 32]}}')
    answer = vitiq("bench", images, "-c", "jpeg@10,50,90", "-m", "ssim", "--anchors", table, "-o", tmp_path / "out")
    assert "Theirs has psnr-rgb, JPEG has ssim: nothing to compare." in answer.out


@pytest.mark.parametrize(
    ("main", "compared"),
    [
        (("jpeg", "-O", "subsampling=4:4:4"), ["jpeg", "webp"]),
        (("jpeg[subsampling=4:4:4]",), ["jpeg", "webp"]),
        (("jpeg", "-O", "subsampling=4:2:0"), ["jpeg[subsampling=4:4:4]", "webp"]),
        (("jpeg",), ["jpeg[subsampling=4:4:4]", "webp"]),
    ],
)
def test_only_the_main_codec_with_its_options_is_no_comparator(
    main: tuple[str, ...], compared: list[str], images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    out, given = tmp_path / "out", "jpeg,jpeg[subsampling=4:4:4],webp"
    settings = ("-q", 30, "--comparators", given, "-m", "mse", "--executor", "inline", "--quiet")
    assert vitiq("run", images / "animal.png", "-c", *main, *settings, "-o", out).code == 0
    found = [record for record in Store(out).records() if record.details["group"] == "equal-bytes"]
    labels = {"jpeg": "JPEG", "jpeg[subsampling=4:4:4]": "JPEG [subsampling=4:4:4]", "webp": "WebP"}
    assert sorted(record.label for record in found) == sorted(labels[name] for name in compared)


@pytest.mark.parametrize("rate", [(), ("-q", 90)])
def test_at_bytes_has_the_main_codec_at_these_bytes_too(
    rate: tuple[object, ...], images: Path, tmp_path: Path, vitiq: Vitiq
) -> None:
    """Whatever the sizes of its own files are, on either side of the size asked for."""
    settings = ("--at-bytes", 1500, "--comparators", "jpeg,webp", "-m", "mse", "--executor", "inline", "--quiet")
    assert vitiq("run", images, "-o", tmp_path / "out", "-c", "jpeg", *rate, *settings).code == 0
    lines = (tmp_path / "out" / "table.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    assert sorted(row[0].strip("*") for row in rows) == ["JPEG", "WebP"]
    made = [record for record in Store(tmp_path / "out").records() if record.codec == "jpeg"]
    apart = [record for record in made if record.rate_kind == "quality"]
    close = [record for record in made if record.rate_kind == "bytes"]
    assert len(apart) == len(close) == len({record.image for record in made})
    (row,) = (row for row in rows if row[0].strip("*") == "JPEG")
    assert int(row[1].replace(",", "")) == round(sum(record.bytes for record in close) / len(close))


def test_what_cannot_be_compared_is_a_table_all_the_same(images: Path, tmp_path: Path, vitiq: Vitiq) -> None:
    """One codec, or two that share no size: their means are those of the records."""
    one, two = tmp_path / "one", tmp_path / "two"
    scored = ("-m", "mse", "--executor", "inline")
    settings = ("-c", "jpeg", "-q", 30, *scored)
    alone = vitiq("run", images, "-o", one, *settings, "--comparators", "")
    both = vitiq("bench", images, "-o", two, "-c", "jpeg@30", "-c", "webp@bytes=10", *scored)
    found = json.loads(vitiq("run", images, "-o", one, *settings, "--comparators", "", "--json").out)["results"]
    assert [(r["image"], r["bytes"], r["scores"]["mse"]) for r in found] == [
        (r.image, r.bytes, r.value("mse")) for r in Store(one).records()
    ]
    for answer, out, codecs in ((alone, one, ["JPEG"]), (both, two, ["JPEG", "WebP\\*"])):
        assert answer.code == 0
        text = (out / "table.md").read_text()
        assert answer.out.startswith(text) or out == two  # bench prints a table of its own
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "| " in line]
        assert [row[0] for row in rows] == ["codec", *codecs]
        records = [record for record in Store(out).records() if record.codec == "jpeg"]
        assert rows[1][1] == "quality 30"
        assert int(rows[1][2].replace(",", "")) == round(sum(record.bytes for record in records) / len(records))
        mean = sum(record.value("mse") for record in records) / len(records)
        assert float(rows[1][4]) == pytest.approx(mean, abs=0.06)
    assert "\\* Larger than requested" in (two / "table.md").read_text()
    for form, names in (("csv", ["settings.csv", "notes.txt"]), ("md", ["tables.md"])):
        assert vitiq("report", one, "--format", form).out.split() == [str(one / "paper" / name) for name in names]
        assert "JPEG" in (one / "paper" / names[0]).read_text()
    assert "begin{table" in (one / "table.tex").read_text()
