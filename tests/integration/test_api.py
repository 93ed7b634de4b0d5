"""`import vitiq`. Truth: the commands' own output for the same pixels, and the interface as it is documented."""

from __future__ import annotations

import builtins
import json
import math
import pydoc
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch.utils.data import DataLoader, Dataset

import vitiq
from vitiq import errors
from vitiq.cli.main import cli
from vitiq.errors import InputError
from vitiq.evaluation.metric_spec import MetricSpec
from vitiq.evaluation.sets import statistics_of
from vitiq.metrics.base import PairMetric
from vitiq.metrics.scoring import to_json
from vitiq.types import ImageU8, Progress, Score

ROOT = Path(__file__).parents[2]
FUNCTIONS = [
    "backbone",
    "codec",
    "decode",
    "encode",
    "inspect",
    "list_codecs",
    "list_metrics",
    "load_image",
    "metric",
    "run_study",
    "score",
    "score_folder",
    "score_sets",
    "torchmetric",
]
METRICS = "psnr-rgb,ssim,vit-topk"


def run(code: str, tmp_path: Path, *arguments: str) -> str:
    """A script without a `__main__` guard, in a process of its own."""
    script = tmp_path / "script.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pair() -> tuple[ImageU8, ImageU8]:
    """A crop of an example image, and the same as JPEG gives it back."""
    image = np.asarray(Image.open(next((ROOT / "examples/images").glob("*.png"))).convert("RGB"))
    crop = np.ascontiguousarray(image[100:196, 120:248])
    return crop, vitiq.encode(crop, "jpeg", quality=12).decode()


class OwnMetric(PairMetric):
    """Samples that differ."""

    name, title = "own", "Own"
    range, higher_is_better, kind = (0, math.inf), False, "full-reference"
    formula = reference = "none"

    def signature(self) -> str:
        return "own|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        return Score(float(np.count_nonzero(reference != distorted)), self.signature())


class OwnAlone(PairMetric):
    """Mean of the samples of the distorted image."""

    name, title = "brightness", "Brightness"
    range, higher_is_better, kind = (0, 255), True, "no-reference"
    formula = reference = "none"

    def signature(self) -> str:
        return "brightness|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        return Score(float(distorted.mean()), self.signature(), {"difference": 0.0})


class Unnamed(PairMetric):
    """A metric without a name."""

    range, higher_is_better, kind = (0, 1), True, "full-reference"
    formula = reference = "none"

    def signature(self) -> str:
        return "unnamed|v1"

    def __call__(self, reference: ImageU8, distorted: ImageU8) -> Score:
        return Score(1.0, self.signature())


def test_importing_it_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, vitiq\nprint(sorted({'torch', 'numpy', 'PIL', 'scipy', 'matplotlib'} & set(sys.modules)))\n"
    code += "dir(vitiq)\nprint('torch' in sys.modules)\n"
    assert run(code, tmp_path).split("\n")[:2] == ["[]", "False"]


def test_listing_names_and_fidelity_metrics_need_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys, numpy as np, vitiq\nvitiq.list_codecs(), vitiq.list_metrics()\n"
        "image = np.zeros((64, 64, 3), np.uint8)\nvitiq.score(image, image, 'mse,ssim')\n"
        "vitiq.decode(vitiq.encode(image, 'jpeg'))\nprint('torch' in sys.modules)\n"
    )
    assert run(code, tmp_path) == "False\n"


def test_the_interface_is_exactly_what_is_shown() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    raised = {kind.__name__ for kind in kinds if issubclass(kind, errors.VitiqError)}
    assert set(dir(vitiq)) == {*FUNCTIONS, "losses", *raised}
    assert sorted(vitiq.__all__) == dir(vitiq)
    shown = pydoc.plain(pydoc.render_doc(vitiq))
    for name in FUNCTIONS:
        assert re.search(rf"^    {name}\(", shown, re.MULTILINE), name
    for function in (getattr(vitiq, name) for name in FUNCTIONS):
        assert function.__doc__
        assert function.__doc__.strip()
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = vitiq.no_such_name  # type: ignore[attr-defined]


def test_the_page_of_the_interface_names_all_of_it() -> None:
    page = (ROOT / "docs/reference/python.md").read_text(encoding="utf-8")
    for name in FUNCTIONS:
        assert f"`vitiq.{name}(" in page, name


def unit(image: ImageU8) -> np.ndarray:
    return (image / 255).astype(np.float32)


