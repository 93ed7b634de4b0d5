"""Plug-ins at the doors through which vitiq calls them: what they are handed, and what they give back beside pixels.

Truth: the contracts in `vitiq.plugins`, and values counted by hand.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import vitiq
from vitiq import registry
from vitiq.cli.main import cli
from vitiq.codecs.detect import codec_of, is_compressed
from vitiq.codecs.files import decode_file, encode_file
from vitiq.codecs.spec import make_codec
from vitiq.errors import BitstreamError, InputError, PluginError
from vitiq.evaluation.pairs import pair_up
from vitiq.evaluation.points import choose_label
from vitiq.evaluation.store import Store
from vitiq.image.io import write_png
from vitiq.metrics.scoring import signature_of
from vitiq.types import ImageU8, Progress

CODE = """
import struct
import numpy as np
from vitiq.plugins import Codec, FileInfo, Filter, PairMetric, Progress, Score, SetMetric

class Raw(Codec):
    name, title, extension, magic = "raw", "Raw", ".raw", b"RAW_"
    qualities, default_quality, quality_help, quality_range = (1,), 1, "always 1", (1, 1, 1)

    def compress(self, image, quality, progress=None):
        if progress:
            progress(Progress(0, 1, 1.0))
        return self.magic + struct.pack(">HH", *image.shape[:2]) + image.tobytes()

    def decompress(self, data):
        return np.frombuffer(data[8:], np.uint8).reshape(*struct.unpack(">HH", data[4:8]), 3).copy()

    @classmethod
    def detect(cls, data):
        return data.startswith(cls.magic)

class Greedy(Raw):
    name, title, extension, magic = "greedy", "Greedy", ".grd", b"GRDY"

    @classmethod
    def detect(cls, data):
        return True

class Array(Raw):
    name, title, extension, magic = "array", "Array", ".arr", b"ARRY"

    @classmethod
    def detect(cls, data):
        return np.frombuffer(data[:4], np.uint8) == np.frombuffer(b"ARRY", np.uint8)

class Inherits(Raw):
    name, title, extension = "inherits", "Inherits", ".inh"

class Writes(Raw):
    name, title, magic = "writes", "Writes", b"WRTS"

    def compress(self, image, quality, progress=None):
        image[:] = 0

class Inspects(Raw):
    name, title, extension, magic = "inspects", "Inspects", ".ins", b"INSP"
    GIVES = None

    def inspect(self, data, *, symbols=False):
        if isinstance(self.GIVES, Exception):
            raise self.GIVES
        if isinstance(self.GIVES, dict):
            return FileInfo("inspects", 4, 4, len(data), 1, {"file": np.int64(len(data))}, details=self.GIVES)
        return self.GIVES

class NeedsModel(Raw):
    name, title, magic = "needs-model", "Needs", b"NEED"

    def __init__(self, model):
        super().__init__()

class Zeroes(Filter):
    name, title = "zeroes", "Zeroes"

    def apply(self, image, data=None):
        image[:2] = 0
        return image

class _Stated:
    unit, range, higher_is_better, kind = "", (0.0, 1e9), False, "full-reference"
    formula = reference = "-"

    def signature(self):
        return f"{self.name}|v1"

class MeanColour(_Stated, SetMetric):
    name, title, kind = "mean-colour", "Mean colour", "distribution"

    def __call__(self, reference, distorted):
        means = [np.mean([image.mean() for image in side]) for side in (reference, distorted)]
        return Score(float(means[1] - means[0]), self.signature(), {"n": len(distorted)})

class InPlace(_Stated, PairMetric):
    name, title = "in-place", "In place"

    def __call__(self, reference, distorted):
        distorted -= reference
        return Score(float(distorted.mean()), self.signature())

class Details(_Stated, PairMetric):
    name, title, GIVES = "details", "Details", {}

    def __call__(self, reference, distorted):
        return Score(0.5, self.signature(), self.GIVES)

class Quantile(_Stated, PairMetric):
    name, title, parameter = "quantile", "Quantile", "share"

    def __init__(self, share="0.9"):
        if not 0 <= float(share) <= 1:
            raise ValueError(f"share {share} is not in 0 to 1")

    def __call__(self, reference, distorted):
        return Score(0.5, self.signature())
