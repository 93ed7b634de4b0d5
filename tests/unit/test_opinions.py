"""Data sets with opinion scores. Truth: the layouts as published, in miniature: TID2013's mos_with_names.txt, LIVE
release 2's .mat files and folders, CSIQ's workbook, KADID-10k's dmos.csv, CID22's csv, PIPAL's Train_Label, the
tables of JPEG AIC-3 and AIC-4 (jpeg-aic/JPEG-AIC-4-datasets, 56723f7), mucped22's and mucped23's (google-research,
193eb9d), their headers whole. KADID-10k's rows are published ones (meta_info_KADID10kDataset.csv of IQA-PyTorch
81e0697, whose process_kadid10k.py copies dmos.csv). And the real subset of TID2013 whose MSE is published.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook
from PIL import Image
from scipy.io import savemat
from scipy.optimize import minimize
from scipy.stats import spearmanr

from vitiq.cli.validate import command
from vitiq.datasets.compression import is_learned
from vitiq.datasets.elo import elo_scores
from vitiq.datasets.opinions import load_opinions
from vitiq.datasets.spreadsheet import read_sheet
from vitiq.errors import InputError, UnknownNameError, WeightsError
from vitiq.evaluation import opinion_values
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.pair_store import KeptValues
from vitiq.evaluation.scoring import Scored, score_pairs
from vitiq.image.io import read_image, write_png
from vitiq.metrics.fidelity.pixel import mean_squared_error


def write_image(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).integers(0, 200, (24, 32, 3), dtype=np.uint8)
    image[:, :value] //= 2
    Image.fromarray(image).save(path)


def tid(root: Path) -> None:
    write_image(root / "reference_images" / "I01.BMP")
    lines = []
    for level in range(1, 6):
        write_image(root / "distorted_images" / f"i01_10_{level}.bmp", level)
        lines.append(f"{6 - level}.51351 I01_10_{level}.bmp")
    (root / "mos_with_names.txt").write_text("\n".join(lines) + "\n")


def live(root: Path) -> None:
    kinds = [("jp2k", 227), ("jpeg", 233), ("wn", 174), ("gblur", 174), ("fastfading", 174)]
    dmos, originals = np.zeros((1, 982)), np.ones((1, 982))
    names = np.full((1, 982), None, dtype=object)
    names[:] = "ocean.bmp"
    write_image(root / "refimgs" / "ocean.bmp")
    for place, (kind, number) in ((0, ("jp2k", 1)), (1, ("jp2k", 2)), (228, ("jpeg", 2)), (981, ("fastfading", 174))):
        dmos[0, place], originals[0, place] = 20 + place / 10, 0
        write_image(root / kind / f"img{number}.bmp", number % 20)
    assert sum(count for _, count in kinds) == 982
    savemat(root / "dmos_realigned.mat", {"dmos_new": dmos, "orgs": originals})
    savemat(root / "refnames_all.mat", {"refnames_all": names})


def workbook(path: Path, rows: dict[int, dict[str, str | float]]) -> None:
    """An .xlsx with one sheet after an empty one."""
    book = Workbook()
    book.active.title = "first"
    sheet = book.create_sheet("all_by_image")
    for number, cells in rows.items():
        for column, value in cells.items():
            sheet[f"{column}{number}"] = value
    book.save(path)


def csiq(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True)
    rows: dict[int, dict[str, str | float]] = {
        2: {"A": "CSIQ DMOS"},
        4: dict(zip("DEFGHI", ("image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"), strict=True)),
        5: dict(zip("DEFGHI", (1600.0, 1.0, "noise", 1.0, 0.05, 0.062), strict=True)),
        6: dict(zip("DEFGHI", ("sunset_color", 3.0, "jpeg 2000", 5.0, 0.1, 0.9), strict=True)),
        7: {"A": "note"},
    }
    workbook(root / "csiq.DMOS.xlsx", rows)
    for name in ("1600", "sunset_color"):
        write_image(root / "src_imgs" / f"{name}.png")
    write_image(root / "dst_imgs" / "awgn" / "1600.AWGN.1.png", 3)
    write_image(root / "dst_imgs" / "jpeg2000" / "sunset_color.jpeg2000.5.png", 9)


def kadid(root: Path) -> None:
    for name in ("I01.png", "I01_01_01.png", "I01_10_03.png", "I81.png", "I81_25_05.png"):
        write_image(root / "images" / name)
    lines = ["dist_img,ref_img,dmos,var", "I01_01_01.png,I01.png,4.57,0.496", "I01_10_03.png,I01.png,3.77,0.803"]
    lines.append("I81_25_05.png,I81.png,3.27,0.772")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")


def cid22(root: Path) -> None:
    write_image(root / "original" / "1001682.png")
    write_image(root / "distorted" / "1001682" / "jxl.png", 4)
    lines = [
        "reference_img,distorted_img,encoder,setting,bpp,MCOS,RMOS,Elo,nb_pc_opinions",
        "original/1001682.png,original/1001682.png,Reference,,,92,90,2600,0",
        "original/1001682.png,distorted/1001682/jxl.png,JPEG_XL,e7_q50,0.85,61.5,60.1,1900,57",
    ]
    (root / "CID22_validation_set.csv").write_text("\n".join(lines) + "\n")


def pipal(root: Path) -> None:
    write_image(root / "Train_Ref" / "A0000.bmp")
    write_image(root / "Distortion_1" / "A0000_00_00.bmp", 2)
    write_image(root / "Distortion_4" / "A0000_06_26.bmp", 5)
    (root / "Train_Label").mkdir()
    (root / "Train_Label" / "A0000.txt").write_text("A0000_00_00.bmp,1457.2329\nA0000_06_26.bmp,1390.5\n")


def aic3(root: Path) -> None:
    """With the row of commas that the published table has between codecs, and JND below zero."""
    name = "00001_1192x832"
    write_image(root / "original" / f"{name}.png")
    for codec, quality in (("AVIF", 1), ("JPEG-1", 10)):
        write_image(root / "decoded" / name / f"{codec}_{name}_{quality}.png", quality)
    lines = [
        "score.jnd,codec,img.number,img.name,quality,quality.selected,method,bpp",
        f"-0.25,AVIF,1,{name},1,20,estimated,1.75",
        ",,,,,,,",
        f"-2.4,JPEG-1,1,{name},10,30,subjective,0.9",
    ]
    (root / "decoded" / "info_with_bitrates.csv").write_text("\n".join(lines) + "\n")


def aic3_levels(root: Path) -> None:
    """The table without bitrates, as it is in the archive itself."""
    aic3(root)
    table = root / "decoded" / "info_with_bitrates.csv"
    lines = [line.rpartition(",")[0] for line in table.read_text().splitlines()]
    (root / "decoded" / "info.csv").write_text("\n".join(lines) + "\n")
    table.unlink()


def aic4(root: Path) -> None:
    """The first rows of the published tables."""
    for codec, level in (("0ref", 0), ("AVIF", 1), ("JPEG-AI", 10)):
        write_image(root / "PTC_images" / "00002" / f"PTC_00002_{codec}_{level:02d}.png", level)
    (root / "JPEG_AIC_reconstructed_jnd_scores.csv").write_text(
        "img_num,codec,dlevel,img_source,img_distorted,distortion,CI_min,CI_max\n"
        "2,1,1,PTC_00002_0ref_00.png,PTC_00002_AVIF_01.png,0.12031473,0.09630131,0.145992485\n"
        "2,6,10,PTC_00002_0ref_00.png,PTC_00002_JPEG-AI_10.png,3.5,3.3,3.7\n"
    )
    (root / "JPEG-AIC_metric_scores.csv").write_text(
        "img_distorted,img_num,codec,dlevel,distortion,PSNR-Y,SSIM,MS-SSIM,IW-SSIM,VMAF-neg,SSIMULACRA2,HDR-VDP-2 Q,"
        "HDR-VDP-3 Q,CVVDP,PSNR-Y mapped,SSIM mapped,MS-SSIM mapped,IW-SSIM mapped,SSIMULACRA2 mapped,VMAF-neg mapped,"
        "HDR-VDP-2 Q mapped,HDR-VDP-3 Q mapped,CVVDP mapped\n"
        "PTC_00002_AVIF_01.png,2,1,1,0.120314730481241,47.323361,0.986571414840386,0.998117326738922,0.997920737910273,"
        "94.824595,88.67840533,61.9353150536917,9.99641500644239,9.8821,0.24748968810471100,0.5047193662567370,"
        "0.4545856570004630,0.48272989236994000,0.356358191342908,0.4287757325099070,0.4708323554165740,"
        "0.5011254592378650,0.3657134338416470\n"
    )


def mucped23(root: Path) -> None:
    """The answer names the image that looked worse: A here, so that B's is the better one."""
    for folder in ("originals", "mozjpeg-q80-yuv422", "jpegli-q70-yuv444"):
        write_image(root / folder / "1044329.png", len(folder))
    answers = ["methodA,methodB,originalName,answerValue"]
    answers += ["mozjpeg-q80-yuv422,jpegli-q70-yuv444,1044329,A"] * 10
    answers += ["jpegli-q70-yuv444,mozjpeg-q80-yuv422,1044329,A"]
    (root / "answers.csv").write_text("\n".join(answers) + "\n")
    (root / "elo.csv").write_text(
        "method,elo,p99Low,p99Hi,bpp,label\n"
        "jpegli-q70-yuv444,1864.5178,1824.3069,1904.7288,1.1235974,jpegli\n"
        "mozjpeg-q80-yuv422,1958.4712,1916.8787,2000.0637,1.3579394,mozjpeg\n"
    )