FORMS: dict[str, Callable[[ImageU8, Path], Any]] = {
    "path": lambda image, folder: str(_saved(image, folder)),
    "Pillow image": lambda image, folder: Image.fromarray(image),
    "NumPy uint8 H×W×3": lambda image, folder: image,
    "NumPy float H×W×3": lambda image, folder: unit(image),
    "NumPy float 3×H×W": lambda image, folder: unit(image).transpose(2, 0, 1),
    "torch float H×W×3": lambda image, folder: torch.from_numpy(unit(image)),
    "torch float 3×H×W": lambda image, folder: torch.from_numpy(unit(image)).permute(2, 0, 1),
}
BATCHES: dict[str, Callable[[list[ImageU8], Path], Any]] = {
    "list of forms": lambda images, folder: [images[0], Image.fromarray(images[1])],
    "NumPy float N×3×H×W": lambda images, folder: unit(np.stack(images)).transpose(0, 3, 1, 2),
    "torch float N×3×H×W": lambda images, folder: torch.from_numpy(unit(np.stack(images))).permute(0, 3, 1, 2),
}


def _saved(image: ImageU8, folder: Path) -> Path:
    path = folder / f"{abs(hash(image.tobytes()))}.png"
    Image.fromarray(image).save(path)
    return path


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_one_image_gives_every_function_the_same_pixels(
    form: str, pair: tuple[ImageU8, ImageU8], tmp_path: Path
) -> None:
    a, b = (FORMS[form](image, tmp_path) for image in pair)
    np.testing.assert_array_equal(vitiq.load_image(a), pair[0])
    assert dict(vitiq.score(a, b, "mse,ssim")) == dict(vitiq.score(*pair, "mse,ssim"))
    assert vitiq.metric("mse")(a, b) == vitiq.metric("mse")(*pair)
    assert vitiq.encode(a, "jpeg", quality=50).data == vitiq.encode(pair[0], "jpeg", quality=50).data


@pytest.mark.parametrize("form", BATCHES)
def test_every_form_of_a_batch_gives_one_result_a_pair(
    form: str, pair: tuple[ImageU8, ImageU8], tmp_path: Path
) -> None:
    left, right = BATCHES[form]([pair[0], pair[1]], tmp_path), BATCHES[form]([pair[1], pair[1]], tmp_path)
    expected = [vitiq.score(*pair, "mse,ssim"), vitiq.score(pair[1], pair[1], "mse,ssim")]
    assert [dict(one) for one in vitiq.score(left, right, "mse,ssim")] == [dict(one) for one in expected]
    assert vitiq.metric("ssim")(left, right) == [one["ssim"] for one in expected]
    with pytest.raises(errors.InputError, match="a batch of 2 images given, one expected"):
        vitiq.encode(left, "jpeg")
    with pytest.raises(errors.InputError, match="a batch of 2 as reference and one image as distorted given"):
        vitiq.score(left, pair[1], "mse")


def test_values_are_those_of_the_command(pair: tuple[ImageU8, ImageU8], tmp_path: Path) -> None:
    paths = [_saved(image, tmp_path) for image in pair]
    answer = CliRunner().invoke(cli, ["score", *map(str, paths), "-m", METRICS, "--json"])
    said = json.loads(answer.stdout)["pairs"][0]["scores"]
    for name, score in vitiq.score(*pair, METRICS).items():
        assert score.value == said[name]["value"], name
        assert score.signature == said[name]["signature"]


def test_files_are_those_of_the_command(pair: tuple[ImageU8, ImageU8], tmp_path: Path) -> None:
    path = _saved(pair[0], tmp_path)
    answer = CliRunner().invoke(cli, ["encode", str(path), "-c", "webp", "-q", "40", "-o", str(tmp_path / "x.webp")])
    assert answer.exit_code == 0, answer.output
    encoded = vitiq.encode(path, "webp", quality=40)
    assert encoded.data == (tmp_path / "x.webp").read_bytes()
    assert encoded.save(tmp_path / "y.webp").read_bytes() == encoded.data
    for given in (encoded, encoded.data, tmp_path / "y.webp", str(tmp_path / "y.webp")):
        np.testing.assert_array_equal(vitiq.decode(given), encoded.decode())
        assert vitiq.inspect(given).width == 128
    with pytest.raises(errors.InputError, match="exists already"):
        encoded.save(tmp_path / "y.webp", overwrite=False)


@pytest.mark.parametrize("codec", ["jpeg", "generative"])
def test_all_codecs_take_a_quality_bytes_or_bits_per_pixel(codec: str, pair: tuple[ImageU8, ImageU8]) -> None:
    image = pair[0]
    best = vitiq.encode(image, codec, bytes=1500)
    assert best.bytes <= 1500
    assert best.reached
    again = vitiq.encode(image, codec, bpp=1500 * 8 / (96 * 128))
    assert again.data == best.data
    assert vitiq.encode(image, codec, quality=best.quality).data == best.data
    small = vitiq.encode(image, codec, bytes=1)
    assert not small.reached
    assert "no file of at most 1 byte was found" in small.notes[-1]
    assert best.bpp == pytest.approx(8 * best.bytes / image[:, :, 0].size)
    assert re.fullmatch(
        rf"EncodedImage\({codec}, quality [\d.]+, 128×96, \d+ bytes, [\d.]+ bits per pixel\)", repr(best)
    )