"""
ENTRIES = """[vitiq.codecs]
raw = door_plugins:Raw
array = door_plugins:Array
writes = door_plugins:Writes
inspects = door_plugins:Inspects
needs-model = door_plugins:NeedsModel
{more}

[vitiq.filters]
zeroes = door_plugins:Zeroes

[vitiq.metrics]
mean-colour = door_plugins:MeanColour
in-place = door_plugins:InPlace
details = door_plugins:Details
quantile = door_plugins:Quantile
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, more: str = "") -> Any:
    """The module of the plug-ins, as if its package were installed."""
    info = folder / "doors-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: doors\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRIES.format(more=more))
    (folder / "door_plugins.py").write_text(CODE)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "door_plugins", raising=False)
    return __import__("door_plugins")


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the plug-ins, installed."""
    return install(tmp_path / "site", monkeypatch)


def grey(level: int) -> ImageU8:
    return np.full((16, 16, 3), level, np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Images of grey 10 and 20, and others of grey 40 and 60: means 15 and 50."""
    for place, levels in (("a", (10, 20)), ("b", (40, 60))):
        (tmp_path / place).mkdir()
        for level in levels:
            write_png(tmp_path / place / f"{place}{level}.png", grey(level))
    return tmp_path / "a", tmp_path / "b"