def mucped22(root: Path) -> None:
    """Two of the published sample's fields a side, and others that are not read."""
    for folder in ("originals", "dist_6", "dist_17"):
        write_image(root / folder / "edgar-castrejon.png", len(folder))
    answer = {
        "crop": [176, 279, 768, 768],
        "greater": "dist_6",
        "lesser": "dist_17",
        "image": "edgar-castrejon.png",
        "greater_elo": 1537.137225817871,
        "lesser_elo": 2172.2137460449217,
        "random_choice": False,
    }
    (root / "evaluations.json").write_text(json.dumps([answer, answer]))


EXPECTED = {
    tid: ("TID2013", ["jpeg"] * 5, [5.51351, 4.51351, 3.51351, 2.51351, 1.51351]),
    live: ("LIVE", ["jp2k", "jp2k", "jpeg", "fastfading"], [-20, -20.1, -42.8, -118.1]),
    csiq: ("CSIQ", ["awgn", "jpeg2000"], [-0.062, -0.9]),
    kadid: ("KADID-10k", ["gaussian blur", "jpeg", "contrast change"], [4.57, 3.77, 3.27]),
    cid22: ("CID22", ["JPEG_XL"], [61.5]),
    aic3: ("AIC-3", ["AVIF", "JPEG-1"], [-0.25, -2.4]),
    aic3_levels: ("AIC-3", ["AVIF", "JPEG-1"], [-0.25, -2.4]),
    aic4: ("AIC-4", ["AVIF", "JPEG-AI"], [-0.12031473, -3.5]),
    mucped23: ("mucped23", ["jpegli", "mozjpeg"], [2182.55, 1817.45]),
    mucped22: ("mucped22", ["dist_6", "dist_17"], [1537.137225817871, 2172.2137460449217]),
    pipal: ("PIPAL", ["group 00", "group 06"], [1457.2329, 1390.5]),
}


