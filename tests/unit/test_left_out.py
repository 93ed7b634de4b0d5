"""Images that means leave out, so that every point and every codec averages the same ones.

Truth: worked out by hand from the rule: no finite value at over half of a codec's settings.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from vitiq.analysis.export import averaged, to_compressai
from vitiq.analysis.left_out import left_out
from vitiq.analysis.mean_curve import mean_curves
from vitiq.analysis.pareto import candidates
from vitiq.analysis.points import points_of
from vitiq.cli.bench_manage import means_table
from vitiq.evaluation.record import Record
from vitiq.report.answer import answer, limits
from vitiq.report.bd_tables import bd_rates
from vitiq.report.comparisons import pareto
from vitiq.report.figures import rate_distortion
from vitiq.report.first_screen import lead_table
from vitiq.report.model import Model, build_model
from vitiq.report.payload import _points
from vitiq.report.tables import each_setting
from vitiq.types import Score

INF, NAN = math.inf, math.nan
QUALITIES = (20.0, 40.0, 60.0, 80.0)


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (
            [("a", "x", [30, INF, INF]), ("a", "y", [30, 31, INF])],
            {"x": "a has no finite value at over half of its settings"},
        ),
        ([("a", "x", [30, INF]), ("a", "y", [30, 31])], {}),
        # A codec without loss says nothing about images.
        ([("a", "x", [30, 31]), ("a", "y", [30, 31]), ("b", "x", [INF]), ("b", "y", [INF])], {}),
        # Too small for the metric, whatever the codec.
        (
            [(codec, image, [NAN if image == "x" else 0.9]) for codec in "ab" for image in "xy"],
            {"x": "no codec has a finite value at half of its settings"},
        ),
        # Nothing would be left.
        ([("a", "x", [30, INF, INF]), ("a", "y", [INF, INF, 30])], {}),
        ([], {}),
    ],
)
def test_the_rule(series: list[tuple[str, str, list[float]]], expected: dict[str, str]) -> None:
    values = ((codec, image, value) for codec, image, own in series for value in own)
    assert left_out(values).images == expected


def test_the_first_names_of_each_reason_are_said() -> None:
    found = left_out(("a", name, INF if name != "z" else 1.0) for name in "uvwxyz")
    assert found.text(2) == "a has no finite value at over half of its settings: u, v and 3 more"
    assert found.lines()[0] == "u left out: a has no finite value at over half of its settings"


def of(codec: str, image: str, quality: float, size: int, psnr: float) -> Record:
    """A file of 100×80 pixels."""
    scores = {"psnr-rgb": Score(psnr, "psnr-rgb|v1")}
    sizes = (True, 100, 80, size, 8 * size / 8000, 0.1, 0.1)
    key = f"{codec}{image}{quality}"
    return Record(key, image, "", codec, codec.upper(), {}, "quality", quality, quality, *sizes, scores=scores)


@pytest.fixture
def records() -> list[Record]:
    """Two photographs, and a drawing that one codec reproduces exactly from its second quality on."""
    made = []
    for n, quality in enumerate(QUALITIES):
        for image, more in (("a.png", 0.0), ("b.png", 2.0)):
            made.append(of("jpeg", image, quality, 1000 * (n + 1), 30 + 3 * n + more))
            made.append(of("webp", image, quality, 900 * (n + 1), 30 + 3 * n + more))
        made.append(of("jpeg", "drawing.png", quality, 4000 * (n + 1), 50.0 if n == 0 else INF))
        made.append(of("webp", "drawing.png", quality, 4000 * (n + 1), 45.0 + n))
    return made


@pytest.fixture
def model(records: list[Record]) -> Model:
    return build_model("study", records)


def test_every_point_of_a_curve_is_a_mean_of_the_same_images(model: Model) -> None:
    jpeg = [point.row.means["psnr-rgb"] for point in model.points if point.curve == 0]
    assert [mean.value for mean in jpeg] == [31.0, 34.0, 37.0, 40.0]
    assert [(mean.count, mean.left_out) for mean in jpeg] == [(2, 1)] * 4
    assert [mean.bytes for mean in jpeg] == [1000, 2000, 3000, 4000], "the rate is of the same images"
    assert [mean.bpp for mean in jpeg] == [1.0, 2.0, 3.0, 4.0]
    assert [point.row.bytes for point in model.points if point.curve == 0] == [2000, 4000, 6000, 8000]


def test_the_page_and_the_figures_draw_those(model: Model) -> None:
    assert [point["o"][0] for point in _points(model) if point["c"] == 0] == [
        [2, 1000, 1.0],
        [2, 2000, 2.0],
        [2, 3000, 3.0],
        [2, 4000, 4.0],
    ]
    column = model.column("psnr-rgb")
    drawn = {
        line.get_label(): np.asarray(line.get_xdata()).tolist() for line in rate_distortion(model, column).axes[0].lines
    }
    assert drawn["JPEG"] == [1.0, 2.0, 3.0, 4.0]
    assert {model.points[index].curve for index in pareto(model.points, column)} == {1}


def test_it_is_said_which_images_are_missing(model: Model, records: list[Record]) -> None:
    said = "JPEG has no finite value at over half of its settings: drawing.png"
    assert f"Means of PSNR are over 2 of 3 images. Left out, as {said}." in limits(model)
    table = means_table(records)
    held = "2 of 3 images, bytes, bpp and times over all of a row"
    assert f"psnr-rgb: means over {held}. Left out, as {said}." in table
    assert each_setting(model).note.count("Sizes and times are over all images of a row.") == 1
    lead = lead_table(model, answer(model)) or {}
    assert lead["title"] == "Bits needed against JPEG, 2 of 3 images"
    assert {row["label"]: row["cells"][1]["text"] for row in lead["groups"][0]["rows"]} == {
        "JPEG": "1.00 … 4.00",
        "WEBP": "0.90 … 3.60",
    }
    assert "| JPEG | quality 20 | 3 | 2000 | 2.0000 | 31.0000 |" in table
    (first, *_) = bd_rates(model)
    assert first.title == "BD-rate of the mean curves against JPEG, 2 images of 3"


def test_a_setting_with_an_infinite_value_of_a_kept_image_has_no_mean() -> None:
    values = {"a.png": (30.0, 33.0, 36.0), "b.png": (31.0, 34.0, INF)}
    made = [
        of("jpeg", image, q, 1000 * (n + 1), psnr[n])
        for image, psnr in values.items()
        for n, q in enumerate((1.0, 2.0, 3.0))
    ]
    model = build_model("study", made)
    means = [point.row.means["psnr-rgb"].value for point in model.points]
    assert means[:2] == [30.5, 33.5]
    assert math.isnan(means[2])
    assert "No mean of PSNR, as a file has no finite value: JPEG at quality 3." in limits(model)
    assert "| JPEG | quality 3 | 2 | 3000 | 3.0000 | – |" in means_table(made)


def test_a_metric_without_any_value_gives_its_reason() -> None:
    small = Score(NAN, "ms-ssim|v1", {"undefined": "an image of 100×80 pixels given, 176 needed"})
    made = [of("jpeg", "a.png", q, 1000, 30.0) for q in (1.0, 2.0)]
    for one in made:
        one.scores["ms-ssim"] = small  # type: ignore[index]
    reason = "an image of 100×80 pixels given, 176 needed"
    assert f"MS-SSIM has no finite value of any file: {reason}." in limits(build_model("study", made))
    assert f"ms-ssim: no finite value: {reason}." in means_table(made)


def test_compressais_table_keeps_its_psnr(records: list[Record]) -> None:
    """Its form has one rate for all metrics: all means are over the images that have them."""
    tables = to_compressai(points_of(records))
    results = tables["JPEG"]["results"]
    assert isinstance(results, dict)
    assert results["bpp"] == [1.0, 2.0, 3.0, 4.0]
    assert results["psnr-rgb"] == [31.0, 34.0, 37.0, 40.0]
    assert "1 of 3 images left out" in str(tables["JPEG"]["description"])
    assert "drawing.png" in str(tables["JPEG"]["description"])


def test_an_image_that_a_codec_could_not_code_at_some_setting_is_in_no_mean_and_named(records: list[Record]) -> None:
    """Exports had means of 2 images beside those of 3, and tables of means left images out without their names."""
    points = points_of(r for r in records if r.image != "drawing.png" and (r.key != "webpb.png40.0"))
    said = "1 of 2 images left out: webp lacks it at a setting: b.png".replace("webp", "WEBP")
    assert averaged(points)[1] == [said]
    for table in to_compressai(points).values():
        assert isinstance(table["results"], dict)
        assert table["results"]["psnr-rgb"] == [30, 33, 36, 39], "of a.png, for both codecs"
        assert said in str(table["description"])
    assert [curve.left_out for curve in mean_curves(points, "psnr-rgb", resamples=0)] == [(said,)] * 2
    one = [point for n, point in enumerate(points) if n % 2 == 0 or point.codec == "JPEG"][:2]
    alone = [replace(point, setting=point.image) for point in one]
    assert averaged(alone)[1] == ["means over different images, as none is coded at every setting of all codecs"]


def test_the_pareto_front_is_over_the_images_of_the_mean_curves(records: list[Record]) -> None:
    found = candidates(points_of(records), "psnr-rgb", axes=("bpp", "metric"))
    assert [(c.codec, c.images, c.bpp, c.value) for c in found if c.setting == "quality=40"] == [
        ("JPEG", 2, 2.0, 34.0),
        ("WEBP", 2, 1.8, 34.0),
    ]