@pytest.mark.usefixtures("plugins")
def test_a_metric_that_is_given_the_images_of_sets_counts_in_folders(folders: tuple[Path, Path]) -> None:
    found = vitiq.score_sets(*folders, "mean-colour,fid-pixel", progress=False)
    assert list(found) == ["mean-colour", "fid-pixel"]
    assert found["mean-colour"].value == 35
    assert vitiq.score_sets(folders[0], [grey(20)] * 3, "mean-colour", progress=False)["mean-colour"].value == 5
    (folders[1] / "c.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    answer = CliRunner().invoke(cli, ["score", *map(str, folders), "-m", "mean-colour", "--json"])
    said = json.loads(answer.stdout)
    assert said["sets"]["mean-colour"]["value"] == 35
    assert said["sets"]["mean-colour"]["n"] == 2
    assert len(said["problems"]) == 1


@pytest.mark.usefixtures("plugins")
def test_a_metric_that_is_given_the_images_of_sets_counts_in_studies(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    arguments = ["bench", str(folders[0]), "-c", "raw", "-m", "psnr-rgb,mean-colour", "-o", str(tmp_path / "out")]
    answer = CliRunner().invoke(cli, [*arguments, "--executor", "inline"])
    assert answer.exit_code == 0, answer.output
    assert "| Raw | 0.0000 |" in answer.stdout
    (kept,) = Store(tmp_path / "out").out.glob("studies/*.sets.json")
    assert json.loads(kept.read_text())["Raw"]["scores"]["mean-colour"]["n"] == 2


@pytest.mark.usefixtures("plugins")
def test_images_that_plugins_are_handed_are_read_only_and_stay_as_they_are() -> None:
    image, other = grey(100), grey(40)
    scores = vitiq.score(image, other, "in-place,mse")
    assert "metric in-place failed (ValueError: output array is read-only)" in str(
        scores["in-place"].details["undefined"]
    )
    assert scores["mse"].value == 3600
    with pytest.raises(PluginError, match=r"codec writes failed to encode .ValueError: assignment dest"):
        vitiq.encode(image, "writes")
    with pytest.raises(PluginError, match=r"filter zeroes failed .ValueError: assignment destination is read-only"):
        vitiq.decode(vitiq.encode(image, "raw").data, "raw+zeroes")
    with pytest.raises(PluginError, match="read-only"):
        vitiq.metric("in-place")(image, other)
    assert (image == 100).all()
    assert (other == 40).all()
    image[:] = 1  # the caller's own is as writable as before
    assert vitiq.decode(vitiq.encode(image, "raw").data).flags.writeable


@pytest.mark.usefixtures("plugins")
def test_tensors_of_a_training_are_not_written_to() -> None:
    pytest.importorskip("torchmetrics")
    batch = torch.full((2, 3, 16, 16), 100, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    measure = vitiq.torchmetric("in-place")
    with pytest.warns(UserWarning, match="output array is read-only"):
        measure.update(batch, batch // 2)
    assert bool((batch == 100).all())
    assert math.isnan(float(measure.compute()))


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("avif[subsampling=4:4:4,tune=psnr]", "AVIF [tune=psnr, subsampling=4:4:4]"),
        ("avif[tune=psnr,subsampling=4:4:4]@20:90:10", "AVIF [tune=psnr, subsampling=4:4:4]"),
        ("avif", "AVIF"),
        ('cmd:"tool {in} {out} -q {q}"', "tool -q {q}"),
        ("jpeg+deblock", "JPEG + Deblock"),
        ("webp[method=4]", "WebP [method=4] [a/study]"),
    ],
)
def test_a_curve_is_named_as_its_codec_is_written(written: str, label: str) -> None:
    others = ["AVIF", "AVIF [tune=psnr, subsampling=4:4:4]", "AVIF [tune=ssim]", "tool -q {q}", "WebP [b/study]"]
    known = [*others, make_codec("jpeg+deblock").label(), "WebP [method=4] [a/study]"]
    label = make_codec("jpeg+deblock").label() if "deblock" in written else label
    assert choose_label(written, known, {"avif": others[:3]}) == label


def test_a_curve_of_two_sources_is_named_with_its_place() -> None:
    known = ["WebP [method=4] [a]", "WebP [method=4] [b]"]
    with pytest.raises(InputError, match=r"stands for 2 curves; choose from 'WebP .method=4. .a.'"):
        choose_label("webp[method=4]", known, {})


@pytest.mark.usefixtures("plugins")
def test_a_detect_that_gives_no_truth_value_hides_no_other_codec() -> None:
    image = grey(9)
    for name in ("jpeg", "raw"):
        assert codec_of(make_codec(name).encode(image)) == name
    with pytest.raises(BitstreamError, match=r"could not be asked: array, ValueError: The truth value"):
        codec_of(b"nothing that is known")


def test_formats_of_vitiq_are_asked_before_those_of_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = "greedy = door_plugins:Greedy\na-jpeg = door_jpeg:Mine"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "door_jpeg.py").write_text(
        "from vitiq.codecs.classical.pillow import Jpeg\nclass Mine(Jpeg):\n    name, title = 'a-jpeg', 'Mine'\n"
    )
    install(tmp_path / "site", monkeypatch, more)
    image = grey(9)
    for name in ("jpeg", "webp", "generative"):
        assert codec_of(make_codec(name).encode(image)) == name


def test_of_two_plugins_that_take_a_file_the_suffix_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch, "inherits = door_plugins:Inherits")
    data = make_codec("raw").encode(grey(9))
    assert is_compressed(data)
    said = "codecs inherits of door_plugins and raw of door_plugins both take this file"
    with pytest.raises(BitstreamError, match=said):
        vitiq.decode(data)
    assert [codec_of(data, name) for name in ("x.raw", "x.INH")] == ["raw", "inherits"]
    (tmp_path / "x.inh").write_bytes(data)
    assert decode_file(tmp_path / "x.inh").codec == "inherits"


@pytest.mark.usefixtures("plugins")
def test_folders_of_a_plugins_files_are_scored(folders: tuple[Path, Path], tmp_path: Path) -> None:
    coded = tmp_path / "coded"
    coded.mkdir()
    for path in folders[0].iterdir():
        encode_file(path, coded / f"{path.stem}.raw", codec=make_codec("raw"))
    (coded / "a20.raw").rename(coded / "a20.other")  # known by its content
    (coded / "notes.txt").write_text("no image")
    assert len(pair_up(folders[0], coded).pairs) == 2
    assert vitiq.score_folder(folders[0], coded, "mse", progress=False).summary["mse"].mean == 0
    assert vitiq.score_sets(folders[0], coded, "mean-colour", progress=False)["mean-colour"].details["n"] == 2
    for path in folders[0].iterdir():
        (coded / path.name).write_bytes(path.read_bytes())  # beside images of their names they are passed over
    assert vitiq.score_sets(folders[0], coded, "mean-colour", progress=False)["mean-colour"].details["n"] == 2