@pytest.mark.parametrize("make", EXPECTED)
def test_layouts_as_published(make: object, tmp_path: Path) -> None:
    layout, kinds, quality = EXPECTED[make]  # type: ignore[index]
    tmp_path.mkdir(exist_ok=True)
    make(tmp_path)  # type: ignore[operator]
    data = load_opinions(tmp_path)
    assert data.layout == layout
    assert [o.distortion for o in data.opinions] == kinds
    assert [o.quality for o in data.opinions] == pytest.approx(quality, abs=0.1 if layout == "mucped23" else 1e-6)
    for opinion in data.opinions:
        assert read_image(opinion.distorted).shape == read_image(opinion.reference).shape == (24, 32, 3)


def test_rates_units_and_what_a_set_publishes(tmp_path: Path) -> None:
    rates = {aic3: ([1.75, 0.9], "bits per pixel"), aic4: ([1, 10], "level"), cid22: ([0.85], "bits per pixel")}
    rates |= {mucped23: ([1.1235974, 1.3579394], "bits per pixel"), kadid: ([1, 3, 5], "level")}
    rates |= {tid: ([1, 2, 3, 4, 5], "level"), aic3_levels: ([1, 10], "level")}
    for make, (wanted, unit) in rates.items():
        folder = tmp_path / make.__name__
        folder.mkdir()
        make(folder)
        data = load_opinions(folder)
        assert [o.rate for o in data.opinions] == pytest.approx(wanted)
        assert data.rate_unit == unit
    data = load_opinions(tmp_path / "aic4")
    assert data.is_jnd
    assert data.opinions[0].published["ssimulacra2"] == 88.67840533
    choices = load_opinions(tmp_path / "mucped23").choices
    assert [c.better.parent.name for c in choices].count("jpegli-q70-yuv444") == 10
    assert len(choices) == 11