def test_numbers_of_numpy_and_rates_in_names_are_rates(pair: tuple[ImageU8, ImageU8]) -> None:
    image = pair[0]
    expected = vitiq.encode(image, "jpeg", quality=30).data
    for quality in (np.int64(30), np.float32(30), Fraction(30)):
        assert ANY.encode(image, "jpeg", quality=quality).data == expected
    assert ANY.encode(image, "jpeg", bytes=np.int32(1500)).data == vitiq.encode(image, "jpeg", bytes=1500).data
    assert vitiq.encode(image, "jpeg@30").data == expected
    assert vitiq.encode(image, "jpeg@bytes=1500").data == vitiq.encode(image, "jpeg", bytes=1500).data
    assert vitiq.encode(image, "jpeg", bpp=1e308).quality == vitiq.encode(image, "jpeg", bytes=10**400).quality == 100


@pytest.mark.parametrize("codec", ["jpeg", "webp", "avif", "jpeg2000", "jpeg-downscaled", "jpeg+deblock", "generative"])
def test_images_are_the_callers_to_change(codec: str, pair: tuple[ImageU8, ImageU8], tmp_path: Path) -> None:
    forms: list[Any] = [pair[0], _saved(pair[0], tmp_path), Image.fromarray(pair[0]), pair[0] / 255]
    encoded = vitiq.encode(pair[0], codec)
    for image in [*map(vitiq.load_image, forms), vitiq.decode(encoded), encoded.decode()]:
        image[:] = 0
    assert pair[0].any()
    assert vitiq.decode(encoded).any()


def test_a_metric_that_is_not_defined_shows_why() -> None:
    tiny = np.zeros((5, 5, 3), np.uint8)
    assert re.fullmatch(r"ssim +nan +\(an image of 5×5 pixels given, .*\)", repr(vitiq.score(tiny, tiny, "ssim")))


ANY: Any = vitiq
"""The interface as code without types calls it."""


