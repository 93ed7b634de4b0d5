"""Numbers of a report. Truth: means and rates by hand, files of Pillow, what the issue of honesty asks for in words."""

from __future__ import annotations

import base64
import gzip
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from report_studies import curves, equal_bytes, topk, with_many_metrics
from vitiq.analysis.comparison import compare
from vitiq.analysis.points import points_of
from vitiq.cli.bench_manage import means_table
from vitiq.errors import InputError
from vitiq.evaluation.batch import Item, encode_row, score_row
from vitiq.evaluation.store import Store
from vitiq.evaluation.study import Series as SeriesOfStudy
from vitiq.evaluation.study import Study as PlannedStudy
from vitiq.evaluation.study import StudyImage
from vitiq.metrics.questions import QUESTIONS
from vitiq.report.answer import NEAREST, answer, excess_text, warnings_of
from vitiq.report.asked import setting_text
from vitiq.report.assets import Assets, FolderAssets, InlineAssets, lossless, overlay_bytes
from vitiq.report.choice import MOST, by_question, first_columns
from vitiq.report.comparisons import agreement, bd_table, pareto, turned
from vitiq.report.details import shown_details
from vitiq.report.metric_info import digits, metric_infos, number_text
from vitiq.report.model import Model, build_model
from vitiq.report.page import packed, render
from vitiq.report.payload import _short, payload, to_script
from vitiq.report.server import ServerAssets
from vitiq.report.source import Study, counted, previews, read_study, read_trace, visible
from vitiq.report.style import COLOURS, NEUTRAL, codec_style, styles
from vitiq.report.tables import all_tables, each_setting, thesis_tables
from vitiq.report.tables import equal_bytes as equal_table
from vitiq.report.written import notes, to_latex, to_markdown
from vitiq.types import Score

BUILT_IN = ("avif", "generative", "inversion", "jpeg", "jpeg2000", "jxl", "webp")


def model_of(study: Study) -> Model:
    return build_model(study.name, [record for record, _ in study.records], study.problems, study.missing)


def test_numbers_print_with_the_digits_they_deserve() -> None:
    assert digits([0.63, 0.7]) == 2
    assert digits([0.6312]) == 3
    assert digits([28.3, math.inf]) == 2
    assert digits([48817.2]) == 0
    assert number_text(-1234.5, 1) == "−1,234.5"
    assert [number_text(x, 2) for x in (math.nan, math.inf)] == ["–", "∞"]
    # equal but for the last bit
    assert number_text(0.715, 2) == number_text(0.7150000000000001, 2)


def test_of_a_scores_details_a_report_holds_those_that_it_shows(tmp_path: Path) -> None:
    """All of them are 30 kB a record with the default metrics."""
    whole = equal_bytes(tmp_path)
    less = [
        (replace(r, scores={k: replace(s, details=shown_details(s.details)) for k, s in r.scores.items()}), files)
        for r, files in whole.records
    ]
    short = replace(whole, records=less)
    shared: list[Any] = [r.scores["vit-topk"].details["shared"] for r, _ in less if "vit-topk" in r.scores]
    assert {(len(one.rows), one.total, one.likely) for one in shared} == {(5, 62, 2)}
    assert shared[0].rows[0] == (shared[0].rows[0][0], 0.65, 0.68)
    pages = [json.dumps(payload(study, model_of(study), FolderAssets(tmp_path))) for study in (whole, short)]
    assert '"shared": 62' in pages[0]
    assert pages[0] == pages[1]


def test_a_study_is_read_with_the_details_that_are_shown(tmp_path: Path) -> None:
    image = StudyImage("a.png", "/a.png", "ab" * 32, 4, 3, 99)
    series = SeriesOfStudy("jpeg", "{}", "JPEG", "JPEG", ".jpg", rates=(("quality", 10.0),))
    study = PlannedStudy((image,), (series,), ("vit-topk", "mse"), {"vit-topk": "v", "mse": "m"})
    store = Store(tmp_path)
    store.begin(study)
    key = next(study.tasks()).key
    item = Item(key, image.path, image.sha256, 4, 3, 0, None, 10.0, "quality", 10.0, encode=True, metrics=())
    store.parts.write("encodes", [encode_row(item, series, (4, 3)) | {"bytes": 7}])
    undefined = Score(math.nan, "m", {"undefined": "a flat image"})
    scores = {"vit-topk": replace(topk(0.62), signature="v"), "mse": undefined}
    store.parts.write("scores", [score_row(key, name, score.signature, score) for name, score in scores.items()])
    ((record, _),) = read_study(tmp_path).records
    details: Any = record.scores["vit-topk"].details
    assert "shared_labels" not in details
    assert details["shared"].total == 62
    (short,) = store.records(details=False)
    assert {name: dict(score.details) for name, score in short.scores.items()} == {
        "vit-topk": {},
        "mse": {"undefined": "a flat image"},
    }