def test_details_of_a_metric_are_json_or_its_own_fault(plugins: Any, folders: tuple[Path, Path]) -> None:
    file = str(folders[0] / "a10.png")
    plugins.Details.GIVES = {"n": np.int64(3), "share": np.float32(0.5), "each": (np.arange(2), math.nan), 4: np.True_}
    answer = CliRunner().invoke(cli, ["score", file, file, "-m", "details,mse", "--json"])
    found = json.loads(answer.stdout)["pairs"][0]["scores"]
    assert found["details"] == {
        "value": 0.5,
        "signature": "details|v1",
        "n": 3,
        "share": 0.5,
        "each": [[0, 1], None],
        "4": True,
    }
    for given, kind in (({"x": {1, 2}}, "set"), ({"x": b"1"}, "bytes"), (None, "NoneType")):
        plugins.Details.GIVES = given
        scores = vitiq.score(grey(1), grey(2), "details,mse")
        assert scores["mse"].value == 1
        said = str(scores["details"].details["undefined"])
        assert "metric details gave details that JSON cannot hold" in said
        assert kind in said


def test_what_inspect_gives_is_checked_and_loses_no_file(plugins: Any, folders: tuple[Path, Path]) -> None:
    source, target = folders[0] / "a10.png", folders[0] / "made.ins"
    plugins.Inspects.GIVES = {"step": np.float32(0.5)}
    encode_file(source, target, codec=make_codec("inspects"))
    answer = CliRunner().invoke(cli, ["info", str(target), "--json"])
    assert json.loads(answer.stdout)["step"] == 0.5
    for given, said in (
        (None, "inspect gave NoneType, a vitiq.plugins.FileInfo expected"),
        ({"x": {1}}, "inspect gave details that JSON cannot hold (set)"),
        (RuntimeError("boom"), "cannot inspect the file (RuntimeError: boom)"),
    ):
        plugins.Inspects.GIVES = given
        done = encode_file(source, target, codec=make_codec("inspects"), overwrite=True)
        assert said in done.notes[-1]
        assert "it comes from the plug-in door_plugins" in done.notes[-1]
        with pytest.raises((BitstreamError, PluginError), match="it comes from the plug-in door_plugins"):
            vitiq.inspect(target)


@pytest.mark.usefixtures("plugins")
def test_a_constructor_that_fails_is_the_plugins_and_an_illegal_setting_the_users() -> None:
    with pytest.raises(PluginError, match=r"codec needs-model cannot be made \(TypeError: .*'model'\); it comes from"):
        vitiq.codec("needs-model")
    with pytest.raises(InputError, match=r"metric quantile does not take share=5 \(ValueError: share 5 is not in"):
        vitiq.score(grey(1), grey(2), "quantile@5")


@pytest.mark.usefixtures("plugins")
def test_what_a_callers_callback_raises_comes_through() -> None:
    def stop(state: Progress) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        vitiq.encode(grey(1), "raw", progress=stop)


@pytest.mark.parametrize(
    ("more", "name", "said"),
    [
        ("My Codec = door_plugins:Raw", "My Codec", "'My Codec' of doors has a name that cannot be written"),
        ("dotless = door_more:Dotless", "dotless", r"has the extension 'odd', one with a dot \('.odd'\) expected"),
    ],
)
def test_names_and_extensions_are_checked(
    more: str, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", monkeypatch, more)
    (tmp_path / "site" / "door_more.py").write_text(
        "from door_plugins import Raw\nclass Dotless(Raw):\n    name, extension = 'dotless', 'odd'\n"
    )
    with pytest.raises(PluginError, match=said):
        registry.load("codecs", name)


def test_a_signature_is_text(plugins: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins._Stated, "signature", lambda _: None)
    said = "gave NoneType for (its|a) signature, text expected; it comes from the plug-in door_plugins"
    score = vitiq.score(grey(1), grey(1), "quantile")["quantile"]
    assert re.search(said, str(score.details["undefined"]))
    assert re.search(said, signature_of(registry.make("metrics", "mean-colour")))