class BytesPath:
    """A path as os.PathLike allows it, though no text."""

    def __fspath__(self) -> bytes:
        """Bytes."""
        return b"x.viq"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda image: ANY.encode(image, "jpeg", quality=3, bytes=4), "quality and bytes given, one of"),
        (lambda image: ANY.encode(image, "jpeg", quality="30"), "quality: str given, a number expected"),
        (lambda image: ANY.encode(image, "jpeg", quality=30.5), "quality 30.5 given for jpeg"),
        (lambda image: ANY.encode(image, "jpeg", quality=10**400), "a number beyond all floating point given"),
        (lambda image: ANY.encode(image, "jpeg", quality=torch.tensor(30)), "quality: Tensor given"),
        (lambda image: ANY.encode(image, "jpeg", bytes=0), "0 bytes given"),
        (lambda image: ANY.encode(image, "jpeg", bytes=math.nan), "nan bytes given"),
        (lambda image: ANY.encode(image, "jpeg", bytes=math.inf), "inf bytes given"),
        (lambda image: ANY.encode(image, "jpeg@50", quality=30), "'jpeg@50' and the arguments name several rates"),
        (lambda image: ANY.encode(image, "jpeg@50,60"), "'jpeg@50,60' and the arguments name several rates"),
        (lambda image: ANY.decode(ANY.encode(image, "jpeg"), "jpeg@50"), "a rate given, a codec alone expected"),
        (lambda image: ANY.codec("jpeg@50"), "a rate given, a codec alone expected"),
        (lambda image: ANY.codec(3), "codec: int given, a name expected"),
        (lambda image: ANY.score(image, image, "vit-topk", backbone=3), "backbone: int given"),
        (lambda image: ANY.score(image, image, "vit-panel", panel="nowhere.pth"), "nowhere.pth: no such weights"),
        (lambda image: ANY.score(image, image, ["mse", None]), "metrics: a list of NoneType, str given"),
        (lambda image: ANY.metric(3), "metric: int given, a name or an own metric expected"),
        (lambda image: ANY.score_sets([image], [image], "mse"), "mse compares pairs of images"),
        (lambda image: ANY.score_sets(".", ".", "fid-vit,psnr"), "psnr compares pairs of images"),
        (lambda image: ANY.score_sets(".", ".", ""), "no metric named"),
        (lambda image: ANY.score_folder(".", ".", []), "no metric named"),
        (lambda image: ANY.run_study("x.png", [ANY.codec("jpeg")], "out"), "codecs: Jpeg itself given, text as"),
        (lambda image: ANY.run_study([], "jpeg", "out", "mse"), "no image to run on: none was named"),
        (lambda image: ANY.losses.loss(3), "loss: int given"),
        (lambda image: ANY.decode(""), "data: an empty path given"),
        (lambda image: ANY.encode(image, "jpeg", bpp=-1), "-1 bits per pixel given"),
        (lambda image: ANY.encode(image, 7), "codec: int given"),
        (lambda image: ANY.encode(image, "jpgg"), "did you mean"),
        (lambda image: ANY.codec("jpeg", speed=3), "does not take the option speed"),
        (lambda image: ANY.decode(3), "data: int given"),
        (lambda image: ANY.decode("nowhere.viq"), "nowhere.viq: no such file"),
        (lambda image: ANY.decode(b"\x89PNG0000"), "PNG"),
        (lambda image: ANY.score(image, image[:-1], "mse"), "the same size expected"),
        (lambda image: ANY.score(image, image, "fid"), "use vitiq.score_sets"),
        (
            lambda image: ANY.score(image, image, ["mse", "fid@tf1"]),
            "fid@tf1 compares sets",
        ),
        (lambda image: ANY.score(image, image, "mse,fid@clean"), "fid compares sets of images; use vitiq.score_sets"),
        (lambda image: ANY.score(image, image, "ssimm"), "did you mean"),
        (lambda image: ANY.score(image, image, 3), "metrics: int given"),
        (lambda image: ANY.score(image, image, ""), "no metric named"),
        (lambda image: ANY.score(image, metrics="ssim,brisque,mse"), "one side given, but ssim, mse compare two; give"),
        (lambda image: ANY.score(image, metrics="fid"), "fid compares two"),
        (lambda image: ANY.score(image, metrics=[]), "no metric named"),
        (lambda image: ANY.score(image, metrics=[OwnMetric()]), "own compares two"),
        (lambda image: ANY.score(3), "image: int given"),
        (ANY.metric("ssim"), "or a metric that needs no reference (brisque)"),
        (lambda image: ANY.metric("fid")([image]), "fid compares two"),
        (lambda image: ANY.torchmetric("ssim").update(torch.zeros(1, 3, 9, 9)), "ssim compares two"),
        (lambda image: ANY.torchmetric("kid-pixel").update(torch.zeros(1, 3, 9, 9)), "kid-pixel compares two"),
        (lambda image: ANY.metric("default"), "one expected"),
        (lambda image: ANY.score_sets("nowhere", [image]), "nowhere: no such folder"),
        (lambda image: ANY.score_folder(".", ".", [OwnMetric()]), "OwnMetric itself given"),
        (lambda image: ANY.score(image, image, ["mse", OwnMetric(), OwnMetric()]), "two metrics called 'own'"),
        (lambda image: ANY.score(image, image, Unnamed()), "metric Unnamed lacks name, title; state them in the class"),
        (lambda image: ANY.score_folder("nowhere", "."), "nowhere: no such file or folder"),
        (lambda image: ANY.backbone("nowhere.safetensors"), "nowhere.safetensors"),
        (lambda image: ANY.torchmetric("ssimm"), "did you mean"),
        (lambda image: ANY.backbone(3), "weights: int given, a path expected"),
        (lambda image: ANY.score_folder(3, "."), "reference: int given, a path expected"),
        (lambda image: ANY.score_folder(".", ".", "mse", jobs=0), "jobs: 0 given, a whole number from 1 expected"),
        (lambda image: ANY.score_folder(".", ".", "mse", jobs=True), "jobs: True given"),
        (lambda image: ANY.run_study(3, "jpeg", "out"), "images: int given, a path expected"),
        (lambda image: ANY.run_study([b"x"], "jpeg", "out"), "images: bytes given, a path expected"),
        (lambda image: ANY.run_study("x.png", "jpeg", None), "out: NoneType given, a path expected"),
        (lambda image: ANY.run_study("x.png", "jpeg", "out", jobs=-1), "jobs: -1 given"),
        (lambda image: ANY.score(image, image, "mse", device=0), "which torch does not have here"),
        (lambda image: ANY.score(image, image, "mse", device=""), "which torch does not have here"),
        (lambda image: ANY.score(image, image, "mse", device=1.5), "which torch does not have here"),
        (lambda image: ANY.encode(image, "jpeg", progress="x"), "progress: str given"),
        (lambda image: ANY.encode(image, "jpeg", progress=[]), "progress: list given"),
        (lambda image: ANY.encode(image, "jpeg", progress=1), "progress: int given"),
        (lambda image: ANY.encode(image, "jpeg", bytes=float("inf")), "inf bytes given"),
        (lambda image: ANY.encode(image, "jpeg", bytes=float("nan")), "nan bytes given"),
        (lambda image: ANY.encode(image, "jpeg", bytes=1500.5), "1500.5 bytes given"),
        (lambda image: ANY.decode(BytesPath()), "data: BytesPath given, a path expected"),
        (lambda image: ANY.load_image(BytesPath()), "a path of bytes given"),
        (lambda image: ANY.run_study("x.png", 3, "out"), "codecs: int given"),
        (lambda image: ANY.run_study("x.png", [3], "out"), "codecs: a list of int given"),
        (lambda image: ANY.codec("jpeg").encode(image, 30), "rate: int given"),
        (lambda image: ANY.encode(image, "jpeg").save(7), "path: int given"),
        (
            lambda image: ANY.losses.loss("mse")(*2 * [torch.zeros(1, 3, 9, 9, dtype=torch.uint8)]),
            "images of uint8 and",
        ),
    ],
)
def test_what_cannot_be_used_is_named(call: Callable[[ImageU8], Any], said: str, pair: tuple[ImageU8, ImageU8]) -> None:
    with pytest.raises(errors.VitiqError) as caught:
        call(pair[0])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers(pair: tuple[ImageU8, ImageU8]) -> None:
    """As a loop over np.arange or a column of a table gives them."""
    image = pair[0]
    for quality in (np.int64(30), np.float32(30), np.uint8(30)):
        assert ANY.encode(image, "jpeg", quality=quality).data == vitiq.encode(image, "jpeg", quality=30).data
    for count in (np.int64(3000), np.float64(3000), 3000.0):
        assert ANY.encode(image, "jpeg", bytes=count).data == vitiq.encode(image, "jpeg", bytes=3000).data
    assert ANY.encode(image, "jpeg", bpp=np.float32(1.5)).data == vitiq.encode(image, "jpeg", bpp=1.5).data