def test_names_of_metrics_differ() -> None:
    shorts = [info.short for info in metric_infos(["psnr-rgb", "psnr-y", "no-such-metric", "ssim"])]
    assert len(set(shorts)) == 4
    assert metric_infos(["psnr-rgb"])[0].short == "PSNR"


def test_a_codec_looks_the_same_in_every_study_and_no_two_built_in_families_share_a_colour() -> None:
    assert len({codec_style(name).light for name in BUILT_IN}) == len(BUILT_IN)
    assert codec_style("avif").light == codec_style("avif-shrunk").light
    assert codec_style("avif") != codec_style("avif-shrunk")
    alone, beside = styles([("webp", "WebP")])[0], styles([("jpeg", "JPEG"), ("webp", "WebP")])[1]
    assert alone == beside
    both = styles([("avif", "AVIF"), ("avif", "AVIF tune=psnr")])
    assert both[0].light == both[1].light
    assert (both[0].marker, both[0].dash) != (both[1].marker, both[1].dash)


def test_no_two_codecs_of_a_study_are_drawn_alike() -> None:
    # thirty names share eight colours
    names = [(f"codec{n}", label) for n in range(30) for label in ("with its own settings", "with others")]
    drawn = styles([*names, *names])
    assert len(set(drawn)) == len(names)
    assert drawn[: len(names)] == drawn[len(names) :]
    assert all(style.light == codec_style(codec).light for (codec, _), style in zip(names, drawn, strict=False))


def test_a_name_does_not_turn_the_sentence_around_it() -> None:
    assert visible("a\u202egnp.exe\n") == "a\\u202egnp.exe\\n"
    assert visible("Größe ☃ 図.png") == "Größe ☃ 図.png"
    assert counted(["a", "b", "a"]) == ["a (2 times)", "b"]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_stands_out_on_its_ground() -> None:
    # WCAG 2.2, 1.4.11: 3 to 1 for graphics; ours pass the 4.5 of text
    for light, dark in (*COLOURS, NEUTRAL):
        assert contrast(light, "#ffffff") >= 4.5
        assert contrast(dark, "#12151a") >= 4.5


def test_a_codec_that_cannot_write_so_small_a_file_is_set_apart(tmp_path: Path) -> None:
    model = model_of(equal_bytes(tmp_path))
    (rows,) = model.levels
    jpeg = next(row for row in rows if model.curves[row.curve].label == "JPEG")
    assert not jpeg.reached
    assert len(jpeg.over) == 3
    table = equal_table(model, rows)
    assert table.rows[-1][0] == "JPEG*"
    assert table.rules == {2}
    assert all(row != 2 for row, _ in table.bold)
    assert "JPEG by 120 %" in table.note
    assert "10.7 MB" in table.note
    for text in (to_markdown(table), to_latex(table), notes([table])):
        assert "Larger than requested" in text
        assert "made smaller" in text
    assert "No file as small as asked" in " ".join(answer(model).limits)


def test_a_file_that_is_the_closest_to_a_size_is_not_said_to_be_within_it(tmp_path: Path) -> None:
    study = equal_bytes(tmp_path, images=1)
    (nearest,) = [record for record, _ in study.records if record.codec == "avif"]
    within = replace(nearest, details={**nearest.details, "group": "series"})
    size = f"{nearest.rate_value:,.0f} bytes"
    assert [setting_text(record) for record in (nearest, within)] == [f"closest to {size}", f"at most {size}"]
    assert f"| AVIF | closest to {nearest.rate_value:.0f} bytes | 1 |" in means_table([nearest])
    assert f"| AVIF | bytes {within.rate_value:.0f} | 1 |" in means_table([within])
    model = model_of(study)
    assert NEAREST in equal_table(model, model.levels[0]).note
    assert NEAREST in render(study, model, FolderAssets(tmp_path))
    assert NEAREST not in each_setting(build_model("study", [within])).note