def test_published_values_are_enough(tmp_path: Path) -> None:
    aic4(tmp_path)
    shutil.rmtree(tmp_path / "PTC_images")
    data = load_opinions(tmp_path)
    assert not data.with_images
    assert len(data.opinions) == 2
    (tmp_path / "JPEG-AIC_metric_scores.csv").unlink()
    with pytest.raises(InputError, match="no image is there"):
        load_opinions(tmp_path)


def test_learned_codecs_are_known_by_name() -> None:
    assert is_learned("JPEG-AI")
    assert is_learned("HiFiC-lo")
    assert not is_learned("AVIF")
    assert is_learned("mine", frozenset({"mine"}))


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40))
def test_elo_scores_are_the_most_probable_ones(pairs: list[tuple[int, int]]) -> None:
    """Bradley and Terry's likelihood with its prior, written down again; scipy finds no higher place."""
    wins = np.zeros((5, 5), np.int64)
    for better, worse in pairs:
        wins[better, worse] += better != worse
    unit = np.log(10) / 400

    def loss(scores: np.ndarray) -> float:
        gap = unit * (scores[:, None] - scores[None, :])
        return float((wins * np.log1p(np.exp(-gap))).sum() + 0.5 * (((scores - 2000) / 400) ** 2).sum())

    found = elo_scores(wins)
    assert loss(found) <= minimize(loss, found, method="BFGS").fun + 1e-6


def test_images_that_are_missing_are_left_out(tmp_path: Path) -> None:
    tid(tmp_path)
    (tmp_path / "distorted_images" / "i01_10_2.bmp").unlink()
    assert len(load_opinions(tmp_path).opinions) == 4