def test_what_became_of_grey_and_transparency_is_said(pair: tuple[ImageU8, ImageU8]) -> None:
    see_through = np.dstack([pair[0], np.full(pair[0].shape[:2], 100, np.uint8)])
    notes = vitiq.score(see_through, Image.fromarray(pair[1]).convert("L"), "mse").notes
    assert notes == ("reference: transparency laid on white", "distorted: grey repeated in three channels")
    assert vitiq.encode(see_through, "jpeg").notes[0] == "transparency laid on white"


@pytest.fixture(scope="module")
def folders(pair: tuple[ImageU8, ImageU8], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of nine images, one of them without a partner."""
    folder = tmp_path_factory.mktemp("folders")
    for side in ("a", "b"):
        (folder / side).mkdir()
    for k in range(9):
        Image.fromarray(np.roll(pair[0], 5 * k, axis=1)).save(folder / "a" / f"{k}.png")
        Image.fromarray(np.roll(pair[1], 5 * k, axis=1)).save(folder / "b" / f"{k if k else 'other'}.png")
    return folder


def test_folders_give_the_values_of_the_command(folders: Path) -> None:
    found = vitiq.score_folder(folders / "a", str(folders / "b"), "psnr-rgb,patch-kid-pixel", jobs=1)
    answer = CliRunner().invoke(
        cli, ["score", str(folders / "a"), str(folders / "b"), "-m", "psnr-rgb,patch-kid-pixel", "--json", "-j", "1"]
    )
    said = json.loads(answer.stdout)
    assert [one.scores["psnr-rgb"].value for one in found.pairs] == [
        one["scores"]["psnr-rgb"]["value"] for one in said["pairs"]
    ]
    assert found.summary["psnr-rgb"].mean == said["summary"]["psnr-rgb"]["mean"]
    assert found.sets["patch-kid-pixel"].value == said["sets"]["patch-kid-pixel"]["value"]
    assert found.problems == said["problems"]
    assert len(found.problems) == 2
    assert repr(found).startswith("8 pairs, 2 problems\npsnr-rgb")
    assert all(one.rows == ({}, {}) for one in found.pairs), "a hundred times as large as the scores"


def test_a_study_gives_records_and_resumes(folders: Path, tmp_path: Path) -> None:
    image = folders / "a" / "1.png"
    study = vitiq.run_study(image, "jpeg@20,webp@bpp=1.5", tmp_path / "out", "mse,ssim", jobs=1, progress=False)
    assert [(record.codec, record.rate_kind) for record in study.records] == [("jpeg", "quality"), ("webp", "bpp")]
    decoded = vitiq.encode(image, "jpeg", quality=20).decode()
    assert study.records[0].scores["mse"].value == vitiq.score(image, decoded, "mse")["mse"].value
    assert study.records[1].bpp <= 1.5
    again = vitiq.run_study([image], ["jpeg@20", "webp@bpp=1.5"], tmp_path / "out", ["mse", "ssim"], jobs=1)
    assert [record.scores for record in again.records] == [record.scores for record in study.records]
    assert (tmp_path / "out" / "records.csv").exists()
    with pytest.raises(errors.VitiqError, match="2 problems, nothing was started"):
        vitiq.run_study(image, "jpegg@20", tmp_path / "none", "ssimm")
    assert not (tmp_path / "none").exists()


def test_sets_come_as_folders_or_batches(folders: Path) -> None:
    left, right = (sorted((folders / side).glob("*.png")) for side in ("a", "b"))
    by_folder = vitiq.score_sets(folders / "a", folders / "b", "patch-kid-pixel")
    by_batch = vitiq.score_sets(left, right, "patch-kid-pixel")
    assert by_batch["patch-kid-pixel"].value == pytest.approx(by_folder["patch-kid-pixel"].value, rel=1e-6)
    grey = [vitiq.load_image(path)[..., 0] for path in right]
    (note,) = vitiq.score_sets(left, grey, "patch-kid-pixel").notes
    assert note.startswith("distorted: grey")


def test_what_a_set_passes_over_is_named_and_counts_for_nothing(
    folders: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(folders / "a", photos)
    before = vitiq.score_sets(photos, folders / "b", "patch-kid-pixel")["patch-kid-pixel"].value
    for image in sorted(photos.glob("*.png")):
        vitiq.encode(image, "generative-mse", quality=0).save(image.with_suffix(".viq"))
    (photos / "notes.txt").write_text("not an image")
    assert vitiq.score_sets(photos, folders / "b", "patch-kid-pixel")["patch-kid-pixel"].value == before
    count = len(list(photos.glob("*.viq")))
    assert f"{photos}: 1 other file skipped (1 .txt)" in caplog.text
    assert f"{photos}: {count} compressed files skipped, beside images of the same name" in caplog.text


def test_compressed_files_are_decoded_where_no_image_of_their_name_lies_beside_them(
    folders: Path, tmp_path: Path
) -> None:
    """Truth: the same metric on the images that they decode to."""
    coded, decoded = tmp_path / "coded", tmp_path / "decoded"
    decoded.mkdir()
    for image in sorted((folders / "a").glob("*.png"))[:4]:
        file = vitiq.encode(image, "generative-mse", quality=0)
        file.save(coded / f"{image.stem}.viq")
        Image.fromarray(file.decode()).save(decoded / image.name)
    (coded / "0.viq").rename(coded / "0")  # known by its content
    metrics = "patch-kid-pixel,recall-pixel"
    found, expected = (vitiq.score_sets(folders / "b", side, metrics, progress=False) for side in (coded, decoded))
    assert {name: score.value for name, score in found.items()} == {n: score.value for n, score in expected.items()}
    assert found["patch-kid-pixel"].value != 0
    made = [statistics_of(side, MetricSpec("patch-fid-pixel"), jobs=1)[0].moments for side in (coded, decoded)]
    assert made[0].count == made[1].count
    assert np.allclose(made[0].covariance, made[1].covariance, rtol=1e-12)


def test_a_script_needs_no_guard(folders: Path, tmp_path: Path) -> None:
    call = f"vitiq.score_folder({str(folders / 'a')!r}, {str(folders / 'b')!r}, 'mse', jobs=2)"
    code = f"import vitiq\nprint(len({call}.pairs))\n"
    assert run(code, tmp_path) == "8\n"


IN_A_POOL = """
import multiprocessing, sys, vitiq
def work(out):
    a, b = sys.argv[1:]
    found = vitiq.score_folder(a, b, "mse", jobs=2)
    study = vitiq.run_study(a, "jpeg@20,50", out, "mse", executor="processes", jobs=2, progress=False)
    return len(found.pairs), len(study.records), len(study.problems)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(work, ["one", "two"]))