@pytest.mark.parametrize(("size", "share"), [(862, "0.5 %"), (858 * 1.0004, "0.04 %"), (858 * 1.2, "20 %")])
def test_a_file_that_is_too_large_is_never_said_to_be_so_by_nothing(size: float, share: str, tmp_path: Path) -> None:
    study = equal_bytes(tmp_path, images=2)
    # the other image's file is far below its size, which takes nothing from what this one is above it
    (first, _), (second, _) = [pair for pair in study.records if pair[0].codec == "jpeg"]
    made = [replace(first, bytes=size, rate_value=858.0), replace(second, bytes=100, reached=True)]  # type: ignore[arg-type]
    model = build_model("study", made)
    assert f"(JPEG by {share})" in each_setting(model).note
    assert excess_text(model.points[0].row.excess) == share


def test_the_answer_names_winner_price_and_what_is_not_independent(tmp_path: Path) -> None:
    words = answer(model_of(equal_bytes(tmp_path)))
    assert "vitiq inversion keeps the most meaning: ViT-Score 0.63, the next best of that size 0.50" in words.headline
    assert "not independent" in words.price
    assert words.remarks[0][0] == "Cost"
    assert "40 s to encode" in words.price
    assert "10.7 MB of weights" in words.price
    assert any("3 images say nothing" in line for line in words.limits)


@pytest.mark.parametrize(("larger", "value", "named"), [(1.04, 0.8, True), (1.3, 0.8, False), (1.04, 0.3, False)])
def test_a_codec_ahead_whose_files_are_a_little_too_large_is_named(
    larger: float, value: float, named: bool, tmp_path: Path
) -> None:
    study = equal_bytes(tmp_path)
    records = []
    for record, files in study.records:
        if record.codec == "jpeg":
            assert record.rate_value is not None
            scores = {**record.scores, "vit-topk": replace(record.scores["vit-topk"], value=value)}
            records.append((replace(record, bytes=round(record.rate_value * larger), scores=scores), files))
        else:
            records.append((record, files))
    said = dict(answer(model_of(replace(study, records=records))).remarks)
    assert ("Close" in said) is named
    if named:
        assert said["Close"].startswith("JPEG reaches 0.80 in ")
        assert said["Close"].endswith("but its files are 4 % larger than requested.")


def test_a_codec_that_alone_reaches_the_size_is_not_said_to_win(tmp_path: Path) -> None:
    study = equal_bytes(tmp_path)
    kept = [(record, files) for record, files in study.records if record.codec != "avif"]
    words = answer(model_of(replace(study, records=kept)))
    assert words.headline.startswith("Only vitiq inversion can write every file in about ")
    alone = [(record, files) for record, files in kept if record.codec == "jpeg"]
    words = answer(model_of(replace(study, records=alone)))
    assert words.headline.startswith("JPEG alone, at ")
    assert "no other codec" in words.price


def test_means_over_fewer_images_are_said_to_be(tmp_path: Path) -> None:
    study = equal_bytes(tmp_path)
    kept = [pair for pair in study.records if (pair[0].codec, pair[0].image) != ("avif", "piece-01.png")]
    model = model_of(replace(study, records=kept))
    assert any("AVIF has 2 of 3 images" in line for line in answer(model).limits)
    assert "AVIF 2 of 3" in equal_table(model, model.levels[0]).note
    assert "2 of 3 images" in render(replace(study, records=kept), model, FolderAssets(tmp_path))


def test_files_made_elsewhere_have_one_mean_over_the_images(tmp_path: Path) -> None:
    study = curves(tmp_path, images=3, qualities=(30,))
    made = [
        (replace(record, quality=None, rate_value=record.bpp), files)
        for record, files in study.records
        if record.codec == "jpeg"
    ]
    (point,) = model_of(replace(study, records=made)).points
    assert point.row.count == 3
    assert point.setting == "as given"


