"""`vitiq bd` and `vitiq rd` on a study that was really done.

Truth: the same figures from `vitiq.analysis` on the records; a codec against itself; and the CSV read back.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from vitiq.analysis.comparison import compare
from vitiq.analysis.points import points_of
from vitiq.cli.bd import command as bd
from vitiq.cli.main import cli
from vitiq.cli.rd import command as rd
from vitiq.cli.validate import command as validate
from vitiq.codecs.spec import parse_codecs
from vitiq.errors import InputError
from vitiq.evaluation.engine import run_study
from vitiq.evaluation.executors import Workers
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.plan import make_study, read_images, series_of
from vitiq.evaluation.points import gather_points
from vitiq.evaluation.store import Store


def do(out: Path, images: Path, codecs: str, metrics: str) -> None:
    """A study done in this process."""
    spec = MetricSpec(metrics)
    with Workers("inline") as workers:
        found, problems = read_images([images], workers, out)
        assert not problems
        study = make_study(found, [series_of(c) for c in parse_codecs(codecs)], spec.make(), spec)
        Store(out).begin(study)
        run_study(study, Store(out), workers)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images, two codecs of five rates, one of them with an option besides."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(0)
    for number in range(4):
        coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        image = np.asarray(Image.fromarray(coarse).resize((96, 72), Image.Resampling.BICUBIC), dtype=np.int16)
        image = np.clip(image + rng.normal(0, 2 + number, image.shape), 0, 255).astype(np.uint8)
        (folder / "images").mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / "images" / f"{number}.png")
    codecs = "jpeg@10,30,50,70,90,webp@10,30,50,70,90,jpeg[subsampling=4:4:4]@10,30,50,70,90"
    do(folder / "out", folder / "images", codecs, "psnr-rgb,mse")
    return folder / "out"


def run(command: object, *args: object, code: int = 0) -> str:
    result = CliRunner().invoke(command, [str(a) for a in args])  # type: ignore[arg-type]
    assert result.exit_code == code, result.output
    return result.stdout if code == 0 else result.output


def test_bd_gives_the_figures_of_the_analysis(out: Path) -> None:
    answer = json.loads(run(bd, out, "--anchor", "WebP", "-m", "psnr-rgb,mse", "--json", "--resamples", 200))
    points = points_of(Store(out).records())
    labels = [c["codec"] for c in answer["comparisons"]]
    assert len(labels) == len(set(labels)) * 2 == 4
    assert "WebP" not in labels
    assert all("JPEG" in label for label in labels)
    for found in answer["comparisons"]:
        ours = compare(
            points, found["codec"], "WebP", found["metric"], higher_is_better=found["metric"] != "mse", resamples=200
        )
        assert found["rate"]["value"] == pytest.approx(ours.rate.value)
        assert found["rate"]["low"] == pytest.approx(ours.rate.low)
        assert found["image_rate"] == pytest.approx(dict(ours.image_rate))
    assert set(answer["averages"]) == set(labels)


def test_bd_prints_tables_for_people(out: Path) -> None:
    text = run(bd, out, "--anchor", "webp", "--resamples", 50, "--per-image")
    assert "### psnr-rgb: BD-rate against WebP" in text
    assert "| 0.png |" in text
    assert "4:4:4" in text
    average = run(bd, out, "--anchor", "webp", "-m", "psnr-rgb,mse", "--resamples", 0).split("mean over the metrics")[1]
    assert "| codec | mean of images | metrics |" in average
    assert average.count(" % | 2 |") == 2
    again = run(bd, out, "--anchor", "webp", "-c", "WEBP", "-m", "psnr-rgb", "--resamples", 40)
    assert "| WebP | +0.0 % [+0.0, +0.0] |" in again, "a codec against itself"


def test_resamples_too_few_for_an_interval_are_refused(out: Path) -> None:
    """2.5 % of 39 is less than one."""
    assert "39 given, 40 or more expected for a 95 % interval" in run_error(
        bd, out, "--anchor", "webp", "--resamples", 39
    )
    assert "1 given, 40 or more expected for a 95 % interval" in run_error(validate, out, "--resamples", 1)


def test_bd_says_what_is_wrong(out: Path, tmp_path: Path) -> None:
    assert gather_points([out]).label("jpeg") == "JPEG", "the curve without options"
    assert "'tiff' is no curve here" in run_error(bd, out, "--anchor", "tiff")
    assert "the points have psnr-rgb, mse" in run_error(bd, out, "--anchor", "webp", "-m", "ssim")
    assert "holds no study" in run_error(bd, tmp_path, "--anchor", "webp")
    (tmp_path / "x.json").write_text("{}")
    assert "not a known table" in run_error(bd, tmp_path / "x.json", "--anchor", "webp")
    far = tmp_path / "far.json"
    far.write_text('{"name": "far", "results": {"bpp": [1, 2, 3, 4], "psnr-rgb": [90, 91, 92, 93]}}')
    text = run(bd, out, far, "--anchor", "webp", "-m", "psnr-rgb", "--resamples", 40, code=1)
    assert "far, psnr-rgb: BD-rate refused" in text
    assert "they share 0%" in text
    assert "| JPEG" in text, "the others are compared"


def run_error(command: object, *args: object) -> str:
    result = CliRunner().invoke(command, [str(a) for a in args])  # type: ignore[arg-type]
    assert result.exit_code != 0
    return f"{result.exception} {result.output}"


def test_rd_gives_every_point_and_reads_it_again(out: Path, tmp_path: Path) -> None:
    text = run(rd, out)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 4 * 15
    records = {(r.image, r.label, r.rate_value): r for r in Store(out).records()}
    for row in rows:
        record = records[row["image"], row["codec"], float(row["setting"].split("=")[1])]
        assert float(row["bytes"]) == record.bytes
        assert float(row["psnr-rgb"]) == record.value("psnr-rgb")
    run(rd, out, "-o", tmp_path / "rd.csv")
    assert (tmp_path / "rd.csv").read_text() == text
    assert gather_points([tmp_path / "rd.csv"]).points == gather_points([out]).points
    only = json.loads(run(rd, out, "--format", "json", "-m", "mse"))
    assert len(only) == 60
    assert "psnr-rgb" not in only[0]
    assert run(rd, out, "-m", "psnr") == run(rd, out, "-m", " psnr-rgb,") != run(rd, out, "-m", "mse")
    assert "psnr-rgb" in run(rd, out, "-m", "psnr").splitlines()[0]


def test_tables_of_rd(out: Path) -> None:
    means = list(csv.DictReader(io.StringIO(run(rd, out, "--table", "means", "-m", "psnr-rgb"))))
    assert len(means) == 15
    assert all(float(m["low"]) <= float(m["value"]) <= float(m["high"]) for m in means)
    pareto = json.loads(run(rd, out, "--table", "pareto", "-m", "psnr-rgb", "--format", "json"))
    assert any(row["efficient"] for row in pareto)
    rate = f"{np.median([float(m['bpp']) for m in means]):.3g}"
    at = json.loads(run(rd, out, "--at", rate, "--format", "json", "-m", "psnr-rgb"))
    assert len(at) == 3
    assert len({row["images"] for row in at}) == 1
    near = json.loads(run(rd, out, "--at", "900", "--unit", "bytes", "--nearest", "--format", "json", "-m", "mse"))
    assert all(row["images"] == 4 for row in near)
    assert "expected numbers" in run_error(rd, out, "--at", "a,b")
    far = CliRunner().invoke(rd, [str(out), "--at", "77,0.0001"])
    assert far.exit_code == 1, "a table without a value is no answer"
    assert "no image on which every codec reaches 77, 0.0001 bpp" in far.stderr


def test_what_a_table_of_means_leaves_out_is_said(out: Path, tmp_path: Path) -> None:
    """A setting at which one image is lossless has no finite mean PSNR: its row was missing without a word."""
    rows = run(rd, out, "-m", "psnr-rgb").splitlines()
    lossless = next(n for n, row in enumerate(rows) if ",quality=90," in row)
    rows[lossless] = rows[lossless].rpartition(",")[0] + ",inf"
    (tmp_path / "rd.csv").write_text("\n".join(rows) + "\n")
    result = CliRunner().invoke(rd, [str(tmp_path / "rd.csv"), "--table", "means", "-m", "psnr-rgb"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1 + 14
    codec = rows[lossless].split(",")[1]
    expected = f"vitiq: {codec}, psnr-rgb: 1 of 5 settings left out: an image has no finite psnr-rgb there\n"
    assert result.stderr == expected


def test_an_image_without_a_curve_is_named_in_a_table_at_equal_rates(out: Path, tmp_path: Path) -> None:
    """One image of WebP had no finite PSNR at three of five files: the means left it out without a word."""
    rows = list(csv.DictReader(io.StringIO(run(rd, out, "-m", "psnr-rgb"))))
    image = rows[0]["image"]
    own = [row for row in rows if (row["image"], row["codec"]) == (image, "WebP")]
    for row in own[:3]:
        row["psnr-rgb"] = "inf"
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / "rd.csv").write_text(text.getvalue())
    published = tmp_path / "vtm.json"
    published.write_text('{"name": "VTM", "results": {"bpp": [1, 2, 3, 4], "psnr-rgb": [20, 30, 35, 40]}}')
    words = [str(tmp_path / "rd.csv"), str(published), "--at", "2", "-m", "psnr-rgb", "--format"]
    said = [CliRunner().invoke(rd, [*words, form], catch_exceptions=False) for form in ("csv", "json")]
    reason = "WebP has a finite psnr-rgb at fewer than 3 files"
    for result in said:
        assert result.exit_code == 0
        assert f"vitiq: 2 bpp: 1 of 4 images left out: {reason}: {image}\n" in result.stderr
        assert "vitiq: VTM: a published mean, not of images: left out of this table\n" in result.stderr
    found = json.loads(said[1].stdout)
    assert [(row["images"], row["left_out"]) for row in found] == [(3, {image: reason})] * 3
    assert "left_out" not in said[0].stdout


def test_two_studies_and_a_published_table_side_by_side(out: Path, tmp_path: Path) -> None:
    table = tmp_path / "webp.json"
    table.write_text('{"name": "WebP", "results": {"bpp": [1, 2, 3, 4], "psnr-rgb": [20, 30, 35, 40]}}')
    labels = {p.codec for p in gather_points([out, table]).points}
    assert {"WebP", "WebP [published]"} <= labels
    other = tmp_path / "other"
    do(other, out.parent / "images", "webp@10,40,80", "psnr-rgb")
    both = gather_points([out, other])
    assert {"WebP [out]", "WebP [other]"} <= {p.codec for p in both.points}
    with pytest.raises(InputError, match="'webp' stands for 2 curves"):
        both.label("webp")
    again = tmp_path / "again" / "out"
    again.parent.mkdir()
    again.symlink_to(other)
    same = {p.codec for p in gather_points([out, again]).points}
    assert {f"WebP [{out.parent.name}/out]", "WebP [again/out]"} <= same, "two folders of one name"
    assert gather_points([out, out.parent / "." / ".." / out.parent.name / "out"]).points == gather_points([out]).points


def test_a_table_is_not_replaced_by_what_is_made_of_it(out: Path, tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text(CliRunner().invoke(rd, [str(out)], catch_exceptions=False).stdout)
    (tmp_path / "link.csv").symlink_to(table)
    before = table.read_bytes()
    for words in (["-o", table], ["-o", tmp_path / "link.csv"], ["--table", "pareto", "-o", table]):
        with pytest.raises(InputError, match="is the input"):
            CliRunner().invoke(rd, [str(table), *map(str, words)], catch_exceptions=False)
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    "words", [["rd"], ["bench", "export", "--to", "csv"], ["bench", "export", "--to", "compressai"]]
)
def test_an_existing_file_is_replaced_only_with_force(words: list[str], out: Path, tmp_path: Path) -> None:
    """A folder of curves too, all of it or nothing; what the study is read from never is."""
    several = words[-1] == "compressai"
    mine = (tmp_path / "new" / "WebP.json") if several else tmp_path / "photo.png"
    given = mine.parent if several else mine
    mine.parent.mkdir(exist_ok=True)
    mine.write_bytes(b"mine")
    part = next((out / "store").rglob("*.parquet"))
    before = part.read_bytes()
    command = [*words, str(out), "-o"]
    with pytest.raises(InputError, match="give --force, or another output with -o"):
        CliRunner().invoke(cli, [*command, str(given)], catch_exceptions=False)
    assert mine.read_bytes() == b"mine"
    assert [path for path in mine.parent.iterdir() if path.is_file()] == [mine]
    assert CliRunner().invoke(cli, [*command, str(given), "--force"], catch_exceptions=False).exit_code == 0
    assert mine.read_bytes() != b"mine"
    if not several:
        with pytest.raises(InputError, match="is the input"):
            CliRunner().invoke(cli, [*command, str(part), "--force"], catch_exceptions=False)
    assert part.read_bytes() == before


@pytest.mark.parametrize("words", [["--seed", "-1"], ["--least-shared", "nan"], ["--least-shared", "0"]])
def test_a_number_that_an_option_cannot_take_is_refused_by_name(words: list[str], out: Path) -> None:
    result = CliRunner().invoke(bd, [str(out), "--anchor", "jpeg", *words])
    assert result.exit_code == 2
    assert f"Invalid value for '{words[0]}'" in result.output


def test_options_of_equal_rates_without_a_rate_and_rates_without_a_value(out: Path) -> None:
    for words in (["--nearest"], ["--unit", "bytes"], ["--nearest", "--table", "means"]):
        assert f"{words[0]} belongs to --at" in run(rd, out, *words, code=2)
    for unit, rate in (("bytes", 0.5), ("bpp", 1e-6)):
        said = run(rd, out, "--at", rate, "--unit", unit, code=1)
        assert f"no image on which every codec reaches {rate:g} {unit} (the files have " in said
        assert "no value in this table" in said
    assert "WebP,2.5,2.5,2," in run(rd, out, "--at", "0.000001,2.5", "-m", "psnr-rgb")
