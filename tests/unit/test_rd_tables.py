"""Equal rates, Pareto, published tables and exports.

Truth: figures that Orange publishes of Cool-Chic's own tables (docs/source of github.com/Orange-OpenSource/Cool-Chic:
getting_started/results.rst of version 3.2, results/image/compression_performance.rst of 3.4); the published tables
themselves; and curves known in closed form.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vitiq.analysis.anchors import aligned, read_anchor, read_anchors
from vitiq.analysis.comparison import compare
from vitiq.analysis.equal_rate import at_rates
from vitiq.analysis.export import to_codec_compare, to_compressai, to_csv, to_json, to_rows
from vitiq.analysis.labels import beside
from vitiq.analysis.pareto import candidates, efficient
from vitiq.analysis.points import RdPoint
from vitiq.errors import InputError
from vitiq.types import Score

PUBLISHED = [
    ("v3.1", "v3.2", -1.9),
    ("v3.3", "v3.4", -0.9),
]
"""Older version, newer version, and the BD-rate on Kodak that their authors publish, in per cent."""


@pytest.mark.parametrize(("old", "new", "percent"), PUBLISHED)
def test_a_published_bd_rate_from_its_own_tables(vitiq_data: Path, old: str, new: str, percent: float) -> None:
    folder = vitiq_data / "rd_tables" / "coolchic" / "results"
    points = read_anchors([folder / version / "image-kodak.tsv" for version in (old, new)])
    for method in ("akima", "pchip", "cubic"):
        found = compare(
            points, f"Cool-Chic {new}", f"Cool-Chic {old}", "psnr-rgb", method=method, pool="mse", resamples=100
        )
        assert found.images == 24
        assert found.rate.value == pytest.approx(percent, abs=0.1), "published with one decimal; 0.2 would do"
        assert found.rate.low < found.rate.value < found.rate.high


def test_every_published_table_is_read(vitiq_data: Path) -> None:
    paths = [p for p in sorted((vitiq_data / "rd_tables").rglob("*")) if p.suffix in (".json", ".tsv", ".txt", ".csv")]
    assert len(paths) > 200
    for path in paths:
        points = read_anchor(path)
        assert all(p.bpp > 0 and p.values and all(math.isfinite(v) for v in p.values.values()) for p in points)
    kodak = vitiq_data / "rd_tables" / "compressai" / "image" / "kodak"
    jpeg, vtm = read_anchor(kodak / "jpeg.json"), read_anchor(kodak / "vtm.json")
    assert jpeg[0].values["psnr-rgb"] == 23.779894921045457
    assert {p.image for p in jpeg} == {"kodak"}
    found = compare([*jpeg, *vtm], "VTM", "JPEG", "ms-ssim")
    assert -75 < found.rate.value < -50
    decibels = read_anchor(kodak / "paper-elic2022_ms-ssim.json")
    assert all(0.9 < p.values["ms-ssim"] < 1 for p in decibels)


TFC = """# Aggregate rate-distortion data for "WebP" on tecnick.
# The first column contains bits per pixel (bpp) values.
# The second column contains PSNR/sRGB/Y' values.