def test_the_answer_of_curves_is_a_bd_rate_with_its_interval(tmp_path: Path) -> None:
    model = model_of(curves(tmp_path))
    words = answer(model)
    assert "bits than" in words.headline
    assert words.anchor is not None
    assert "Mean curve over 6 images (95 % interval" in words.price
    assert "the mean of each image's own change is" in words.price
    psnr = bd_table(model, model.column("psnr-rgb"), [c.label for c in model.curves].index("JPEG"))
    avif = psnr[[c.label for c in model.curves].index("AVIF")]
    assert avif.percent < -20
    assert avif.low < avif.percent < avif.high


def test_names_of_codecs_stand_in_remarks_as_they_are(tmp_path: Path) -> None:
    study = curves(tmp_path)
    label = {"JPEG": "jpeg", "WebP": "webp", "AVIF": "generative-mse"}
    small = [(replace(r, label=label[r.label], codec="c"), found) for r, found in study.records]
    small = [(replace(r, notes=(f"{r.label} was tried", "it was tried.")), found) for r, found in small]
    model = model_of(replace(study, records=small))
    words = answer(model)
    following = dict(words.remarks)["Next"]
    assert following.split(",")[0] in {"webp", "generative-mse"}
    page = render(replace(study, records=small), model, FolderAssets(tmp_path))
    assert f"<dd>{following}</dd>" in page
    style = page.split("<style>")[1].split("</style>")[0]
    assert "text-transform" not in style
    for _, text in words.remarks:
        assert text[0].isupper() or text[0].isdigit() or text == following, "sentences begin with a capital letter"
    record = small[0][0]
    assert warnings_of(record)[-2:] == [f"{record.label} was tried.", "It was tried."]


def test_few_images_print_no_interval(tmp_path: Path) -> None:
    study = curves(tmp_path, images=4)
    model = model_of(study)
    assert all(math.isnan(mean.low) for point in model.points for mean in point.row.means.values())
    assert "interval" not in answer(model).price
    made = to_markdown(all_tables(model)[0])
    assert "…" not in made.split("\n\n")[1]


def test_the_pareto_front_holds_what_no_other_point_beats(tmp_path: Path) -> None:
    model = model_of(curves(tmp_path))
    column = model.column("psnr-rgb")
    front = pareto(model.points, column)
    values = [(p.row.bpp, p.row.means["psnr-rgb"].value) for p in model.points]
    for index, (rate, value) in enumerate(values):
        beaten = any(r <= rate and v >= value and (r, v) != (rate, value) for r, v in values)
        assert (index in front) is not beaten


def test_metrics_agree_with_themselves_and_direction_is_taken_out(tmp_path: Path) -> None:
    model = model_of(curves(tmp_path))
    table = agreement(model)
    keys = [column.info.key for column in model.columns]
    assert table[0][0] == pytest.approx(1)
    # PSNR is a falling function of MSE
    assert table[keys.index("psnr-rgb")][keys.index("mse")] == pytest.approx(1)


def test_the_thesis_stands_with_its_own_preset_only(tmp_path: Path) -> None:
    assert thesis_tables(model_of(equal_bytes(tmp_path / "a"))) == []
    made = thesis_tables(model_of(equal_bytes(tmp_path / "b", preset="thesis")))
    assert [table.name for table in made] == ["vit-scores", "brisque", "summary"]
    assert "Bevo (thesis)" in [row[0] for row in made[2].rows]
    assert "frechet-pixel" not in " ".join(made[2].header)


def test_warnings_are_words(tmp_path: Path) -> None:
    records = [record for record, _ in equal_bytes(tmp_path).records]
    same = next(r for r in records if r.codec == "inversion")
    assert any("Still tabby first, yet 0.63" in line and "only 2 of the 62" in line for line in warnings_of(same))
    lost = next(r for r in records if r.codec == "jpeg" and r.image == "piece-00.png")
    said = " ".join(warnings_of(lost))
    assert "At chance level: two random lists share 0.10 ± 0.03 of their labels" in said
    assert "Looks natural, means something else: tabby became teapot" in said