"""


def test_a_process_that_may_start_none_does_all_itself(folders: Path, tmp_path: Path) -> None:
    """Workers of a Pool, and those of DataLoader and Dask, are daemons: multiprocessing refuses them children."""
    said = run(IN_A_POOL, tmp_path, str(folders / "a"), str(folders / "b"))
    assert said == "[(8, 18, 0), (8, 18, 0)]\n"


class Scored(Dataset[float]):
    """ViT-Scores, as a training would want them of its loader's workers."""

    def __init__(self, pair: tuple[ImageU8, ImageU8]) -> None:
        self._pair = pair

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> float:
        a, b = (np.roll(image, 3 * index, axis=0) for image in self._pair)
        return float(vitiq.score(a, b, "vit-topk")["vit-topk"].value)


TORCH_AS_SET = """
import hashlib, random, sys
import numpy as np, torch, vitiq
torch.set_num_threads(1)
torch.set_default_dtype(getattr(torch, sys.argv[1]))
def state():
    numbers = (torch.get_rng_state().numpy().tobytes(), np.random.get_state()[1].tobytes(), random.getstate())
    return numbers, torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads()
image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
before = state()
search = {"iterations": 3, "loss": "mse"}
made = [vitiq.codec("inversion", **search), "generative", "generative-mse", vitiq.codec("jpeg+deblock")]
files = [vitiq.encode(image, codec, progress=False) for codec in made]
for file in files:
    print(hashlib.sha256(file.data + file.decode().tobytes()).hexdigest())
names = "vit-topk,vit-rbo,vit-tokens,vit-regions,brisque,frechet-pixel,fsim,haarpsi,ssimulacra2,psnr-hvs,butteraugli"
print({key: score.value for key, score in vitiq.score(image, files[1].decode(), names).items()})
assert state() == before
"""