def test_what_is_wrong_is_reported(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_opinions(tmp_path / "gone")
    with pytest.raises(InputError, match=r"mos_with_names\.txt"):
        load_opinions(tmp_path)
    (tmp_path / "dmos.csv").write_text("dist_img,ref_img,dmos\nI01_10_03.png,I01.png,3\n")
    with pytest.raises(InputError, match="no image is there"):
        load_opinions(tmp_path)
    (tmp_path / "dmos.csv").write_text("dist_img,ref_img,dmos\nI01_99_03.png,I01.png,3\n")
    with pytest.raises(InputError, match="not as KADID-10k"):
        load_opinions(tmp_path)
    (tmp_path / "csiq.DMOS.xlsx").write_bytes(b"PK not a workbook")
    with pytest.raises(InputError, match=r"not an \.xlsx"):
        read_sheet(tmp_path / "csiq.DMOS.xlsx", "all_by_image")
    with zipfile.ZipFile(tmp_path / "csiq.DMOS.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(65 * 2**20))
    with pytest.raises(InputError, match="unpacks to 68,157,440 bytes"):
        read_sheet(tmp_path / "csiq.DMOS.xlsx", "all_by_image")
    workbook(tmp_path / "csiq.DMOS.xlsx", {})
    for damage in ("xl/workbook.xml", "xl/worksheets/sheet2.xml", "[Content_Types].xml"):
        with (
            zipfile.ZipFile(tmp_path / "csiq.DMOS.xlsx") as whole,
            zipfile.ZipFile(tmp_path / "damaged.xlsx", "w") as archive,
        ):
            for name in whole.namelist():
                archive.writestr(name, whole.read(name)[: -9 if name == damage else None])
        with pytest.raises(InputError, match=r"damaged\.xlsx"):
            read_sheet(tmp_path / "damaged.xlsx", "all_by_image")
    with pytest.raises(InputError, match="no sheet 'other'"):
        read_sheet(tmp_path / "csiq.DMOS.xlsx", "other")


def test_the_command_tells_agreement(tmp_path: Path) -> None:
    tid(tmp_path)
    result = CliRunner().invoke(command, [str(tmp_path), "-m", "mse,psnr-rgb", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["layout"] == "TID2013"
    # each level darkens one column more, so that the opinions, which fall, and the MSE, which grows, agree
    assert [(a["metric"], a["srcc"], a["n"]) for a in answer["agreement"]] == [("mse", 1.0, 5), ("psnr-rgb", 1.0, 5)]
    assert len(answer["images"]) == 5
    table = CliRunner().invoke(command, [str(tmp_path), "-m", "mse", "--quiet"]).stdout
    assert "| mse | 5 | 1.000 |" in table


def test_values_are_kept_and_nothing_is_computed_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def counting(pairs: list[tuple[Path, Path]], spec: MetricSpec, **settings: object) -> object:
        asked.append((spec.names, len(pairs)))
        return score_pairs(pairs, spec, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(opinion_values, "score_pairs", counting)
    data = tmp_path / "data"
    tid(data)

    def values(metrics: str) -> list[dict[str, float]]:
        words = [str(data), "-m", metrics, "--out", str(tmp_path / "out"), "--json", "--quiet", "--resamples", "40"]
        result = CliRunner().invoke(command, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return [image["values"] for image in json.loads(result.stdout)["images"]]

    first = values("mse,psnr-rgb")
    assert values("mse,psnr-rgb") == first
    more = values("mse,psnr-rgb,mae")
    assert [{k: v for k, v in row.items() if k != "mae"} for row in more] == first
    write_image(data / "distorted_images" / "i01_10_2.bmp", 9)
    changed = values("mse,psnr-rgb,mae")
    assert [a == b for a, b in zip(changed, more, strict=True)] == [True, False, True, True, True]
    assert asked == [("mse,psnr-rgb", 5), ("", 0), ("mae", 5), ("mse,psnr-rgb,mae", 1)]


def test_a_run_that_is_stopped_keeps_what_it_has(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tid(data)
    opinions = load_opinions(data).opinions
    seen = 0

    def stop(kept: bool) -> None:
        nonlocal seen
        assert not kept
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opinion_values.values_of(opinions, MetricSpec("mse"), jobs=1, step=stop, keep=tmp_path / "kept")
    metric = MetricSpec("mse").make()[0]
    store = KeptValues(tmp_path / "kept", {"mse": metric.signature()})
    assert len(store.read()) == 3
    before: list[bool] = []
    again = opinion_values.values_of(opinions, MetricSpec("mse"), jobs=1, step=before.append, keep=tmp_path / "kept")
    assert before == [True] * 3 + [False] * (len(opinions) - 3)
    assert np.isfinite(again.values["mse"]).all()


def test_published_values_are_compared_without_images(tmp_path: Path) -> None:
    """A table of the published form: the SROCC of what it holds is scipy's."""
    rng = np.random.default_rng(0)
    jnd, rows, scores = rng.uniform(0, 5, 40), [], []
    value = 100 - 10 * jnd + rng.normal(0, 4, 40)
    for i in range(40):
        codec, level = (("AVIF", 1), ("JPEG-AI", 6))[i % 2], i % 10 + 1
        name = f"PTC_{i // 8:05d}_{codec[0]}_{i:02d}.png"
        rows.append(f"{i // 8},{codec[1]},{level},ref{i // 8}.png,{name},{jnd[i]},0,9")
        scores.append(f"{name},{i // 8},{codec[1]},{level},{jnd[i]},{value[i]},{rng.uniform()}")
    head = "img_num,codec,dlevel,img_source,img_distorted,distortion,CI_min,CI_max"
    (tmp_path / "JPEG_AIC_reconstructed_jnd_scores.csv").write_text("\n".join([head, *rows]))
    head = "img_distorted,img_num,codec,dlevel,distortion,SSIMULACRA2,CVVDP"
    (tmp_path / "JPEG-AIC_metric_scores.csv").write_text("\n".join([head, *scores]))
    words = [str(tmp_path), "--quiet", "--resamples", "100"]
    answer = json.loads(CliRunner().invoke(command, [*words, "--json"], catch_exceptions=False).stdout)
    found = {line["metric"]: line for line in answer["agreement"] if line["of"] == "all"}
    wanted = spearmanr(value, -jnd).statistic
    assert found["published:ssimulacra2"]["srcc"] == pytest.approx(wanted)
    assert {entry["metric"] for entry in answer["jnd"]} == set(found)
    assert {entry["metric"] for entry in answer["learned_codecs"]} == set(found)
    text = CliRunner().invoke(command, words, catch_exceptions=False).stdout
    assert "40 rated images, without the images themselves" in text
    assert "published:cvvdp is worse than published:ssimulacra2 by" in text
    with pytest.raises(UnknownNameError, match="choose published:ssimulacra2, published:cvvdp"):
        CliRunner().invoke(command, [*words, "--against", "ssim"], catch_exceptions=False)


def test_a_metric_to_compare_with_is_checked_before_anything_is_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tid(tmp_path)
    scored: list[object] = []
    monkeypatch.setattr(opinion_values, "score_pairs", lambda *a, **k: scored.append(a))
    words = [str(tmp_path), "-m", "mse", "--quiet", "--against", "ssim"]
    with pytest.raises(UnknownNameError, match="--against 'ssim' given, which is not compared; choose mse"):
        CliRunner().invoke(command, words, catch_exceptions=False)
    assert scored == []


def test_a_metric_to_compare_with_may_have_the_name_of_another_tool(tmp_path: Path) -> None:
    result = ran(own_set(tmp_path, [5, 4, 3, 2, 1]), "mse,psnr", "--against", "psnr")
    assert result.exit_code == 0, result.output


def test_a_metric_whose_values_are_kept_is_asked_for_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def broken(pairs: list[tuple[Path, Path]], spec: MetricSpec, **_: object) -> Iterator[Scored]:
        asked.append(spec.names)
        yield from (Scored(*pair, problem="broken") for pair in pairs)

    monkeypatch.setattr(opinion_values, "score_pairs", broken)
    data = load_opinions(own_set(tmp_path / "data", [5, 4, 3, 2, 1]))
    names = f"mse,lpips@{tmp_path},vit-topk@10"
    opinion_values.values_of(data.opinions, MetricSpec(names), keep=tmp_path / "kept")
    assert asked == [names]


def own_set(folder: Path, opinions: Sequence[float], side: int = 32) -> Path:
    """A mos.csv of one reference, each image darker than the one before."""
    write_png(folder / "ref.png", np.full((side, side, 3), 200, np.uint8))
    rows = ["distorted,reference,mos"]
    for i, opinion in enumerate(opinions):
        write_png(folder / f"{i}.png", np.full((side, side, 3), 190 - 9 * i, np.uint8))
        rows.append(f"{i}.png,ref.png,{opinion}")
    (folder / "mos.csv").write_text("\n".join(rows))
    return folder


def ran(folder: Path, metrics: str, *more: str) -> Result:
    words = [str(folder), "-m", metrics, "--quiet", "--resamples", "40", "--jobs", "1", *more]
    return CliRunner().invoke(command, words)


def test_a_metric_named_that_has_no_values_here_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[object] = []
    monkeypatch.setattr(opinion_values, "score_pairs", lambda *a, **k: scored.append(a))
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path / "nothing"))
    folder = own_set(tmp_path / "own", [5, 4, 3, 2, 1])
    for metrics, kind, said in (
        ("mse,lpips", WeightsError, "weights of lpips are not there; run"),
        ("lpips", WeightsError, "weights of lpips are not there; run"),
        (f"mse,lpips@{tmp_path / 'nowhere'}", WeightsError, "nowhere.*weights of lpips are not there"),
        ("mse,kid-vit,fid-pixel", InputError, "kid-vit, fid-pixel compare sets of images, which have no opinion"),
    ):
        error = ran(folder, metrics).exception
        assert isinstance(error, kind), metrics
        assert re.search(said, str(error))
    assert scored == []


def test_a_metric_without_enough_values_is_named_with_the_reason(tmp_path: Path) -> None:
    """MS-SSIM's five scales need sides of 176 (Wang et al. 2003: windows of 11 after four halvings)."""
    folder = own_set(tmp_path / "data", [5, 4, 3, 2, 1])
    named = ran(folder, "mse,ms-ssim", "--json", "--out", str(tmp_path / "kept"))
    assert named.exit_code == 1
    again = ran(folder, "mse,ms-ssim", "--json", "--out", str(tmp_path / "kept"))
    assert (again.exit_code, again.stderr, again.stdout) == (1, named.stderr, named.stdout)
    line = "ms-ssim: a value for 0 of 5 images, 5 expected for a correlation: "
    assert line in named.stderr
    answer = json.loads(named.stdout)
    assert [row["metric"] for row in answer["agreement"]] == ["mse"]
    assert answer["without_agreement"]["ms-ssim"].startswith(line)
    assert "176" in answer["without_agreement"]["ms-ssim"]


def test_opinions_that_nothing_can_agree_with_are_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[object] = []
    monkeypatch.setattr(opinion_values, "score_pairs", lambda *a, **k: scored.append(a))
    few = ran(own_set(tmp_path / "few", [3, 4]), "mse").exception
    assert isinstance(few, InputError)
    assert "few: 2 rated images given, 5 expected for a correlation" in str(few)
    alike = ran(own_set(tmp_path / "alike", [3] * 6), "mse").exception
    assert isinstance(alike, InputError)
    assert "alike: all 6 opinions are 3, ones that differ expected" in str(alike)
    assert scored == []


def test_real_images_of_tid2013(vitiq_data: Path) -> None:
    folder = vitiq_data / "tid2013_jpeg_odd"
    data = load_opinions(folder)
    assert len(data.opinions) == 60
    assert {o.distortion for o in data.opinions} == {"jpeg"}
    first = data.opinions[0]
    assert first.quality == 5.97297
    mse = mean_squared_error(read_image(first.reference), read_image(first.distorted))
    assert mse == pytest.approx(31.66329, abs=2e-5), "the MSE that TID2013 publishes"


OWN = [("a.png", "r.png", "1.5"), ("b.png", "r.png", "2"), ("c.png", "r.png", "3.25")]
OWN_TEXT = "distorted,reference,mos\n" + "".join(",".join(row) + "\n" for row in OWN)


def own_table(folder: Path, text: str | bytes) -> Path:
    for name in ("a.png", "b.png", "c.png", "r.png"):
        (folder / name).write_bytes(b"x")
    (folder / "mos.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


@pytest.mark.parametrize(
    "text",
    [
        OWN_TEXT,
        "\ufeff" + OWN_TEXT.replace("\n", "\r\n"),
        OWN_TEXT.replace("\n", "\r"),
        OWN_TEXT.encode("utf-16"),
        OWN_TEXT.replace(",", ";"),
        OWN_TEXT.replace(",", ";").replace(".5", ",5").replace(".25", ",25"),
        OWN_TEXT.replace(",", "\t"),
        OWN_TEXT.replace(",", " , ").replace("mos", "MOS "),
        OWN_TEXT.replace("a.png", '"a.png"').replace("\n", "\n\n"),
        OWN_TEXT.replace("a.png", ".\\a.png"),
        OWN_TEXT.replace("\n", ",\n"),
        "id,note," + OWN_TEXT.replace("\na", '\n1,"x, y",a').replace("\nb", "\n2,,b").replace("\nc", "\n3,,c"),
    ],
)
def test_an_own_table_is_read_as_spreadsheets_write_it(text: str | bytes, tmp_path: Path) -> None:
    data = load_opinions(own_table(tmp_path, text))
    assert [(o.distorted.name, o.reference.name, o.quality) for o in data.opinions] == [
        (distorted, reference, float(mos)) for distorted, reference, mos in OWN
    ]
    assert not data.problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (OWN_TEXT.replace("1.5", "good"), r"line 2: mos is 'good', a finite number is expected; expected the columns"),
        (OWN_TEXT.replace("1.5", "nan"), "line 2: mos is 'nan'"),
        (OWN_TEXT.replace("1.5", "inf"), "line 2: mos is 'inf'"),
        (OWN_TEXT.replace("1.5", ""), "line 2: no mos"),
        (OWN_TEXT.replace("b.png,r.png,2", "b.png"), "line 3: no reference, mos"),
        (OWN_TEXT.replace("1.5", "1,5"), "line 2: 4 cells, 3 are expected"),
        (OWN_TEXT + OWN_TEXT.split("\n")[1], "line 5: a.png is rated in line 2 already"),
        (OWN_TEXT.replace("mos", "score"), "no column mos in its first line, which has: distorted, reference, score"),
        (OWN_TEXT.split("\n", 1)[1], "no column distorted, reference, mos in its first line, which has: a.png, r.png"),
        (OWN_TEXT.replace("distorted,", "mos,distorted,"), "more than one column mos"),
        ("é".join(OWN_TEXT.split("a", 1)).encode("latin-1"), "no text in UTF-8: .* save it as UTF-8"),
        ("<!DOCTYPE html><html>", "no column distorted"),
        ("", "no image is there"),
    ],
)
def test_what_is_wrong_in_an_own_table_is_named_with_its_line(text: str | bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        load_opinions(own_table(tmp_path, text))


def test_images_that_an_own_table_names_and_that_are_not_there_are_listed(tmp_path: Path) -> None:
    data = load_opinions(own_table(tmp_path, OWN_TEXT + "d.png,r.png,3\ne.png,s.png,4\n"))
    assert len(data.opinions) == 3
    assert [line.split(": ")[0] for line in data.problems] == [str(tmp_path / n) for n in ("d.png", "e.png", "s.png")]


def test_a_metric_without_some_values_is_named_with_count_and_reasons(tmp_path: Path) -> None:
    """MS-SSIM needs sides of 176: one of six images is too small for it, and for no other reason."""
    rng = np.random.default_rng(0)
    rows = ["distorted,reference,mos"]
    for i, side in enumerate([180] * 5 + [60]):
        base = rng.integers(40, 200, (side, side, 3)).astype(np.uint8)
        write_png(tmp_path / f"r{i}.png", base)
        write_png(tmp_path / f"d{i}.png", (base + i + 1).astype(np.uint8))
        rows.append(f"d{i}.png,r{i}.png,{6 - i}")
    (tmp_path / "mos.csv").write_text("\n".join(rows))
    found = ran(tmp_path, "mse,ms-ssim", "--json")
    assert found.exit_code == 1
    line = "ms-ssim is not defined for 1 of 6 images: an image of 60×60 pixels given"
    assert line in found.stderr
    answer = json.loads(found.stdout)
    assert {row["metric"]: row["n"] for row in answer["agreement"]} == {"mse": 6, "ms-ssim": 5}
    assert answer["incomplete"]["ms-ssim"].startswith(line)
    assert "metrics of another n" in " ".join(answer["notes"])


def test_opinions_that_are_reversed_are_noted(tmp_path: Path) -> None:
    right, wrong = (
        own_set(tmp_path / name, list(mos)) for name, mos in (("a", (5, 4, 3, 2, 1)), ("b", (1, 2, 3, 4, 5)))
    )
    assert "opinions look reversed" not in ran(right, "mse,mae").stdout
    said = ran(wrong, "mse,mae").stdout
    assert "SRCC is below 0 for 2 of 2 metrics: the opinions look reversed (DMOS?)" in said