def test_the_page_gives_the_chance_level_of_random_lists_as_that(tmp_path: Path) -> None:
    """Two different photographs share more (0.18 by ViT-Ti, docs/reference/vit-score.md)."""
    study = equal_bytes(tmp_path)
    page = render(study, model_of(study), FolderAssets(tmp_path))
    assert page.count("two random lists of labels share 0.10.") == 2  # the first screen and the method
    assert "unrelated" not in page


def test_nothing_hostile_in_a_name_reaches_the_page_as_markup(tmp_path: Path) -> None:
    study = equal_bytes(tmp_path)
    bad = "</script><img src=x onerror=alert(1)>\u2028.png"
    renamed = Study(study.name, [(replace(r, image=bad + r.image, label="<b>" + r.label), f) for r, f in study.records])
    page = render(renamed, model_of(renamed), FolderAssets(tmp_path))
    assert "<img src=x" not in page
    assert "<b>vitiq inversion" not in page
    assert page.count("</script>") == 3
    assert to_script({"a": "</script>\u2028"}) == '{"a":"\\u003c/script>\\u2028"}'
    made = to_latex(all_tables(model_of(renamed))[0])
    assert r"\textless{}b\textgreater{}" in made


def test_with_many_metrics_the_first_screen_keeps_some_of_every_question(tmp_path: Path) -> None:
    few = model_of(equal_bytes(tmp_path / "few"))
    assert first_columns(few) == few.columns
    model = model_of(with_many_metrics(equal_bytes(tmp_path / "many")))
    assert len(model.columns) == 25
    shown = first_columns(model)
    assert len(shown) == MOST
    assert {column.info.key for column in shown} >= {"vit-topk", "psnr-rgb"}
    assert {column.info.question for column in shown} == {
        QUESTIONS[key] for key in ("meaning", "looks", "pixels", "alone")
    }
    lost = next(column.info.key for column in shown if column.info.key not in {"vit-topk", "psnr-rgb"})
    nowhere = [replace(r, scores={**r.scores, lost: replace(r.scores[lost], value=math.nan)}) for r in model.records]
    again = [column.info.key for column in first_columns(replace(model, records=nowhere))]
    assert len(again) == MOST
    assert lost not in again, "a column of dashes took the place of a metric with values"
    grouped = by_question(model.columns)
    assert [question for question, _ in grouped][-1] == "Other metrics"
    assert sum(len(columns) for _, columns in grouped) == len(model.columns)


@pytest.mark.parametrize("make", [equal_bytes, curves])
def test_many_metrics_are_rows(tmp_path: Path, make: Callable[[Path], Study]) -> None:
    study = with_many_metrics(make(tmp_path))
    table = all_tables(model_of(study))[0]
    assert table.header[0] == "metric"
    assert len(table.header) == 4 - (make is curves)
    assert len({row[0] for row in table.rows}) == len(table.rows) >= 23
    for row, column in table.bold:
        assert 0 < column < len(table.header)
        assert row < len(table.rows)
    page = render(study, model_of(study), FolderAssets(tmp_path))
    every = page.split('class="every"')[1].split("</details>")[0]
    assert every.count('scope="rowgroup"') >= 3
    assert "All 2" in every


def test_a_bd_rate_turns_round_whatever_its_size() -> None:
    """-100 % stands for every ratio below a double's digits: as an interval's end it ended `bench` and `report`."""
    assert [turned(p) for p in (-50.0, 0.0, 100.0)] == pytest.approx([100, 0, -50])
    assert [turned(p) for p in (-100.0, math.inf)] == [math.inf, -100]
    assert math.isnan(turned(math.nan))


def test_a_bd_rate_is_the_one_that_vitiq_bd_prints(tmp_path: Path) -> None:
    study = curves(tmp_path)
    model = model_of(study)
    points = points_of(record for record, _ in study.records)
    jpeg, webp = (next(n for n, c in enumerate(model.curves) if c.label == label) for label in ("JPEG", "WebP"))
    column = model.column("psnr-rgb")
    cell = bd_table(model, column, jpeg)[webp]
    peer = compare(points, "WebP", "JPEG", "psnr-rgb")
    assert (cell.percent, cell.low, cell.high) == (peer.rate.value, peer.rate.low, peer.rate.high)
    assert (cell.mean, cell.mean_low, cell.mean_high) == pytest.approx(
        (peer.mean_rate.value, peer.mean_rate.low, peer.mean_rate.high)
    )
    # the other way round, computed anew and turned: to the last digits alike
    back, other = bd_table(model, column, webp)[jpeg], compare(points, "JPEG", "WebP", "psnr-rgb")
    assert back.percent == pytest.approx(other.rate.value, rel=1e-9)
    assert back.mean == pytest.approx(other.mean_rate.value, rel=1e-9)
    assert (back.low, back.high) == pytest.approx((other.rate.low, other.rate.high), rel=0.02)
    tables = {table.name: table for table in all_tables(model)}
    assert set(tables) == {"bd-rate", "bd-rate-of-images"}
    assert f"{cell.mean:+.1f}".replace("-", "−") in str(tables["bd-rate-of-images"].rows)