def test_what_the_caller_has_set_torch_to_changes_nothing_and_stays(tmp_path: Path) -> None:
    """Random numbers, default dtype, gradients and threads, of a training that calls vitiq in between."""
    assert run(TORCH_AS_SET, tmp_path, "float64") == run(TORCH_AS_SET, tmp_path, "float32")


def test_it_works_in_forked_workers_of_a_data_loader(pair: tuple[ImageU8, ImageU8]) -> None:
    expected = [Scored(pair)[k] for k in range(4)]
    loader = DataLoader(Scored(pair), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=120)
    assert [float(value) for value in loader] == expected


def test_it_works_in_threads(pair: tuple[ImageU8, ImageU8]) -> None:
    images = [np.roll(pair[0], 7 * k, axis=1) for k in range(12)]

    def work(image: ImageU8) -> tuple[bytes, float]:
        encoded = vitiq.encode(image, "generative", quality=10)
        return encoded.data, vitiq.score(image, encoded.decode(), "vit-topk")["vit-topk"].value

    alone = [work(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, images)) == alone


def test_progress_is_the_callers_a_bars_or_none(
    pair: tuple[ImageU8, ImageU8], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Progress] = []
    search = vitiq.codec("inversion", iterations=2)
    vitiq.encode(pair[0], search, bytes=400, progress=seen.append)
    assert seen[-1].iteration == seen[-1].total
    vitiq.encode(pair[0], search, bytes=400)
    assert capsys.readouterr().err == ""
    vitiq.encode(pair[0], search, bytes=400, progress=True)
    assert "inversion" in capsys.readouterr().err
    assert builtins.bytes is bytes


def test_the_named_device_must_be_there(pair: tuple[ImageU8, ImageU8]) -> None:
    if torch.cuda.is_available():
        on_gpu = vitiq.score(*pair, "vit-topk,vit-js", device="cuda")
        for name, score in vitiq.score(*pair, "vit-topk,vit-js").items():
            assert on_gpu[name].value == pytest.approx(score.value, abs=0.02)
        return
    with pytest.raises(errors.InputError, match="device 'cuda' given, which torch does not have here"):
        vitiq.backbone(device="cuda")
    on_cpu = vitiq.score(*pair, "vit-topk,vit-js", device="cpu")
    for name, score in vitiq.score(*pair, "vit-topk,vit-js").items():
        assert on_cpu[name].value == pytest.approx(score.value, abs=0.02)
    with pytest.raises(errors.InputError, match="device 'kuda' given"):
        vitiq.score(*pair, "vit-topk", device="kuda")


def test_images_without_a_reference_have_the_scores_of_the_command(bundled: dict[str, ImageU8], tmp_path: Path) -> None:
    """Truth: `vitiq score IMAGE --json`."""
    images = [np.ascontiguousarray(bundled[name][:96, :128]) for name in ("animal", "building")]
    path = tmp_path / "x.png"
    Image.fromarray(images[0]).save(path)
    said = CliRunner().invoke(cli, ["score", str(path), "--json"], catch_exceptions=False).stdout
    wanted = json.loads(said)["images"][0]["scores"]
    for given in (path, images[0], images[0].transpose(2, 0, 1) / 255):
        scores = vitiq.score(given)
        assert {name: to_json(score) for name, score in scores.items()} == wanted
        assert scores.notes == ()
        assert to_json(vitiq.metric("brisque")(given)) == wanted["brisque"]
    values = [scores["brisque"].value for scores in vitiq.score(images, metrics="all")]
    assert values == [score.value for score in vitiq.metric("brisque")(images)]
    assert values == [vitiq.metric("brisque")(image, image).value for image in images]
    assert vitiq.score(images[0][:, :, :1]).notes == ("grey repeated in three channels",)