0.093404, 28.003189
0.127631, 29.139208
"""


def test_published_forms_in_small(tmp_path: Path) -> None:
    (tmp_path / "webp.txt").write_text(TFC)
    (point, _) = read_anchor(tmp_path / "webp.txt")
    assert point == RdPoint("tecnick", "WebP", "point=0", 0.093404, {"psnr-y": 28.003189}, aggregate=True)
    (tmp_path / "illm.csv").write_text("model,dataset,bpp,fid,ms_ssim\nA,kodak,0.1,5.5,0.9\nA,div2k,0.2,,0.8\n")
    first, second = read_anchor(tmp_path / "illm.csv")
    assert (first.codec, dict(first.values)) == ("A (kodak)", {"fid": 5.5, "ms-ssim": 0.9})
    assert dict(second.values) == {"ms-ssim": 0.8}
    folder = tmp_path / "results" / "v4.2"
    folder.mkdir(parents=True)
    (folder / "x.tsv").write_text("lmbda\tseq_name\tn_pixels\tpsnr_db\trate_bpp\n0.0001\tkodim01\t393216\t40.7\t2.0\n")
    (cool,) = read_anchor(folder / "x.tsv")
    assert (cool.codec, cool.image, cool.setting, cool.bytes) == ("Cool-Chic v4.2", "kodim01", "lambda=0.0001", 98304)
    own = [RdPoint("img/kodim01.png", "JPEG", "quality=1", 1.0, {"mse": 1.0})]
    assert aligned(own, [cool])[0].image == "img/kodim01.png"
    twins = [*own, RdPoint("b/kodim01.png", "JPEG", "quality=1", 1.0, {"mse": 1.0})]
    assert aligned(twins, [cool])[0].image == "kodim01", "two images of one stem: neither is meant"
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text('{"name": "net", "results": {"bpp": [1, 2], "psnr": [30, 33]}}')
    both = read_anchors([tmp_path / "a.json", tmp_path / "b.json"])
    assert [p.codec for p in both] == ["net [a]"] * 2 + ["net [b]"] * 2


def test_curves_of_one_name_get_as_much_of_their_path_as_it_takes(tmp_path: Path) -> None:
    """CompressAI has a vtm.json of every image set: all became one curve, "VTM [vtm]"."""
    table = '{"name": "VTM", "results": {"bpp": [1, 2], "psnr": [30, 33]}}'
    places = [tmp_path / name for name in ("clic/vtm.json", "kodak/vtm.json", "old/kodak/vtm.json", "kodak/new.json")]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(table)
    labels = [p.codec for p in read_anchors(places)][::2]
    whole = f"{tmp_path.name}/kodak/vtm"
    assert labels == ["VTM [clic/vtm]", f"VTM [{whole}]", "VTM [old/kodak/vtm]", "VTM [new]"]
    (tmp_path / "kodak" / "vtm.csv").write_text(HEADER + "a,VTM,1,1,30\na,VTM [new],1,2,30\n")
    both = read_anchors([*places[1:2], tmp_path / "kodak" / "vtm.csv", places[3]])
    found = {(p.codec, p.bpp) for p in both if p.bpp == 1}
    assert len({label for label, _ in found}) == 3, "suffixes tell two apart where nothing else does"
    assert len({p.codec for p in both}) == 4, "the table's own \"VTM [new]\" is no other's"
    assert beside(["VTM", "VTM [published]"], ["VTM"]) == {
        "VTM": "VTM [published] [published]",
        "VTM [published]": "VTM [published]",
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"results": 3}',
        '{"results": {"bpp": [1], "psnr": [1, 2]}}',
        '{"results": {"bpp": ["x"]}}',
        '{"results": {"bpp": []}}',
        "# a comment\n1, 2\n",
        TFC + "1\n",
        "a,b\n1,2\n",
        "seq_name\tlmbda\trate_bpp\tpsnr_db\nx\ty\tz\tw\n",
        "image,codec,setting,bpp\na,b,c,d\n",
        "\x00",
    ],
)
def test_what_is_no_table_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text(text)
    with pytest.raises(InputError, match="table"):
        read_anchor(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_anchor(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_anchor(tmp_path / "gone")


def study() -> list[RdPoint]:
    """PSNR is 30 + 6 log2(bpp) for the old codec and 1 dB more for the new, on three images of 1000 pixels."""
    points = []
    for image in ("a", "b", "c"):
        for q, rate in enumerate((0.1, 0.2, 0.4, 0.8)):
            for codec, gain in (("old", 0.0), ("new", 1.0)):
                values = {"psnr-rgb": 30 + 6 * math.log2(rate) + gain, "lpips": 0.5 - 0.1 * q - 0.01 * gain}
                seconds = 0.1 * (1 + gain)
                points.append(RdPoint(image, codec, f"quality={q}", rate, values, rate * 125, seconds, seconds / 2))
    return points


def test_codecs_at_equal_rates() -> None:
    metrics = {"psnr-rgb": True, "lpips": False}
    rows = at_rates(study(), metrics, [0.3, 2.0])
    assert [(r.codec, r.target, r.images) for r in rows] == [
        ("old", 0.3, 3),
        ("new", 0.3, 3),
        ("old", 2, 0),
        ("new", 2, 0),
    ]
    assert rows[0].values["psnr-rgb"].value == pytest.approx(30 + 6 * math.log2(0.3))
    assert rows[1].values["psnr-rgb"].value - rows[0].values["psnr-rgb"].value == pytest.approx(1)
    assert 0.3 < rows[0].values["lpips"].value < 0.4
    assert math.isnan(rows[2].values["lpips"].value)
    near = at_rates(study(), metrics, [40.0], unit="bytes", how="nearest")
    assert [r.rate for r in near] == [50, 50]
    assert [r.values["lpips"].value for r in near] == pytest.approx([0.3, 0.29])
    end = at_rates(study(), metrics, [0.1])
    assert end[0].values["psnr-rgb"].value == pytest.approx(30 + 6 * math.log2(0.1)), "the end of a curve belongs to it"
    lacking = [p for p in study() if (p.image, p.codec) != ("a", "new")]
    assert [r.images for r in at_rates(lacking, metrics, [0.3])] == [2, 2], "both rows are of the same images"
    lossless = [*study(), RdPoint("a", "old", "quality=9", 2.0, {"psnr-rgb": math.inf, "lpips": 0.0}, 250)]
    assert at_rates(lossless, metrics, [0.3])[0].images == 3
    near = at_rates(lossless, metrics, [300], unit="bytes", how="nearest")
    assert [(r.images, r.rate) for r in near] == [(2, 100), (2, 100)], "no mean holds an infinite value, of all alike"
    assert near[0].values["psnr-rgb"].value == pytest.approx(30 + 6 * math.log2(0.8))
    assert near[0].left_out.lines() == ["a left out: psnr-rgb is not finite at a codec's nearest file"]
    beyond, some = at_rates([p for p in study() if p.image == "b" or p.bpp < 0.5], {"psnr-rgb": True}, [2.0, 0.15])[::2]
    assert beyond.left_out.images == dict.fromkeys("abc", "old does not reach it")
    assert beyond.out_of_reach, "this one has no other reason"
    assert not some.out_of_reach
    few = [p for p in study() if (p.image, p.codec) != ("c", "new") or p.bpp < 0.3]
    flat = [replace(p, values={"psnr-rgb": 30.0 if p.image == "a" else p.values["psnr-rgb"]}) for p in few]
    kept = at_rates([p for p in flat if (p.image, p.codec) != ("b", "old")], {"psnr-rgb": True}, [0.15])
    assert {tuple(row.left_out.images.items()) for row in kept} == {
        (
            ("a", "old has a curve of psnr-rgb through fewer than 3 points"),
            ("b", "old has no file"),
            ("c", "new has a finite psnr-rgb at fewer than 3 files"),
        )
    }, "of all codecs alike, with the reason of each image"
    assert not kept[0].out_of_reach
    every = [replace(p, values={"psnr-rgb": math.inf}) if p.codec == "old" else p for p in study()]
    both = at_rates(every, {"psnr-rgb": True}, [300], unit="bytes", how="nearest")
    assert [(r.images, r.values["psnr-rgb"].value > 100) for r in both] == [(3, True), (3, False)], "a lossless codec"
    for wrong in (0, math.inf, math.nan):
        with pytest.raises(InputError, match="above 0"):
            at_rates(study(), metrics, [wrong], how="nearest")
    with pytest.raises(InputError, match="no points"):
        at_rates([], metrics, [1])


def test_what_is_pareto_efficient() -> None:
    found = candidates(study(), "psnr-rgb", axes=("bpp", "metric"))
    assert [(c.codec, c.setting) for c in found if c.efficient] == [("new", f"quality={q}") for q in range(4)]
    assert all(c.efficient for c in candidates(study(), "psnr-rgb")), "the old codec is faster"
    assert found[0].bpp == pytest.approx(0.1)
    lower = candidates(study(), "lpips", higher_is_better=False, axes=("bpp", "metric"))
    assert [c.codec for c in lower if c.efficient] == ["new"] * 4
    rng = np.random.default_rng(0)
    costs = rng.integers(0, 5, (60, 3)).astype(float)
    costs[7] = np.nan
    beaten = [
        any((other <= row).all() and (other < row).any() for other in costs) or bool(np.isnan(row).any())
        for row in costs
    ]
    np.testing.assert_array_equal(efficient(costs), ~np.array(beaten))
    lossless = [*study(), RdPoint("a", "old", "quality=9", 9.0, {"psnr-rgb": math.inf}, 1125, 0.1, 0.1)]
    best = candidates([p for p in lossless if p.image == "a"], "psnr-rgb", axes=("bpp", "metric"))
    assert next((c.codec, c.value) for c in best if c.efficient) == ("old", math.inf), "nothing is better than lossless"
    with pytest.raises(InputError, match="axes"):
        candidates(study(), "lpips", axes=())
    with pytest.raises(InputError, match="no image"):
        candidates([], "lpips")


def test_a_csv_is_read_back(tmp_path: Path) -> None:
    points = [*study(), RdPoint("ü,.png", "odd", "bpp=1", 1.0, {"psnr-rgb": math.inf})]
    (tmp_path / "rd.csv").write_text(to_csv(points), encoding="utf-8")
    back = read_anchor(tmp_path / "rd.csv")
    assert back[:-1] == points[:-1]
    assert (back[-1].image, back[-1].values["psnr-rgb"]) == ("ü,.png", math.inf)
    assert "lpips" not in back[-1].values
    last = json.loads(to_json(to_rows(points)))[-1]
    assert (last["psnr-rgb"], last["lpips"]) == ("inf", None), "lossless is not undefined"


def test_compressais_form(tmp_path: Path) -> None:
    tables = to_compressai(study())
    assert list(tables) == ["old", "new"]
    (tmp_path / "old.json").write_text(to_json(tables["old"]))
    back = read_anchor(tmp_path / "old.json")
    assert [p.bpp for p in back] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert back[2].values["lpips"] == pytest.approx(0.3)
    assert back[0].encode_seconds == pytest.approx(0.1)
    renamed = to_compressai([RdPoint("a", "x", "quality=1", 1.0, {"ms-ssim": 0.9, "psnr-rgb": math.inf})])
    assert renamed["x"]["results"] == {"bpp": [1.0], "ms-ssim-rgb": [0.9]}


class Row:
    """A record as a study keeps it."""

    def __init__(self, label: str, psnr: float, error: str | None = None) -> None:
        self.image, self.label, self.codec, self.error = "a.png", label, "avif", error
        self.rate_kind, self.rate_value, self.quality = "bpp", 0.25, 30.0
        self.width, self.height, self.bytes, self.bpp = 20, 10, 6, 0.24
        self.encode_seconds, self.decode_seconds = 1.0, math.nan
        self.scores = {"psnr-rgb": Score(psnr, "psnr|255"), "vit-topk": Score(0.5, "vit"), "x": Score(math.nan, "x")}
        self.details = {"versions": {"Pillow": "13.0"}}


def test_codec_compares_form() -> None:
    batches = to_codec_compare([Row("AVIF", 30.0), Row("AVIF", math.inf), Row("B", 1, "failed")], time="2026-11-28")
    assert list(batches) == ["AVIF"]
    batch = batches["AVIF"]
    json.dumps(batch, allow_nan=False)
    assert batch["constant_values"] == ["AVIF", "avif", "Pillow 13.0", "2026-11-28"]
    names = [next(iter(d)) for d in batch["field_descriptions"]]  # type: ignore[attr-defined]
    assert names == [
        "original_name", "width", "height", "quality", "encoded_size", "encoding_time", "decoding_time",
        "psnr", "vit_topk",
    ]  # fmt: skip
    assert batch["field_values"] == [
        ["a.png", 20, 10, 30.0, 6, 1.0, 0.0, 30.0, 0.5],
        ["a.png", 20, 10, 30.0, 6, 1.0, 0.0, 100.0, 0.5],
    ]


HEADER = "image,codec,setting,bpp,psnr-rgb\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", HEADER + "a,x,1,1,30\na,x,2,nan,31\n", "point 2 has a rate of nan bits per pixel"),
        ("x.csv", HEADER + "a,x,1,inf,30\n", "point 1 has a rate of inf"),
        ("x.csv", HEADER + "a,x,1,-1,30\n", "point 1 has a rate of -1"),
        ("x.csv", HEADER + "a,x,1\n", "point 1 has a rate of nan"),
        ("x.json", '{"results": {"bpp": [1, NaN], "psnr-rgb": [30, 31]}}', "point 2 has a rate of nan"),
        ("x.csv", "<!DOCTYPE html><html>", "this is a web page"),
        ("x.csv", "rate,quality\n1,2\n", "not a known table of rate and distortion .columns quality, rate.; expected"),
    ],
)
def test_a_table_without_sound_rates_is_refused(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        read_anchor(tmp_path / name)


def test_the_order_of_a_table_does_not_matter(tmp_path: Path) -> None:
    rows = [f"a,x,{n},{rate},{30 + 5 * rate}\n" for n, rate in enumerate((0.5, 1, 1.5, 2))]
    (tmp_path / "a.csv").write_text(HEADER + "".join(rows))
    (tmp_path / "b.csv").write_text(HEADER + "".join(reversed(rows)).replace(",x,", ",y,"))
    points = read_anchors([tmp_path / "a.csv", tmp_path / "b.csv"])
    found = compare(points, "y", "x", "psnr-rgb", resamples=0)
    assert found.rate.value == pytest.approx(0, abs=1e-9)