def test_a_large_study_is_a_small_page(tmp_path: Path) -> None:
    study = with_many_metrics(curves(tmp_path))
    many = [
        (replace(record, image=f"{n}-{record.image}", key=f"{n:03d}{record.key}"), files)
        for n in range(40)
        for record, files in study.records
    ]
    study = replace(study, records=many)
    page = render(study, model_of(study), FolderAssets(tmp_path))
    assert len(many) == 2880
    assert len(page.encode()) < 500_000
    data = page.split('id="data" data-gzip="1">')[1].split("</script>")[0]
    assert len(json.loads(gzip.decompress(base64.b64decode(data)))["records"]) == len(many)


def test_previews_of_a_search_are_kept_only_beside_the_decoded_image(tmp_path: Path) -> None:
    study = equal_bytes(tmp_path)
    bare = replace(study, records=[(record, replace(files, reconstruction=None)) for record, files in study.records])
    assert '"strip":' in render(study, model_of(study), FolderAssets(tmp_path))
    assert '"strip":' not in render(bare, model_of(bare), FolderAssets(tmp_path))


def test_an_empty_study_has_a_page(tmp_path: Path) -> None:
    study = Study("nothing", [])
    assert "Nothing to compare yet" in render(study, model_of(study), FolderAssets(tmp_path))


def test_page_and_code_keep_their_budgets(tmp_path: Path) -> None:
    study = curves(tmp_path, images=24, qualities=(10, 30, 55, 70, 85))
    page = render(study, model_of(study), FolderAssets(tmp_path))
    assert len(page.encode()) < 500_000
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert len(packed("viewer.js").encode()) <= 15_000
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert len(data["records"]) == 24 * 3 * 5


def test_assets_are_exact_named_by_content_and_made_once(tmp_path: Path) -> None:
    from PIL import Image

    study = equal_bytes(tmp_path, images=1)
    assets = FolderAssets(tmp_path)
    render(study, model_of(study), assets)
    (tmp_path / "assets").mkdir()
    old = tmp_path / "assets" / ("0" * 20 + ".full.webp")
    kept = tmp_path / "assets" / "mine.txt"
    old.write_bytes(b"")
    kept.write_bytes(b"")
    assets.finish()
    assert not old.exists()
    assert kept.exists()
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "assets").glob("*.*.*")}
    # a full-size image is the study's own file under a second name
    assert all(path.stat().st_nlink > 1 for path in (tmp_path / "assets").glob("*.full.png"))
    assert {name.split(".")[1] for name in made} == {"full", "thumb", "ssim", "semantic", "attention"}
    again = FolderAssets(tmp_path)
    render(study, model_of(study), again)
    again.finish()
    assert made == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "assets").glob("*.*.*")}
    _, files = study.records[0]
    assert files.original is not None
    shown = np.asarray(Image.open(tmp_path / FolderAssets(tmp_path).full(files.original)).convert("RGB"))
    assert np.array_equal(shown, np.asarray(Image.open(files.original)))


def test_a_page_of_its_own_keeps_to_its_budget_and_says_what_is_not_exact(tmp_path: Path) -> None:
    study = curves(tmp_path, images=3)
    whole = render(study, model_of(study), InlineAssets(tmp_path, 50_000_000))
    assert "Display copies" not in whole
    assert "data:image/webp" in whole
    tight = InlineAssets(tmp_path, 400_000)
    small = render(study, model_of(study), tight)
    assert tight.quality is not None
    assert "Display copies, not exact" in small
    assert len(small) < 400_000 + 250_000