def test_an_own_metric_without_a_reference_scores_images_alone(bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["animal"][:32, :32])
    scores = vitiq.score(image, metrics=["brisque", OwnAlone()])
    assert list(scores) == ["brisque", "brightness"]
    assert scores["brightness"].value == vitiq.metric(OwnAlone())(image).value == image.mean()
    assert scores["brightness"].details == {}, "nothing compares it with itself"


def test_an_own_metric_is_used_without_a_package(bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["animal"][:32, :32])
    scores = vitiq.score(image, image + np.uint8(1), ["mse", OwnMetric()])
    assert list(scores) == ["mse", "own"]
    assert scores["own"].value == vitiq.metric(OwnMetric())(image, image + np.uint8(1)).value == 32 * 32 * 3
    measure = vitiq.torchmetric(OwnMetric())
    measure.update(torch.zeros(2, 3, 8, 8), torch.ones(2, 3, 8, 8))
    assert float(measure.compute()) == 8 * 8 * 3


def test_a_compressed_file_is_scored_as_by_the_command(tmp_path: Path, bundled: dict[str, ImageU8]) -> None:
    image = np.ascontiguousarray(bundled["animal"][:64, :64])
    path = vitiq.encode(image, "generative", quality=20).save(tmp_path / "an.viq")
    expected = float(np.mean((image.astype(float) - vitiq.decode(path)) ** 2))
    assert vitiq.score(image, path, "mse")["mse"].value == pytest.approx(expected)
    assert vitiq.score([image], [path], "mse")[0]["mse"].value == pytest.approx(expected)
    assert vitiq.metric("mse")(path, image).value == pytest.approx(expected)
    for call in (vitiq.load_image, vitiq.encode):
        with pytest.raises(InputError, match=r"an.viq: a compressed file of the codec generative .* vitiq.decode\("):
            call(path)
    (tmp_path / "text.txt").write_text("no image")
    with pytest.raises(InputError, match="not an image"):
        vitiq.load_image(tmp_path / "text.txt")


def test_statistics_and_folders_meet_images_in_memory(tmp_path: Path) -> None:
    """Truth: the same images in memory on both sides; statistics of the rows by NumPy."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 200 + side * 50, (16, 16, 3), dtype=np.uint8) for side in range(2) for _ in range(200)]
    references, distorted = images[:200], images[200:]
    (tmp_path / "a").mkdir()
    for number, image in enumerate(references):
        Image.fromarray(image).save(tmp_path / "a" / f"{number}.png")
    measure: Any = vitiq.metric("fid-pixel").metric
    rows = np.concatenate([measure.rows(image) for image in references]).astype(np.float64)
    np.savez(tmp_path / "a.npz", mu=rows.mean(axis=0), sigma=np.cov(rows, rowvar=False))
    expected = vitiq.score_sets(references, distorted, "fid-pixel")["fid-pixel"].value
    assert expected > 0
    for side in (tmp_path / "a.npz", tmp_path / "a"):
        for pair in ((side, distorted), (distorted, side)):
            found = ANY.score_sets(*pair, "fid-pixel", jobs=1, progress=False)["fid-pixel"].value
            assert found == pytest.approx(expected, rel=1e-4)


def test_reprs_are_short(tmp_path: Path, bundled: dict[str, ImageU8], monkeypatch: pytest.MonkeyPatch) -> None:
    assert repr(vitiq.codec("avif", speed=3)) == "<vitiq codec avif[speed=3]>"
    assert repr(vitiq.codec("jpeg")) == "<vitiq codec jpeg>"
    assert repr(vitiq.codec("jpeg+deblock")) == "<vitiq codec jpeg+deblock>"
    Image.fromarray(np.ascontiguousarray(bundled["animal"][:32, :32])).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    pair = vitiq.score_folder(".", ".", "mse,fid-vit", jobs=1, progress=False).pairs[0]
    assert len(repr(pair)) < 1000
    assert repr(replace(pair, rows=({"of a network": np.zeros((9, 9), np.float32)}, {}))) == repr(pair)
    study = vitiq.run_study("a.png", "jpeg@30,80", "out", "mse", executor="inline", progress=False)
    assert repr(study) == "<vitiq study: 2 records, 1 image, 1 codec, 0 problems>"