def test_ssim_overlay_is_clear_where_nothing_changed(tmp_path: Path) -> None:
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    changed = image.copy()
    changed[:, 48:] = 128

    def overlay(original: np.ndarray, rebuilt: np.ndarray) -> Image.Image:
        paths = [tmp_path / f"{name}-{len(original)}.png" for name in ("original", "rebuilt")]
        for path, pixels in zip(paths, (original, rebuilt), strict=True):
            Image.fromarray(pixels).save(path)
        return Image.open(io.BytesIO(overlay_bytes("ssim", *paths)))

    sheet = np.asarray(overlay(image, changed))
    assert sheet[:, :40, 3].max() == 0
    assert sheet[:, 60:, 3].min() > 100
    assert overlay(image[:2], image[:2]).size == (96, 2)
    data, kind = lossless(image)
    assert kind == "webp"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), image)


@given(st.floats(-1e6, 1e6), st.integers(0, 4), st.integers(2, 5))
@example(-41.7496, 1, 4)
@example(30.249996, 2, 5)
def test_shortened_numbers_are_shown_as_the_whole_ones(value: float, places: int, figures: int) -> None:
    """-41.7496 with four figures is -41.75, and with one place of that -41.8."""
    short = _short(value, figures, lambda number: number_text(number, places))
    assert short is not None
    assert number_text(short, places) == number_text(value, places)


OUTSIDE = ("{secret}", "../secret.txt", "link.png")


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["folder", "inline", "server"])
def test_a_file_outside_the_study_is_never_shown(tmp_path: Path, name: str, kind: str) -> None:
    """A folder of somebody else's copied any file that it named into OUT/assets."""
    secret, out = tmp_path / "secret.txt", tmp_path / "out"
    secret.write_text("secret")
    out.mkdir()
    (out / "link.png").symlink_to(secret)
    assets: Assets = {
        "folder": FolderAssets(out),
        "inline": InlineAssets(out, 10_000),
        "server": ServerAssets((out,)),
    }[kind]  # type: ignore[assignment]
    path = out / name.format(secret=secret)
    for ask in (assets.full, assets.thumbnail, lambda given: assets.overlay("semantic", given)):
        with pytest.raises(InputError, match="outside"):
            ask(path)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_trace_that_names_a_file_outside_the_study_is_refused(tmp_path: Path, name: str) -> None:
    secret, out = tmp_path / "secret.txt", tmp_path / "out"
    secret.write_text("secret")
    study = equal_bytes(out)
    (out / "link.png").symlink_to(secret)
    trace = next(files.trace for _, files in study.records if files.trace)
    named = [[n, name.format(secret=secret)] for n in (1, 2)]
    trace.write_text(json.dumps({"loss": [1.0], "previews": named, "latents": []}))
    with pytest.raises(InputError, match=r"secret\.txt, which lies outside .*out"):
        render(study, model_of(study), FolderAssets(out))
    with pytest.raises(InputError, match="outside"):
        previews(trace, read_trace(trace))


class Passes(list[Any]):
    """A list that counts how often it is gone through."""

    passes = 0

    def __iter__(self) -> Iterator[Any]:
        self.passes += 1
        return super().__iter__()


def test_records_are_gone_through_as_often_for_many_images_as_for_few(tmp_path: Path) -> None:
    """Once an image and once a note, which took 20 s for 20,000 records."""
    few = curves(tmp_path, images=1, qualities=(20, 50, 80, 90))
    passes = []
    for images in (2, 8):
        records = Passes(
            (replace(record, image=f"{n}.png", notes=(f"note {n} of {at}", "in common")), files)
            for n in range(images)
            for at, (record, files) in enumerate(few.records)
        )
        study = replace(few, records=records)
        model = model_of(study)
        counted_too = Passes(model.records)
        model = replace(model, records=counted_too)
        records.passes = 0
        note = each_setting(model).note
        assert "in common" in note
        assert "note 1" not in note
        made = payload(study, model, FolderAssets(tmp_path))
        assert [image["name"] for image in made["images"]] == [f"{n}.png" for n in range(images)]
        assert all(image["src"] for image in made["images"])
        passes.append((records.passes, counted_too.passes))
    assert passes[0] == passes[1]
